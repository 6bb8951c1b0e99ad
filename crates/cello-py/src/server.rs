//! The server and its listener, as cello-core starts and stops them.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cello_kernel::{
    AccessLog, Address, ErrorForm, Errors, Executor, Limits, LineForm, PathError, Pattern, Peer, RouteId,
    RouteSettings, Router, Settings, Timeouts,
};
use http::HeaderName;
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arena::Seat;
use crate::awaitable;
use crate::client::{Asked, ClientExchange};
use crate::connection::Connection;
use crate::dispatch::{Bridge, Contexts, Handlers, Hooks, Lines, Plan, TaskMaker, Tasks};
use crate::event_loop::LoopCore;
use crate::guest::Lodging;
use crate::relay::Relays;
use crate::request::TrustedProxies;
use crate::stopping::Stop;
use crate::waits::Waits;

create_exception!(
    cello._kernel,
    RouteError,
    PyValueError,
    "A route cannot be one: its words, its index, and that of the route that has its place, or None."
);

/// A listening socket that a server is to accept on.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Listener(Mutex<Option<cello_kernel::Listener>>);

#[pymethods]
impl Listener {
    /// A listening socket, of TCP or a Unix socket, by its number, which the caller may close.
    ///
    /// Errors: OSError for the number of anything else.
    #[staticmethod]
    fn inherited(descriptor: RawFd) -> PyResult<Self> {
        Ok(Self(Mutex::new(Some(cello_kernel::Listener::inherited(descriptor)?))))
    }

    /// Host and port; of a Unix socket its path and None. A path that begins with "@" is a name without a file.
    #[getter]
    fn address(&self) -> PyResult<(String, Option<u16>)> {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = listener.as_ref().ok_or_else(|| PyRuntimeError::new_err("a server has this listener"))?;
        Ok(names(listener.address()))
    }
}

impl Listener {
    fn take(&self) -> PyResult<cello_kernel::Listener> {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        listener.ok_or_else(|| PyRuntimeError::new_err("another server has this listener"))
    }
}

/// An address as ASGI's `server` has it.
fn names(address: &Address) -> (String, Option<u16>) {
    match address {
        Address::Tcp(address) => (address.ip().to_string(), Some(address.port())),
        Address::Unix(path) => (path.clone(), None),
    }
}

/// One route, as cello-core has settled it.
#[derive(FromPyObject)]
struct Route {
    /// "*" of a route that answers every method.
    method: String,
    path: String,
    handler: Py<PyAny>,
    is_async: bool,
    takes_request: bool,
    streams_body: bool,
    body_limit_bytes: Option<usize>,
    /// Of the handler; None for the server's own.
    timeout_s: Option<f64>,
    cancel_on_disconnect: bool,
    /// Whether the stop of the server ends it at once.
    drains_now: bool,
    /// Of parameters by name, spelled as in a path.
    constraints: Vec<(String, String)>,
    /// The application that is `request.app`.
    app: Py<PyAny>,
    /// The handler as it was registered.
    endpoint: Py<PyAny>,
    /// Whether it gives a Response, as what stands around a handler does.
    gives_response: bool,
    /// Which of the fallbacks answers a request of this route that is refused; None for that of its path.
    fallback: Option<RouteId>,
}

/// What the application and its options choose for the whole server.
#[derive(FromPyObject)]
struct Choices {
    /// None where nothing is told of answers.
    access_log: Option<ChosenLog>,
    trusted_proxies: Option<Py<TrustedProxies>>,
    /// The header field in which answers tell the request's id; None for none.
    request_id_header: Option<String>,
    error_form: String,
    /// Whether a client that prefers HTML gets errors as pages.
    has_pages: bool,
    /// How many of the routes, the last of them, are none: each answers what is refused under its path, the last all
    /// that is left.
    fallbacks: usize,
    limits: Option<ChosenLimits>,
    timeouts: Option<ChosenTimeouts>,
    /// Where it is counted what this server does.
    seat: Py<Seat>,
    /// So many answers at a time it tells of; 0 for never.
    wears_after: u64,
}

fn header_name(name: &str) -> PyResult<HeaderName> {
    HeaderName::try_from(name).map_err(|_| PyValueError::new_err(format!("{name:?} is no name of a header field")))
}

/// Which answers are told of, and how.
#[derive(FromPyObject)]
struct ChosenLog {
    format: String,
    sample_rate: f64,
    skip: Vec<String>,
}

