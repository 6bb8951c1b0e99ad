//! Forms by their bytes: what the parser tells, what the collector keeps, and that nothing a client sends matters to
//! either but by its content.

mod collecting;
mod fuzzing;
mod parsing;

use bytes::Bytes;
use cello_kernel::{Boundary, Event, FormError, FormLimits, Parser, PartHead};

/// The boundary of the bodies written by hand.
fn boundary() -> Boundary {
    Boundary::of("multipart/form-data; boundary=XbX").expect("a content type").expect("a boundary")
}

/// What a body says, content in one piece, fed in chunks of the given lengths and the rest whole.
fn told(body: &[u8], cuts: &[usize], limits: &FormLimits) -> (Vec<Event>, Result<(), FormError>) {
    let mut parser = Parser::new(&boundary(), limits);
    let mut events = Vec::new();
    let mut rest = Bytes::copy_from_slice(body);
    for &length in cuts.iter().chain([&body.len()]) {
        let chunk = rest.split_to(length.min(rest.len()));
        if let Err(error) = parser.feed(chunk) {
            return (events, Err(error));
        }
        loop {
            match (parser.next_event(), events.last_mut()) {
                (Ok(None), _) => break,
                (Ok(Some(Event::Data(more))), Some(Event::Data(data))) => *data = [&data[..], &more].concat().into(),
                (Ok(Some(event)), _) => events.push(event),
                (Err(error), _) => return (events, Err(error)),
            }
        }
    }
    (events, parser.finish())
}

/// The events of a body that is well formed.
fn events(body: &[u8]) -> Vec<Event> {
    let (events, end) = told(body, &[], &FormLimits::default());
    end.expect("a form");
    events
}

/// The events of one part.
fn part(name: &str, filename: Option<&str>, content: &[u8]) -> Vec<Event> {
    let head = PartHead { name: name.to_owned(), filename: filename.map(str::to_owned), ..PartHead::default() };
    let mut events = vec![Event::Begun(head)];
    if !content.is_empty() {
        events.push(Event::Data(Bytes::copy_from_slice(content)));
    }
    events.push(Event::Ended);
    events
}

/// A part as it is written.
fn written(parameters: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--XbX\r\nContent-Disposition: form-data; {parameters}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}
