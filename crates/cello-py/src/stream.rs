//! A body that a handler streams: pieces of a generator, pushed as long as there is room.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use cello_kernel::{Answer, Broken, Content, Source};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use pyo3::PyTraverseError;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyStopAsyncIteration, PyTypeError};
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString};

use crate::coroutine::{self, Step};
use crate::dispatch::Handlers;
use crate::outflow::{Outflow, Outlet, Room};
use crate::response::{BYTES, TEXT};

/// The state of one streamed body.
pub(crate) struct Stream {
    handlers: Arc<Handlers>,
    ticket: u64,
    /// Held back until there is something to send or to wait for: what fails before is an error like any other.
    head: Option<Answer>,
    /// What the first piece says of the content type, where nothing else does: the head waits for it.
    content_type: Option<&'static HeaderValue>,
    lacks_content_type: bool,
    iterator: Py<PyAny>,
    is_async: bool,
    flow: Arc<Outflow>,
    awaited: Option<Awaited>,
}

struct Awaited {
    iterator: Py<PyAny>,
    what: What,
}

enum What {
    Piece,
    Room,
    /// The generator's end, which was asked for because of this.
    Close(PyErr),
}

/// The head of a body that is not sent (RFC 9110 §9.3.2): nothing is asked of its generator, which may close itself.
pub(crate) fn head_alone(mut head: Answer, iterator: &Bound<'_, PyAny>) -> PyResult<Answer> {
    let py = iterator.py();
    if let Some(close) = iterator.getattr_opt(intern!(py, "close"))? {
        close.call0()?;
    }
    head.body = Content::Pulled(Box::new(Unsent));
    Ok(head)
}

/// A body of unknown length that nobody asks for.
#[derive(Debug)]
struct Unsent;

impl Source for Unsent {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        Poll::Ready(None)
    }

    fn remaining_bytes(&self) -> Option<u64> {
        None
    }
}

/// What one step came to.
pub(crate) enum Progress<'py> {
    Waits(Bound<'py, PyAny>),
    Complete,
    Failed(PyErr),
}

impl Stream {
    /// Takes the iterator that a handler returned, and the head that goes before its pieces; they tell its content type
    /// where it does not, if they are to.
    ///
    /// # Errors
    /// What asking for `__anext__` raises.
    pub(crate) fn new(
        handlers: Arc<Handlers>,
        ticket: u64,
        mut head: Answer,
        iterator: Bound<'_, PyAny>,
        tells_type: bool,
    ) -> PyResult<Self> {
        let is_async = iterator.hasattr(intern!(iterator.py(), "__anext__"))?;
        let is_typed = head.fields.as_ref().is_some_and(|fields| fields.contains_key(CONTENT_TYPE));
        let lacks_content_type = tells_type && head.content_type.is_none() && !is_typed;
        let (flow, outlet): (_, Outlet) = Outflow::new(handlers.clone(), ticket);
        head.body = Content::Pulled(Box::new(outlet));
        Ok(Self {
            handlers,
            ticket,
            head: Some(head),
            content_type: None,
            lacks_content_type,
            iterator: iterator.unbind(),
            is_async,
            flow,
            awaited: None,
        })
    }

    /// The head, once: not where nothing but an error came so far, nor while its content type is not known.
    pub(crate) fn take_head(&mut self, progress: &Progress<'_>) -> Option<Answer> {
        match progress {
            Progress::Failed(_) => return None,
            Progress::Waits(_) if self.lacks_content_type && self.content_type.is_none() => return None,
            Progress::Waits(_)
                if self.awaited.as_ref().is_some_and(|awaited| matches!(awaited.what, What::Close(_))) =>
            {
                return None; // an error is on its way
            }
            _ => {}
        }
        let mut head = self.head.take()?;
        head.content_type = head.content_type.or(self.content_type.filter(|_| self.lacks_content_type));
        Some(head)
    }

    pub(crate) fn is_head_out(&self) -> bool {
        self.head.is_none()
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.flow.is_abandoned()
    }

