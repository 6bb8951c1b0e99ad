//! How long a client, or a handler, may take. Time is the subject here: a client that is slow on purpose waits.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use cello_kernel::{Settings, Timeouts};

use crate::support::{BIG_BYTES, End, Event, REST, SAFETY_NET, get, post, post_head, route_settings, serve};

const SHORT: Duration = Duration::from_millis(300);

/// Lets time pass: for the server, this client takes nothing.
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn timed(timeouts: Timeouts) -> Settings {
    Settings { timeouts, ..Settings::default() }
}

#[test]
fn a_new_connection_that_stays_silent_is_closed() {
    let server = serve(timed(Timeouts { head: SHORT, ..Timeouts::default() }));
    // A server without connections rests, and has to wake again for each.
    for _ in 0..3 {
        let started = Instant::now();
        let mut client = server.connect();
        client.end();
        assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    }
}

#[test]
fn a_head_that_does_not_end_is_closed_however_it_drips() {
    let server = serve(timed(Timeouts { head: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    let started = Instant::now();
    client.send("GET /hello HTTP/1.1\r\n");
    while client.is_open_after(SHORT / 10) {
        // The connection may end at any time.
        let _ = client.try_send("a");
        assert!(started.elapsed() < SAFETY_NET, "the connection is still open");
    }
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_slow_head_is_closed_on_a_connection_that_has_served_others() {
    let server = serve(timed(Timeouts { head: SHORT, ..Timeouts::default() }));
    for path in ["/hello", "/later"] {
        let mut client = server.connect();
        client.send(get(path));
        if let Event::Deferred(ticket) = server.next_event() {
            server.answer(ticket, "");
        }
        assert_eq!(client.answer().status, 200);
        assert!(client.is_open_after(SHORT * 2), "an idle connection has its own timeout");
        let started = Instant::now();
        client.send("GET /hello HTT");
        client.end();
        assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    }
}

#[test]
fn a_head_begun_while_the_request_before_it_was_deferred_is_closed_when_it_is_slow() {
    let server = serve(timed(Timeouts { head: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    client.send(get("/later"));
    let ticket = server.next_ticket();
    client.send("GET /hello HTT");
    assert!(client.is_open_after(SHORT * 2), "its turn has not come");
    server.answer(ticket, "");
    assert_eq!(client.answer().status, 200);
    client.end();
}

#[test]
fn an_answer_that_pauses_is_neither_idle_nor_the_head_of_the_next_request() {
    let server = serve(timed(Timeouts { head: SHORT, keep_alive: SHORT, ..Timeouts::default() }));
    for begun in ["", "GET /hello HTT"] {
        let mut client = server.connect();
        client.send(get("/trickle"));
        client.send(begun);
        assert_eq!(client.answer().body, b"xxx");
        client.end();
    }
}

#[test]
fn a_body_that_stops_coming_is_408() {
    let server = serve(timed(Timeouts { body: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    let started = Instant::now();
    let answer = client.ask(post_head("/echo", 10) + "abc");
    answer.problem(408);
    assert!(answer.says_close());
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    client.finish_sending();
    assert_eq!(client.end(), End::Closed);
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_body_that_is_slow_but_keeps_coming_is_answered() {
    let handler = Some(SHORT);
    let server = serve(timed(Timeouts { body: SHORT, handler, ..Timeouts::default() }));
    let mut client = server.connect();
    client.send(post_head("/echo", 20));
    for _ in 0..20 {
        assert!(client.is_open_after(SHORT / 10));
        client.send("x");
    }
    assert_eq!(client.answer().text(), "x".repeat(20));
}

#[test]
fn the_time_that_an_application_takes_between_two_pieces_is_not_its_clients() {
    let timeouts = Timeouts { body: REST / 2, ..Timeouts::default() };
    let server = serve(Settings { routes: route_settings(), ..timed(timeouts) });
    let mut client = server.connect();
    client.send(post_head("/slowly", 2));
    server.settle();
    client.send("a");
    pause(REST + REST / 8);
    client.send("b");
    assert_eq!(client.answer().text(), "ab");
    assert_eq!(client.ask(post_head("/slowly", 1)).text(), "TimedOut");
}

#[test]
fn an_idle_connection_is_closed_and_not_before_its_time() {
    let server = serve(timed(Timeouts { keep_alive: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    for _ in 0..12 {
        assert!(client.is_open_after(SHORT / 10));
        assert_eq!(client.ask(get("/hello")).status, 200);
    }
    let started = Instant::now();
    assert_eq!(client.ask(get("/hello")).status, 200);
    client.end();
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
}

#[test]
fn a_connection_is_idle_after_a_deferred_answer_and_after_a_body_too() {
    let server = serve(timed(Timeouts { keep_alive: SHORT, ..Timeouts::default() }));
    for request in [get("/later"), post("/later", "abc"), post_head("/later", 3)] {
        let mut client = server.connect();
        client.send(&request);
        if request.starts_with("POST") && request.ends_with("\r\n\r\n") {
            server.settle();
            client.send("abc");
        }
        let ticket = server.next_ticket();
        assert!(client.is_open_after(SHORT * 2), "it is not idle while it waits for its answer");
        let started = Instant::now();
        server.answer(ticket, "");
        assert_eq!(client.answer().status, 200);
        client.end();
        assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    }
}

#[test]
fn a_client_that_takes_nothing_of_a_big_answer_is_closed() {
    let server = serve(timed(Timeouts { write: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    let started = Instant::now();
    client.send(get("/big"));
    assert_eq!(server.next_event(), Event::Answered(0));
    // The stop waits for the connection, and the connection for its client, until that has had its time.
    assert_eq!(server.drain(), [Event::Drained]);
    assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
    assert_eq!(client.head().status, 200);
    assert!(client.skip(BIG_BYTES) < BIG_BYTES);
}

#[test]
fn a_client_that_asks_on_and_on_and_takes_no_answer_is_closed() {
    let server = serve(timed(Timeouts { write: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    let requests = get("/hello").repeat(1000);
    let error = loop {
        if let Err(error) = client.try_send(&requests) {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    assert_eq!(server.drain().pop(), Some(Event::Drained));
}

#[test]
fn a_client_that_takes_a_big_answer_slowly_gets_all_of_it() {
    let server = serve(timed(Timeouts { write: SHORT * 2, ..Timeouts::default() }));
    let mut client = server.connect();
    client.send(get("/big"));
    assert_eq!(client.head().status, 200);
    let piece = BIG_BYTES / 24;
    for _ in 0..24 {
        pause(SHORT / 5);
        assert_eq!(client.skip(piece), piece);
    }
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn a_client_that_is_still_reading_is_not_idle() {
    let server = serve(timed(Timeouts { keep_alive: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    client.send(get("/big"));
    pause(SHORT * 3);
    assert_eq!(client.head().status, 200);
    assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    client.end();
}

#[test]
fn a_request_sent_while_the_answer_before_it_is_read_slowly_is_no_slow_head() {
    let server = serve(timed(Timeouts { head: SHORT, ..Timeouts::default() }));
    let mut client = server.connect();
    client.send(get("/big"));
    assert_eq!(client.head().status, 200);
    client.send(get("/hello"));
    pause(SHORT * 3);
    assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn a_handler_that_takes_too_long_is_503_and_told_so_once() {
    let server = serve(timed(Timeouts { handler: Some(SHORT), ..Timeouts::default() }));
    let mut client = server.connect();
    for request in [get("/later"), post("/later", "abc")] {
        let started = Instant::now();
        client.send(request);
        let ticket = server.next_ticket();
        client.answer().problem(503);
        assert!(started.elapsed() >= SHORT, "{:?}", started.elapsed());
        assert_eq!(server.next_event(), Event::Abandoned(ticket));
        server.answer(ticket, "too late");
        assert_eq!(client.ask(get("/hello")).text(), "hello");
        assert_eq!(server.next_event(), Event::Answered(0));
    }
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_handler_that_is_in_time_is_not_disturbed() {
    let server = serve(timed(Timeouts { handler: Some(SHORT), ..Timeouts::default() }));
    let mut client = server.connect();
    for _ in 0..12 {
        client.send(get("/later"));
        let ticket = server.next_ticket();
        assert!(client.is_open_after(SHORT / 10));
        server.answer(ticket, "in time");
        assert_eq!(client.answer().text(), "in time");
    }
    assert_eq!(server.drain(), [Event::Drained]);
}
