//! What a request's body becomes: a value that is there, or something to be awaited while the body arrives.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use cello_kernel::{PartHead, Unreceived};
use pyo3::PyTraverseError;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::Handle;

use crate::awaitable;
use crate::clock;
use crate::coroutine::{self, Step};
use crate::exceptions::http_error;
use crate::form;
use crate::json;
use crate::parts::{PartReader, UploadPart};
use crate::request::Request;

/// What is made of a body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Bytes,
    Text,
    Json,
    Form,
    Files,
}

/// The body as a value that may be awaited; while the body arrives, as something that must be.
///
/// # Errors
/// Those of the kind, where the value is there.
pub(crate) fn read<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    if request.get().exchange().is_arriving() {
        return read_async(request, kind).map(Bound::into_any);
    }
    value(request, kind)
}

/// The body as something that must be awaited, whether it is there or not.
pub(crate) fn read_async<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, Reading>> {
    let exchange = request.get().exchange().clone();
    let boundary = match kind {
        Kind::Form | Kind::Files if exchange.is_arriving() => form::boundary(request)?,
        _ => None,
    };
    waiting(request, Wanted::Body(kind), async move {
        match boundary {
            Some(boundary) => exchange.read_form(&boundary).await?,
            None => exchange.read_body().await?,
        }
        Ok(Got::Nothing)
    })
}

fn value<'py>(request: &Bound<'py, Request>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    let py = request.py();
    let exchange = request.get().exchange();
    if matches!(kind, Kind::Form | Kind::Files) {
        let form = form::of(request)?;
        return if kind == Kind::Form { Ok(form.into_any()) } else { form.get().files(py).map(Bound::into_any) };
    }
    if exchange.is_form() {
        if kind == Kind::Json {
            // What a client sends in place of JSON is the client's mistake.
            return Err(http_error(py, 415, "The body is a form, and no JSON."));
        }
        return Err(PyRuntimeError::new_err(
            "the body of this request is a form, whose parts were taken as they came: use form() or files()",
        ));
    }
    let body = exchange.body();
    match kind {
        Kind::Bytes => awaitable::bytes(py, body),
        Kind::Text => awaitable::text(py, &String::from_utf8_lossy(body)),
        _ => awaitable::json(json::decode(py, body)?),
    }
}

/// To be awaited until the request's answer was sent.
pub(crate) fn until_sent<'py>(request: &Bound<'py, Request>) -> PyResult<Bound<'py, Reading>> {
    let later = request.get().later().clone();
    let sent = poll_fn(move |_| if later.is_sent() { Poll::Ready(Ok(Got::Nothing)) } else { Poll::Pending });
    waiting(request, Wanted::Sent, sent)
}

/// Something native to be awaited: `future`, and what it got as a Python object.
pub(crate) fn waiting<'py>(
    request: &Bound<'py, Request>,
    wanted: Wanted,
    future: impl Future<Output = Result<Got, Unreceived>> + Send + 'static,
) -> PyResult<Bound<'py, Reading>> {
    let reading = Reading {
        request: request.clone().unbind(),
        wanted,
        future: Mutex::new(Some(Box::pin(future))),
        waiting: Mutex::default(),
    };
    Bound::new(request.py(), reading)
}

type Native = Pin<Box<dyn Future<Output = Result<Got, Unreceived>> + Send>>;

/// What is waited for.
pub(crate) enum Wanted {
    Body(Kind),
    Piece,
    Part(Arc<PartReader>),
    /// The end of the answer.
    Sent,
}

/// What came.
pub(crate) enum Got {
    /// It is where it can be found.
    Nothing,
    /// The next piece of bytes; None at the end.
    Piece(Option<Bytes>),
    /// All bytes that were wanted.
    Bytes(Bytes),
    /// The head of the next part, and its number; None after the last.
    Part(Option<(PartHead, u64)>),
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
    fn poll(&self) -> PyResult<Poll<Result<Got, Unreceived>>> {
        let waker = self.request.get().bell();
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(native) = &mut *future else {
            return Err(PyRuntimeError::new_err(
                "a body that is waited for can be awaited once: call the method again",
            ));
        };
        let clock = clock::needed()?; // any task may wait for it, in turns of a loop that is not the kernel's
        let _in_clock = clock.as_ref().map(Handle::enter);
        let polled = native.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            *future = None;
        }
        Ok(polled)
    }

    fn result<'py>(&self, py: Python<'py>, result: Result<Got, Unreceived>) -> PyResult<Bound<'py, PyAny>> {
        let request = self.request.bind(py);
        match (result.map_err(|error| unreceived(py, &error))?, &self.wanted) {
            (Got::Nothing, Wanted::Body(kind)) => value(request, *kind),
            (Got::Nothing, _) => Ok(py.None().into_bound(py)),
            (Got::Piece(Some(bytes)) | Got::Bytes(bytes), _) => Ok(PyBytes::new(py, &bytes).into_any()),
            (Got::Part(Some((head, number))), Wanted::Part(reader)) => {
                let part = UploadPart::new(request.clone().unbind(), reader.clone(), head, number);
                Ok(Bound::new(py, part)?.into_any())
            }
            _ => Err(PyStopAsyncIteration::new_err(())),
        }
    }
}

/// Why a body was not received, as the exception that answers so.
fn unreceived(py: Python<'_>, error: &Unreceived) -> PyErr {
    match error {
        Unreceived::Form(error) => form::exception(py, error),
        Unreceived::Body(error) => {
            let (status, detail) = error.answer();
            http_error(py, status.as_u16(), detail)
        }
    }
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
            // What was cancelled while it waited, and is awaited once more, looks again as if it was woken.
            if let Some(waiting) = waiting
                && let Ok(Step::Yielded(future)) = coroutine::resume(waiting.bind(py))
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

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.request)?;
        match self.waiting.try_lock() {
            Ok(waiting) => visit.call(&*waiting),
            Err(_) => Ok(()),
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
            let exchange = request.get().exchange().clone();
            let piece =
                async move { Ok(Got::Piece(poll_fn(|context| exchange.poll_body(context)).await.transpose()?)) };
            return waiting(request, Wanted::Piece, piece).map(Bound::into_any);
        }
        let exchange = request.get().exchange();
        if self.is_given.swap(true, Relaxed) || (exchange.body().is_empty() && !exchange.is_form()) {
            return Err(PyStopAsyncIteration::new_err(()));
        }
        value(request, Kind::Bytes)
    }
}
