//! What hyper itself answers, to a head that it cannot parse, gets a body like any other error.

use http::StatusCode;

use crate::problem::ErrorForm;

/// Puts a body to hyper's bare answer, the last thing in `held`; where its beginning has left, it stays bare.
///
/// hyper has no hook for this answer. It is `HTTP/1.1 400 Bad Request` with `connection: close`, a date and no body.
pub(crate) fn complete(held: &mut Vec<u8>, form: ErrorForm) {
    let Some(start) = held.windows(7).rposition(|bytes| bytes == b"HTTP/1.") else { return };
    let Some(head) = std::str::from_utf8(&held[start..]).ok().and_then(|head| head.strip_suffix("\r\n\r\n")) else {
        return;
    };
    let status = head.get(9..12).and_then(|digits| StatusCode::from_bytes(digits.as_bytes()).ok());
    let Some(status) = status.filter(StatusCode::is_client_error) else { return };
    let detail = match status {
        StatusCode::URI_TOO_LONG => "The request target is longer than this server accepts.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The head of the request is longer than this server accepts, or has more fields."
        }
        _ => "The head of the request is not well-formed (RFC 9112).",
    };
    let (media_type, body) = form.body(status, detail);
    let mut answer = String::with_capacity(head.len() + 128);
    for line in head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")) {
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    answer.push_str("content-type: ");
    answer.push_str(media_type.to_str().unwrap_or_default());
    answer.push_str(&format!("\r\ncontent-length: {}\r\n\r\n", body.len()));
    held.truncate(start);
    held.extend_from_slice(answer.as_bytes());
    held.extend_from_slice(&body);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(held: &str) -> String {
        let mut held = held.as_bytes().to_vec();
        complete(&mut held, ErrorForm::Legacy);
        String::from_utf8(held).expect("text")
    }

    #[test]
    fn the_last_answer_gets_a_body_and_keeps_its_fields() {
        let before = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let bare = "HTTP/1.1 431 Too Large\r\nconnection: close\r\nContent-Length: 0\r\ndate: now\r\n\r\n";
        let answers = completed(&format!("{before}{bare}"));
        let (head, body) =
            answers.strip_prefix(before).and_then(|rest| rest.split_once("\r\n\r\n")).expect("an answer");
        let length = body.len();
        assert_eq!(
            head,
            format!(
                "HTTP/1.1 431 Too Large\r\nconnection: close\r\ndate: now\r\ncontent-type: application/json\r\n\
                 content-length: {length}"
            )
        );
        assert!(body.starts_with("{\"error\":\"The head of the request is longer"));
    }

    #[test]
    fn what_is_not_there_as_a_whole_stays_as_it_is() {
        for rest in ["", "00 Bad Request\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 400 Bad", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert_eq!(completed(rest), rest);
        }
    }
}
