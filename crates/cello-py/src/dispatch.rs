//! The crossing: a routed request becomes one call of a Python handler, and what it returns a response.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cello_kernel::{
    Answer, Application, Deferred, Exchange, Outcome, Problem, RequestId, RouteId, TrustedProxies, panic_words,
};
use http::StatusCode;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tokio::sync::oneshot;

use crate::event_loop::errors::ends_process;
use crate::event_loop::shared::{Shared, now_s};
use crate::request::Request;
use crate::response::{Returned, into_response};
use crate::run::{AnswerSender, Run};
use crate::stream::{self, Stream};
use crate::waits::Waits;

const FAILED: &str = "The server failed to answer this request.";

/// How one route's handler is called, settled when the server is made.
pub(crate) struct Plan {
    pub(crate) function: Py<PyAny>,
    pub(crate) is_async: bool,
    pub(crate) takes_request: bool,
    /// The names of the path's parameters.
    pub(crate) names: Vec<Py<PyString>>,
}

/// Everything of Python's that answering a request needs.
///
/// The loop keeps it alive until its last task is gone, so that it is never dropped without the interpreter.
pub(crate) struct Handlers {
    pub(crate) shared: Arc<Shared>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) app: Py<PyAny>,
    /// Whose word is taken for who a client is; None where nobody's is.
    pub(crate) proxies: Option<Arc<TrustedProxies>>,
    pub(crate) task_maker: TaskMaker,
    pub(crate) contexts: Contexts,
    pub(crate) hooks: Hooks,
    pub(crate) tasks: Tasks,
    pub(crate) waits: Waits,
}

/// What the application is told beside its requests.
#[derive(FromPyObject)]
pub(crate) struct Hooks {
    /// A handler raised: `(request, exception) -> Response`.
    on_error: Py<PyAny>,
    /// A streamed body broke off: `(request, exception) -> None`.
    on_broken: Py<PyAny>,
    /// The last connection is closed: `() -> None`.
    on_drained: Py<PyAny>,
}

/// Each request gets a context of its own, a copy of the server's.
pub(crate) struct Contexts {
    /// `() -> Context`
    copy: Py<PyAny>,
    /// `Context.run`, looked up once.
    run: Py<PyAny>,
}

impl Contexts {
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let context = py.import("contextvars")?.call_method0("copy_context")?;
        Ok(Self { copy: context.getattr("copy")?.unbind(), run: context.get_type().getattr("run")?.unbind() })
    }
}

/// Starts asyncio tasks eagerly: as far as their first suspension, within the call.
pub(crate) struct TaskMaker {
    task_type: Py<PyAny>,
    /// Made once and filled in for each task, which reads them before it runs: a dict of its own for each would be a
    /// tenth of the task's price.
    keywords: Py<PyDict>,
}

impl TaskMaker {
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let keywords = PyDict::new(py);
        keywords.set_item("loop", event_loop)?;
        keywords.set_item("eager_start", true)?;
        Ok(Self { task_type: py.import("asyncio")?.getattr("Task")?.unbind(), keywords: keywords.unbind() })
    }

    /// `asyncio.Task(coroutine, loop=…, eager_start=True, context=…)`
    fn start<'py>(&self, coroutine: &Bound<'py, PyAny>, context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = coroutine.py();
        let keywords = self.keywords.bind(py);
        keywords.set_item(intern!(py, "context"), context)?;
        let task = self.task_type.bind(py).call((coroutine,), Some(keywords));
        keywords.set_item(intern!(py, "context"), py.None())?;
        task
    }
}

/// The tasks of handlers that are waiting for something, by ticket.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<HashMap<u64, Py<PyAny>>>,
    last_ticket: AtomicU64,
}

