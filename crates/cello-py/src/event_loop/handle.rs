//! Callbacks in waiting: the handles that `call_soon` and `call_at` return.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, intern};

use super::shared::Shared;

/// A function and its arguments; given away once, when it runs or is cancelled.
struct Callback {
    function: Py<PyAny>,
    /// `None` where there are none, as mostly: the garbage collector has less to look at.
    args: Option<Py<PyTuple>>,
}

/// A callback that may still be cancelled.
pub(crate) struct Cancellable {
    callback: Mutex<Option<Callback>>,
    /// Kept after the run: what the callback raises is reported in it.
    context: Py<PyAny>,
    is_cancelled: AtomicBool,
}

impl Cancellable {
    pub(crate) fn new(function: Py<PyAny>, args: &Bound<'_, PyTuple>, context: Py<PyAny>) -> Self {
        let args = (!args.is_empty()).then(|| args.clone().unbind());
        let callback = Mutex::new(Some(Callback { function, args }));
        Self { callback, context, is_cancelled: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Callback>> {
        self.callback.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the callback, if nobody has cancelled it; at most once.
    ///
    /// # Errors
    /// What the callback raised, with its description.
    pub(crate) fn run(&self, py: Python<'_>) -> Result<(), (PyErr, String)> {
        // Bound to a name of its own: the lock must be free while the callback runs, which may cancel this handle.
        let taken = self.lock().take();
        let Some(Callback { function, args }) = taken else { return Ok(()) };
        let (function, context, run) = (function.bind(py), self.context.bind(py), intern!(py, "run"));
        let result = match args.as_ref().map(|args| args.bind(py)) {
            None => context.call_method1(run, (function,)),
            Some(args) if args.len() == 1 => {
                context.call_method1(run, (function, args.get_item(0).map_err(unexpected)?))
            }
            Some(args) => {
                let all = std::iter::once(function.clone()).chain(args.iter()).collect::<Vec<_>>();
                context.call_method1(run, PyTuple::new(py, all).map_err(unexpected)?)
            }
        };
        result.map(drop).map_err(|error| (error, format!("{function:?}")))
    }

    /// Returns whether this call cancelled it.
    fn cancel(&self) -> bool {
        let taken = self.lock().take();
        let is_first = !self.is_cancelled.swap(true, Relaxed);
        drop(taken);
        is_first
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }

    fn describe(&self, py: Python<'_>, kind: &str) -> String {
        let function = self.lock().as_ref().map(|callback| callback.function.clone_ref(py));
        match function {
            Some(function) => format!("<{kind} {:?}>", function.bind(py)),
            None if self.is_cancelled() => format!("<{kind} cancelled>"),
            None => format!("<{kind} done>"),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector must not wait; what is locked now is being used now.
        if let Ok(callback) = self.callback.try_lock()
            && let Some(callback) = &*callback
        {
            visit.call(&callback.function)?;
            visit.call(&callback.args)?;
        }
        visit.call(&self.context)
    }
}

fn unexpected(error: PyErr) -> (PyErr, String) {
    (error, String::new())
}

/// The handle of `call_soon`: asyncio.Handle's interface.
#[pyclass(frozen, weakref, freelist = 1024, module = "cello._kernel")]
pub(crate) struct Handle(pub(crate) Cancellable);

#[pymethods]
impl Handle {
    /// Keep the callback from running, if it has not run.
    fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether cancel() was called.
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The context the callback runs in.
    fn get_context(&self, py: Python<'_>) -> Py<PyAny> {
        self.0.context.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.0.describe(py, "Handle")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }

    fn __clear__(&self) {
        drop(self.0.lock().take());
    }
}

/// The handle of `call_later` and `call_at`: asyncio.TimerHandle's interface.
#[pyclass(frozen, weakref, freelist = 1024, module = "cello._kernel")]
pub(crate) struct TimerHandle {
    pub(crate) callback: Cancellable,
    when_s: f64,
    /// Whether it stands in the heap of timers, where a cancelled one is dead weight.
    pub(crate) is_queued: AtomicBool,
    shared: Arc<Shared>,
}

impl TimerHandle {
    pub(crate) fn new(callback: Cancellable, when_s: f64, shared: Arc<Shared>) -> Self {
        Self { callback, when_s, is_queued: AtomicBool::new(true), shared }
    }
}

#[pymethods]
impl TimerHandle {
    /// Keep the callback from running, if it has not run.
    fn cancel(&self) {
        if self.callback.cancel() && self.is_queued.load(Relaxed) {
            self.shared.note_cancelled_timer();
        }
    }

    /// Whether cancel() was called.
    fn cancelled(&self) -> bool {
        self.callback.is_cancelled()
    }

    /// When the callback is due, in seconds of the loop's clock.
    fn when(&self) -> f64 {
        self.when_s
    }

    /// The context the callback runs in.
    fn get_context(&self, py: Python<'_>) -> Py<PyAny> {
        self.callback.context.clone_ref(py)
    }

    /// Timers are compared by when they are due, and are equal to themselves only.
    fn __richcmp__(slf: &Bound<'_, Self>, other: &Bound<'_, Self>, operation: CompareOp) -> bool {
        match operation {
            CompareOp::Eq => slf.is(other),
            CompareOp::Ne => !slf.is(other),
            _ => slf.get().when_s.partial_cmp(&other.get().when_s).is_some_and(|order| operation.matches(order)),
        }
    }

    fn __hash__(slf: &Bound<'_, Self>) -> usize {
        slf.as_ptr().addr()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.callback.describe(py, "TimerHandle")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callback.traverse(&visit)
    }

    fn __clear__(&self) {
        drop(self.callback.lock().take());
    }
}
