//! A panic of the application is a 500 for one request, and nothing else.

use std::collections::HashSet;

use cello_kernel::Settings;

use crate::support::{Client, Event, get, post, post_head, serve};

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 40;

#[test]
fn panics_under_load_are_500_for_their_own_requests_and_no_other() {
    let server = serve(Settings::default());
    let address = server.address;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..REQUESTS).filter_map(|request| ask_or_panic(&mut client, number + request)).collect::<Vec<_>>()
            })
        })
        .collect();
    let ids: Vec<String> = clients.into_iter().flat_map(|client| client.join().expect("a client's thread")).collect();
    let panics = (0..CONNECTIONS * REQUESTS).filter(|at| is_panic(at / REQUESTS + at % REQUESTS)).count();
    assert_eq!(ids.len(), panics);
    assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), panics, "each request has an id of its own");
    let events = server.drain();
    assert_eq!(events.len(), CONNECTIONS * REQUESTS - panics + 1, "every other request was dispatched and answered");
}

fn is_panic(number: usize) -> bool {
    number.is_multiple_of(5)
}

/// Sends one request on a connection that goes on, and returns the id that a panicking one is told.
fn ask_or_panic(client: &mut Client, number: usize) -> Option<String> {
    let with_body = number.is_multiple_of(2);
    if is_panic(number) {
        let answer = client.ask(if with_body { post("/panic", "abc") } else { get("/panic") });
        assert!(!answer.text().contains("not for clients"), "{}", answer.text());
        assert!(!answer.says_close());
        return Some(answer.problem(500));
    }
    let answer = client.ask(if with_body { post("/echo", "hello") } else { get("/hello") });
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    None
}

#[test]
fn a_panic_after_a_body_was_waited_for_is_500_and_the_connection_lives_on() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(post_head("/panic", 6) + "abc");
    server.settle();
    let answer = client.ask("def");
    answer.problem(500);
    assert!(answer.text().contains("\"instance\":\"/panic\""), "{}", answer.text());
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn pipelined_requests_around_a_panic_are_answered_in_order() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/hello") + &get("/panic") + &post("/panic", "abc") + &post("/echo", "last"));
    assert_eq!(client.answer().text(), "hello");
    client.answer().problem(500);
    client.answer().problem(500);
    assert_eq!(client.answer().text(), "last");
}

#[test]
fn a_panic_when_a_client_has_gone_harms_no_other_connection() {
    let server = serve(Settings::default());
    let mut other = server.connect();
    assert_eq!(other.ask(get("/hello")).status, 200);
    let mut client = server.connect();
    client.send(get("/panic-when-abandoned"));
    assert_eq!(server.next_event(), Event::Answered(0));
    let ticket = server.next_ticket();
    drop(client);
    assert_eq!(server.next_event(), Event::Abandoned(ticket));
    assert_eq!(other.ask(get("/hello")).status, 200);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.drain(), [Event::Answered(0), Event::Drained]);
}