impl ChosenLog {
    fn log(self, routes: &[Route]) -> PyResult<Arc<AccessLog>> {
        let Self { format, sample_rate, skip } = self;
        let form = match format.as_str() {
            "text" => LineForm::Text,
            "json" => LineForm::Json,
            other => return Err(PyValueError::new_err(format!("{other:?} is no form of a line"))),
        };
        let routes = routes.iter().map(|route| route.path.clone()).collect();
        Ok(Arc::new(AccessLog::new(form, sample_rate, skip, routes)))
    }
}

/// What a client may cost: a `LimitsConfig`.
#[derive(FromPyObject)]
struct ChosenLimits {
    max_header_size: usize,
    max_body_size: usize,
    max_connections: usize,
}

impl ChosenLimits {
    fn limits(self) -> Limits {
        let Self { max_header_size: head_bytes, max_body_size: body_bytes, max_connections: connections } = self;
        Limits { head_bytes, body_bytes, connections, ..Limits::default() }
    }
}

/// How long a client may take, in seconds: a `TimeoutConfig`. What it says of handlers is said of each route.
#[derive(FromPyObject)]
struct ChosenTimeouts {
    read_header_timeout: f64,
    read_body_timeout: f64,
    write_timeout: f64,
    idle_timeout: f64,
}

impl ChosenTimeouts {
    fn timeouts(self) -> PyResult<Timeouts> {
        Ok(Timeouts {
            head: duration(self.read_header_timeout)?,
            body: duration(self.read_body_timeout)?,
            write: duration(self.write_timeout)?,
            keep_alive: duration(self.idle_timeout)?,
            ..Timeouts::default()
        })
    }
}

/// # Errors
/// ValueError for what is no time to wait.
pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{seconds} seconds are no duration")))
}

/// The names of the parameters of a path; none where it cannot be one.
#[pyfunction]
pub(crate) fn _path_names(path: &str) -> Vec<String> {
    Pattern::parse(path).map(|pattern| pattern.names().to_vec()).unwrap_or_default()
}

/// What a server is made of, until it starts.
struct Prepared {
    router: Router,
    plans: Vec<Plan>,
    fallbacks: Vec<(String, RouteId)>,
    hooks: Hooks,
    proxies: Option<Arc<cello_kernel::TrustedProxies>>,
    seat: Py<Seat>,
    settings: Settings,
}

/// Adds a route and returns the names of its parameters.
///
/// # Errors
/// RouteError, with the words and the index of the route.
pub(crate) fn add_route(
    router: &mut Router,
    index: usize,
    method: &str,
    path: &str,
    constraints: &[(String, String)],
) -> PyResult<Vec<String>> {
    let refused = |words: String, other: Option<RouteId>| RouteError::new_err((words, index, other));
    let malformed = |error: PathError| refused(error.to_string(), None);
    let mut pattern = Pattern::parse(path).map_err(malformed)?;
    for (name, constraint) in constraints {
        pattern.constrain(name, constraint).map_err(malformed)?;
    }
    let names = pattern.names().to_vec();
    let method = match method {
        "*" => None,
        name => Some(name.parse().map_err(|_| refused(format!("{name:?} is no HTTP method"), None))?),
    };
    router.add(method, pattern).map_err(|conflict| refused(conflict.to_string(), Some(conflict.0)))?;
    Ok(names)
}

/// Serves an application on a loop: on its own kind as part of it, on any other as its guest.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Server {
    event_loop: Py<PyAny>,
    prepared: Mutex<Option<Prepared>>,
    running: Mutex<Option<Running>>,
}

/// What a server has from its start to its end.
struct Running {
    server: cello_kernel::Server,
    handlers: Arc<Handlers>,
    /// Its place in a loop of another kind.
    lodging: Option<Lodging>,
}

impl Drop for Running {
    /// Whoever drops a Server, or has it closed, has the interpreter: so the tasks of a guest end here.
    fn drop(&mut self) {
        if let Some(lodging) = &self.lodging {
            lodging.close();
            Python::attach(|py| self.handlers.close(py));
        }
    }
}

