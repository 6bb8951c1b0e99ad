//! Clients that leave: the application is told of it exactly once, where a request was still open.

use cello_kernel::Settings;

use crate::support::{Event, get, post, post_head, serve};

#[test]
fn a_client_that_leaves_while_its_request_is_deferred_is_told_once() {
    let server = serve(Settings::default());
    for request in [get("/later"), post("/later", "abc")] {
        let mut client = server.connect();
        client.send(request);
        let ticket = server.next_ticket();
        drop(client);
        assert_eq!(server.next_event(), Event::Abandoned(ticket));
        server.answer(ticket, "nobody reads this");
    }
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_client_that_resets_its_connection_is_told_once() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later"));
    let ticket = server.next_ticket();
    client.vanish();
    assert_eq!(server.next_event(), Event::Abandoned(ticket));
    assert_eq!(server.drain(), [Event::Drained]);
}

/// The application was not told, when the end of the connection was read together with the request.
#[test]
fn a_client_that_has_left_before_its_request_is_seen_is_told_once() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    assert_eq!(client.ask(get("/hello")).status, 200);
    assert_eq!(server.next_event(), Event::Answered(0));
    server.while_it_stands_still(|| {
        client.send(get("/later"));
        drop(client);
    });
    let ticket = server.next_ticket();
    assert_eq!(server.next_event(), Event::Abandoned(ticket));
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_half_closed_client_counts_as_gone() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later"));
    let ticket = server.next_ticket();
    client.finish_sending();
    assert_eq!(server.next_event(), Event::Abandoned(ticket));
    client.end();
}

#[test]
fn the_answers_before_the_request_that_a_half_closed_client_gives_up_are_sent() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/hello") + &get("/later"));
    client.finish_sending();
    assert_eq!(client.answer().text(), "hello");
    client.end();
    assert_eq!(server.drain(), [Event::Answered(0), Event::Deferred(1), Event::Abandoned(1), Event::Drained]);
}

#[test]
fn a_client_that_leaves_after_its_answer_is_not_told() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later"));
    server.answer(server.next_ticket(), "done");
    assert_eq!(client.answer().text(), "done");
    drop(client);
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_or_answer_harms_nobody() {
    let server = serve(Settings::default());
    let mut in_body = server.connect();
    in_body.send(post_head("/later", 10) + "abc");
    let mut in_answer = server.connect();
    in_answer.send(get("/big"));
    assert_eq!(in_answer.head().status, 200);
    assert_eq!(server.next_event(), Event::Answered(0));
    in_body.vanish();
    in_answer.vanish();
    assert_eq!(server.connect().ask(get("/hello")).status, 200);
    assert_eq!(server.drain(), [Event::Answered(0), Event::Drained]);
}
