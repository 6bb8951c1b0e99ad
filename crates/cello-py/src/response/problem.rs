//! Errors that an application answers with by itself: `application/problem+json` (RFC 9457 §3).

use bytes::Bytes;
use cello_kernel::write_json_string;
use http::{HeaderValue, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::json;

pub(super) static PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A problem; `title` is the status' own phrase where none is given.
pub(super) fn problem(
    status: StatusCode,
    detail: Option<&str>,
    title: Option<&str>,
    kind: &str,
    members: Option<&Bound<'_, PyDict>>,
) -> PyResult<Bytes> {
    if !status.is_client_error() && !status.is_server_error() {
        let number = status.as_u16();
        return Err(PyValueError::new_err(format!("{number} is no status of an error: use 400 to 599")));
    }
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(b"{\"type\":");
    write_json_string(&mut body, kind);
    body.extend_from_slice(b",\"title\":");
    write_json_string(&mut body, title.unwrap_or(cello_kernel::title(status)));
    body.extend_from_slice(format!(",\"status\":{}", status.as_u16()).as_bytes());
    if let Some(detail) = detail {
        body.extend_from_slice(b",\"detail\":");
        write_json_string(&mut body, detail);
    }
    for (name, value) in members.into_iter().flatten() {
        body.push(b',');
        write_json_string(&mut body, name.cast::<PyString>()?.to_str()?);
        body.push(b':');
        body.extend_from_slice(&json::encode(&value)?);
    }
    body.push(b'}');
    Ok(body.into())
}
