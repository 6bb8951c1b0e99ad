//! Tasks that serve one request after another.
//!
//! To make a task and take it away again is a third of what an asynchronous handler costs. What a task runs here is a
//! relay: the handler of one request, and when that is through, the handler of the next, in the same task and context.
//! Between them it rests: the loop is asked for its next step, as after `sleep(0)`, and has the relay keep it. A task that
//! somebody may tell from a new one ends with its request: `cello._request_task` says who may.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::PyTraverseError;
use pyo3::exceptions::{PyAttributeError, PyStopIteration};
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::current;
use crate::dispatch::Handlers;
use crate::event_loop::LoopCore;
use crate::event_loop::ready::Ready;
use crate::event_loop::shared::Shared;
use crate::run::Run;

/// So many tasks wait for a request at most.
const MAX_IDLE: usize = 1024;

/// `cello._request_task.CALLS`
#[derive(FromPyObject)]
struct Calls {
    task_type: Py<PyAny>,
    tie: Py<PyAny>,
    swap_current: Py<PyAny>,
    enter: Py<PyAny>,
    leave: Py<PyAny>,
    forget: Py<PyAny>,
    count_references: Py<PyAny>,
    count_weak: Py<PyAny>,
}

impl Calls {
    fn count(&self, count: &Py<PyAny>, task: &Bound<'_, PyAny>) -> PyResult<usize> {
        count.bind(task.py()).call1((task,))?.extract()
    }

    fn swap_current<'py>(&self, event_loop: &Py<PyAny>, task: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.swap_current.bind(task.py()).call1((event_loop, task))
    }
}

/// The relays that wait for a request.
pub(crate) struct Relays {
    idle: Mutex<Vec<Py<Relay>>>,
    /// None where each request has a new task: on other loops than cello's own.
    calls: Option<Calls>,
    event_loop: Py<PyAny>,
    /// `Relay.begin`, to be called in its context.
    begin: Py<PyAny>,
}

