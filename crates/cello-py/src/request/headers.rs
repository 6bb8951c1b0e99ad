//! The header fields, as text, and what is read out of them: cookies, and what the body is said to be.

use std::borrow::Cow;
use std::sync::Arc;

use cello_kernel::Exchange;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString};

/// The header fields of a request. Names are the same in any case; a name may come more than once.
#[pyclass(frozen, mapping, freelist = 64, module = "cello._kernel")]
pub(crate) struct Headers(Arc<Exchange>);

impl Headers {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self(exchange)
    }

    fn map(&self) -> &HeaderMap {
        &self.0.head.headers
    }
}

#[pymethods]
impl Headers {
    /// The first value of a name.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(&self, py: Python<'py>, name: &str, default: Option<Bound<'py, PyAny>>) -> Option<Bound<'py, PyAny>> {
        first(&self.0, name).map(|value| PyString::new(py, &value).into_any()).or(default)
    }

    /// All values of a name, in their order; none where it is not there.
    fn get_all<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.map().get_all(name).iter().map(text).collect::<Vec<_>>())
    }

    /// Each name once, in lower case.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.map().keys().map(|name| name.as_str()).collect::<Vec<_>>())
    }

    /// All pairs of name, in lower case, and value; those of one name stand together.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.map().iter().map(|(name, value)| (name.as_str(), text(value))).collect::<Vec<_>>())
    }

    /// All values, in the order of `items()`.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.map().values().map(text).collect::<Vec<_>>())
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyString>> {
        let value = first(&self.0, name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        Ok(PyString::new(py, &value))
    }

    fn __contains__(&self, name: &str) -> bool {
        self.map().contains_key(name)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys(py)?.try_iter()
    }

    fn __len__(&self) -> usize {
        self.map().keys_len()
    }

    /// The names alone: values may be secret, and what is printed is often logged.
    fn __repr__(&self) -> String {
        let names: Vec<_> = self.map().keys().map(|name| name.as_str()).collect();
        format!("<Headers {}>", names.join(", "))
    }
}

/// The first value of a header field.
pub(super) fn first<'a>(exchange: &'a Exchange, name: &str) -> Option<Cow<'a, str>> {
    exchange.head.headers.get(name).map(text)
}

/// A value as text: each byte is the character of its number, which is what fields have been from the start.
///
/// Source: RFC 9110 §5.5.
pub(super) fn text(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| byte as char).collect()),
    }
}

/// The cookies by name, as browsers send them: the first of a name is the one whose path fits best.
///
/// Source: RFC 6265 §5.4.
pub(super) fn cookies<'py>(py: Python<'py>, exchange: &Exchange) -> PyResult<Bound<'py, PyDict>> {
    let cookies = PyDict::new(py);
    for line in exchange.head.headers.get_all(COOKIE) {
        // Scripts store UTF-8, and browsers send what is stored.
        let line = std::str::from_utf8(line.as_bytes()).map_or_else(|_| text(line), Cow::Borrowed);
        for pair in line.split(';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
            if name.is_empty() || cookies.contains(name)? {
                continue;
            }
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            cookies.set_item(name, unquoted.unwrap_or(value))?;
        }
    }
    Ok(cookies)
}

/// The media type that the body is said to have, without its parameters.
pub(super) fn media_type(exchange: &Exchange) -> &str {
    let value = exchange.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim_matches([' ', '\t'])
}

/// Whether a media type is JSON: `application/json`, or one whose syntax that is (RFC 6839 §3.1).
pub(super) fn is_json(media_type: &str) -> bool {
    let suffix = media_type.len().checked_sub("+json".len()).and_then(|start| media_type.get(start..));
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.contains('/') && suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}
