//! Properties that hold for any bytes, however they are cut.

use bytes::Bytes;
use cello_kernel::{Form, FormEncoding, FormLimits};
use proptest::prelude::*;

use super::{boundary, part, told, written};

/// Bytes of which many stand in boundaries and heads.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        4 => proptest::sample::select(vec![
            "\r\n--XbX", "--XbX", "\r\n--Xb", "--", "\r\n", "\r", "\n", "-", " ", "\t", "\r\n\r\n", "\0", "\"", "\\", ";", "%22",
            "Content-Disposition: form-data; name=\"a\"", "\r\n--XbX\r\nContent-Disposition: form-data; name=a\r\n\r\n",
            "; filename=\"b\"", "; filename*=UTF-8''%C3%BC", "Content-Type: image/png", ":", "\r\n--XbX--",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![Just(0_usize), Just(1), 1..12_usize, 1..200_usize], 0..60)
}

/// Content that no delimiter stands in, though a part of one often does.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        proptest::sample::select(vec!["\r\n--Xb", "\r", "\n", "--", "X", "\r\n", "b", "\r\n--XbXX", "\r\n--XbX-x"]);
    proptest::collection::vec(pieces, 0..30)
        .prop_map(|pieces| format!("x{}x", pieces.concat()).into_bytes())
        .prop_filter("no delimiter", |content| {
            let tail = [content, b"\r\n--XbX".as_slice()].concat();
            let delimiters = ["\r\n--XbX\r\n", "\r\n--XbX--", "\r\n--XbX "];
            !delimiters.iter().any(|wanted| tail.windows(wanted.len()).any(|window| window == wanted.as_bytes()))
        })
}

/// First bytes that file types begin with, so that what looks closer at them is reached.
fn magic() -> impl Strategy<Value = Vec<u8>> {
    proptest::sample::select(vec![
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\x13\0\0\0[Content_Types].xml".to_vec(),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(),
        b"\x28\xb5\x2f\xfd".to_vec(),
        b"\x50\x2a\x4d\x18\xff\xff\xff\xff".to_vec(),
        b"\x50\x2a\x4d\x18\0\0\0\0\x28\xb5\x2f\xfd".to_vec(),
        b"\x04\x22\x4d\x18".to_vec(),
        b"\0\0\0\x18ftypmif1".to_vec(),
        b"\x1a\x45\xdf\xa3".to_vec(),
        b"dey\n".to_vec(),
        b"\xca\xfe\xba\xbe".to_vec(),
        b"AT&TFORM".to_vec(),
        b"\x49\x49\x2a\0".to_vec(),
        Vec::new(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_the_same_bytes_gives_the_same_events(body in fragments(), cuts in cuts()) {
        let limits = FormLimits { parts: 5, head_bytes: 200, head_fields: 4, ..FormLimits::default() };
        let (whole, whole_end) = told(&body, &[], &limits);
        let (cut, cut_end) = told(&body, &cuts, &limits);
        prop_assert_eq!(whole, cut);
        let words = |end: Result<(), cello_kernel::FormError>| end.map_err(|error| format!("{error:?}"));
        prop_assert_eq!(words(whole_end), words(cut_end));
    }

    #[test]
    fn content_comes_back_byte_by_byte(contents in proptest::collection::vec(content(), 1..5), cuts in cuts()) {
        let parts = contents.iter().map(|content| written("name=a; filename=f", content)).collect::<Vec<_>>();
        let body = [parts.concat(), b"--XbX--".to_vec()].concat();
        let (events, end) = told(&body, &cuts, &FormLimits::default());
        prop_assert!(end.is_ok(), "{:?}", end);
        prop_assert_eq!(events, contents.iter().flat_map(|content| part("a", Some("f"), content)).collect::<Vec<_>>());
    }

    #[test]
    fn any_file_has_a_type(magic in magic(), rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        let file = [magic, rest].concat();
        let body = [&written("name=a; filename=f", &file)[..], b"--XbX--"].concat();
        let encoding = FormEncoding::Multipart(boundary());
        if let Ok(form) = Form::parse(&encoding, Bytes::from(body), &FormLimits::default()) {
            prop_assert!(form.parts[0].content_type.as_deref().is_some_and(|kind| kind.contains('/')));
        }
    }

    #[test]
    fn any_content_type_is_read_or_refused(content_type in "(multipart/form-data|a/b)?([;=\" \\\\a%'*]|boundary|name){0,40}") {
        let _ = FormEncoding::of(&content_type);
    }
}