impl Relays {
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        // A loop that is derived from ours may have ideas of its own about what it is asked for.
        let call_soon = intern!(py, "call_soon");
        let asks_core = event_loop.get_type().getattr(call_soon)?.is(&py.get_type::<LoopCore>().getattr(call_soon)?);
        let calls = if asks_core { py.import("cello._request_task")?.getattr("CALLS")?.extract()? } else { None };
        let begin = py.get_type::<Relay>().getattr("begin")?.unbind();
        Ok(Self { idle: Mutex::default(), calls, event_loop: event_loop.clone().unbind(), begin })
    }

    /// A relay for a request; None where its task has to be a new one.
    pub(crate) fn take<'py>(&self, py: Python<'py>, handlers: &Handlers) -> PyResult<Option<Bound<'py, Relay>>> {
        let Some(calls) = &self.calls else { return Ok(None) };
        // In debug mode a task knows where it was made; and whoever is told of each request leaves word of it in its
        // context.
        if handlers.shared.is_debug() || current::is_noted() {
            return Ok(None);
        }
        let idle = self.lock().pop();
        match idle {
            Some(relay) => Ok(Some(relay.into_bound(py))),
            None => self.make(py, handlers, calls).map(Some),
        }
    }

    fn make<'py>(&self, py: Python<'py>, handlers: &Handlers, calls: &Calls) -> PyResult<Bound<'py, Relay>> {
        let context = handlers.contexts.new_context(py)?;
        let relay = Bound::new(
            py,
            Relay {
                context: context.clone().unbind(),
                shared: handlers.shared.clone(),
                inner: Mutex::default(),
                is_touched: AtomicBool::new(false),
            },
        )?;
        let task = handlers.task_maker.start(calls.task_type.bind(py), relay.as_any(), &context)?;
        calls.forget.bind(py).call1((&task,))?; // among all tasks are those that do something
        calls.tie.bind(py).call1((&task, &relay))?;
        relay.get().lock().task = Some(task.clone().unbind());
        let references = calls.count(&calls.count_references, &task)?;
        relay.get().lock().references = references;
        Ok(relay)
    }

    /// Has a relay take the first step of a request; false where another task is in the middle of one of its own.
    pub(crate) fn begin(
        &self,
        py: Python<'_>,
        handlers: &Arc<Handlers>,
        run: &Arc<Run>,
        relay: &Bound<'_, Relay>,
    ) -> PyResult<bool> {
        let (Some(calls), Some(task)) = (&self.calls, relay.get().task(py)) else { return Ok(false) };
        let before = calls.swap_current(&self.event_loop, &task)?;
        if !before.is_none() {
            calls.swap_current(&self.event_loop, &before)?;
            return Ok(false);
        }
        calls.enter.bind(py).call1((&task,))?;
        relay.get().load(run.clone());
        let context = relay.get().context.bind(py);
        let begun = handlers.contexts.run(py, (context, &self.begin, relay));
        calls.swap_current(&self.event_loop, py.None().bind(py))?;
        begun?;
        if relay.get().is_idle() {
            calls.leave.bind(py).call1((&task,))?;
            drop(task);
            self.settle(py, handlers, relay)?;
        } else if relay.get().waits_for_a_turn(py) {
            handlers.shared.push_ready(Ready::Turn(relay.clone().unbind()));
        } else {
            relay.get().wake(py, handlers)?;
        }
        Ok(true)
    }

    /// A relay whose request is through, outside its task: it waits for the next, or its task ends.
    pub(crate) fn settle(&self, py: Python<'_>, handlers: &Handlers, relay: &Bound<'_, Relay>) -> PyResult<()> {
        if self.is_as_new(py, handlers, relay.get(), 0) {
            self.lock().push(relay.clone().unbind());
            return Ok(());
        }
        self.retire(py, handlers, relay)
    }

    /// Ends a task that rests.
    pub(crate) fn retire(&self, py: Python<'_>, handlers: &Handlers, relay: &Bound<'_, Relay>) -> PyResult<()> {
        relay.get().lock().leg = Leg::Over;
        relay.get().wake(py, handlers)
    }

    /// Whether a task is as one that was just made, and there is room for it. `others` are the references that only
    /// who steps it has.
    fn is_as_new(&self, py: Python<'_>, handlers: &Handlers, relay: &Relay, others: usize) -> bool {
        let Some(calls) = &self.calls else { return false };
        if relay.is_touched.load(Relaxed) || self.lock().len() >= MAX_IDLE {
            return false;
        }
        let Some(task) = relay.task(py) else { return false };
        let known = relay.lock().references + others;
        matches!(calls.count(&calls.count_references, &task), Ok(references) if references == known)
            && matches!(calls.count(&calls.count_weak, &task), Ok(0))
            && handlers.contexts.is_as_new(relay.context.bind(py))
    }

    /// Ends the tasks that wait.
    pub(crate) fn clear(&self, py: Python<'_>, handlers: &Handlers) {
        let idle = std::mem::take(&mut *self.lock());
        for relay in idle {
            let relay = relay.into_bound(py);
            if let Err(error) = self.retire(py, handlers, &relay) {
                error.write_unraisable(py, Some(relay.as_any()));
            }
        }
    }

    /// A task that will not go on is not among all tasks any more.
    pub(crate) fn leave(&self, py: Python<'_>, task: &Py<PyAny>) {
        let left = self.calls.as_ref().map(|calls| calls.leave.bind(py).call1((task,)));
        if let Some(Err(error)) = left {
            error.write_unraisable(py, Some(task.bind(py)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Py<Relay>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The coroutine of a task that serves one request after another.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Relay {
    context: Py<PyAny>,
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// The task has been asked what may be seen later.
    is_touched: AtomicBool,
}

#[derive(Default)]
struct Inner {
    task: Option<Py<PyAny>>,
    /// How many references its task has while it waits for a request.
    references: usize,
    /// The next step of the task, while it rests.
    step: Option<Py<PyAny>>,
    leg: Leg,
    /// The request that is at it.
    run: Option<Arc<Run>>,
    /// A cancellation that came with the first suspension: it is thrown at the next step.
    thrown: Option<PyErr>,
    /// Those whose relay it will be as soon as its task waits for it.
    waits_for: Option<Arc<Handlers>>,
}

/// What the next step of the task is.
#[derive(Default)]
enum Leg {
    /// To wait for a request.
    #[default]
    Idle,
    Running,
    /// The first step was taken outside the task, and this is what it waits for.
    Begun(Py<PyAny>),
    Failed(PyErr),
    Over,
}

impl Relay {
    pub(crate) fn context<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.context.bind(py).clone()
    }

    pub(crate) fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.lock().task.as_ref().map(|task| task.bind(py).clone())
    }

    fn is_idle(&self) -> bool {
        matches!(self.lock().leg, Leg::Idle)
    }

    /// What the task yields to rest: nothing. It asks the loop for its next step then, and the loop has the relay keep it.
    fn rest<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let relay = slf.get();
        relay.shared.rest(slf.clone().unbind());
        slf.py().None().into_bound(slf.py())
    }

    /// Keeps the step that the task has asked for.
    pub(crate) fn keep(slf: Py<Self>, step: Py<PyAny>) {
        let waits_for = {
            let mut inner = slf.get().lock();
            inner.step = Some(step);
            inner.waits_for.take()
        };
        if let Some(handlers) = waits_for {
            handlers.relays.lock().push(slf);
        }
    }

    /// Whether the first step waits for nothing but the next turn, as `sleep(0)` does. The loop is asked for that turn
    /// here: it is what the task would do.
    fn waits_for_a_turn(&self, py: Python<'_>) -> bool {
        let mut inner = self.lock();
        let waits = matches!(&inner.leg, Leg::Begun(awaited) if awaited.is_none(py));
        if waits {
            inner.leg = Leg::Running;
        }
        waits
    }

    /// Takes the turn that was asked for in the task's place.
    pub(crate) fn take_turn(&self, py: Python<'_>) -> PyResult<()> {
        match self.run() {
            Some(run) => self.wake(py, run.handlers()),
            None => Ok(()),
        }
    }

    /// Has the task take the step that is kept, in its context.
    fn wake(&self, py: Python<'_>, handlers: &Handlers) -> PyResult<()> {
        let step = self.lock().step.take();
        match step {
            Some(step) => handlers.contexts.run(py, (&self.context, step)).map(drop),
            None => Ok(()),
        }
    }

    fn load(&self, run: Arc<Run>) {
        let mut inner = self.lock();
        inner.leg = Leg::Running;
        let before = inner.run.replace(run);
        drop(inner);
        drop(before);
    }

    fn run(&self) -> Option<Arc<Run>> {
        self.lock().run.clone()
    }

    fn step<'py>(slf: &Bound<'py, Self>, thrown: Option<PyErr>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, relay) = (slf.py(), slf.get());
        let Some(run) = relay.run() else { return Ok(None) };
        let stepped = run.step_again(py, thrown);
        if let Ok(Some(awaited)) = stepped {
            relay.lock().leg = Leg::Running;
            return Ok(Some(awaited));
        }
        let handlers = run.handlers().clone();
        relay.unload();
        drop(run);
        if let Some(task) = relay.task(py) {
            handlers.relays.leave(py, task.as_unbound());
        }
        match stepped {
            Ok(_) => {
                // Those that only who steps it has: it is the current task, and what it waited for calls it. Nothing
                // has it to wake it.
                if handlers.relays.is_as_new(py, &handlers, relay, 1) {
                    relay.lock().waits_for = Some(handlers);
                    return Ok(Some(Self::rest(slf)));
                }
                relay.end();
                Ok(None)
            }
            Err(error) => {
                relay.end();
                Err(error)
            }
        }
    }

    /// Lets go of a request that is through.
    fn unload(&self) {
        let run = self.lock().run.take();
        drop(run);
    }

    /// Lets go of the task, which ends.
    fn end(&self) {
        let left = {
            let mut inner = self.lock();
            (inner.task.take(), inner.run.take(), std::mem::replace(&mut inner.leg, Leg::Over))
        };
        drop(left);
    }

    fn advance<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, relay) = (slf.py(), slf.get());
        let leg = std::mem::take(&mut relay.lock().leg);
        match leg {
            Leg::Idle => Ok(Some(Self::rest(slf))),
            Leg::Running => {
                let thrown = relay.lock().thrown.take();
                Self::step(slf, thrown)
            }
            Leg::Begun(awaited) => {
                relay.lock().leg = Leg::Running;
                Ok(Some(awaited.into_bound(py)))
            }
            Leg::Failed(error) => {
                relay.end();
                Err(error)
            }
            Leg::Over => {
                relay.end();
                Ok(None)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Relay {
    /// Take the first step of a request, outside the task.
    fn begin(slf: &Bound<'_, Self>) {
        let (py, relay) = (slf.py(), slf.get());
        let Some(run) = relay.run() else { return };
        let leg = match run.first_step(py) {
            Ok(Some(awaited)) => Leg::Begun(awaited.unbind()),
            Ok(None) => {
                relay.unload();
                Leg::Idle
            }
            Err(error) => Leg::Failed(error),
        };
        relay.lock().leg = leg;
    }

    /// Note that the task may be known to somebody.
    fn touch(&self) {
        self.is_touched.store(true, Relaxed);
    }

    // --- as a coroutine

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::advance(slf)
    }

    fn send<'py>(slf: &Bound<'py, Self>, _value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Self::advance(slf)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (error, value = None, _trace = None))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        error: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        _trace: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, relay) = (slf.py(), slf.get());
        let thrown = PyErr::from_value(value.unwrap_or(error));
        let leg = std::mem::take(&mut relay.lock().leg);
        match leg {
            Leg::Running => Self::step(slf, Some(thrown))?.ok_or_else(|| PyStopIteration::new_err(())),
            // A handler that cancelled its own task: as asyncio does it, what it waits for is cancelled.
            Leg::Begun(awaited) => {
                let awaited = awaited.into_bound(py);
                let is_cancelled = match awaited.getattr_opt(intern!(py, "cancel"))? {
                    Some(cancel) => cancel.call0()?.is_truthy()?,
                    None => false,
                };
                let mut inner = relay.lock();
                inner.thrown = (!is_cancelled).then_some(thrown);
                inner.leg = Leg::Running;
                drop(inner);
                Ok(awaited)
            }
            _ => {
                relay.end();
                Err(thrown)
            }
        }
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.run() {
            Some(run) => run.close(py),
            None => Ok(()),
        }
    }

    /// What asyncio shows of a coroutine is the handler's.
    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        match self.run() {
            Some(run) => run.attribute(name),
            None => Err(PyAttributeError::new_err(name.clone().unbind())),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.context)?;
        let Ok(inner) = self.inner.try_lock() else { return Ok(()) };
        visit.call(&inner.task)?;
        visit.call(&inner.step)?;
        inner.run.as_ref().map_or(Ok(()), |run| run.traverse(&visit))?;
        match &inner.leg {
            Leg::Begun(awaited) => visit.call(awaited),
            _ => Ok(()),
        }
    }
}
