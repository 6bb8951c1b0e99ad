//! The crossing: a routed request becomes one call of a Python handler, and what it returns a response.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cello_kernel::{
    Abandonment, Answer, Application, Deferred, Exchange, Outcome, Problem, RequestId, RouteId, TrustedProxies,
    panic_words,
};
use http::StatusCode;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use tokio::sync::oneshot;

use crate::current;
use crate::event_loop::errors::ends_process;
use crate::event_loop::shared::{Shared, coarse_now_s, now_s};
use crate::relay::{Relay, Relays};
use crate::request::Request;
use crate::response::{Response, Returned, into_response};
use crate::run::{AnswerSender, OneRun, Run};
use crate::stopping::{self, Stop};
use crate::stream::{self, Stream};
use crate::waits::Waits;

/// A step of a handler that takes longer is told of, in seconds.
const SLOW_STEP_S: f64 = 0.05;

const FAILED: &str = "The server failed to answer this request.";

/// How one route's handler is called, settled when the server is made.
pub(crate) struct Plan {
    /// The handler, or the outermost of what stands around it.
    pub(crate) function: Py<PyAny>,
    /// The handler as it was registered.
    pub(crate) endpoint: Py<PyAny>,
    pub(crate) is_async: bool,
    pub(crate) takes_request: bool,
    /// Its task is cancelled when its client has gone.
    pub(crate) is_cancelled_on_disconnect: bool,
    /// Its task is cancelled when the server stops, and it does not begin from then on.
    pub(crate) drains_now: bool,
    /// The path as it was registered; None of a fallback.
    pub(crate) path: Option<Py<PyString>>,
    /// The names of the path's parameters.
    pub(crate) names: Vec<Py<PyString>>,
    /// Whether the function gives a Response, as what stands around a handler does.
    pub(crate) gives_response: bool,
    /// The application that is `request.app`.
    pub(crate) app: Py<PyAny>,
    /// What answers in its place where a request is refused; None for the fallback of the path.
    pub(crate) fallback: Option<RouteId>,
}

/// Everything of Python's that answering a request needs.
///
/// The loop keeps it alive until its last task is gone, so that it is never dropped without the interpreter.
pub(crate) struct Handlers {
    pub(crate) shared: Arc<Shared>,
    pub(crate) plans: Vec<Plan>,
    /// What answers the requests that are refused, by the path they are under: the last of them what no other does.
    pub(crate) fallbacks: Vec<(String, RouteId)>,
    /// Whose word is taken for who a client is; None where nobody's is.
    pub(crate) proxies: Option<Arc<TrustedProxies>>,
    pub(crate) task_maker: TaskMaker,
    pub(crate) relays: Relays,
    pub(crate) contexts: Contexts,
    pub(crate) lines: Lines,
    pub(crate) hooks: Hooks,
    /// Host and port that are listened on; None where nothing listens.
    pub(crate) address: Option<Py<PyTuple>>,
    pub(crate) tasks: Tasks,
    pub(crate) waits: Waits,
    pub(crate) stop: Stop,
}

/// What the application is told beside its requests.
#[derive(FromPyObject)]
pub(crate) struct Hooks {
    /// A handler raised: `(request, exception) -> Response`.
    on_error: Py<PyAny>,
    /// A request has something left to be done: `(request, exception or None) -> coroutine`.
    on_end: Py<PyAny>,
    /// A step of a handler kept the loop for long: `(number of the route, seconds) -> None`.
    on_slow: Py<PyAny>,
    /// A streamed body broke off: `(request, exception) -> None`.
    on_broken: Py<PyAny>,
    /// The last connection is closed: `() -> None`.
    on_drained: Py<PyAny>,
    /// As many requests were answered as the settings have it: `() -> None`.
    on_worn: Py<PyAny>,
}

/// Each request gets a context of its own, a copy of the server's.
pub(crate) struct Contexts {
    /// `() -> Context`
    copy: Py<PyAny>,
    /// `Context.run`, looked up once.
    run: Py<PyAny>,
    /// What they are copies of.
    base: Py<PyAny>,
}

