//! What a handler returns, made into a response in one pass.

use bytes::Bytes;
use cello_kernel::Answer;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::json;

static JSON: HeaderValue = HeaderValue::from_static("application/json");
static TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
static BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A response with its status, header fields and body.
#[pyclass(frozen, module = "cello")]
pub(crate) struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Response {
    fn new(
        body: Bytes,
        content_type: &'static HeaderValue,
        status: u16,
        headers: Option<Vec<(String, String)>>,
    ) -> PyResult<Self> {
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or_else(|| PyValueError::new_err(format!("{status} is no status of a response: use 200 to 999")))?;
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, content_type.clone());
        for (name, value) in headers.unwrap_or_default() {
            let (name, value) = header(&name, &value)?;
            if name == CONTENT_TYPE {
                map.insert(name, value);
            } else {
                map.append(name, value);
            }
        }
        Ok(Self { status, headers: map, body })
    }
}

fn header(name: &str, value: &str) -> PyResult<(HeaderName, HeaderValue)> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| PyValueError::new_err(format!("{name:?} is no name of a header field (RFC 9110 §5.1)")))?;
    if ["connection", "content-length", "transfer-encoding"].contains(&field.as_str()) {
        return Err(PyValueError::new_err(format!("the header field {name:?} is the server's own to set")));
    }
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        PyValueError::new_err(format!("the value of the header field {name:?} has a control character"))
    })?;
    Ok((field, value))
}

#[pymethods]
impl Response {
    /// A response whose body is `data` as JSON.
    ///
    /// Shape: `headers` are pairs of name and value.
    /// Errors: TypeError or ValueError where `data` is no JSON, ValueError for a bad status or header field.
    #[staticmethod]
    #[pyo3(signature = (data, status = 200, headers = None))]
    fn json(data: &Bound<'_, PyAny>, status: u16, headers: Option<Headers>) -> PyResult<Self> {
        Self::new(json::encode(data)?, &JSON, status, headers.map(|headers| headers.0))
    }

    /// A response whose body is `content` as plain text in UTF-8.
    ///
    /// Shape: `headers` are pairs of name and value.
    /// Errors: ValueError for a bad status or header field.
    #[staticmethod]
    #[pyo3(signature = (content, status = 200, headers = None))]
    fn text(content: &str, status: u16, headers: Option<Headers>) -> PyResult<Self> {
        let body = Bytes::copy_from_slice(content.as_bytes());
        Self::new(body, &TEXT, status, headers.map(|headers| headers.0))
    }

    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.status.as_u16()
    }

    fn __repr__(&self) -> String {
        format!("<Response {}, {} bytes>", self.status.as_u16(), self.body.len())
    }
}

/// Header fields as a mapping or as pairs.
struct Headers(Vec<(String, String)>);

impl<'py> FromPyObject<'_, 'py> for Headers {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let pairs = if value.hasattr("items")? { value.call_method0("items")? } else { value.to_owned() };
        let pairs = pairs.try_iter()?.map(|pair| pair?.extract()).collect::<PyResult<Vec<(String, String)>>>()?;
        Ok(Self(pairs))
    }
}

/// What a handler's value comes to.
pub(crate) enum Returned {
    Whole(Answer),
    /// A body to be brought forth; `head` has none.
    Stream {
        head: Answer,
        iterator: Py<PyAny>,
    },
}

/// Makes a response of what a handler returned.
///
/// # Errors
/// TypeError for a value that is no answer.
pub(crate) fn into_response(value: &Bound<'_, PyAny>) -> PyResult<Returned> {
    let is_plain = value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<Response>();
    if !is_plain && (value.hasattr("__anext__")? || value.hasattr("__next__")?) {
        return Ok(Returned::Stream { head: with_type(Bytes::new(), &TEXT), iterator: value.clone().unbind() });
    }
    whole(value).map(Returned::Whole)
}

fn whole(value: &Bound<'_, PyAny>) -> PyResult<Answer> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(with_type(Bytes::copy_from_slice(text.to_str()?.as_bytes()), &TEXT));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(with_type(Bytes::copy_from_slice(bytes.as_bytes()), &BYTES));
    }
    if let Ok(response) = value.cast_exact::<Response>() {
        let response = response.get();
        let (fields, body) = (Some(Box::new(response.headers.clone())), response.body.clone().into());
        return Ok(Answer { status: response.status, content_type: None, fields, body });
    }
    if value.is_instance_of::<PyTuple>() {
        return Err(PyTypeError::new_err("a handler returned a tuple: return a dict, list, str, bytes or Response"));
    }
    Ok(with_type(json::encode(value)?, &JSON))
}

fn with_type(body: Bytes, content_type: &'static HeaderValue) -> Answer {
    Answer { body: body.into(), content_type: Some(content_type), ..Answer::default() }
}
