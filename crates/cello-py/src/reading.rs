//! What a request's body becomes: a value that is there, or something to be awaited while the body arrives.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use cello_kernel::BodyError;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

use crate::coroutine::{self, Step};
use crate::json;
use crate::request::Request;

/// What is made of a body.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Bytes,
    Text,
    Json,
}

/// The body as a value that may be awaited; while the body arrives, as something that must be.
///
/// # Errors
/// Those of the kind, where the value is there.
pub(crate) fn read<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    if request.get().exchange().is_arriving() {
        return waiting(request, Wanted::Body(kind)).map(Bound::into_any);
    }
    value(request, kind)
}

/// The body as something that must be awaited, whether it is there or not.
pub(crate) fn read_async<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, Reading>> {
    waiting(request, Wanted::Body(kind))
}

fn value<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    let py = request.py();
    let body = request.get().exchange().body();
    match kind {
        Kind::Bytes => form(py, "AwaitableBytes")?.call1((PyBytes::new(py, body),)),
        Kind::Text => form(py, "AwaitableStr")?.call1((PyString::new(py, &String::from_utf8_lossy(body)),)),
        Kind::Json => form(py, "awaitable")?.call1((json::decode(py, body)?,)),
    }
}

/// A name of `cello._awaitable`.
fn form<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("cello._awaitable").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

fn waiting<'py>(request: &Bound<'py, Request>, wanted: Wanted) -> PyResult<Bound<'py, Reading>> {
    let exchange = request.get().exchange().clone();
    let future: Native = match wanted {
        Wanted::Body(_) => Box::pin(async move { exchange.read_body().await.map(|()| None) }),
        Wanted::Piece => Box::pin(async move { poll_fn(|context| exchange.poll_body(context)).await.transpose() }),
    };
    let reading = Reading {
        request: request.clone().unbind(),
        wanted,
        future: Mutex::new(Some(future)),
        waiting: Mutex::default(),
    };
    Bound::new(request.py(), reading)
}

type Native = Pin<Box<dyn Future<Output = Result<Option<Bytes>, BodyError>> + Send>>;

#[derive(Clone, Copy)]
enum Wanted {
    Piece,
    Body(Kind),
}

/// A part of a body that is waited for: to be awaited once.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Reading {
    request: Py<Request>,
    wanted: Wanted,
    future: Mutex<Option<Native>>,
    /// What the task waits for, as an iterator.
    waiting: Mutex<Option<Py<PyAny>>>,
}

impl Reading {
    fn poll(&self) -> PyResult<Poll<Result<Option<Bytes>, BodyError>>> {
        let request = self.request.get();
        let waker = request.bell();
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(native) = &mut *future else {
            return Err(PyRuntimeError::new_err(
                "a body that is waited for can be awaited once: call the method again",
            ));
        };
        let polled = native.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            *future = None;
        }
        Ok(polled)
    }

    fn result<'py>(&self, py: Python<'py>, result: Result<Option<Bytes>, BodyError>) -> PyResult<Bound<'py, PyAny>> {
        let piece = result.map_err(|error| unread(py, error))?;
        match (self.wanted, piece) {
            (Wanted::Body(kind), _) => value(self.request.bind(py), kind),
            (Wanted::Piece, Some(piece)) => Ok(PyBytes::new(py, &piece).into_any()),
            (Wanted::Piece, None) => Err(PyStopAsyncIteration::new_err(())),
        }
    }
}

/// Why a body could not be read, as the exception that answers so.
fn unread(py: Python<'_>, error: BodyError) -> PyErr {
    static HTTP_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (status, detail) = error.answer();
    let made = HTTP_ERROR
        .import(py, "cello.errors", "HTTPError")
        .and_then(|http_error| http_error.call1((status.as_u16(), detail)));
    made.map_or_else(|error| error, PyErr::from_value)
}

#[pymethods]
impl Reading {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        loop {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waiting) = waiting
                && let Step::Yielded(future) = coroutine::resume(waiting.bind(py))?
            {
                *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
                return Ok(future);
            }
            let request = self.request.get();
            match self.poll()? {
                Poll::Ready(result) => return Err(PyStopIteration::new_err((self.result(py, result)?.unbind(),))),
                Poll::Pending => {
                    let iterator = request.wait(py)?;
                    *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(iterator.unbind());
                }
            }
        }
    }
}

/// The pieces of a body, for `async for`.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct BodyPieces {
    request: Py<Request>,
    /// A body that is there is one piece.
    is_given: AtomicBool,
}

impl BodyPieces {
    pub(crate) fn new(request: Py<Request>) -> Self {
        Self { request, is_given: AtomicBool::new(false) }
    }
}

#[pymethods]
impl BodyPieces {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let request = self.request.bind(py);
        if request.get().exchange().is_arriving() {
            return waiting(request, Wanted::Piece).map(Bound::into_any);
        }
        if self.is_given.swap(true, Relaxed) || request.get().exchange().body().is_empty() {
            return Err(PyStopAsyncIteration::new_err(()));
        }
        value(request, Kind::Bytes)
    }
}
