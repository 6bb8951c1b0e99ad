//! HTTP/1 as a well-behaved client sees it.

use cello_kernel::{Limits, Settings};

use crate::support::{BIG_BYTES, End, Event, chunked_head, get, post, post_head, serve};

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    for _ in 0..3 {
        let answer = client.ask(get("/hello"));
        assert_eq!((answer.status, answer.text(), answer.version.as_str()), (200, "hello", "HTTP/1.1"));
        assert!(!answer.says_close());
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_that_asks_for_it_is_answered_and_its_connection_closed() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(answer.says_close());
    assert_eq!(answer.text(), "hello");
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_big_answer_is_whole_before_its_connection_is_closed() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send("GET /big HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn twenty_requests_in_one_write_are_answered_in_order() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let requests: String = (0..20)
        .map(|number| if number % 2 == 0 { post("/echo", &format!("number {number}")) } else { get("/hello") })
        .collect();
    client.send(requests);
    for number in 0..20 {
        let expected = if number % 2 == 0 { format!("number {number}") } else { "hello".to_owned() };
        assert_eq!(client.answer().text(), expected);
    }
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn the_answer_to_a_closing_request_is_sent_although_another_request_came_with_it() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let closing = "GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    client.send(format!("{}{closing}{}", post("/echo", "first"), get("/hello")));
    assert_eq!(client.answer().text(), "first");
    assert!(client.answer().says_close());
    client.end();
    assert_eq!(server.drain(), [Event::Answered(5), Event::Answered(0), Event::Drained]);
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let next = get("/hello");
    let (begun, rest) = next.split_at(10);
    assert_eq!(client.ask(get("/hello") + begun).text(), "hello");
    assert_eq!(client.ask(rest).text(), "hello");
    assert_eq!(client.ask(get("/hello") + &post_head("/echo", 5) + "abc").text(), "hello");
    assert_eq!(client.ask("de").text(), "abcde");
}

#[test]
fn an_answer_does_not_wait_for_a_deferred_one_behind_it() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    assert_eq!(client.ask(get("/hello") + &get("/later")).text(), "hello");
    assert_eq!(server.next_event(), Event::Answered(0));
    let ticket = server.next_ticket();
    server.answer(ticket, "at last");
    assert_eq!(client.answer().text(), "at last");
}

#[test]
fn an_answer_is_sent_although_the_next_request_breaks_off() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    server.while_it_stands_still(|| {
        client.send(get("/hello") + "GET /he");
        client.finish_sending();
    });
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn a_request_behind_one_that_is_deferred_waits_for_it() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later") + &get("/hello"));
    let ticket = server.next_ticket();
    server.settle();
    assert_eq!(server.events_so_far(), []);
    server.answer(ticket, "at last");
    assert_eq!(client.answer().text(), "at last");
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn answers_that_nobody_takes_hold_up_the_requests_behind_them() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/big").repeat(8));
    assert_eq!(client.head().status, 200);
    server.settle();
    let answered = server.events_so_far().len();
    assert!(answered <= 2, "{answered} big answers are in memory at once");
    assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    for _ in 1..8 {
        assert_eq!(client.head().status, 200);
        assert_eq!(client.skip(BIG_BYTES), BIG_BYTES);
    }
}

