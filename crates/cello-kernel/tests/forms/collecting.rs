//! What the collector keeps, where, and what it refuses.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cello_kernel::{Collector, Form, FormEncoding, FormError, FormLimits, Part, PartContent};

use super::{boundary, written};

const END: &[u8] = b"--XbX--\r\n";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

async fn collect(mut collector: Collector, body: Vec<u8>, chunk_bytes: usize) -> Result<Form, FormError> {
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        collector.receive(rest.split_to(chunk_bytes.min(rest.len()))).await?;
    }
    collector.finish()
}

fn collected(body: Vec<u8>, limits: &FormLimits) -> Result<Form, FormError> {
    let whole = Form::parse(&FormEncoding::Multipart(boundary()), Bytes::from(body.clone()), limits);
    let cut = runtime().block_on(collect(Collector::new(&boundary(), limits), body, 1000));
    assert_eq!(whole.as_ref().map(contents).ok(), cut.as_ref().map(contents).ok());
    assert_eq!(whole.err().map(|error| error.to_string()), cut.as_ref().err().map(ToString::to_string));
    cut
}

fn contents(form: &Form) -> Vec<(String, Vec<u8>)> {
    form.parts.iter().map(|part| (part.name.clone(), content(part))).collect()
}

fn content(part: &Part) -> Vec<u8> {
    let mut bytes = Vec::new();
    part.content.write_to(&mut bytes).expect("the content");
    assert_eq!(bytes.len() as u64, part.content.size());
    bytes
}

fn is_on_disk(part: &Part) -> bool {
    matches!(part.content, PartContent::File(..))
}

#[test]
fn fields_and_files_keep_their_order_and_their_words() {
    let body = [
        written("name=a", b"1"),
        written("name=f; filename=\"dir/x.png\"\r\nContent-Type: text/plain", b"%PDF-1.7\0"),
        written("name=a", "ü\u{fffd}".as_bytes()),
        written("name=bad", b"\xff"),
        END.to_vec(),
    ]
    .concat();
    let form = collected(body, &FormLimits::default()).expect("a form");
    let names: Vec<_> = form.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["a", "f", "a", "bad"]);
    let file = &form.parts[1];
    assert_eq!(file.filename.as_deref(), Some("x.png"));
    assert_eq!(file.content_type.as_deref(), Some("application/pdf"));
    assert_eq!(file.declared_content_type.as_deref(), Some("text/plain"));
    assert_eq!(form.parts[2].text(), "ü\u{fffd}");
    assert_eq!(form.parts[3].text(), "\u{fffd}");
    assert!(!form.parts[3].is_file());
}

#[test]
fn a_file_is_in_memory_up_to_its_limit_and_beyond_it_on_disk() {
    let limits = FormLimits { memory_bytes: 1000, ..FormLimits::default() };
    for (length, is_large) in [(0, false), (1000, false), (1001, true), (2500, true), (123_456, true)] {
        let file: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let body = [written("name=f; filename=x", &file), written("name=a", b"1"), END.to_vec()].concat();
        let form = collected(body, &limits).expect("a form");
        assert_eq!(content(&form.parts[0]), file);
        assert_eq!(is_on_disk(&form.parts[0]), is_large, "{length}");
        assert_eq!(form.parts[1].text(), "1");
        assert_eq!(form.parts[0].content_type.as_deref(), Some("application/octet-stream"));
        assert!(form.held_bytes() < 1000 + 500, "{}", form.held_bytes());
    }
}

#[test]
fn a_large_file_is_never_in_memory() {
    let limits = FormLimits { file_bytes: 64 << 20, form_bytes: 64 << 20, ..FormLimits::default() };
    let mut collector = Collector::new(&boundary(), &limits);
    runtime().block_on(async {
        let head = b"--XbX\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
        collector.receive(Bytes::from_static(head)).await.expect("a head");
        let chunk = Bytes::from(vec![7; 64 << 10]);
        for _ in 0..640 {
            collector.receive(chunk.clone()).await.expect("content");
            assert!(collector.held_bytes() <= (1 << 20) + (128 << 10), "{}", collector.held_bytes());
        }
        collector.receive(Bytes::from_static(b"\r\n--XbX--")).await.expect("an end");
    });
    let form = collector.finish().expect("a form");
    assert_eq!(form.parts[0].content.size(), 40 << 20);
    assert!(is_on_disk(&form.parts[0]));
    assert!(form.held_bytes() < 1000);
}

