//! What a client may not exceed: each limit holds at its exact number, and the refusal can be read.

use std::time::Duration;

use cello_kernel::{Limits, Settings, Timeouts};

use crate::support::{End, Event, chunked_head, get, post, post_head, serve};

fn limited(limits: Limits) -> Settings {
    Settings { limits, ..Settings::default() }
}

/// A GET request of `/hello` whose head has exactly so many bytes.
fn head_of(bytes: usize) -> String {
    let empty = "GET /hello HTTP/1.1\r\nHost: test\r\nX-Filler: \r\n\r\n";
    empty.replace("X-Filler: ", &format!("X-Filler: {}", "x".repeat(bytes - empty.len())))
}

#[test]
fn a_head_over_the_limit_is_431() {
    let server = serve(limited(Limits { head_bytes: 4096, ..Limits::default() }));
    let mut client = server.connect();
    assert_eq!(client.ask(head_of(4096)).status, 200);
    let answer = client.ask(head_of(4097));
    answer.problem(431);
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_head_without_an_end_is_431_and_the_answer_can_be_read() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(head_of(4 << 20));
    client.answer().problem(431);
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn one_header_field_too_many_is_431() {
    for most in [100, 20] {
        let server = serve(limited(Limits { header_fields: most, ..Limits::default() }));
        let mut client = server.connect();
        let with = |count| format!("GET /hello HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
        assert_eq!(client.ask(with(most)).status, 200);
        client.ask(with(most + 1)).problem(431);
        assert_eq!(client.end(), End::Closed);
    }
}

#[test]
fn a_target_over_the_limit_is_414() {
    let server = serve(limited(Limits { uri_bytes: 100, ..Limits::default() }));
    let mut client = server.connect();
    assert_eq!(client.ask(get(&format!("/hello?{}", "x".repeat(93)))).status, 200);
    let answer = client.ask(get(&format!("/hello?{}", "x".repeat(94))));
    answer.problem(414);
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_body_that_promises_too_much_is_413_before_a_byte_of_it_is_sent() {
    let server = serve(limited(Limits { body_bytes: 10, ..Limits::default() }));
    let mut client = server.connect();
    assert_eq!(client.ask(post("/echo", "0123456789")).text(), "0123456789");
    let answer = client.ask(post_head("/echo", 11));
    answer.problem(413);
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
    drop(client);
    assert_eq!(server.drain(), [Event::Answered(10), Event::Drained]);
}

#[test]
fn a_body_in_chunks_is_counted_and_413_when_it_is_too_long() {
    let server = serve(limited(Limits { body_bytes: 10, ..Limits::default() }));
    let mut client = server.connect();
    assert_eq!(client.ask(chunked_head("/echo") + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n").text(), "0123456789");
    let answer = client.ask(chunked_head("/echo") + "6\r\n012345\r\n5\r\n67890\r\n");
    answer.problem(413);
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
    drop(client);
    assert_eq!(server.drain(), [Event::Answered(10), Event::Drained]);
}

#[test]
fn a_client_that_sends_all_of_a_refused_body_can_read_the_413() {
    let server = serve(limited(Limits { body_bytes: 1024, ..Limits::default() }));
    let piece = "x".repeat(64 << 10);
    for (head, piece) in
        [(post_head("/echo", 4 << 20), piece.clone()), (chunked_head("/echo"), format!("10000\r\n{piece}\r\n"))]
    {
        let mut client = server.connect();
        client.send(head);
        for _ in 0..64 {
            client.send(&piece);
        }
        client.answer().problem(413);
        assert_eq!(client.end(), End::Closed);
    }
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_client_that_never_stops_sending_a_refused_body_is_cut_off() {
    let server = serve(limited(Limits { body_bytes: 1024, ..Limits::default() }));
    let mut client = server.connect();
    client.send(post_head("/echo", usize::MAX >> 1));
    let piece = vec![b'x'; 1 << 20];
    let was_cut = (0..128).any(|_| client.try_send(&piece).is_err());
    assert!(was_cut, "the server takes 128 MiB that it has refused");
}

#[test]
fn one_connection_too_many_is_503_and_closed_and_its_place_is_free_again_later() {
    let server = serve(limited(Limits { connections: 2, ..Limits::default() }));
    let mut first = server.connect();
    let mut second = server.connect();
    assert_eq!(first.ask(get("/hello")).status, 200);
    assert_eq!(second.ask(get("/hello")).status, 200);
    for _ in 0..3 {
        let mut third = server.connect();
        let answer = third.answer();
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        assert!(answer.text().ends_with('}') && answer.says_close());
        assert_eq!(third.end(), End::Closed);
        assert_eq!(server.connections(), 2);
    }
    first.finish_sending();
    assert_eq!(first.end(), End::Closed);
    let mut third = server.connect();
    assert_eq!(third.ask(get("/hello")).status, 200);
    assert_eq!(second.ask(get("/hello")).status, 200);
}

#[test]
fn a_body_waits_for_room_until_another_request_gives_its_share_back() {
    let server = serve(limited(Limits { buffered_bytes: 1000, ..Limits::default() }));
    let mut first = server.connect();
    first.send(post("/later", &"x".repeat(600)));
    let ticket = server.next_ticket();
    let mut second = server.connect();
    second.send(post("/echo", &"y".repeat(600)));
    server.settle();
    assert_eq!(server.events_so_far(), []);
    server.answer(ticket, "");
    assert_eq!(first.answer().status, 200);
    assert_eq!(second.answer().text(), "y".repeat(600));
}

#[test]
fn a_body_that_finds_no_room_in_time_is_503() {
    let timeouts = Timeouts { buffer_room: Duration::from_millis(200), ..Timeouts::default() };
    let limits = Limits { buffered_bytes: 1000, ..Limits::default() };
    let server = serve(Settings { limits, timeouts, ..Settings::default() });
    let mut first = server.connect();
    first.send(post("/later", &"x".repeat(600)));
    let ticket = server.next_ticket();
    let mut second = server.connect();
    let answer = second.ask(post("/echo", &"y".repeat(600)));
    answer.problem(503);
    assert_eq!(answer.field("retry-after"), Some("1"));
    assert_eq!(second.end(), End::Closed);
    assert_eq!(server.connect().ask(post("/echo", &"y".repeat(400))).status, 200);
    server.answer(ticket, "");
    assert_eq!(first.answer().status, 200);
    assert_eq!(server.connect().ask(post("/echo", &"y".repeat(1000))).status, 200);
}

#[test]
fn bodies_that_wait_for_each_other_are_given_up_and_the_room_is_free_again() {
    let timeouts = Timeouts { buffer_room: Duration::from_millis(200), ..Timeouts::default() };
    let limits = Limits { buffered_bytes: 100, ..Limits::default() };
    let server = serve(Settings { limits, timeouts, ..Settings::default() });
    let (mut first, mut second) = (server.connect(), server.connect());
    for client in [&mut first, &mut second] {
        client.send(post_head("/echo", 80) + &"x".repeat(40));
    }
    server.settle();
    for client in [&mut first, &mut second] {
        client.send("x".repeat(40));
    }
    for client in [&mut first, &mut second] {
        let status = client.answer().status;
        assert!(status == 200 || status == 503, "{status}");
    }
    assert_eq!(server.connect().ask(post("/echo", &"y".repeat(100))).status, 200);
}

#[test]
fn the_share_of_a_client_that_leaves_in_its_body_is_given_back() {
    let server = serve(limited(Limits { buffered_bytes: 100, ..Limits::default() }));
    let mut first = server.connect();
    first.send(post_head("/echo", 100) + &"x".repeat(60));
    first.finish_sending();
    first.skip(1 << 20);
    assert_eq!(server.connect().ask(post("/echo", &"y".repeat(100))).status, 200);
}

#[test]
fn waiting_for_room_is_no_fault_of_the_client_or_the_handler() {
    let handler = Duration::from_millis(200);
    let timeouts = Timeouts { handler: Some(handler), body: handler, ..Timeouts::default() };
    let limits = Limits { buffered_bytes: 1000, ..Limits::default() };
    let server = serve(Settings { limits, timeouts, ..Settings::default() });
    let mut holder = server.connect();
    holder.send(post("/later", &"x".repeat(600)));
    let ticket = server.next_ticket();
    let mut waiting = server.connect();
    waiting.send(post("/echo", &"y".repeat(600)));
    holder.answer().problem(503);
    assert!(waiting.is_open_after(handler * 2));
    server.answer(ticket, "");
    assert_eq!(waiting.answer().text(), "y".repeat(600));
}
