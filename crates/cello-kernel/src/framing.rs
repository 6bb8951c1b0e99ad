//! What a request must be before it is routed, where the parser leaves the judgement to the server.

use http::header::{HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::limits::Limits;

/// A request that is refused: the status and the words for it.
pub(crate) type Refusal = (StatusCode, &'static str);

/// Checks target, Host and message framing.
///
/// Source: RFC 9112 §3.2 (Host), §6.1 and §6.3 (framing), RFC 9110 §15.5.15 (414).
pub(crate) fn check(head: &Parts, limits: &Limits) -> Result<(), Refusal> {
    let target_bytes = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_bytes > limits.uri_bytes {
        return Err((StatusCode::URI_TOO_LONG, "The request target is longer than this server accepts."));
    }
    let (mut hosts, mut host, mut is_coded) = (0, None, false);
    for (name, value) in &head.headers {
        if *name == HOST {
            (hosts, host) = (hosts + 1, Some(value));
        } else if *name == TRANSFER_ENCODING {
            is_coded = true;
        }
    }
    check_host(head.version, hosts, host)?;
    if is_coded { check_transfer_encoding(head.version, &head.headers) } else { Ok(()) }
}

fn check_host(version: Version, count: usize, host: Option<&HeaderValue>) -> Result<(), Refusal> {
    match host {
        None if version < Version::HTTP_11 => Ok(()),
        None => Err((StatusCode::BAD_REQUEST, "The request has no Host header field.")),
        Some(_) if count > 1 => Err((StatusCode::BAD_REQUEST, "The request has more than one Host header field.")),
        Some(host) if is_host(host) => Ok(()),
        Some(_) => Err((StatusCode::BAD_REQUEST, "The Host header field is not a host and port.")),
    }
}

/// Whether a value is `uri-host [ ":" port ]` (RFC 9110 §7.2), by its characters.
fn is_host(value: &HeaderValue) -> bool {
    value.as_bytes().iter().fold(true, |all, &byte| all & HOST_BYTES[byte as usize])
}

static HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~%!$&'()*+,;=:[]";
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
};

/// One `chunked` and nothing else: any other coding, twice the same one or a client too old for it is how requests are
/// smuggled. A length beside it is not seen here: the parser drops it, and closes the connection after the answer.
fn check_transfer_encoding(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let (first, second) = (codings.next(), codings.next());
    let is_chunked = first.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !is_chunked || second.is_some() {
        return Err((StatusCode::BAD_REQUEST, "The only transfer coding this server takes is one chunked."));
    }
    if version < Version::HTTP_11 {
        return Err((StatusCode::BAD_REQUEST, "HTTP/1.0 has no transfer codings."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn refusal(fields: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        check(&head, &Limits::default()).err().map(|(_, detail)| detail)
    }

    #[test]
    fn a_request_names_one_well_formed_host() {
        assert_eq!(refusal(&[("host", "example.org:8000")]), None);
        assert_eq!(refusal(&[("host", "[::1]:80")]), None);
        assert!(refusal(&[]).is_some());
        assert!(refusal(&[("host", "a"), ("host", "b")]).is_some());
        assert!(refusal(&[("host", "a b/c@d")]).is_some());
    }

    #[test]
    fn a_transfer_coding_is_chunked_once_and_alone() {
        assert_eq!(refusal(&[("host", "a"), ("transfer-encoding", "Chunked")]), None);
        assert!(refusal(&[("host", "a"), ("transfer-encoding", "chunked, chunked")]).is_some());
        let twice = [("host", "a"), ("transfer-encoding", "identity"), ("transfer-encoding", "chunked")];
        assert!(refusal(&twice).is_some());
    }
}