#[test]
fn what_is_too_large_is_named() {
    let limits = FormLimits { file_bytes: 10, field_bytes: 5, parts: 2, ..FormLimits::default() };
    let one = |parameters: &str, length: usize| [written(parameters, &vec![b'x'; length]), END.to_vec()].concat();
    assert!(collected(one("name=f; filename=x", 10), &limits).is_ok());
    assert!(collected(one("name=a", 5), &limits).is_ok());
    for (body, words) in [
        (one("name=f; filename=x", 11), "the file \"f\" is larger than 10 bytes"),
        (one("name=a", 6), "the field \"a\" is larger than 5 bytes"),
        (written("name=a", b"").repeat(3), "the form has more than 2 parts"),
    ] {
        let error = collected(body, &limits).expect_err("too large");
        assert_eq!((error.status().as_u16(), error.to_string().as_str()), (413, words));
    }
}

#[test]
fn a_file_that_was_not_chosen_is_no_file() {
    let body = |content| {
        [written("name=f; filename=\"\"\r\nContent-Type: application/octet-stream", content), END.to_vec()].concat()
    };
    assert!(collected(body(b""), &FormLimits::default()).expect("a form").parts.is_empty());
    let form = collected(body(b"x"), &FormLimits::default()).expect("a form");
    assert_eq!(form.parts[0].filename.as_deref(), Some(""));
}

#[test]
fn bytes_without_a_filename_are_a_file_and_other_types_are_fields() {
    let part = |kind: &str| written(&format!("name={}\r\nContent-Type: {kind}", &kind[..1]), b"\xff");
    let body = [part("application/octet-stream"), part("text/plain"), END.to_vec()].concat();
    let form = collected(body, &FormLimits::default()).expect("a form");
    assert_eq!(form.parts.iter().map(Part::is_file).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_disk_that_cannot_be_written_is_the_servers_fault() {
    let limits = FormLimits { memory_bytes: 100, ..FormLimits::default() };
    let body = [written("name=f; filename=x", &[7; 200]), END.to_vec()].concat();
    let folder: Arc<Path> = Path::new("/proc/nowhere").into();
    let collector = Collector::new(&boundary(), &limits).with_folder(folder);
    let error = runtime().block_on(collect(collector, body, 50)).expect_err("no folder");
    assert!(matches!(error, FormError::Storage(_)));
    assert_eq!(error.status(), 500);
    assert_eq!(error.detail(), "The server could not store what was uploaded.");
    let full = FormError::Storage(std::io::ErrorKind::StorageFull.into());
    assert_eq!(full.status(), 507);
}

#[test]
fn a_form_whose_writing_was_given_up_takes_no_more() {
    let limits = FormLimits { memory_bytes: 10, ..FormLimits::default() };
    let mut collector = Collector::new(&boundary(), &limits);
    let body = Bytes::from(written("name=f; filename=x", &[7; 200]));
    runtime().block_on(async {
        let mut receiving = Box::pin(collector.receive(body));
        let waits =
            std::future::poll_fn(|context| std::task::Poll::Ready(receiving.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        drop(receiving);
        let error = collector.receive(Bytes::from_static(b"x")).await.expect_err("lost bytes");
        assert!(matches!(error, FormError::Storage(_)));
    });
}

#[test]
fn held_bytes_count_what_is_in_memory() {
    let mut collector = Collector::new(&boundary(), &FormLimits::default());
    assert_eq!(collector.held_bytes(), 0);
    collector.receive_in_place(Bytes::from(written("name=a", &[b'x'; 5000]))).expect("a part");
    assert!((5000..12_000).contains(&collector.held_bytes()), "{}", collector.held_bytes());
    collector.receive_in_place(Bytes::from_static(END)).expect("an end");
    let held = collector.held_bytes();
    assert!((5000..6000).contains(&held), "{held}");
    assert_eq!(collector.finish().expect("a form").held_bytes(), held);
}
