//! Files as responses: their types, dates and errors. What reads them stands in the kernel.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cello_kernel::OpenFile;
use http::header::{ACCEPT_RANGES, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED};
use httpdate::fmt_http_date;
use mime_guess::MimeGuess;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::BYTES;
use super::field::field_value;
use super::head::Head;
use crate::exceptions;

/// Opens a file and makes the head for it. Its type is given, or told by the extension of `name`.
pub(super) fn open(
    py: Python<'_>,
    path: &Path,
    name: &OsStr,
    content_type: Option<&str>,
) -> PyResult<(OpenFile, Head)> {
    let file = OpenFile::open(path).map_err(|error| os_error(py, error, path))?;
    let mut head = Head::default();
    match content_type {
        Some(content_type) => head.set(CONTENT_TYPE, field_value("content-type", content_type)?)?,
        None => match MimeGuess::from_path(name).first_raw() {
            Some(text) if text.starts_with("text/") => {
                head.set(CONTENT_TYPE, field_value("content-type", &format!("{text}; charset=utf-8"))?)?;
            }
            Some(other) => head.set(CONTENT_TYPE, HeaderValue::from_static(other))?,
            None => head.content_type = Some(&BYTES),
        },
    }
    head.set(ACCEPT_RANGES, HeaderValue::from_static("bytes"))?;
    if let Some(moment) = file.modified() {
        if let Ok(since) = moment.duration_since(UNIX_EPOCH) {
            let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), file.length_bytes());
            head.set(ETAG, field_value("etag", &tag)?)?;
        }
        if is_date(moment) {
            head.set(LAST_MODIFIED, field_value("last-modified", &fmt_http_date(moment))?)?;
        }
    }
    Ok((file, head))
}

/// Whether a moment is a date for HTTP, and past: one to come is no time of a last change (RFC 9110 §8.8.2.1).
fn is_date(moment: SystemTime) -> bool {
    moment >= UNIX_EPOCH && moment <= SystemTime::now()
}

/// The name of a file, for a client.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.replace(|letter: char| letter.is_ascii_control(), "_")
}

/// An OSError of the subclass that its number has, with the path.
pub(super) fn os_error(py: Python<'_>, error: io::Error, path: &Path) -> PyErr {
    if error.kind() == io::ErrorKind::InvalidInput {
        return PyValueError::new_err(format!("{path:?} is no path: {error}"));
    }
    let Some(code) = error.raw_os_error() else {
        return PyOSError::new_err(format!("{path:?} cannot be sent: {error}"));
    };
    exceptions::os_error(py, code, Some(path))
}
