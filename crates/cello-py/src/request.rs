//! The request as a handler sees it: native, each part becoming a Python object when it is touched.

use std::sync::{Arc, OnceLock};

use cello_kernel::Exchange;
use percent_encoding::percent_decode_str;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::dispatch::Handlers;
use crate::json;

/// One HTTP request.
#[pyclass(frozen, freelist = 128, module = "cello")]
pub(crate) struct Request {
    exchange: Arc<Exchange>,
    handlers: Arc<Handlers>,
    /// Made when first asked for. Not a PyOnceLock, which lets the interpreter go while it is filled.
    params: OnceLock<Py<PyDict>>,
}

impl Request {
    pub(crate) fn new(exchange: Arc<Exchange>, handlers: Arc<Handlers>) -> Self {
        Self { exchange, handlers, params: OnceLock::new() }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }
}

#[pymethods]
impl Request {
    /// The method, as it was sent: "GET".
    #[getter]
    fn method(&self) -> &str {
        self.exchange.head.method.as_str()
    }

    /// The path, percent-decoded: "/users/7". The query is not part of it.
    #[getter]
    fn path(&self) -> std::borrow::Cow<'_, str> {
        percent_decode_str(self.exchange.head.uri.path()).decode_utf8_lossy()
    }

    /// What the path's parameters matched, percent-decoded, by name.
    #[getter]
    fn params(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        if let Some(params) = self.params.get() {
            return Ok(params.clone_ref(py));
        }
        let params = PyDict::new(py);
        if let Some(matched) = &self.exchange.params {
            let names = self.handlers.names(self.exchange.route);
            for (name, value) in names.iter().zip(matched.values(self.exchange.head.uri.path())) {
                params.set_item(name, &*value)?;
            }
        }
        Ok(self.params.get_or_init(|| params.unbind()).clone_ref(py))
    }

    /// The application that serves the request.
    #[getter]
    fn app(&self, py: Python<'_>) -> Py<PyAny> {
        self.handlers.app(py)
    }

    /// The request's identity in logs and errors, a UUIDv7.
    #[getter]
    fn request_id(&self) -> String {
        self.exchange.id.get().to_string()
    }

    /// The whole body.
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.exchange.body())
    }

    /// The body, parsed as JSON.
    ///
    /// Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::decode(py, self.exchange.body())
    }

    fn __repr__(&self) -> String {
        format!("<Request {} {}>", self.exchange.head.method, self.exchange.head.uri.path())
    }
}