impl Contexts {
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let context = py.import("contextvars")?.call_method0("copy_context")?;
        let (copy, run) = (context.getattr("copy")?.unbind(), context.get_type().getattr("run")?.unbind());
        Ok(Self { copy, run, base: context.unbind() })
    }

    pub(crate) fn new_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.copy.bind(py).call0()
    }

    /// Whether nothing was left in a context.
    pub(crate) fn is_as_new(&self, context: &Bound<'_, PyAny>) -> bool {
        let base = self.base.bind(context.py());
        // The length first: values that differ would be asked whether they are equal.
        matches!((context.len(), base.len()), (Ok(own), Ok(base)) if own == base)
            && matches!(context.eq(base), Ok(true))
    }

    /// `Context.run(context, function, argument)`
    pub(crate) fn run<'py>(&self, py: Python<'py>, call: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.run.bind(py).call1(call)
    }

    /// The context of a request: the one that it brought, or a new one.
    fn of<'py>(&self, request: &Bound<'py, Request>, brought: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let py = request.py();
        let context = match brought {
            Some(context) => context.into_bound(py),
            None => self.new_context(py)?,
        };
        current::note(self.run.bind(py), &context, request)?;
        Ok(context)
    }
}

/// What the request of a connection in memory brings that no connection carries.
#[derive(Default)]
pub(crate) struct Brought {
    /// What its handler is called in; None for a copy of the server's.
    pub(crate) context: Option<Py<PyAny>>,
    /// What of its URL's path goes before the path that was asked for, raw.
    pub(crate) root: String,
}

/// What requests bring, by the number of their connection.
#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<u64, Brought>>);

impl Lines {
    /// Keeps what the one request of a connection brings.
    pub(crate) fn keep(&self, line: u64, brought: Brought) {
        self.lock().insert(line, brought);
    }

    /// Lets go of it, where no request has taken it.
    pub(crate) fn forget(&self, line: u64) {
        let brought = self.take(line);
        drop(brought);
    }

    fn take(&self, line: u64) -> Option<Brought> {
        self.lock().remove(&line)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Brought>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts asyncio tasks eagerly: as far as their first suspension, within the call.
pub(crate) struct TaskMaker {
    pub(crate) task_type: Py<PyAny>,
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

    /// `asyncio.Task(coroutine, loop=…, eager_start=True, context=…)`, or of a type derived from it.
    pub(crate) fn start<'py>(
        &self,
        task_type: &Bound<'py, PyAny>,
        coroutine: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = coroutine.py();
        let keywords = self.keywords.bind(py);
        keywords.set_item(intern!(py, "context"), context)?;
        let task = task_type.call((coroutine,), Some(keywords));
        keywords.set_item(intern!(py, "context"), py.None())?;
        task
    }
}

/// The tasks of handlers that are waiting for something, by ticket.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<HashMap<u64, Running>>,
    requests: AtomicU64,
    others: AtomicU64,
}

/// From here on tickets are not those of requests.
const OTHER_TICKETS: u64 = 1 << 63;

impl Tasks {
    /// The ticket of a request. They are given on the worker's one thread: no addition need be atomic for its own sake.
    fn next_request(&self) -> u64 {
        let ticket = self.requests.load(Relaxed);
        self.requests.store(ticket + 1, Relaxed);
        ticket
    }

    /// The tasks themselves.
    pub(crate) fn all(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.lock().values().map(|running| running.task.clone_ref(py)).collect()
    }

    /// The tasks, with what they run.
    pub(crate) fn with_runs(&self, py: Python<'_>) -> Vec<(Py<PyAny>, Arc<Run>)> {
        self.lock().values().map(|Running { task, run }| (task.clone_ref(py), run.clone())).collect()
    }

    fn take(&self, ticket: u64) -> Option<Running> {
        let mut running = self.lock();
        if running.is_empty() { None } else { running.remove(&ticket) } // or it would be hashed for nothing
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Running {
    task: Py<PyAny>,
    run: Arc<Run>,
}

impl Running {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Self { task: self.task.clone_ref(py), run: self.run.clone() }
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
    /// Nobody waits for the answer any more.
    Abandon {
        handlers: Arc<Handlers>,
        ticket: u64,
        reason: Abandonment,
    },
    /// What the request waits for natively is worth another look.
    Wake {
        handlers: Arc<Handlers>,
        ticket: u64,
    },
    Drained {
        handlers: Arc<Handlers>,
    },
    Worn {
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
                Called::Suspended(run) => run.answer_to(answer),
            },
            Self::Abandon { handlers, ticket, reason } => handlers.abandon(py, ticket, reason),
            Self::Wake { handlers, ticket } => handlers.waits.end(py, ticket),
            Self::Drained { handlers } => tell(py, &handlers.hooks.on_drained),
            Self::Worn { handlers } => tell(py, &handlers.hooks.on_worn),
        }
    }
}