    /// Goes on until something has to be waited for.
    pub(crate) fn step<'py>(&mut self, py: Python<'py>, mut thrown: Option<PyErr>) -> Progress<'py> {
        loop {
            let progress = match self.awaited.take() {
                Some(awaited) => self.resume(py, awaited, thrown.take()),
                None => self.ask(py),
            };
            match progress {
                Ok(None) => {}
                Ok(Some(Progress::Complete)) => {
                    self.flow.complete();
                    return Progress::Complete;
                }
                Ok(Some(progress)) => return progress,
                Err(error) => {
                    self.flow.break_off();
                    return Progress::Failed(error);
                }
            }
        }
    }

    /// Drives what is awaited; `None` where that is done.
    fn resume<'py>(
        &mut self,
        py: Python<'py>,
        awaited: Awaited,
        thrown: Option<PyErr>,
    ) -> PyResult<Option<Progress<'py>>> {
        let iterator = awaited.iterator.bind(py);
        let stepped = match thrown {
            None => coroutine::resume(iterator),
            Some(error) => coroutine::throw(iterator, error),
        };
        match (stepped, awaited.what) {
            (Ok(Step::Yielded(what_for)), what) => {
                self.awaited = Some(Awaited { iterator: awaited.iterator, what });
                Ok(Some(Progress::Waits(what_for)))
            }
            (Ok(Step::Returned(piece)), What::Piece) => self.take(&piece).map(|()| None),
            (Ok(Step::Returned(_)), What::Room) => Ok(None),
            (Ok(Step::Returned(_)), What::Close(reason)) => Err(reason),
            (Err(error), What::Piece) if error.is_instance_of::<PyStopAsyncIteration>(py) => {
                Ok(Some(Progress::Complete))
            }
            (Err(error), What::Room) => self.close(py, error).map(|()| None),
            (Err(error), _) => Err(error),
        }
    }

    /// Asks for the next piece, or for room.
    fn ask<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Progress<'py>>> {
        match self.flow.room() {
            Room::Enough => {}
            Room::Abandoned => {
                let reason = py.import(intern!(py, "asyncio"))?.getattr(intern!(py, "CancelledError"))?.call0()?;
                return self.close(py, PyErr::from_value(reason)).map(|()| None);
            }
            Room::Awaited => {
                let iterator = self.handlers.waits.begin(py, &self.handlers.shared, self.ticket)?.unbind();
                self.awaited = Some(Awaited { iterator, what: What::Room });
                return Ok(None);
            }
        }
        let generator = self.iterator.bind(py);
        if self.is_async {
            let awaitable = match coroutine::next_of(generator) {
                Err(error) if error.is_instance_of::<PyStopAsyncIteration>(py) => return Ok(Some(Progress::Complete)),
                awaitable => awaitable?,
            };
            let iterator = coroutine::driver_of(&awaitable)?.unbind();
            self.awaited = Some(Awaited { iterator, what: What::Piece });
            return Ok(None);
        }
        match generator.cast::<PyIterator>()?.clone().next() {
            Some(piece) => self.take(&piece?).map(|()| None),
            None => Ok(Some(Progress::Complete)),
        }
    }

    /// Has the generator run what it does at its end, then fails for the reason given.
    fn close(&mut self, py: Python<'_>, reason: PyErr) -> PyResult<()> {
        let generator = self.iterator.bind(py);
        let name = if self.is_async { intern!(py, "aclose") } else { intern!(py, "close") };
        let Some(close) = generator.getattr_opt(name)? else { return Err(reason) };
        let closing = close.call0()?;
        if !self.is_async {
            return Err(reason);
        }
        let iterator = closing.call_method0(intern!(py, "__await__"))?.unbind();
        self.awaited = Some(Awaited { iterator, what: What::Close(reason) });
        Ok(())
    }

    /// Sends a piece; a generator whose piece is none is closed.
    fn take(&mut self, piece: &Bound<'_, PyAny>) -> PyResult<()> {
        self.push(piece).or_else(|error| self.close(piece.py(), error))
    }

    fn push(&mut self, piece: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(bytes) = piece.cast::<PyBytes>() {
            self.flow.push(bytes.as_bytes());
        } else if let Ok(text) = piece.cast::<PyString>() {
            self.flow.push(text.to_str()?.as_bytes());
            self.content_type.get_or_insert(&TEXT);
        } else if let Ok(buffer) = PyBuffer::<u8>::get(piece) {
            self.flow.push(&buffer.to_vec(piece.py())?);
        } else {
            let kind = piece.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("a stream brought forth a {kind}: its pieces are str or bytes")));
        }
        self.content_type.get_or_insert(&BYTES);
        Ok(())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterator)?;
        self.awaited.as_ref().map_or(Ok(()), |awaited| visit.call(&awaited.iterator))
    }
}

impl Drop for Stream {
    /// However it ends, by a panic or with its task forgotten, the connection does not wait for more.
    fn drop(&mut self) {
        self.flow.break_off();
    }
}
