//! What requests wait for natively, as asyncio's futures.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::dispatch::{Handlers, Job};
use crate::event_loop::shared::Shared;

/// Futures by the ticket of the request that waits. They say that it is time to look again, and nothing else.
#[derive(Default)]
pub(crate) struct Waits(Mutex<HashMap<u64, Vec<Py<PyAny>>>>);

impl Waits {
    /// What is to be awaited until [`Waits::end`] is called for the ticket: an iterator, as `__await__` gives it.
    pub(crate) fn begin<'py>(&self, py: Python<'py>, shared: &Shared, ticket: u64) -> PyResult<Bound<'py, PyAny>> {
        self.future(py, shared, ticket)?.call_method0(intern!(py, "__await__"))
    }

    /// The same as a future, which may be awaited by anybody.
    pub(crate) fn future<'py>(&self, py: Python<'py>, shared: &Shared, ticket: u64) -> PyResult<Bound<'py, PyAny>> {
        let future = future(py, shared)?;
        let mut futures = self.lock().remove(&ticket).unwrap_or_default();
        // Those that were given up: a request may wait many times before anything comes.
        futures.retain(|future| !is_done(future.bind(py)).unwrap_or(true));
        futures.push(future.clone().unbind());
        self.lock().insert(ticket, futures);
        Ok(future)
    }

    pub(crate) fn end(&self, py: Python<'_>, ticket: u64) {
        let futures = {
            let mut waiting = self.lock();
            if waiting.is_empty() {
                return;
            }
            waiting.remove(&ticket).unwrap_or_default()
        };
        for future in futures {
            end(future.bind(py));
        }
    }

    /// The loop is closed: nothing is woken any more.
    pub(crate) fn clear(&self) {
        let waits = std::mem::take(&mut *self.lock());
        drop(waits);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Py<PyAny>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future of the server's loop.
pub(crate) fn future<'py>(py: Python<'py>, shared: &Shared) -> PyResult<Bound<'py, PyAny>> {
    let running = shared.running(py).ok_or_else(|| PyRuntimeError::new_err("the server's loop does not run"))?;
    running.event_loop.bind(py).call_method0(intern!(py, "create_future"))
}

/// Has whoever waits for a future go on, if anybody does.
pub(crate) fn end(future: &Bound<'_, PyAny>) {
    let py = future.py();
    let ended = is_done(future).and_then(|is_done| {
        if !is_done {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(())
    });
    if let Err(error) = ended {
        error.write_unraisable(py, Some(future));
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future.call_method0(intern!(future.py(), "done"))?.is_truthy()
}

/// What a poll gives, or a future that is done when it is to be asked again.
pub(crate) fn now_or_later<'py, T>(
    handlers: &Arc<Handlers>,
    py: Python<'py>,
    ticket: u64,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
    made: impl FnOnce(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    match poll(&mut Context::from_waker(&bell(handlers, ticket))) {
        Poll::Ready(ready) => made(ready?),
        Poll::Pending => handlers.waits.future(py, &handlers.shared, ticket),
    }
}

/// Wakes what waits under a ticket, from where there is no interpreter.
struct Bell {
    handlers: Arc<Handlers>,
    ticket: u64,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.handlers.shared.push_job(Job::Wake { handlers: self.handlers.clone(), ticket: self.ticket });
    }
}

/// A waker for native futures that a request waits for.
pub(crate) fn bell(handlers: &Arc<Handlers>, ticket: u64) -> Waker {
    Arc::new(Bell { handlers: handlers.clone(), ticket }).into()
}
