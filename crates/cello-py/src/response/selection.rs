//! Files as their requests ask for them: all, a part, or nothing where the client has it.

use std::ops::Range;

use cello_kernel::{Answer, Condition, Content, Exchange, OpenFile, judge};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{Method, StatusCode};
use httpdate::parse_http_date;
use pyo3::prelude::*;

use super::head::Head;
use super::parts::Heeds;
use super::range::{Asked, BEYOND, asked, set_part, unsatisfied};

const OTHER: &str = "What is there is not what If-Match or If-Unmodified-Since names.";

/// What is said of a body, and is not sent without one.
const OF_BODY: [HeaderName; 6] =
    [CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE];

/// What is said of the file, and is not true of an error in its place.
const OF_FILE: [HeaderName; 4] = [CACHE_CONTROL, ETAG, EXPIRES, LAST_MODIFIED];

/// What is sent of a file.
enum Selected {
    /// What its response says.
    AsMade,
    Whole,
    Part(Range<u64>),
    /// Nothing: the client has it.
    Nothing,
    /// Nothing: the client wants another than there is.
    Other,
    /// Nothing: it is not so long.
    Beyond,
}

/// The answer that a file is.
pub(super) fn answer(
    exchange: &Exchange,
    mut head: Head,
    file: &OpenFile,
    made: Range<u64>,
    heeds: Heeds,
) -> PyResult<Answer> {
    let length = file.length_bytes();
    match selected(&exchange.head, &head, length, heeds) {
        Selected::AsMade => Ok(head.into_answer(file.content(made))),
        Selected::Whole => {
            strip(&mut head, &[CONTENT_RANGE]);
            head.status = StatusCode::OK;
            Ok(head.into_answer(file.content(0..length)))
        }
        Selected::Part(part) => {
            set_part(&mut head, &part, length)?;
            head.status = StatusCode::PARTIAL_CONTENT;
            Ok(head.into_answer(file.content(part)))
        }
        Selected::Nothing => {
            strip(&mut head, &OF_BODY);
            head.status = StatusCode::NOT_MODIFIED;
            Ok(head.into_answer(Content::default()))
        }
        Selected::Other => Ok(refused(exchange, head, StatusCode::PRECONDITION_FAILED, OTHER)),
        Selected::Beyond => {
            let mut answer = refused(exchange, head, StatusCode::RANGE_NOT_SATISFIABLE, BEYOND);
            answer.fields.get_or_insert_default().insert(CONTENT_RANGE, unsatisfied(length)?);
            Ok(answer)
        }
    }
}

/// Source: RFC 9110 §13.2.2 and §14.2: conditions are those of GET and HEAD, ranges those of GET alone.
fn selected(request: &Parts, head: &Head, length: u64, heeds: Heeds) -> Selected {
    let is_heeded = match heeds {
        Heeds::Nothing => false,
        Heeds::Conditions => matches!(head.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT),
        Heeds::All => head.status == StatusCode::OK,
    };
    if !is_heeded || !matches!(request.method, Method::GET | Method::HEAD) {
        return Selected::AsMade;
    }
    let field = |name: HeaderName| head.fields.as_ref()?.get(name);
    let modified = field(LAST_MODIFIED).and_then(|date| parse_http_date(date.to_str().ok()?).ok());
    match judge(&request.headers, field(ETAG), modified) {
        Condition::NotModified => Selected::Nothing,
        Condition::Failed => Selected::Other,
        Condition::Met { allows_range: false } => Selected::Whole,
        Condition::Met { allows_range: true } => {
            let mut lines = request.headers.get_all(RANGE).iter();
            let line = lines.next().filter(|_| heeds == Heeds::All && request.method == Method::GET);
            match line.filter(|_| lines.next().is_none()).and_then(|line| line.to_str().ok()) {
                None => Selected::AsMade,
                Some(range) => match asked(range, length) {
                    Asked::Whole => Selected::AsMade,
                    Asked::Part(part) => Selected::Part(part),
                    Asked::Beyond => Selected::Beyond,
                },
            }
        }
    }
}

/// An error in the place of a file. What was set besides is sent with it, as what lets other origins read the answer.
fn refused(exchange: &Exchange, mut head: Head, status: StatusCode, words: &str) -> Answer {
    let mut answer = exchange.problem(status, words);
    strip(&mut head, &OF_BODY);
    strip(&mut head, &OF_FILE);
    if let Some(mut fields) = head.fields {
        fields.extend(answer.fields.take().map(|own| *own).unwrap_or_default());
        answer.fields = Some(fields);
    }
    answer
}

fn strip(head: &mut Head, names: &[HeaderName]) {
    if names.contains(&CONTENT_TYPE) {
        head.content_type = None;
    }
    if let Some(fields) = &mut head.fields {
        names.iter().for_each(|name| drop(fields.remove(name)));
    }
}