impl Server {
    fn lock_running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Server {
    /// Prepare to serve `routes`.
    ///
    /// Errors: RouteError with its words and the index of the route, for a path that cannot be one or is taken.
    #[new]
    #[pyo3(signature = (event_loop, *, routes, hooks, settings))]
    fn new(
        py: Python<'_>,
        event_loop: Py<PyAny>,
        routes: Vec<Route>,
        hooks: Hooks,
        settings: Choices,
    ) -> PyResult<Self> {
        let mut router = Router::default();
        let mut plans = Vec::with_capacity(routes.len());
        let form = match settings.error_form.as_str() {
            "problem" => ErrorForm::Problem,
            "legacy" => ErrorForm::Legacy,
            other => return Err(PyValueError::new_err(format!("{other:?} is no form of errors"))),
        };
        let Choices { access_log, trusted_proxies, request_id_header, has_pages, limits, timeouts, seat, .. } =
            settings;
        let first_fallback = routes.len().saturating_sub(settings.fallbacks);
        let request_id_header = request_id_header.map(|name| header_name(&name)).transpose()?;
        let proxies = trusted_proxies.map(|proxies| proxies.get().shared());
        let access_log = access_log.map(|chosen| chosen.log(&routes)).transpose()?;
        let mut settings = Settings {
            access_log,
            request_id_header,
            errors: Errors { form, has_pages },
            asks_when_refused: first_fallback < routes.len(),
            limits: limits.map(ChosenLimits::limits).unwrap_or_default(),
            timeouts: timeouts.map(ChosenTimeouts::timeouts).transpose()?.unwrap_or_default(),
            seat: Some(seat.get().seat.clone()),
            wears_after: settings.wears_after,
            ..Settings::default()
        };
        let mut fallbacks = Vec::new();
        for (index, route) in routes.into_iter().enumerate() {
            let names = if index < first_fallback {
                let names = add_route(&mut router, index, &route.method, &route.path, &route.constraints)?;
                names.iter().map(|name| PyString::intern(py, name).unbind()).collect()
            } else {
                fallbacks.push((route.path.clone(), index));
                Vec::new()
            };
            settings.routes.push(RouteSettings {
                body_bytes: route.body_limit_bytes,
                streams_body: route.streams_body,
                handler_timeout: route.timeout_s.and_then(|timeout_s| Duration::try_from_secs_f64(timeout_s).ok()),
            });
            plans.push(Plan {
                function: route.handler,
                endpoint: route.endpoint,
                is_async: route.is_async,
                takes_request: route.takes_request,
                gives_response: route.gives_response,
                is_cancelled_on_disconnect: route.cancel_on_disconnect,
                drains_now: route.drains_now,
                names,
                path: (index < first_fallback).then(|| PyString::new(py, &route.path).unbind()),
                app: route.app,
                fallback: route.fallback,
            });
        }
        awaitable::classes(py)?; // or the first request would have to import them
        let prepared = Prepared { router, plans, fallbacks, hooks, proxies, seat, settings };
        Ok(Self { event_loop, prepared: Mutex::new(Some(prepared)), running: Mutex::default() })
    }

    /// Accept connections on `listener`, or on none: `connect()` opens one all the same. On a loop of another kind than
    /// cello's it is called while that runs, and has no listener. Each request's context is a copy of the one this is
    /// called in.
    ///
    /// Errors: RuntimeError where the server was started before, or its loop never ran; ValueError for a listener on
    /// another kind of loop.
    #[pyo3(signature = (listener = None))]
    fn start(&self, py: Python<'_>, listener: Option<&Bound<'_, Listener>>) -> PyResult<()> {
        let event_loop = self.event_loop.bind(py);
        let own = event_loop.cast::<LoopCore>().ok().map(Bound::get);
        if own.is_none() && listener.is_some() {
            return Err(PyValueError::new_err("only cello's own loop serves a listener"));
        }
        let socket = listener.map(|listener| listener.get().take()).transpose()?;
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Prepared { router, plans, fallbacks, hooks, proxies, seat, settings } =
            prepared.ok_or_else(|| PyRuntimeError::new_err("the server was started before"))?;
        let (executor, shared, lodging) = match own {
            Some(own) => (Executor::Runtime(own.runtime_handle()?), own.shared().clone(), None),
            None => {
                let lodging = Lodging::begin(event_loop)?;
                (Executor::Guest(lodging.guest.clone()), lodging.shared.clone(), Some(lodging))
            }
        };
        let address = match &socket {
            Some(socket) => Some(names(socket.address()).into_pyobject(py)?.unbind()),
            None => None,
        };
        let handlers = Arc::new(Handlers {
            shared,
            plans,
            fallbacks,
            proxies,
            task_maker: TaskMaker::new(event_loop)?,
            relays: Relays::new(event_loop)?,
            contexts: Contexts::new(py)?,
            lines: Lines::default(),
            hooks,
            address,
            tasks: Tasks::default(),
            waits: Waits::default(),
            stop: Stop::default(),
        });
        let seat = seat.get();
        if let Some(own) = own {
            own.keep(py, handlers.clone());
            if seat.shows_progress {
                own.shared().show_in(seat.seat.clone());
            }
        }
        seat.begin();
        let bridge = Arc::new(Bridge(handlers.clone()));
        let server = cello_kernel::Server::start(executor, router, bridge, settings);
        if let Some(socket) = socket {
            server.listen(0, socket)?;
        }
        *self.lock_running() = Some(Running { server, handlers, lodging });
        Ok(())
    }

    /// Accept connections on `listener` as well, in place of the one that was at `place` before; `start()` uses place 0.
    /// Once the server stops it is closed.
    ///
    /// Errors: RuntimeError where the server does not run, or another has the listener; OSError on another kind of loop.
    fn listen(&self, place: usize, listener: &Listener) -> PyResult<()> {
        let running = self.lock_running();
        let running = running.as_ref().ok_or_else(|| PyRuntimeError::new_err("the server does not run"))?;
        Ok(running.server.listen(place, listener.take()?)?)
    }

    /// Accept no more on the listener at `place`. The connections that came by it stay.
    fn leave(&self, place: usize) {
        if let Some(running) = &*self.lock_running() {
            running.server.leave(place);
        }
    }

    /// Open a connection in memory, from this thread or another. `peer` is the address that the client is to have, and its
    /// port; with `is_secure` its requests count as sent over TLS.
    ///
    /// Errors: RuntimeError where the server does not run; ValueError for what is no IP address.
    #[pyo3(signature = (peer = None, is_secure = false))]
    fn connect(&self, peer: Option<(String, u16)>, is_secure: bool) -> PyResult<Connection> {
        let address = peer.map(|(host, port)| match host.parse::<IpAddr>() {
            Ok(host) => Ok(SocketAddr::new(host, port)),
            Err(_) => Err(PyValueError::new_err(format!("{host:?} is no IP address"))),
        });
        let peer = Peer { address: address.transpose()?, is_secure, line: 0 };
        let running = self.lock_running();
        let running = running.as_ref().ok_or_else(|| PyRuntimeError::new_err("the server does not run"))?;
        Ok(Connection::new(running.server.connect(peer), running.handlers.clone()))
    }

    /// Ask a request, over a connection in memory of its own, from a task of the server's loop.
    ///
    /// Errors: ValueError for what no request can have, with words for the client; RuntimeError where the server does not
    /// run.
    fn exchange(&self, asked: Asked<'_>) -> PyResult<ClientExchange> {
        let head = asked.head()?;
        let running = self.lock_running();
        let running = running.as_ref().ok_or_else(|| PyRuntimeError::new_err("the server does not run"))?;
        let begun = running.server.exchange(head, asked.has_body(), asked.peer())?;
        Ok(ClientExchange::new(begun, running.handlers.clone(), asked.brought()))
    }

    /// The number of open connections.
    fn connections(&self) -> usize {
        self.lock_running().as_ref().map_or(0, |running| running.server.connections())
    }

    /// The tasks of the requests that are not over: they may be answered, and have something left to do.
    fn tasks(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let handlers = self.lock_running().as_ref().map(|running| running.handlers.clone());
        handlers.map_or_else(Vec::new, |handlers| handlers.tasks.all(py))
    }

    /// Stop accepting, let each connection finish the request it is at, close the rest after `deadline_s` seconds.
    /// `on_drained` is called when the last one is closed. Idle connections are closed at once, or after `patience_s`
    /// seconds, in which each gets one more answer. Requests are told, and those cancelled whose routes have it so.
    #[pyo3(signature = (deadline_s, patience_s = 0.0))]
    fn stop(&self, py: Python<'_>, deadline_s: f64, patience_s: f64) -> PyResult<()> {
        let (deadline, patience) = (duration(deadline_s)?, duration(patience_s)?);
        let handlers = self.lock_running().as_ref().map(|running| {
            running.server.stop(deadline, patience);
            running.handlers.clone()
        });
        if let Some(handlers) = handlers {
            handlers.begin_stop(py);
        }
        Ok(())
    }

    /// Leave the loop, and let go of the application. What is still open is dropped: `stop()` goes before.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.lock_running().take();
        let left = running.as_ref().and_then(|running| running.lodging.as_ref()).map(|lodging| lodging.end(py));
        drop(running);
        left.unwrap_or(Ok(()))
    }
}
