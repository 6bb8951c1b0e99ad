//! Errors on the wire: `application/problem+json`, or the forms that went before it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::answer::Answer;
use crate::exchange::Exchange;
use crate::json::write_json_string;
use crate::page;
use crate::request_id::RequestId;

static PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How errors are told, settled at start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors {
    /// The form of their bodies.
    pub form: ErrorForm,
    /// Whether a client that prefers HTML gets a page instead.
    pub has_pages: bool,
}

/// The form of an error's body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ErrorForm {
    /// `application/problem+json` (RFC 9457).
    #[default]
    Problem,
    /// `{"error": …, "status": …}`.
    Legacy,
}

/// The phrase of a status (RFC 9110 §15), `Error` where it has none.
pub fn title(status: StatusCode) -> &'static str {
    renamed(status).or(status.canonical_reason()).unwrap_or("Error")
}

/// The phrases for which http has those of RFC 7231 and RFC 4918.
pub(crate) fn renamed(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        413 => Some("Content Too Large"),
        422 => Some("Unprocessable Content"),
        _ => None,
    }
}

/// An error as a client sees it.
///
/// Source: RFC 9457 §3. `type` is `about:blank`, so `title` is the status' own phrase; `request_id` is an
/// extension member.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The HTTP status.
    pub status: StatusCode,
    /// What went wrong and what to do, in a sentence that gives nothing internal away.
    pub detail: &'a str,
    /// The path that was asked for; left out where it is empty.
    pub instance: &'a str,
}

impl Problem<'_> {
    /// Makes the answer.
    pub fn answer(&self, request_id: &RequestId) -> Answer {
        Answer {
            status: self.status,
            content_type: Some(&PROBLEM),
            body: Bytes::from(self.body(request_id)).into(),
            ..Answer::default()
        }
    }

    fn body(&self, request_id: &RequestId) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        write_json_string(&mut body, title(self.status));
        body.extend_from_slice(format!(",\"status\":{},\"detail\":", self.status.as_u16()).as_bytes());
        write_json_string(&mut body, self.detail);
        if !self.instance.is_empty() {
            body.extend_from_slice(b",\"instance\":");
            write_json_string(&mut body, self.instance);
        }
        body.extend_from_slice(format!(",\"request_id\":\"{request_id}\"}}").as_bytes());
        body
    }
}

impl ErrorForm {
    /// The media type and the body of an error that belongs to no request.
    pub(crate) fn body(self, status: StatusCode, detail: &str) -> (&'static HeaderValue, Vec<u8>) {
        match self {
            Self::Problem => (&PROBLEM, Problem { status, detail, instance: "" }.body(&RequestId::default())),
            Self::Legacy => (&JSON, legacy(status, detail)),
        }
    }
}

impl Exchange {
    /// Answers with an error, in the form that was settled on.
    pub fn problem(&self, status: StatusCode, detail: &str) -> Answer {
        if self.wants_page() {
            let page = page::page(self, status, detail, "");
            let mut answer = Answer { status, body: Bytes::from(page).into(), ..Answer::default() };
            let fields =
                page::PAGE_FIELDS.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            answer.fields_mut().extend(fields);
            return answer;
        }
        let instance = self.head.uri.path();
        match self.errors.form {
            ErrorForm::Problem => Problem { status, detail, instance }.answer(&self.id),
            ErrorForm::Legacy => {
                let words = match status {
                    StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                        Cow::Owned(format!("{}: {} {instance}", title(status), self.told_method()))
                    }
                    StatusCode::PAYLOAD_TOO_LARGE => "Payload Too Large: request body exceeds limit".into(),
                    StatusCode::INTERNAL_SERVER_ERROR => title(status).into(),
                    _ => detail.into(),
                };
                let body = Bytes::from(legacy(status, &words)).into();
                Answer { status, content_type: Some(&JSON), body, ..Answer::default() }
            }
        }
    }

    /// The method as an error tells it: to HEAD as to GET, so that their header fields are the same.
    pub(crate) fn told_method(&self) -> &Method {
        if self.head.method == Method::HEAD { &Method::GET } else { &self.head.method }
    }

    /// Whether this request's errors are told as a page.
    pub fn wants_page(&self) -> bool {
        self.errors.has_pages && page::is_preferred(&self.head.headers)
    }
}

fn legacy(status: StatusCode, words: &str) -> Vec<u8> {
    let mut body = b"{\"error\":".to_vec();
    write_json_string(&mut body, words);
    body.extend_from_slice(format!(",\"status\":{}}}", status.as_u16()).as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;

    #[test]
    fn a_problem_names_status_detail_instance_and_request() {
        let id = RequestId::default();
        let problem = Problem { status: StatusCode::NOT_FOUND, detail: "no \"route\"", instance: "/x" };
        let answer = problem.answer(&id);
        assert_eq!(answer.status, 404);
        assert_eq!(answer.content_type, Some(&PROBLEM));
        let expected = format!(
            "{{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"no \\\"route\\\"\",\
             \"instance\":\"/x\",\"request_id\":\"{id}\"}}"
        );
        let Content::Whole(body) = answer.body else { panic!("a problem is whole") };
        assert_eq!(body, expected);
    }

    #[test]
    fn an_error_without_a_request_has_either_form() {
        let (media_type, body) = ErrorForm::Legacy.body(StatusCode::BAD_REQUEST, "\"no\"");
        assert_eq!((media_type, &*body), (&JSON, &br#"{"error":"\"no\"","status":400}"#[..]));
        let (media_type, body) = ErrorForm::Problem.body(StatusCode::BAD_REQUEST, "no");
        assert_eq!(media_type, &PROBLEM);
        assert!(
            body.starts_with(br#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"no","request_id""#)
        );
    }
}
