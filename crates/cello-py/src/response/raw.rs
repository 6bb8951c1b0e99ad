//! Responses as an application of ASGI gives them: header fields in bytes, and what frames the body said among them.

use std::path::PathBuf;

use bytes::Bytes;
use cello_kernel::OpenFile;
use http::HeaderName;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::Response;
use super::field::has_control_character;
use super::file;
use super::head::{self, Head};
use super::parts::{Heeds, Parts, Payload};

/// A response of header fields that are bytes; nothing is added to them.
///
/// Shape: `body` is bytes, the path of a file as str, or an async iterator of bytes. With `is_bodiless` it is not sent,
/// and only its length is told. Of `connection` only "close" is obeyed, `transfer-encoding` is the server's own.
/// Errors: ValueError and TypeError for a status or fields that cannot be sent, and where `content-length` is not the
/// length of the body; OSError for the file.
#[pyfunction]
pub(crate) fn _raw_response(
    py: Python<'_>,
    status: i64,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    is_bodiless: bool,
) -> PyResult<Response> {
    let mut head = Head { status: head::status(status)?, is_final: true, ..Head::default() };
    let promised = add_fields(&mut head, headers)?;
    let payload = payload(py, body)?;
    let (payload, promised) = if is_bodiless {
        (Payload::Whole(Bytes::new()), promised.or(payload.length_bytes().filter(|length| *length > 0)))
    } else {
        match (payload.length_bytes(), promised) {
            (Some(length), Some(promised)) if length != promised => {
                let words = format!("the content-length promises {promised} bytes, and the body has {length}");
                return Err(PyValueError::new_err(words));
            }
            (Some(_), _) => (payload, None), // the server tells it
            (None, promised) => (payload, promised),
        }
    };
    if let Some(length) = promised
        && !head::is_bodiless(head.status)
    {
        head.set(CONTENT_LENGTH, length.into())?;
    }
    Ok(Response { parts: Parts { head, payload }.into() })
}

fn payload(py: Python<'_>, body: &Bound<'_, PyAny>) -> PyResult<Payload> {
    if let Ok(bytes) = body.cast::<PyBytes>() {
        return Ok(Bytes::copy_from_slice(bytes.as_bytes()).into());
    }
    if body.is_instance_of::<PyString>() {
        let path: PathBuf = body.extract()?;
        let file = OpenFile::open(&path).map_err(|error| file::os_error(py, error, &path))?;
        let whole = 0..file.length_bytes();
        return Ok(Payload::File(file, whole, Heeds::Nothing));
    }
    Ok(Payload::Stream(Some(body.clone().unbind())))
}

/// Adds the fields, and returns the length that they promise.
fn add_fields(head: &mut Head, headers: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let mut promised = None;
    for pair in headers.try_iter()? {
        let (name, value) = field(&pair?)?;
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let name = HeaderName::from_bytes(name).map_err(|_| {
            let name = String::from_utf8_lossy(name);
            PyValueError::new_err(format!("{name:?} is no name of a header field (RFC 9110 §5.1)"))
        })?;
        if name == CONTENT_LENGTH {
            let length = length(value)?;
            if promised.replace(length).is_some_and(|other| other != length) {
                return Err(PyValueError::new_err("there are two values of content-length, which are not the same"));
            }
        } else if name == CONNECTION {
            if value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close")) {
                head.set(CONNECTION, HeaderValue::from_static("close"))?;
            }
        } else if name != TRANSFER_ENCODING {
            let value = HeaderValue::from_bytes(value).map_err(|_| has_control_character(name.as_str()))?;
            head.append(name, value)?;
        }
    }
    Ok(promised)
}

/// Name and value of a tuple, or of any other pair.
fn field<'py>(pair: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let tuple = match pair.cast_exact::<PyTuple>() {
        Ok(tuple) => Ok(tuple.clone()),
        Err(_) => pair.try_iter().and_then(|items| PyTuple::new(pair.py(), items.collect::<PyResult<Vec<_>>>()?)),
    };
    tuple.and_then(|tuple| tuple.extract()).or_else(|_| {
        let words = format!("{} is no header field: it is a pair of bytes", pair.repr()?);
        Err(PyTypeError::new_err(words))
    })
}

fn length(value: &[u8]) -> PyResult<u64> {
    let digits = std::str::from_utf8(value).ok().map(str::trim);
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{:?} is no content-length: it is a number of bytes",
            String::from_utf8_lossy(value)
        ))
    })
}