fn tell(py: Python<'_>, hook: &Py<PyAny>) {
    if let Err(error) = hook.call0(py) {
        error.write_unraisable(py, None);
    }
}

/// The kernel's view of the handlers.
pub(crate) struct Bridge(pub(crate) Arc<Handlers>);

impl Application for Bridge {
    fn dispatch(&self, exchange: Arc<Exchange>) -> Outcome {
        let handlers = &self.0;
        let ticket = handlers.tasks.next_request();
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
                run.answer_to(answer);
                Outcome::Deferred(Deferred { ticket, answer: receiver })
            }
        })
    }

    fn abandon(&self, ticket: u64, reason: Abandonment) {
        self.0.shared.push_job(Job::Abandon { handlers: self.0.clone(), ticket, reason });
    }

    fn drained(&self) {
        self.0.shared.push_job(Job::Drained { handlers: self.0.clone() });
    }

    fn worn(&self) {
        self.0.shared.push_job(Job::Worn { handlers: self.0.clone() });
    }
}

/// What became of a call.
enum Called {
    Answered(Answer),
    Suspended(Arc<Run>),
}

impl Handlers {
    /// A number that nothing else of this server waits under.
    pub(crate) fn new_ticket(&self) -> u64 {
        OTHER_TICKETS + self.tasks.others.fetch_add(1, Relaxed)
    }

    /// The names of the parameters of a route's path.
    pub(crate) fn names(&self, route: RouteId) -> &[Py<PyString>] {
        self.plans.get(route).map_or(&[], |plan| &plan.names)
    }

    pub(crate) fn app(&self, py: Python<'_>, exchange: &Exchange) -> Py<PyAny> {
        self.plan(exchange).app.clone_ref(py)
    }

    /// The handler of a request's route, as it was registered.
    pub(crate) fn endpoint(&self, py: Python<'_>, exchange: &Exchange) -> Py<PyAny> {
        self.plan(exchange).endpoint.clone_ref(py)
    }

    /// What answers a request: its route's handler, or a fallback.
    pub(crate) fn plan(&self, exchange: &Exchange) -> &Plan {
        let route = match exchange.refusal() {
            None => exchange.route,
            Some(_) => self.fallback(exchange),
        };
        &self.plans[route]
    }

    /// The fallback of a route, or of a path.
    fn fallback(&self, exchange: &Exchange) -> RouteId {
        let of_route = self.plans.get(exchange.route).and_then(|plan| plan.fallback);
        let path = exchange.head.uri.path();
        let is_above =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let of_path = || self.fallbacks.iter().find(|(prefix, _)| is_above(prefix)).map(|(_, route)| *route);
        of_route.or_else(of_path).unwrap_or(self.plans.len() - 1)
    }

    /// What the function that answers a request returned, as an answer.
    pub(crate) fn returned(&self, plan: &Plan, request: &Request, value: &Bound<'_, PyAny>) -> PyResult<Returned> {
        if plan.gives_response && !value.is_exact_instance_of::<Response>() {
            let kind = if value.is_none() { PyString::new(value.py(), "None") } else { value.get_type().name()? };
            return Err(PyTypeError::new_err(format!(
                "a middleware returned {kind}: have it return what call_next() gave it, or a Response of its own",
            )));
        }
        match into_response(value, request.exchange())? {
            Returned::Stream { head, iterator, .. } if request.is_head() => {
                stream::head_alone(head, iterator.bind(value.py())).map(Returned::Whole)
            }
            returned => Ok(returned),
        }
    }

