//! The header fields of a response as Python sees them: a live mapping, whatever the case of a name.

use http::header::HeaderMap;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};

use super::Response;
use super::field::{field_value, fields, own_name, text_of};

/// The header fields of a response: a mapping, whatever the case of a name.
#[pyclass(frozen, mapping, module = "cello._kernel")]
pub(crate) struct ResponseHeaders(pub(super) Py<Response>);

impl ResponseHeaders {
    fn with<R>(&self, read: impl FnOnce(&mut HeaderMap) -> R) -> R {
        read(self.0.get().lock().head.all())
    }

    fn names(&self) -> Vec<String> {
        self.with(|fields| fields.keys().map(|name| name.as_str().to_owned()).collect())
    }
}

#[pymethods]
impl ResponseHeaders {
    /// The first value of a field; `default` where it is not set.
    #[pyo3(signature = (name, default = None))]
    fn get(&self, py: Python<'_>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        match self.with(|fields| fields.get(name).map(text_of)) {
            Some(value) => Ok(value.into_pyobject(py)?.into_any().unbind()),
            None => Ok(default.unwrap_or_else(|| py.None())),
        }
    }

    /// Every value of a field, in order.
    fn get_all(&self, name: &str) -> Vec<String> {
        self.with(|fields| fields.get_all(name).iter().map(text_of).collect())
    }

    /// The names, each once and in lower case.
    fn keys(&self) -> Vec<String> {
        self.names()
    }

    /// Every value, those of one name one after another.
    fn values(&self) -> Vec<String> {
        self.with(|fields| fields.values().map(text_of).collect())
    }

    /// Every name with a value of it; a name as often as it has values.
    fn items(&self) -> Vec<(String, String)> {
        self.with(|fields| fields.iter().map(|(name, value)| (name.as_str().to_owned(), text_of(value))).collect())
    }

    /// Sets fields, a mapping or pairs: each goes in the place of all of its name, but cookies are added.
    fn update(&self, given: &Bound<'_, PyAny>) -> PyResult<()> {
        // Read before anything is locked: those that are given may be these.
        let fields = fields(given)?;
        self.0.get().lock().head.put(fields)
    }

    /// The first value of a field, which is `value` from now on where it was not set.
    fn setdefault(&self, name: &str, value: &str) -> PyResult<String> {
        let (name, value) = (own_name(name)?, field_value(name, value)?);
        let head = &mut self.0.get().lock().head;
        if let Some(present) = head.all().get(&name) {
            return Ok(text_of(present));
        }
        head.set(name, value.clone())?;
        Ok(text_of(&value))
    }

    fn __getitem__(&self, name: &str) -> PyResult<String> {
        self.with(|fields| fields.get(name).map(text_of)).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __setitem__(&self, name: &str, value: &str) -> PyResult<()> {
        self.0.get().lock().head.set(own_name(name)?, field_value(name, value)?)
    }

    fn __delitem__(&self, name: &str) -> PyResult<()> {
        let removed = self.with(|fields| fields.remove(name));
        removed.map(drop).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<&str>().is_ok_and(|name| self.with(|fields| fields.contains_key(name)))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.names())?.try_iter()
    }

    fn __len__(&self) -> usize {
        self.with(|fields| fields.keys_len())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<ResponseHeaders {}>", self.items().into_pyobject(py)?.repr()?))
    }
}
