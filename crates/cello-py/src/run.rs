//! What the task of a request runs: its handler, and then the body that the handler streams.
//!
//! It stands between asyncio's task and the handler's coroutine, so that an answer leaves in the very step in which the
//! handler returns it, and a streamed body is brought forth in the same task and context.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cello_kernel::Answer;
use pyo3::PyTraverseError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::exceptions::{PyAttributeError, PyGeneratorExit, PyRuntimeError, PyStopIteration};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyString;
use tokio::sync::oneshot;

use crate::coroutine::{self, Step};
use crate::dispatch::{Handlers, panicked};
use crate::event_loop::shared::coarse_now_s;
use crate::request::Request;
use crate::response::Returned;
use crate::stopping;
use crate::stream::{Progress, Stream};

pub(crate) type AnswerSender = oneshot::Sender<Answer>;

/// One request, from its handler's first step to the last that is done for it.
pub(crate) struct Run {
    handlers: Arc<Handlers>,
    request: Py<Request>,
    pub(crate) ticket: u64,
    /// The handler's; none where a `def` handler returned a stream.
    coroutine: Option<Py<PyAny>>,
    reply: Mutex<Reply>,
    is_streaming: AtomicBool,
    /// Taken out while it is stepped.
    stream: Mutex<Option<Box<Stream>>>,
    /// What the handler or its stream raised, until the last step: its frames may know the task, and that this.
    raised: Mutex<Option<PyErr>>,
    /// What is done once the request is answered: a coroutine.
    ending: OnceLock<Py<PyAny>>,
    has_begun: AtomicBool,
    /// The stop of the server has ended it.
    is_drained: AtomicBool,
    is_over: AtomicBool,
}

/// Where the answer goes.
#[derive(Default)]
enum Reply {
    /// The first step is not over: to whoever makes it.
    #[default]
    Starting,
    /// It is here, and will be fetched.
    Answered(Answer),
    Awaited(AnswerSender),
    Sent,
}

impl Run {
    pub(crate) fn of_handler(handlers: Arc<Handlers>, request: Py<Request>, ticket: u64, coroutine: Py<PyAny>) -> Self {
        Self { coroutine: Some(coroutine), ..Self::new(handlers, request, ticket) }
    }

    /// Of a `def` handler that returned a stream.
    pub(crate) fn of_stream(handlers: Arc<Handlers>, request: Py<Request>, ticket: u64, stream: Stream) -> Self {
        let (is_streaming, stream) = (AtomicBool::new(true), Mutex::new(Some(Box::new(stream))));
        Self { is_streaming, stream, ..Self::new(handlers, request, ticket) }
    }

    /// Of a `def` handler that has answered, and left something to be done.
    pub(crate) fn of_ending(
        handlers: Arc<Handlers>,
        request: Py<Request>,
        ticket: u64,
        answer: Answer,
        raised: Option<PyErr>,
    ) -> Self {
        let run = Self { raised: Mutex::new(raised), ..Self::new(handlers, request, ticket) };
        run.deliver(answer);
        run
    }

