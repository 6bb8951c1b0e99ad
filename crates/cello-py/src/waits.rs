//! What requests wait for natively, as asyncio's futures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

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
        let running = shared.running(py).ok_or_else(|| PyRuntimeError::new_err("the server's loop does not run"))?;
        let future = running.event_loop.bind(py).call_method0(intern!(py, "create_future"))?;
        let iterator = future.call_method0(intern!(py, "__await__"))?;
        self.lock().entry(ticket).or_default().push(future.unbind());
        Ok(iterator)
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
            let future = future.bind(py);
            let ended = future.call_method0(intern!(py, "done")).and_then(|done| {
                if !done.is_truthy()? {
                    future.call_method1(intern!(py, "set_result"), (py.None(),))?;
                }
                Ok(())
            });
            if let Err(error) = ended {
                error.write_unraisable(py, Some(future));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Py<PyAny>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