    /// Calls a handler; what it raises, or a panic under it, is answered too.
    fn start(self: &Arc<Self>, py: Python<'_>, exchange: Arc<Exchange>, ticket: u64) -> Called {
        let plan = self.plan(&exchange);
        let brought = if exchange.line == 0 { None } else { self.lines.take(exchange.line) };
        if self.is_too_late(plan) {
            exchange.close_body();
            return Called::Answered(stopping::answer(&exchange));
        }
        let (mut request, mut context) = (Request::new(exchange, self.clone(), ticket), None);
        if let Some(brought) = brought {
            (request, context) = (request.under(brought.root), brought.context);
        }
        let relay = if plan.is_async && context.is_none() { self.relays.take(py, self) } else { Ok(None) };
        let begun = Bound::new(py, request).and_then(|request| {
            let relay = relay?;
            let context = match &relay {
                Some(relay) => relay.get().context(py),
                None => self.contexts.of(&request, context)?,
            };
            Ok((context, request, relay))
        });
        let (context, request, relay) = match begun {
            Ok(begun) => begun,
            Err(error) => return Called::Answered(not_begun(py, error)),
        };
        let (began_s, debugged_s) = (coarse_now_s(), self.shared.is_debug().then(now_s));
        let called = catch_unwind(AssertUnwindSafe(|| self.call(plan, &request, ticket, &context, relay)));
        self.note_slow(py, request.get(), began_s, Some(&context));
        if let Some(began_s) = debugged_s {
            self.note_duration(py, plan, now_s() - began_s);
        }
        let raised = match called {
            Ok(Ok(called)) => return called,
            Ok(Err(error)) => error,
            Err(panic) => panicked(&*panic),
        };
        let answer = self.failed(&request, raised.clone_ref(py), Some(&context));
        if !request.get().has_later() {
            request.get().exchange().close_body();
            return Called::Answered(answer);
        }
        let run = Run::of_ending(self.clone(), request.unbind(), ticket, answer, Some(raised));
        let ended = self.run(py, run, &context);
        ended.unwrap_or_else(|error| Called::Answered(not_begun(py, error)))
    }

    /// Tells of a step that kept everybody waiting, since it began by the coarse clock: in the request's context, which
    /// is given where this is not called in it.
    pub(crate) fn note_slow(
        &self,
        py: Python<'_>,
        request: &Request,
        began_s: f64,
        context: Option<&Bound<'_, PyAny>>,
    ) {
        let took_s = coarse_now_s() - began_s;
        if took_s <= SLOW_STEP_S {
            return;
        }
        let (on_slow, route) = (self.hooks.on_slow.bind(py), request.exchange().route);
        let told = match context {
            // A copy: the next request may have the context.
            Some(context) => context
                .call_method0(intern!(py, "copy"))
                .and_then(|context| self.contexts.run(py, (context, on_slow, route, took_s))),
            None => on_slow.call1((route, took_s)),
        };
        if let Err(error) = told {
            error.write_unraisable(py, None);
        }
    }

    /// The loop is closed. A task that never ends would keep the handlers, and they it.
    pub(crate) fn close(&self, py: Python<'_>) {
        self.relays.clear(py, self);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.values().for_each(|running| self.relays.leave(py, &running.task));
        drop(tasks);
        self.waits.clear();
        self.stop.clear();
    }

    /// In debug mode the loop is told how long a handler took, or its first step: those that follow it sees itself.
    fn note_duration(&self, py: Python<'_>, plan: &Plan, took_s: f64) {
        let Some(running) = self.shared.running(py) else { return };
        let noted = running.event_loop.call_method1(py, intern!(py, "_note_duration"), (&plan.endpoint, took_s));
        if let Err(error) = noted {
            error.write_unraisable(py, None);
        }
    }

    /// Calls a handler in its request's context; an asynchronous one as a task, up to its first suspension.
    fn call(
        self: &Arc<Self>,
        plan: &Plan,
        request: &Bound<'_, Request>,
        ticket: u64,
        context: &Bound<'_, PyAny>,
        relay: Option<Bound<'_, Relay>>,
    ) -> PyResult<Called> {
        let py = request.py();
        let function = plan.function.bind(py);
        if plan.is_async {
            let coroutine = if plan.takes_request { function.call1((request,)) } else { function.call0() };
            let coroutine = match (coroutine, &relay) {
                (Err(error), Some(relay)) => {
                    self.relays.retire(py, self, relay)?; // who answers for the error is called in its context
                    return Err(error);
                }
                (coroutine, _) => coroutine?,
            };
            let run = Run::of_handler(self.clone(), request.clone().unbind(), ticket, coroutine.unbind());
            return match relay {
                Some(relay) => self.run_in(py, run, relay),
                None => self.run(py, run, context),
            };
        }
        let run = self.contexts.run.bind(py);
        let returned =
            if plan.takes_request { run.call1((context, function, request))? } else { run.call1((context, function))? };
        match self.returned(plan, request.get(), &returned)? {
            Returned::Whole(answer) if request.get().has_later() => {
                let request = request.clone().unbind();
                self.run(py, Run::of_ending(self.clone(), request, ticket, answer, None), context)
            }
            Returned::Whole(answer) => Ok(Called::Answered(answer)),
            Returned::Stream { head, iterator, tells_type } => {
                let stream = Stream::new(self.clone(), ticket, head, iterator.into_bound(py), tells_type)?;
                let request = request.clone().unbind();
                self.run(py, Run::of_stream(self.clone(), request, ticket, stream), context)
            }
        }
    }

