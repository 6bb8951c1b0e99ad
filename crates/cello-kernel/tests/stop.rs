//! The end of a server: what is begun is finished within the deadline, and the application is told once.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use cello_kernel::Settings;

use crate::support::{BIG_BYTES, Client, End, Event, FAR_AWAY, bind, get, post_head, serve};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_server_without_connections_stops_at_once() {
    let server = serve(Settings::default());
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_server_that_has_rested_between_connections_stops_at_once() {
    let server = serve(Settings::default());
    for _ in 0..3 {
        let mut client = server.connect();
        assert_eq!(client.ask(get("/hello")).status, 200);
        client.finish_sending();
        assert_eq!(client.end(), End::Closed);
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(server.drain().pop(), Some(Event::Drained));
}

#[test]
fn idle_and_silent_connections_are_closed_and_drained_is_called_once() {
    let server = serve(Settings::default());
    let mut idle: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.ask(get("/hello")).status, 200);
        assert_eq!(server.next_event(), Event::Answered(0));
    }
    let mut after_a_wait = server.connect();
    after_a_wait.send(get("/later"));
    server.answer(server.next_ticket(), "");
    assert_eq!(after_a_wait.answer().status, 200);
    let mut silent = server.connect();
    server.stop(FAR_AWAY);
    server.stop(FAR_AWAY);
    for client in idle.iter_mut().chain([&mut after_a_wait, &mut silent]) {
        client.end();
    }
    assert_eq!(server.events_until_drained(), [Event::Drained]);
    assert_eq!(server.connections(), 0);
    assert_eq!(server.events_so_far(), []);
}

#[test]
fn a_request_in_flight_is_answered_and_then_its_connection_is_closed() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later"));
    let ticket = server.next_ticket();
    server.stop(FAR_AWAY);
    assert_eq!(server.connections(), 1);
    server.answer(ticket, "finished");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
    assert_eq!(server.events_until_drained(), [Event::Drained]);
}

#[test]
fn a_request_whose_head_or_body_is_still_coming_is_answered() {
    let request = post_head("/echo", 6) + "abcdef";
    for begun_bytes in [20, request.len() - 3] {
        let server = serve(Settings::default());
        let (begun, rest) = request.split_at(begun_bytes);
        let (mut client, mut idle) = (server.connect(), server.connect());
        client.send(begun);
        server.settle();
        server.stop(FAR_AWAY);
        assert_eq!(idle.end(), End::Closed);
        let answer = client.ask(rest);
        assert_eq!(answer.text(), "abcdef");
        assert!(answer.says_close());
        assert_eq!(client.end(), End::Closed);
        assert_eq!(server.events_until_drained(), [Event::Answered(6), Event::Drained]);
    }
}

#[test]
fn an_idle_connection_gets_one_more_answer_where_there_is_patience() {
    let server = serve(Settings::default());
    let (mut used, mut fresh, mut silent) = (server.connect(), server.connect(), server.connect());
    assert_eq!(used.ask(get("/hello")).status, 200);
    server.settle();
    server.retire(FAR_AWAY, FAR_AWAY);
    for client in [&mut used, &mut fresh] {
        let answer = client.ask(get("/hello"));
        assert_eq!(answer.status, 200);
        assert!(answer.says_close());
        assert_eq!(client.end(), End::Closed);
    }
    assert_eq!(server.connections(), 1);
    silent.finish_sending();
    assert_eq!(silent.end(), End::Closed);
    assert_eq!(server.events_until_drained().pop(), Some(Event::Drained));
}

#[test]
fn patience_with_idle_connections_ends() {
    let server = serve(Settings::default());
    let mut silent = server.connect();
    server.settle();
    let started = Instant::now();
    server.retire(FAR_AWAY, SHORT);
    silent.end();
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    assert_eq!(server.events_until_drained(), [Event::Drained]);
}

#[test]
fn a_listener_is_taken_and_left_while_the_server_runs() {
    let server = serve(Settings::default());
    let (neighbour, address) = bind();
    server.listen(1, neighbour);
    let mut client = Client::connect(address);
    assert_eq!(client.ask(get("/hello")).status, 200);
    server.leave(1);
    assert_eq!(client.ask(get("/hello")).status, 200, "its connections stay");
    server.settle();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_big_answer_on_its_way_is_sent_whole() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/big"));
    assert_eq!(client.head().status, 200);
    server.stop(FAR_AWAY);
    assert_eq!(server.connections(), 1);
    assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    assert_eq!(client.end(), End::Closed);
    assert_eq!(server.events_until_drained().pop(), Some(Event::Drained));
}

#[test]
fn what_is_left_after_the_deadline_is_cut() {
    let server = serve(Settings::default());
    let mut deferred = server.connect();
    deferred.send(get("/later"));
    let ticket = server.next_ticket();
    let mut in_body = server.connect();
    in_body.send(post_head("/echo", 6) + "abc");
    server.settle();
    let started = Instant::now();
    server.stop(SHORT);
    deferred.end();
    in_body.end();
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    assert_eq!(server.events_until_drained(), [Event::Abandoned(ticket), Event::Drained]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn new_connections_are_refused_while_a_request_is_finished_and_after() {
    let server = serve(Settings::default());
    let (mut client, mut idle) = (server.connect(), server.connect());
    client.send(get("/later"));
    let ticket = server.next_ticket();
    assert_eq!(idle.ask(get("/hello")).status, 200);
    server.stop(FAR_AWAY);
    assert_eq!(idle.end(), End::Closed);
    assert!(TcpStream::connect(server.address).is_err());
    server.answer(ticket, "");
    assert_eq!(client.answer().status, 200);
    assert_eq!(server.events_until_drained().pop(), Some(Event::Drained));
    assert!(TcpStream::connect(server.address).is_err());
}
