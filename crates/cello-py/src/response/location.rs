//! `Location`: where a client is sent.

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What is in no URI reference (RFC 3986 §2). Browsers read a backslash as a slash, so `/\host` would be another host.
const ENCODED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The field's value for a URL, percent-encoded where it has to be; what is encoded stays as it is.
pub(super) fn location(url: &str) -> PyResult<HeaderValue> {
    if url.is_empty() {
        return Err(PyValueError::new_err("the URL to send a client to is empty"));
    }
    if let Some(control) = url.chars().find(char::is_ascii_control) {
        return Err(PyValueError::new_err(format!("the URL {url:?} has the control character {control:?}")));
    }
    HeaderValue::try_from(utf8_percent_encode(url, ENCODED).to_string())
        .map_err(|_| PyValueError::new_err(format!("{url:?} is no URL")))
}