    /// Makes the task of a request, which takes its first step at once.
    fn run(&self, py: Python<'_>, run: Run, context: &Bound<'_, PyAny>) -> PyResult<Called> {
        self.run_anew(py, Arc::new(run), context)
    }

    fn run_anew(&self, py: Python<'_>, run: Arc<Run>, context: &Bound<'_, PyAny>) -> PyResult<Called> {
        let coroutine = Bound::new(py, OneRun(run.clone()))?;
        let task = self.task_maker.start(self.task_maker.task_type.bind(py), coroutine.as_any(), context)?;
        Ok(self.called(run, Some(task)))
    }

    /// Has a task take the first step of a request that may have served others.
    fn run_in(self: &Arc<Self>, py: Python<'_>, run: Run, relay: Bound<'_, Relay>) -> PyResult<Called> {
        let run = Arc::new(run);
        if self.relays.begin(py, self, &run, &relay)? {
            return Ok(self.called(run, relay.get().task(py)));
        }
        self.relays.settle(py, self, &relay)?;
        self.run_anew(py, run, &self.contexts.new_context(py)?)
    }

    /// What became of the first step.
    fn called(&self, run: Arc<Run>, task: Option<Bound<'_, PyAny>>) -> Called {
        if let Some(task) = task
            && !run.is_over()
        {
            let running = Running { task: task.unbind(), run: run.clone() };
            self.tasks.lock().insert(run.ticket, running);
        }
        match run.started() {
            Some(answer) => Called::Answered(answer),
            None => Called::Suspended(run),
        }
    }

    /// Cancels the task of a request whose answer nobody waits for. What is left to be done at its end goes on.
    fn abandon(&self, py: Python<'_>, ticket: u64, reason: Abandonment) {
        let running = self.tasks.lock().get(&ticket).map(|running| running.clone_ref(py));
        let Some(Running { task, run }) = running else { return };
        run.request().note_given_up();
        let plan = self.plan(run.request().exchange());
        let is_kept = reason == Abandonment::ClientLeft && !plan.is_cancelled_on_disconnect;
        if run.is_ending() || is_kept {
            self.waits.end(py, ticket); // there is no room for what nobody takes: it is not waited for
            return;
        }
        if let Err(error) = task.call_method0(py, intern!(py, "cancel")) {
            error.write_unraisable(py, Some(task.bind(py)));
        }
    }

    /// The coroutine that does what is left to be done at the end of a request.
    pub(crate) fn ending<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, Request>,
        raised: Option<&PyErr>,
        ticket: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let task = self.tasks.lock().get(&ticket).map(|running| running.task.clone_ref(py));
        if let Some(task) = task {
            // The cancellation that brought it here is over: what is done now is not part of it.
            while task.call_method0(py, intern!(py, "uncancel"))?.extract::<usize>(py)? > 0 {}
        }
        self.hooks.on_end.bind(py).call1((request, raised.map(|raised| raised.value(py))))
    }

    /// A request's task has taken its last step.
    pub(crate) fn forget(&self, py: Python<'_>, ticket: u64, request: &Request) {
        let running = self.tasks.take(ticket);
        drop(running);
        request.note_over();
        request.exchange().close_body();
        self.waits.end(py, ticket);
    }

    /// The answer for what a handler raised, made in the request's context; None where that is entered.
    pub(crate) fn failed(
        &self,
        request: &Bound<'_, Request>,
        error: PyErr,
        context: Option<&Bound<'_, PyAny>>,
    ) -> Answer {
        let (py, exchange) = (request.py(), request.get().exchange());
        if ends_process(py, &error) {
            self.shared.fail(error);
            return exchange.problem(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.");
        }
        let answered = catch_unwind(AssertUnwindSafe(|| {
            let (on_error, error) = (&self.hooks.on_error, error.value(py));
            let response = match context {
                Some(context) => self.contexts.run.bind(py).call1((context, on_error, request, error))?,
                None => on_error.bind(py).call1((request, error))?,
            };
            match into_response(&response, exchange)? {
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

/// The answer where Python had no memory even for a request, or its task.
fn not_begun(py: Python<'_>, error: PyErr) -> Answer {
    error.write_unraisable(py, None);
    let (status, detail) = (StatusCode::INTERNAL_SERVER_ERROR, FAILED);
    Problem { status, detail, instance: "" }.answer(&RequestId::default())
}

/// A panic of native code that a handler called, as an exception.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    PyRuntimeError::new_err(format!("native code panicked: {}", panic_words(panic)))
}