impl Tasks {
    fn new_ticket(&self) -> u64 {
        self.last_ticket.fetch_add(1, Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Py<PyAny>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that waits for the thread to have the interpreter.
pub(crate) enum Job {
    Dispatch {
        handlers: Arc<Handlers>,
        exchange: Arc<Exchange>,
        ticket: u64,
        answer: AnswerSender,
    },
    /// The client has gone.
    Abandon {
        handlers: Arc<Handlers>,
        ticket: u64,
    },
    /// What the request waits for natively is worth another look.
    Wake {
        handlers: Arc<Handlers>,
        ticket: u64,
    },
    Drained {
        handlers: Arc<Handlers>,
    },
}

impl Job {
    pub(crate) fn run(self, py: Python<'_>) {
        match self {
            // Nobody waits for it any more: the client left while it was queued.
            Self::Dispatch { answer, .. } if answer.is_closed() => {}
            Self::Dispatch { handlers, exchange, ticket, answer } => match handlers.start(py, exchange, ticket) {
                Called::Answered(response) => drop(answer.send(response)),
                Called::Suspended(run) => run.get().answer_to(answer),
            },
            Self::Abandon { handlers, ticket } => handlers.cancel(py, ticket),
            Self::Wake { handlers, ticket } => handlers.waits.end(py, ticket),
            Self::Drained { handlers } => {
                if let Err(error) = handlers.hooks.on_drained.call0(py) {
                    error.write_unraisable(py, None);
                }
            }
        }
    }
}

/// The kernel's view of the handlers.
pub(crate) struct Bridge(pub(crate) Arc<Handlers>);

impl Application for Bridge {
    fn dispatch(&self, exchange: Arc<Exchange>) -> Outcome {
        let handlers = &self.0;
        let ticket = handlers.tasks.new_ticket();
        if !handlers.shared.holds_interpreter() {
            let (answer, receiver) = oneshot::channel();
            handlers.shared.push_job(Job::Dispatch { handlers: handlers.clone(), exchange, ticket, answer });
            return Outcome::Deferred(Deferred { ticket, answer: receiver });
        }
        handlers.shared.note_run_in_place();
        Python::attach(|py| match handlers.start(py, exchange, ticket) {
            Called::Answered(response) => Outcome::Answered(response),
            Called::Suspended(run) => {
                let (answer, receiver) = oneshot::channel();
                run.get().answer_to(answer);
                Outcome::Deferred(Deferred { ticket, answer: receiver })
            }
        })
    }

    fn abandon(&self, ticket: u64) {
        self.0.shared.push_job(Job::Abandon { handlers: self.0.clone(), ticket });
    }

    fn drained(&self) {
        self.0.shared.push_job(Job::Drained { handlers: self.0.clone() });
    }
}

/// What became of a call.
enum Called {
    Answered(Answer),
    Suspended(Py<Run>),
}

impl Handlers {
    /// The names of the parameters of a route's path.
    pub(crate) fn names(&self, route: RouteId) -> &[Py<PyString>] {
        self.plans.get(route).map_or(&[], |plan| &plan.names)
    }

    pub(crate) fn app(&self, py: Python<'_>) -> Py<PyAny> {
        self.app.clone_ref(py)
    }

    /// Calls a handler; what it raises, or a panic under it, is answered too.
    fn start(self: &Arc<Self>, py: Python<'_>, exchange: Arc<Exchange>, ticket: u64) -> Called {
        let plan = &self.plans[exchange.route];
        let request = match Bound::new(py, Request::new(exchange, self.clone(), ticket)) {
            Ok(request) => request,
            Err(error) => {
                error.write_unraisable(py, None);
                let (status, detail) = (StatusCode::INTERNAL_SERVER_ERROR, FAILED);
                return Called::Answered(Problem { status, detail, instance: "" }.answer(&RequestId::default()));
            }
        };
        let began_s = self.shared.is_debug().then(now_s);
        let called = catch_unwind(AssertUnwindSafe(|| self.call(plan, &request, ticket)));
        if let Some(began_s) = began_s {
            self.note_duration(py, plan, now_s() - began_s);
        }
        match called {
            Ok(Ok(called)) => called,
            Ok(Err(error)) => Called::Answered(self.failed(py, &request, error)),
            Err(panic) => Called::Answered(self.failed(py, &request, panicked(&*panic))),
        }
    }

    /// In debug mode the loop is told how long a handler took, or its first step: those that follow it sees itself.
    fn note_duration(&self, py: Python<'_>, plan: &Plan, took_s: f64) {
        let Some(running) = self.shared.running(py) else { return };
        let noted = running.event_loop.call_method1(py, intern!(py, "_note_duration"), (&plan.function, took_s));
        if let Err(error) = noted {
            error.write_unraisable(py, None);
        }
    }

    /// Calls a handler in a context of its own; an asynchronous one as a task, up to its first suspension.
    fn call(self: &Arc<Self>, plan: &Plan, request: &Bound<'_, Request>, ticket: u64) -> PyResult<Called> {
        let py = request.py();
        let context = self.contexts.copy.bind(py).call0()?;
        let function = plan.function.bind(py);
        if plan.is_async {
            let coroutine = if plan.takes_request { function.call1((request,))? } else { function.call0()? };
            let request = request.clone().unbind();
            return self.run(py, Run::of_handler(self.clone(), request, ticket, coroutine.unbind()), &context);
        }
        let run = self.contexts.run.bind(py);
        let returned = if plan.takes_request {
            run.call1((&context, function, request))?
        } else {
            run.call1((&context, function))?
        };
        match into_response(&returned)? {
            Returned::Whole(answer) => Ok(Called::Answered(answer)),
            Returned::Stream { head, iterator } if request.get().is_head() => {
                stream::head_alone(head, iterator.bind(py)).map(Called::Answered)
            }
            Returned::Stream { head, iterator } => {
                let stream = Stream::new(self.clone(), ticket, head, iterator.into_bound(py))?;
                let request = request.clone().unbind();
                self.run(py, Run::of_stream(self.clone(), request, ticket, stream), &context)
            }
        }
    }

    /// Makes the task of a request, which takes its first step at once.
    fn run(&self, py: Python<'_>, run: Run, context: &Bound<'_, PyAny>) -> PyResult<Called> {
        let run = Bound::new(py, run)?;
        let task = self.task_maker.start(run.as_any(), context)?;
        if !run.get().is_over() {
            self.tasks.lock().insert(run.get().ticket, task.unbind());
        }
        Ok(match run.get().started() {
            Some(answer) => Called::Answered(answer),
            None => Called::Suspended(run.unbind()),
        })
    }

    fn cancel(&self, py: Python<'_>, ticket: u64) {
        let task = self.tasks.lock().get(&ticket).map(|task| task.clone_ref(py));
        if let Some(task) = task
            && let Err(error) = task.call_method0(py, intern!(py, "cancel"))
        {
            error.write_unraisable(py, Some(task.bind(py)));
        }
    }

    /// A request's task has taken its last step.
    pub(crate) fn forget(&self, py: Python<'_>, ticket: u64, request: &Request) {
        let task = self.tasks.lock().remove(&ticket);
        drop(task);
        request.exchange().close_body();
        self.waits.end(py, ticket);
    }

    /// The answer for what a handler raised.
    pub(crate) fn failed(&self, py: Python<'_>, request: &Bound<'_, Request>, error: PyErr) -> Answer {
        let exchange = request.get().exchange();
        if ends_process(py, &error) {
            self.shared.fail(error);
            return exchange.problem(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.");
        }
        let answered = catch_unwind(AssertUnwindSafe(|| {
            let response = self.hooks.on_error.bind(py).call1((request, error.value(py)))?;
            match into_response(&response)? {
                Returned::Whole(answer) => Ok(answer),
                Returned::Stream { .. } => Err(PyRuntimeError::new_err("an error is answered with a stream")),
            }
        }));
        match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                error.write_unraisable(py, None);
                exchange.problem(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
            }
            Err(_) => exchange.problem(StatusCode::INTERNAL_SERVER_ERROR, FAILED),
        }
    }

    /// What a stream raised after its head was sent can only be logged; its client sees the connection break.
    pub(crate) fn broke_off(&self, py: Python<'_>, request: &Bound<'_, Request>, error: PyErr) {
        if ends_process(py, &error) {
            self.shared.fail(error);
        } else if let Err(error) = self.hooks.on_broken.bind(py).call1((request, error.value(py))) {
            error.write_unraisable(py, None);
        }
    }
}

/// A panic of native code that a handler called, as an exception.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    PyRuntimeError::new_err(format!("native code panicked: {}", panic_words(panic)))
}
