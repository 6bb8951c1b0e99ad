//! The request as a handler sees it: native, each part becoming a Python object when it is touched.

use std::sync::{Arc, OnceLock};

use cello_kernel::Exchange;
use percent_encoding::percent_decode_str;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dispatch::Handlers;
use crate::reading::{self, BodyPieces, Kind, Reading};

/// One HTTP request.
#[pyclass(frozen, freelist = 128, module = "cello")]
pub(crate) struct Request {
    exchange: Arc<Exchange>,
    handlers: Arc<Handlers>,
    /// What it waits for is known by it.
    pub(crate) ticket: u64,
    /// Made when first asked for. Not a PyOnceLock, which lets the interpreter go while it is filled.
    params: OnceLock<Py<PyDict>>,
}

impl Request {
    pub(crate) fn new(exchange: Arc<Exchange>, handlers: Arc<Handlers>, ticket: u64) -> Self {
        Self { exchange, handlers, ticket, params: OnceLock::new() }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.exchange.head.method == http::Method::HEAD
    }

    pub(crate) fn handlers(&self) -> &Arc<Handlers> {
        &self.handlers
    }

    pub(crate) fn exchange(&self) -> &Arc<Exchange> {
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

    /// The whole body. May be awaited, and must be where the route streams its body.
    fn body<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Bytes)
    }

    /// The whole body as text: UTF-8, U+FFFD in place of what is none. May be awaited, as `body()`.
    fn text<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Text)
    }

    /// The body, parsed as JSON. May be awaited, as `body()`, but where it is true, false or null.
    ///
    /// Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400.
    fn json<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Json)
    }

    /// `body()`, to be awaited.
    fn body_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Bytes)
    }

    /// `text()`, to be awaited.
    fn text_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Text)
    }

    /// `json()`, to be awaited.
    fn json_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Json)
    }

    /// Whether the client has left: it closed its end, or the connection is over.
    fn disconnected(&self) -> bool {
        self.exchange.is_cut()
    }

    /// The body in the pieces in which it arrives, where the route streams it; else in one.
    fn stream(slf: Py<Self>) -> BodyPieces {
        BodyPieces::new(slf)
    }

    fn __repr__(&self) -> String {
        format!("<Request {} {}>", self.exchange.head.method, self.exchange.head.uri.path())
    }
}