#[test]
fn many_small_answers_that_nobody_takes_wait_and_arrive_in_order() {
    const REQUESTS: usize = 4000;
    let server = serve(Settings::default());
    let mut client = server.connect();
    let filler = "x".repeat(4000);
    let sending =
        client.send_meanwhile((0..REQUESTS).map(|number| post("/echo", &format!("{number}{filler}"))).collect());
    server.settle();
    for number in 0..REQUESTS {
        assert_eq!(client.answer().text().strip_suffix(&filler), Some(number.to_string().as_str()));
    }
    sending.join().expect("all was sent");
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn requests_cut_in_two_at_any_byte_are_read_the_same() {
    let server = serve(Settings::default());
    let requests =
        post("/echo", "abc") + &chunked_head("/echo") + "2\r\nab\r\n1\r\nc\r\n0\r\nA: b\r\n\r\n" + &get("/hello");
    for at in 1..requests.len() {
        let mut client = server.connect();
        client.send(&requests[..at]);
        server.settle();
        client.send(&requests[at..]);
        for expected in ["abc", "abc", "hello"] {
            assert_eq!(client.answer().text(), expected, "cut after {at} bytes");
        }
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_and_then_its_answer() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let head = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(head).status, 100);
    assert_eq!(client.ask("later").text(), "later");
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn a_client_that_promises_too_much_gets_413_in_place_of_100_continue() {
    let limits = Limits { body_bytes: 10, ..Limits::default() };
    let server = serve(Settings { limits, ..Settings::default() });
    let mut client = server.connect();
    let answer = client.ask("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    answer.problem(413);
    assert!(answer.says_close());
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_body_in_chunks_arrives_whole_its_extensions_and_trailers_left_out() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask(chunked_head("/echo") + "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n");
    assert_eq!((answer.status, answer.text()), (200, "abcde"));
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn a_body_in_many_pieces_arrives_whole() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let pieces: Vec<String> = (0..100).map(|number| format!("piece {number};")).collect();
    let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    let answer = client.ask(chunked_head("/echo") + &chunks + "0\r\n\r\n");
    assert_eq!(answer.text(), pieces.concat());
    let long: String = (0..200_000).map(|number| format!("{number} ")).collect();
    assert_eq!(client.ask(post("/echo", &long)).text(), long);
    assert_eq!(client.ask(post("/echo", "")).text(), "");
}

#[test]
fn head_gets_the_length_and_no_body() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send("HEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n".repeat(2) + &get("/hello"));
    for _ in 0..2 {
        let head = client.head();
        assert_eq!((head.status, head.field("content-length")), (200, Some("5")));
    }
    assert_eq!(client.answer().text(), "hello");
    client.send("HEAD /nowhere HTTP/1.1\r\nHost: test\r\n\r\n".to_owned() + &get("/hello"));
    assert_eq!(client.head().status, 404);
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn http_1_0_is_answered_with_a_length_and_closed() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask("GET /hello HTTP/1.0\r\n\r\n");
    assert_eq!((answer.version.as_str(), answer.text()), ("HTTP/1.0", "hello"));
    assert_ne!(answer.field("connection"), Some("keep-alive"));
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn http_1_0_keeps_the_connection_where_it_asks_for_it() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    for _ in 0..2 {
        let answer = client.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!((answer.version.as_str(), answer.text()), ("HTTP/1.0", "hello"));
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
}

#[test]
fn an_absolute_target_is_routed_by_its_path() {
    let server = serve(Settings::default());
    let answer = server.connect().ask("GET http://test:80/hello?a=b HTTP/1.1\r\nHost: test:80\r\n\r\n");
    assert_eq!(answer.text(), "hello");
}

#[test]
fn options_is_answered_with_what_the_path_takes() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask("OPTIONS /later HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((answer.status, answer.field("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(answer.field("content-length"), None);
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn another_method_is_405_with_what_the_path_takes() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask("DELETE /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    answer.problem(405);
    assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"));
    assert!(answer.text().contains("\"instance\":\"/hello\""), "{}", answer.text());
    assert_eq!(client.ask(get("/hello")).status, 200);
}

#[test]
fn an_unknown_path_is_404_as_a_problem_that_names_it() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    let answer = client.ask(get("/no%22where?query=1"));
    let first = answer.problem(404);
    assert!(answer.text().contains("\"title\":\"Not Found\""), "{}", answer.text());
    assert!(answer.text().contains("\"instance\":\"/no%22where\""), "{}", answer.text());
    assert_ne!(client.ask(get("/nowhere")).problem(404), first);
}

#[test]
fn a_body_sent_to_an_unknown_path_is_swallowed_and_the_404_can_be_read() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    for (path, status) in [("/nowhere", 404), ("/hello", 405)] {
        client.send(post_head(path, 4 << 20));
        client.send(vec![b'x'; 4 << 20]);
        let answer = client.answer();
        answer.problem(status);
        assert!(answer.says_close());
        assert_eq!(client.end(), End::Closed);
        client = server.connect();
    }
}

#[test]
fn a_deferred_request_that_the_application_lets_go_of_is_503() {
    let server = serve(Settings::default());
    let mut client = server.connect();
    client.send(get("/later"));
    server.forget(server.next_ticket());
    client.answer().problem(503);
    assert_eq!(client.ask(get("/hello")).status, 200);
    assert_eq!(server.drain(), [Event::Answered(0), Event::Drained]);
}
