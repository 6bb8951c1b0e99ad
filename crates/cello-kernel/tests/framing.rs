//! Requests whose end, or whose meaning, could be read in two ways: refused, and nothing after them is believed.

use cello_kernel::Settings;

use crate::support::{Client, End, Event, Served, chunked_head, get, serve};

/// Sends `request` with a second request behind it, which must not be answered.
fn refused(server: &Served, request: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("{request}{}", get("/hello")));
    let answer = client.answer();
    answer.problem(400);
    assert!(answer.says_close(), "{request:?}");
    client
}

/// Checks that no request has reached the application.
fn assert_nothing_was_dispatched(server: &Served) {
    assert_eq!(server.drain(), [Event::Drained]);
}

#[test]
fn a_request_without_a_host_is_refused() {
    let server = serve(Settings::default());
    assert_eq!(refused(&server, "GET /hello HTTP/1.1\r\n\r\n").end(), End::Closed);
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_request_with_two_hosts_is_refused() {
    let server = serve(Settings::default());
    assert_eq!(refused(&server, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").end(), End::Closed);
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_host_that_cannot_be_one_is_refused() {
    let server = serve(Settings::default());
    for host in ["a b", "a/b", "user@a", "a,b\u{e4}"] {
        assert_eq!(refused(&server, &format!("GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n")).end(), End::Closed);
    }
    assert_nothing_was_dispatched(&server);
}

#[test]
fn chunked_twice_is_refused() {
    let server = serve(Settings::default());
    for coding in ["chunked, chunked", "chunked\r\nTransfer-Encoding: chunked", "gzip, chunked", "xchunked", "identity"]
    {
        let request =
            format!("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: {coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        assert_eq!(refused(&server, &request).end(), End::Closed, "{coding}");
    }
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_transfer_coding_in_http_1_0_is_refused() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    assert_eq!(client.end(), End::Closed);
    drop(client);
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_length_that_is_no_number_or_two_numbers_is_refused() {
    let server = serve(Settings::default());
    for length in ["-1", "+3", "3, 3", "0x3", "", "18446744073709551616", "3\r\nContent-Length: 4"] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\nabc");
        assert_eq!(refused(&server, &request).end(), End::Closed, "{length:?}");
    }
    assert_nothing_was_dispatched(&server);
}

/// RFC 9112 §6.1 lets a server believe the coding alone, as long as the connection ends there; hyper does, and takes the
/// length away before the kernel can refuse it.
#[test]
fn a_length_beside_chunked_is_not_believed_and_the_connection_is_closed() {
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        let server = serve(Settings::default());
        let mut client = server.connect();
        let request = format!("POST /echo HTTP/1.1\r\nHost: test\r\n{fields}\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
        client.send(request + &get("/hello"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, "abcd"));
        assert!(answer.says_close());
        assert_eq!(client.end(), End::Closed);
        assert_eq!(server.drain(), [Event::Answered(4), Event::Drained]);
    }
}

#[test]
fn a_chunk_that_is_not_well_formed_is_refused() {
    let server = serve(Settings::default());
    for body in ["z\r\nabc\r\n", "3\r\nabcde\r\n0\r\n\r\n", "-3\r\nabc\r\n", "fffffffffffffffff\r\n"] {
        let mut client = refused(&server, &(chunked_head("/echo") + body));
        client.end();
    }
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_head_that_is_not_http_is_refused() {
    let server = serve(Settings::default());
    for head in [
        "hello\r\n\r\n",
        "GET /hello HTTP/1.2\r\nHost: test\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost : test\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\n folded\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n",
        "G=T{} /hello HTTP/1.1\r\nHost: test\r\n\r\n",
    ] {
        assert_eq!(refused(&server, head).end(), End::Closed, "{head:?}");
    }
    assert_nothing_was_dispatched(&server);
}

#[test]
fn a_body_that_breaks_off_is_not_dispatched() {
    let server = serve(Settings::default());
    for request in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut client = server.connect();
        client.send(format!("POST /echo HTTP/1.1\r\nHost: test\r\n{request}"));
        client.finish_sending();
        client.skip(1 << 20);
    }
    assert_nothing_was_dispatched(&server);
}
