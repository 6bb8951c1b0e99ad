//! The stop of the server, as requests learn of it, and what becomes of those that do not outlast it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cello_kernel::{Answer, Exchange};
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use pyo3::PyTraverseError;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;

use crate::coroutine::{self, Step};
use crate::dispatch::{Handlers, Plan};
use crate::waits;

/// Whether the server stops, and who waits for that.
#[derive(Default)]
pub(crate) struct Stop {
    has_begun: AtomicBool,
    /// Futures, by the ticket of who waits: whoever waits longest is told first.
    waiting: Mutex<BTreeMap<u64, Py<PyAny>>>,
}

impl Stop {
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    /// The loop is closed: nothing is woken any more.
    pub(crate) fn clear(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
    }

    fn forget(&self, ticket: u64) {
        let future = self.lock().remove(&ticket);
        drop(future);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Py<PyAny>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handlers {
    /// Tells whoever asks, or waits, that the server stops, and ends the requests that are to end then.
    pub(crate) fn begin_stop(&self, py: Python<'_>) {
        if self.stop.has_begun.swap(true, Relaxed) {
            return;
        }
        let waiting = std::mem::take(&mut *self.stop.lock());
        for future in waiting.into_values() {
            waits::end(future.bind(py));
        }
        for (task, run) in self.tasks.with_runs(py) {
            let plan = self.plan(run.request().exchange());
            if plan.drains_now
                && run.drain()
                && let Err(error) = task.call_method0(py, intern!(py, "cancel"))
            {
                error.write_unraisable(py, Some(task.bind(py)));
            }
        }
    }

    /// Whether a request comes too late for its handler to begin.
    pub(crate) fn is_too_late(&self, plan: &Plan) -> bool {
        plan.drains_now && self.stop.has_begun()
    }
}

/// The answer to a request that the stop has ended before it was answered.
pub(crate) fn answer(exchange: &Exchange) -> Answer {
    let mut answer = exchange.problem(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.");
    let fields = answer.fields.get_or_insert_default();
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    fields.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Whether the server stops: a truth, which may be called, and awaited. It keeps no request alive.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct ServerStopping(Option<Arc<Handlers>>);

impl ServerStopping {
    /// Of the server that has these handlers; of none, for a request that is made by hand.
    pub(crate) fn new(handlers: Option<Arc<Handlers>>) -> Self {
        Self(handlers)
    }
}

#[pymethods]
impl ServerStopping {
    fn __bool__(&self) -> bool {
        self.0.as_ref().is_some_and(|handlers| handlers.stop.has_begun())
    }

    /// The truth, as a bool.
    fn __call__(&self) -> bool {
        self.__bool__()
    }

    /// Wait until it is true.
    ///
    /// Errors: RuntimeError where no server has the request.
    fn __await__(&self) -> PyResult<UntilStop> {
        let handlers = self.0.clone();
        let handlers =
            handlers.ok_or_else(|| PyRuntimeError::new_err("a request that is made by hand waits for nothing"))?;
        let ticket = handlers.new_ticket();
        Ok(UntilStop { handlers, ticket, waiting: Mutex::default() })
    }

    fn __repr__(&self) -> &'static str {
        if self.__bool__() { "True" } else { "False" }
    }
}

/// One waiting for the stop, as `__await__` gives it.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct UntilStop {
    handlers: Arc<Handlers>,
    ticket: u64,
    /// What the task waits for, as an iterator.
    waiting: Mutex<Option<Py<PyAny>>>,
}

impl UntilStop {
    fn lock(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl UntilStop {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let stop = &self.handlers.stop;
        loop {
            let waiting = self.lock().take();
            if let Some(waiting) = waiting
                && let Ok(Step::Yielded(future)) = coroutine::resume(waiting.bind(py))
            {
                *self.lock() = Some(waiting);
                return Ok(future);
            }
            if !stop.has_begun() {
                let future = waits::future(py, &self.handlers.shared)?;
                let iterator = future.call_method0(intern!(py, "__await__"))?;
                let before = stop.lock().insert(self.ticket, future.unbind());
                drop(before);
                *self.lock() = Some(iterator.unbind());
            }
            if stop.has_begun() {
                return Err(PyStopIteration::new_err(()));
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.waiting.try_lock() {
            Ok(waiting) => visit.call(&*waiting),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for UntilStop {
    /// Whoever was cancelled waits no more.
    fn drop(&mut self) {
        self.handlers.stop.forget(self.ticket);
    }
}
