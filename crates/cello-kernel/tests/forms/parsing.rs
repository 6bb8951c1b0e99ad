//! What the parser makes of bodies, well formed and not.

use cello_kernel::{Event, FormError, FormLimits};

use super::{events, part, told, written};

const END: &[u8] = b"--XbX--\r\n";

#[test]
fn a_body_is_its_parts_whatever_stands_around_them() {
    let one = written("name=\"a\"", b"1");
    let expected = part("a", None, b"1");
    for body in [
        [&one, END].concat(),
        [&one, b"--XbX--".as_slice()].concat(),
        [b"pre\r\n--Xb\r\nline\r\n", &one[..], END, b"epilogue\r\n--XbX\r\n"].concat(),
        [b"\r\n", &one[..], END].concat(),
        [&one, b"--XbX-- \t and more".as_slice()].concat(),
    ] {
        assert_eq!(events(&body), expected, "{}", body.escape_ascii());
    }
    assert_eq!(events(END), []);
}

#[test]
fn blanks_may_follow_a_boundary_and_nothing_else_may() {
    let body = |blanks: &str| format!("--XbX{blanks}\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XbX--");
    assert_eq!(events(body(" \t ").as_bytes()), part("a", None, b"1"));
    let (_, end) = told(body(" x").as_bytes(), &[], &FormLimits::default());
    assert_eq!(end.expect_err("no blank").to_string(), "a boundary is followed by more than blanks, at byte 6");
}

#[test]
fn what_only_looks_like_a_boundary_is_content() {
    for content in [
        b"\r\n--XbY\r\n-\r\n--\r\n--Xb".as_slice(),
        b"\r\n--XbXX\r\n--XbX-\r\n--XbX\rX\r\n --XbX\r\n--XbX\n",
        b"\r\r\n\n\r\r",
        b"\r\n\r\n--Xb\r",
        b"--XbX-1",
        b"--XbX",
        b"x--XbX--",
        b"\r",
        b"\n--XbX",
    ] {
        let body = [&written("name=a; filename=f", content), END].concat();
        // A boundary alone on the first line of the content is one, since the head ends in a line break.
        if content == b"--XbX" {
            assert!(told(&body, &[], &FormLimits::default()).1.is_err());
        } else {
            assert_eq!(events(&body), part("a", Some("f"), content), "{}", content.escape_ascii());
        }
    }
}

#[test]
fn a_part_may_have_no_content_and_not_even_a_line_for_it() {
    let head = b"--XbX\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let body = [&head[..], &written("name=b", b""), END].concat();
    assert_eq!(events(&body), [part("a", None, b""), part("b", None, b"")].concat());
}

#[test]
fn the_events_come_while_the_body_arrives() {
    let body = [&written("name=a", b"first"), &written("name=b", b"second"), END].concat();
    let begun = place_of(&body, b"second");
    let (events, end) = told(&body[..begun + 3], &[], &FormLimits::default());
    assert!(end.is_err());
    assert_eq!(events[..3], part("a", None, b"first"));
    assert_eq!(events[3..], part("b", None, b"sec")[..2]);
}

fn place_of(body: &[u8], wanted: &[u8]) -> usize {
    body.windows(wanted.len()).position(|window| window == wanted).expect("it is there")
}

#[test]
fn what_is_malformed_is_told_with_its_place() {
    let good = String::from_utf8(written("name=a", b"1")).expect("text");
    for (body, words) in [
        (String::new(), "the form ends before its first boundary, which begins a line and is a line, at byte 0"),
        ("x".repeat(1000), "the form ends before its first boundary, which begins a line and is a line, at byte 1000"),
        (
            good.replace("\r\n", "\n"),
            "the form ends before its first boundary, which begins a line and is a line, at byte 48",
        ),
        (good.clone(), "the form ends in the content of a part, at byte 52"),
        (good.clone() + "--XbX-", "the form ends in the content of a part, at byte 58"),
        (good.clone() + "--XbX\r\nContent-Dispo", "the form ends in the head of a part, at byte 72"),
        ("--XbX\r\n\r\n1\r\n--XbX--".to_owned(), "a part has no header field Content-Disposition, at byte 7"),
        (good.clone() + "--XbX\r\nA:\r\nB\r\n\r\n", "a part has a header field without a colon, at byte 63"),
    ] {
        for cuts in [vec![], vec![1; body.len()]] {
            let (_, end) = told(body.as_bytes(), &cuts, &FormLimits::default());
            assert_eq!(end.expect_err("malformed").to_string(), words, "{body:?}");
        }
    }
}

#[test]
fn limits_are_told_apart_from_what_is_malformed() {
    let limits = FormLimits { parts: 2, head_bytes: 40, head_fields: 2, form_bytes: 500, ..FormLimits::default() };
    let head = |fields: &str| {
        format!("--XbX\r\n{fields}Content-Disposition: form-data; name=a\r\n\r\n\r\n--XbX--").into_bytes()
    };
    let small = |count: usize| [written("name=a", b"").repeat(count), END.to_vec()].concat();
    for (body, words) in [
        (small(3), "the form has more than 2 parts"),
        (head("A:\r\nB:\r\n"), "the header fields of a part are larger than 40 bytes"),
        (
            head("X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "the header fields of a part are larger than 40 bytes",
        ),
        (vec![b'x'; 501], "the form is larger than 500 bytes"),
    ] {
        for cuts in [vec![], vec![1; body.len()]] {
            let error = told(&body, &cuts, &limits).1.expect_err("too large");
            assert!(matches!(error, FormError::TooLarge(_)));
            assert_eq!(error.to_string(), words);
        }
    }
    assert!(told(&small(2), &[], &limits).1.is_ok());
    let fields = FormLimits { head_bytes: 1000, ..limits };
    let error = told(&head("A:\r\nB:\r\n"), &[], &fields).1.expect_err("too many");
    assert_eq!(error.to_string(), "a part has more than 2 header fields");
}

#[test]
fn a_head_of_exactly_the_limit_is_taken() {
    let body = [&written("name=a", b"1"), END].concat();
    let length = "Content-Disposition: form-data; name=a".len();
    for (head_bytes, is_taken) in [(length, true), (length - 1, false)] {
        let limits = FormLimits { head_bytes, ..FormLimits::default() };
        for cuts in [vec![], vec![1; body.len()], vec![10, 5, 30]] {
            assert_eq!(told(&body, &cuts, &limits).1.is_ok(), is_taken, "{head_bytes}");
        }
    }
}

#[test]
fn content_is_a_slice_of_what_was_fed() {
    let content = vec![7; 1 << 20];
    let body = [&written("name=a; filename=f", &content), END].concat();
    let Event::Data(data) = &events(&body)[1] else { panic!("content") };
    assert_eq!(data.len(), content.len());
}
