//! The query's parameters. One is looked up in the raw text; only who asks for all has all of it decoded.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use cello_kernel::Exchange;
use percent_encoding::percent_decode_str;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString};

/// The parameters of a query, in their order; a name may come more than once.
#[pyclass(frozen, mapping, freelist = 64, module = "cello._kernel")]
pub(crate) struct Query {
    exchange: Arc<Exchange>,
    /// The values of each name, made for who goes through the names: looking each up in the raw text would take the
    /// square of its length.
    index: OnceLock<Py<PyDict>>,
}

impl Query {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange, index: OnceLock::new() }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.exchange)
    }

    fn index<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        if let Some(index) = self.index.get() {
            return Ok(index.bind(py));
        }
        let index = PyDict::new(py);
        for (name, value) in self.pairs() {
            let (name, value) = (PyString::new(py, &decode(name)), PyString::new(py, &decode(value)));
            match index.get_item(&name)? {
                Some(values) => values.cast::<PyList>()?.append(value)?,
                None => index.set_item(name, PyList::new(py, [value])?)?,
            }
        }
        Ok(self.index.get_or_init(|| index.unbind()).bind(py))
    }

    fn first<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.index.get() {
            Some(index) => {
                let values = index.bind(py).get_item(name)?;
                values.map(|values| values.cast::<PyList>()?.get_item(0)).transpose()
            }
            None => Ok(first(&self.exchange, name).map(|value| PyString::new(py, &value).into_any())),
        }
    }
}

#[pymethods]
impl Query {
    /// The first value of a name.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.first(py, name)?.or(default))
    }

    /// All values of a name, in their order; none where it is not there.
    fn get_all<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        if let Some(index) = self.index.get() {
            return match index.bind(py).get_item(name)? {
                Some(values) => {
                    let values = values.cast::<PyList>()?;
                    Ok(values.get_slice(0, values.len()))
                }
                None => Ok(PyList::empty(py)),
            };
        }
        let values = self.pairs().filter(|(raw, _)| is(raw, name)).map(|(_, value)| decode(value));
        PyList::new(py, values.collect::<Vec<_>>())
    }

    /// Each name once, in the order in which they first come.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(self.index(py)?.keys())
    }

    /// All pairs of name and value, in their order.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.pairs().map(|(name, value)| (decode(name), decode(value))).collect::<Vec<_>>())
    }

    /// All values, in their order.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.pairs().map(|(_, value)| decode(value)).collect::<Vec<_>>())
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.first(py, name)?.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        match self.index.get() {
            Some(index) => index.bind(py).contains(name),
            None => Ok(self.pairs().any(|(raw, _)| is(raw, name))),
        }
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.index(py)?.keys().try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.index(py)?.len())
    }

    fn __repr__(&self) -> String {
        format!("<Query {:?}>", self.exchange.head.uri.query().unwrap_or_default())
    }
}

/// The first value of a name.
pub(super) fn first<'a>(exchange: &'a Exchange, name: &str) -> Option<Cow<'a, str>> {
    pairs(exchange).find(|(raw, _)| is(raw, name)).map(|(_, value)| decode(value))
}

/// Names and values as they were sent: `a&b=&=c` is `a` and `b` with nothing, and nothing with `c`.
///
/// Source: the URL Standard, §5.1 (application/x-www-form-urlencoded parsing).
fn pairs(exchange: &Exchange) -> impl Iterator<Item = (&str, &str)> {
    let query = exchange.head.uri.query().unwrap_or_default();
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether a raw name, decoded, is `wanted`. Decoding never makes a name longer.
fn is(raw: &str, wanted: &str) -> bool {
    if is_encoded(raw) { raw.len() >= wanted.len() && decode(raw) == wanted } else { raw == wanted }
}

fn is_encoded(raw: &str) -> bool {
    raw.bytes().any(|byte| byte == b'%' || byte == b'+')
}

fn decode(raw: &str) -> Cow<'_, str> {
    if !is_encoded(raw) {
        return Cow::Borrowed(raw);
    }
    if !raw.contains('+') {
        return percent_decode_str(raw).decode_utf8_lossy();
    }
    let spaced = raw.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