    fn new(handlers: Arc<Handlers>, request: Py<Request>, ticket: u64) -> Self {
        Self {
            handlers,
            request,
            ticket,
            coroutine: None,
            reply: Mutex::default(),
            is_streaming: AtomicBool::new(false),
            stream: Mutex::default(),
            raised: Mutex::default(),
            ending: OnceLock::new(),
            has_begun: AtomicBool::new(false),
            is_drained: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// Whether the request is answered, or given up, and only its end is left.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Notes that the stop ends it, and tells whether there is anything to end: what is left to be done once a request is
    /// answered goes on.
    pub(crate) fn drain(&self) -> bool {
        let is_ending = self.is_ending();
        self.is_drained.store(!is_ending, Relaxed);
        !is_ending
    }

    pub(crate) fn handlers(&self) -> &Arc<Handlers> {
        &self.handlers
    }

    pub(crate) fn request(&self) -> &Request {
        self.request.get()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// The answer, if the first step gave it; asked once, after that step.
    pub(crate) fn started(&self) -> Option<Answer> {
        let mut reply = self.lock_reply();
        match std::mem::replace(&mut *reply, Reply::Sent) {
            Reply::Answered(answer) => Some(answer),
            other => {
                *reply = other;
                None
            }
        }
    }

    /// Has the answer sent there when it comes.
    pub(crate) fn answer_to(&self, sender: AnswerSender) {
        *self.lock_reply() = Reply::Awaited(sender);
    }

    fn lock_reply(&self) -> MutexGuard<'_, Reply> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_raised(&self) -> MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_stream(&self) -> MutexGuard<'_, Option<Box<Stream>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, answer: Answer) {
        let request = self.request.get();
        let answer =
            if request.is_followed() { request.later().watch(answer, &self.handlers, self.ticket) } else { answer };
        let mut reply = self.lock_reply();
        match std::mem::replace(&mut *reply, Reply::Sent) {
            Reply::Starting => *reply = Reply::Answered(answer),
            Reply::Awaited(sender) => {
                drop(reply);
                drop(sender.send(answer));
            }
            other => *reply = other,
        }
    }

    /// Whether nobody has the answer yet, and somebody wants it: the client may have gone.
    fn owes_answer(&self) -> bool {
        match &*self.lock_reply() {
            Reply::Starting => true,
            Reply::Awaited(sender) => !sender.is_closed(),
            Reply::Answered(_) | Reply::Sent => false,
        }
    }

    fn is_answered(&self) -> bool {
        matches!(&*self.lock_reply(), Reply::Answered(_) | Reply::Sent)
    }

    /// One step, after what was waited for or with an exception that is raised there.
    fn step<'py>(&self, py: Python<'py>, thrown: Option<PyErr>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(ending) = self.ending.get() {
            return self.step_ending(ending.bind(py), thrown);
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| match &self.coroutine {
            Some(coroutine) if !self.is_streaming.load(Relaxed) => self.step_handler(coroutine.bind(py), thrown),
            None if !self.is_streaming.load(Relaxed) => Ok(None),
            _ => self.step_stream(py, thrown),
        }));
        match stepped.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(Some(awaited)) => Ok(Some(awaited)),
            Ok(None) => self.end(py),
            Err(error) => {
                let raised = error.clone_ref(py);
                let before = self.lock_raised().replace(raised);
                drop(before);
                self.fail(py, error);
                self.end(py)
            }
        }
    }

    /// The first step, within the call of the handler, whose time is taken.
    pub(crate) fn first_step<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.has_begun.store(true, Relaxed);
        self.step(py, None)
    }

    /// Any step but the first.
    pub(crate) fn step_again<'py>(
        &self,
        py: Python<'py>,
        thrown: Option<PyErr>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let began_s = coarse_now_s();
        let stepped = self.step(py, thrown);
        self.handlers.note_slow(py, self.request.get(), began_s, None);
        stepped
    }

    /// Begins what is left to be done, if anything is.
    fn end<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.request.get().has_later() {
            return self.finish(py);
        }
        let raised = self.lock_raised().as_ref().map(|raised| raised.clone_ref(py));
        match self.handlers.ending(py, self.request.bind(py), raised.as_ref(), self.ticket) {
            Ok(ending) => {
                let ending = self.ending.get_or_init(|| ending.unbind());
                self.step_ending(ending.bind(py), None)
            }
            Err(error) => {
                error.write_unraisable(py, None);
                self.finish(py)
            }
        }
    }

    fn step_ending<'py>(
        &self,
        ending: &Bound<'py, PyAny>,
        thrown: Option<PyErr>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = ending.py();
        let stepped = catch_unwind(AssertUnwindSafe(|| match thrown {
            None => coroutine::resume(ending),
            Some(error) => coroutine::throw(ending, error),
        }));
        match stepped.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(Step::Yielded(awaited)) => Ok(Some(awaited)),
            Ok(Step::Returned(_)) => self.finish(py),
            Err(error) => {
                self.finish(py)?;
                Err(error)
            }
        }
    }

    /// Tells the client of an error, or at least the log.
    fn fail(&self, py: Python<'_>, error: PyErr) {
        let request = self.request.bind(py);
        let was_cancelled = error.is_instance_of::<CancelledError>(py);
        if self.owes_answer() && was_cancelled && self.is_drained.load(Relaxed) {
            self.deliver(stopping::answer(request.get().exchange()));
        } else if self.owes_answer() {
            self.deliver(self.handlers.failed(request, error, None));
        } else if was_cancelled {
            // The client has left, and that is all.
        } else if self.is_answered() {
            self.handlers.broke_off(py, request, error);
        } else {
            drop(self.handlers.failed(request, error, None));
        }
    }

    fn step_handler<'py>(
        &self,
        coroutine: &Bound<'py, PyAny>,
        thrown: Option<PyErr>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let stepped = match thrown {
            None => coroutine::resume(coroutine),
            Some(error) => coroutine::throw(coroutine, error),
        };
        let returned = match stepped? {
            Step::Yielded(awaited) => return Ok(Some(awaited)),
            Step::Returned(returned) => returned,
        };
        if !self.owes_answer() {
            return Ok(None);
        }
        let plan = self.handlers.plan(self.request().exchange());
        match self.handlers.returned(plan, self.request(), &returned)? {
            Returned::Whole(answer) => {
                self.deliver(answer);
                Ok(None)
            }
            Returned::Stream { head, iterator, tells_type } => {
                let py = returned.py();
                let iterator = iterator.into_bound(py);
                let stream = Stream::new(self.handlers.clone(), self.ticket, head, iterator, tells_type)?;
                *self.lock_stream() = Some(Box::new(stream));
                self.is_streaming.store(true, Relaxed);
                self.step_stream(py, None)
            }
        }
    }

    fn step_stream<'py>(&self, py: Python<'py>, thrown: Option<PyErr>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(mut stream) = self.lock_stream().take() else {
            return Err(PyRuntimeError::new_err("the stream is over, or being stepped"));
        };
        let progress = stream.step(py, thrown);
        if let Some(head) = stream.take_head(&progress) {
            self.deliver(head);
        }
        match progress {
            Progress::Waits(awaited) => {
                *self.lock_stream() = Some(stream);
                Ok(Some(awaited))
            }
            Progress::Complete => Ok(None),
            Progress::Failed(error) => {
                let was_cancelled = stream.is_head_out() && error.is_instance_of::<CancelledError>(py);
                if was_cancelled && self.is_drained.load(Relaxed) {
                    self.request().exchange().hurry();
                } else if was_cancelled && !stream.is_abandoned() {
                    self.handlers.broke_off(py, self.request.bind(py), error.clone_ref(py));
                }
                Err(error)
            }
        }
    }

    /// The last step: a task whose handler was cancelled is cancelled.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.is_over.store(true, Relaxed);
        self.handlers.forget(py, self.ticket, self.request.get());
        let raised = self.lock_raised().take();
        match raised {
            Some(raised) if raised.is_instance_of::<CancelledError>(py) => Err(raised),
            _ => Ok(None),
        }
    }

    /// The next step, whichever it is.
    fn go_on<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.has_begun.load(Relaxed) { self.step_again(py, None) } else { self.first_step(py) }
    }

    /// Has the handler end where it waits.
    ///
    /// # Errors
    /// RuntimeError where it waits for something else then.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.step(py, Some(PyGeneratorExit::new_err(()))) {
            Ok(Some(_)) => Err(PyRuntimeError::new_err("the handler waits for something while it is being closed")),
            _ => Ok(()),
        }
    }

    /// What asyncio shows of a coroutine (`cr_frame`, `cr_code`, `__qualname__`, …): the handler's.
    pub(crate) fn attribute<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        match &self.coroutine {
            Some(coroutine) => coroutine.bind(name.py()).getattr(name),
            None => Err(PyAttributeError::new_err(name.clone().unbind())),
        }
    }

    /// Shows the garbage collector what it has, once: to be called for the one object of Python's whose it is.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.request)?;
        visit.call(&self.coroutine)?;
        visit.call(self.ending.get())?;
        match self.stream.try_lock() {
            Ok(stream) => stream.as_ref().map_or(Ok(()), |stream| stream.traverse(visit)),
            Err(_) => Ok(()),
        }
    }
}

/// The coroutine of a task that serves one request: one in every way that asyncio asks for.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct OneRun(pub(crate) Arc<Run>);

#[pymethods]
impl OneRun {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.go_on(py)
    }

    fn send<'py>(&self, py: Python<'py>, _value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.0.go_on(py)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (error, value = None, _trace = None))]
    fn throw<'py>(
        &self,
        error: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        _trace: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        let thrown = PyErr::from_value(value.unwrap_or(error));
        self.0.step(py, Some(thrown))?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.0.close(py)
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.0.attribute(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
