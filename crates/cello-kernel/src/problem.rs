//! Errors on the wire: `application/problem+json`.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::answer::Answer;
use crate::json::write_json_string;
use crate::request_id::RequestId;

static PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

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
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
        write_json_string(&mut body, self.status.canonical_reason().unwrap_or("Error"));
        body.extend_from_slice(format!(",\"status\":{},\"detail\":", self.status.as_u16()).as_bytes());
        write_json_string(&mut body, self.detail);
        if !self.instance.is_empty() {
            body.extend_from_slice(b",\"instance\":");
            write_json_string(&mut body, self.instance);
        }
        body.extend_from_slice(format!(",\"request_id\":\"{}\"}}", request_id.get()).as_bytes());
        Answer {
            status: self.status,
            content_type: Some(&PROBLEM),
            body: Bytes::from(body).into(),
            ..Answer::default()
        }
    }
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
             \"instance\":\"/x\",\"request_id\":\"{}\"}}",
            id.get()
        );
        let Content::Whole(body) = answer.body else { panic!("a problem is whole") };
        assert_eq!(body, expected);
    }
}
