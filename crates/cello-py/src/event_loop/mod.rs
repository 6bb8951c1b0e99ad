//! The hot part of an asyncio event loop: ready queue, timers and parking, on tokio.
//!
//! `cello` combines it with `asyncio.SelectorEventLoop`, which keeps all that is cold (descriptors, signals,
//! subprocesses, executors): its selector is one descriptor in tokio's.

pub(crate) mod acceptor;
mod address;
pub(crate) mod errors;
pub(crate) mod handle;
mod memory;
mod pump;
pub(crate) mod ready;
pub(crate) mod shared;
mod stream;
pub(crate) mod transport;
mod watched;

use std::cell::Cell;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cello_kernel::{duplicate, watch};
use pyo3::PyTraverseError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use tokio::io::Interest;
use tokio::runtime::{Builder, Handle as RuntimeHandle, Runtime};
use tokio::task::coop::unconstrained;

use crate::dispatch::Handlers;
use crate::relay::Relay;
use acceptor::Acceptor;
use handle::{Cancellable, Handle, TimerHandle};
use pump::Pump;
use ready::{Due, Ready};
use shared::{Running, Shared, now_s};
use transport::{Parts, StreamTransport};
use watched::Watched;

/// Tasks run between two looks at the operating system's events.
const EVENT_INTERVAL: u32 = 31;

/// The native half of `cello`'s event loop: first in its bases, before `asyncio.SelectorEventLoop`.
#[pyclass(frozen, subclass, module = "cello._kernel")]
pub(crate) struct LoopCore {
    shared: Arc<Shared>,
    runtime: Mutex<OwnRuntime>,
    /// What the server's tasks call: kept here, so that the last reference never goes without the interpreter.
    handlers: Mutex<Vec<Arc<Handlers>>>,
}

impl LoopCore {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Keeps what a server's tasks call, and lets go of what those of earlier servers have called.
    pub(crate) fn keep(&self, py: Python<'_>, handlers: Arc<Handlers>) {
        let mut kept = self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        let (used, unused) = kept.drain(..).partition(|handlers| Arc::strong_count(handlers) > 1);
        *kept = used;
        kept.push(handlers);
        drop(kept);
        let unused: Vec<_> = unused;
        unused.iter().for_each(|handlers| handlers.close(py));
    }

    /// The runtime's handle, while there is one: from the first run of the loop until it is closed.
    pub(crate) fn runtime_handle(&self) -> PyResult<RuntimeHandle> {
        let own = self.lock_runtime();
        let runtime = own.runtime.as_ref().ok_or_else(|| PyRuntimeError::new_err("the event loop has not run yet"))?;
        Ok(runtime.handle().clone())
    }

    fn lock_runtime(&self) -> MutexGuard<'_, OwnRuntime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self, selector: RawFd) -> PyResult<Arc<Runtime>> {
        let mut own = self.lock_runtime();
        if let Some(runtime) = &own.runtime {
            return Ok(runtime.clone());
        }
        let runtime = Builder::new_current_thread().enable_all().event_interval(EVENT_INTERVAL).build()?;
        let pump = {
            let _in_runtime = runtime.enter();
            Pump::new(self.shared.clone(), watch(duplicate(selector)?, Interest::READABLE)?)
        };
        // It ends its turns itself.
        runtime.spawn(unconstrained(pump.run()));
        own.process = std::process::id();
        Ok(own.runtime.insert(Arc::new(runtime)).clone())
    }

    fn check_open(&self) -> PyResult<()> {
        if self.shared.is_closed() { Err(PyRuntimeError::new_err("Event loop is closed")) } else { Ok(()) }
    }

    fn soon(slf: &Bound<'_, Self>, call: Call, method: &str) -> PyResult<Py<PyAny>> {
        let (py, core) = (slf.py(), slf.get());
        core.check_open()?;
        let (handle, ready) = if core.shared.is_debug() {
            let handle = call.into_standard(slf, method, None)?;
            (handle.clone_ref(py), Ready::Standard(handle))
        } else {
            let handle = Py::new(py, Handle(call.into_callback(py)?))?;
            (handle.clone_ref(py).into_any(), Ready::Soon(handle))
        };
        core.shared.push_ready(ready);
        Ok(handle)
    }

    fn at(slf: &Bound<'_, Self>, when_s: f64, call: Call, method: &str) -> PyResult<Py<PyAny>> {
        let (py, core) = (slf.py(), slf.get());
        core.check_open()?;
        let (handle, due) = if core.shared.is_debug() {
            let handle = call.into_standard(slf, method, Some(when_s))?;
            (handle.clone_ref(py), Due::Standard(handle))
        } else {
            let handle = Py::new(py, TimerHandle::new(call.into_callback(py)?, when_s, core.shared.clone()))?;
            (handle.clone_ref(py).into_any(), Due::Native(handle))
        };
        core.shared.push_timer(when_s, due);
        Ok(handle)
    }
}

/// What a caller wants to be called.
struct Call {
    function: Py<PyAny>,
    args: Py<PyTuple>,
    context: Option<Py<PyAny>>,
}

impl Call {
    fn into_callback(self, py: Python<'_>) -> PyResult<Cancellable> {
        Ok(Cancellable::new(self.function, self.args.bind(py), context_or_copy(py, self.context)?))
    }

    /// In debug mode callbacks are checked by asyncio's rules, and are its own handles, which remember who made them.
    fn into_standard(self, event_loop: &Bound<'_, LoopCore>, method: &str, when_s: Option<f64>) -> PyResult<Py<PyAny>> {
        event_loop.call_method1("_check_call", (&self.function, method))?;
        let asyncio = event_loop.py().import("asyncio")?;
        let handle = match when_s {
            None => asyncio.getattr("Handle")?.call1((self.function, self.args, event_loop, self.context)),
            Some(when_s) => {
                asyncio.getattr("TimerHandle")?.call1((when_s, self.function, self.args, event_loop, self.context))
            }
        };
        handle.map(Bound::unbind)
    }
}

/// A runtime that goes with its tasks wherever it is dropped: on another runtime's thread too, by a callback of another
/// loop. A child that was forked off leaves its parent's alone.
#[derive(Default)]
struct OwnRuntime {
    runtime: Option<Arc<Runtime>>,
    process: u32,
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        let runtime = self.runtime.take();
        if self.process != std::process::id() {
            std::mem::forget(runtime);
        } else if let Some(runtime) = runtime.and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

thread_local! {
    /// The process in which this thread runs a loop. A child that is forked off meanwhile finds its parent's.
    static RUNS_IN_PROCESS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// However a run ends, by a panic too, the loop runs no more.
struct Run<'a>(&'a Shared);

impl<'a> Run<'a> {
    fn begin(shared: &'a Shared, event_loop: Py<PyAny>) -> Self {
        RUNS_IN_PROCESS.set(Some(std::process::id()));
        shared.begin(Running { event_loop });
        Self(shared)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        drop(self.0.end());
        RUNS_IN_PROCESS.set(None);
    }
}

fn context_or_copy(py: Python<'_>, context: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match context {
        Some(context) => Ok(context),
        None => Ok(COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()?.unbind()),
    }
}

#[pymethods]
impl LoopCore {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { shared: Arc::default(), runtime: Mutex::default(), handlers: Mutex::default() }
    }

    /// Run `callback(*args)` at the next turn.
    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if let Some(relay) = slf.get().shared.take_resting() {
            Relay::keep(relay, callback);
            return Ok(slf.py().None());
        }
        Self::soon(slf, Call { function: callback, args, context }, "call_soon")
    }

    /// Run `callback(*args)` at the next turn, from any thread.
    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon_threadsafe(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let handle = Self::soon(slf, Call { function: callback, args, context }, "call_soon_threadsafe");
        slf.get().shared.wake();
        handle
    }

    /// Run `callback(*args)` in `delay` seconds.
    #[pyo3(signature = (delay, callback, *args, context = None))]
    fn call_later(
        slf: &Bound<'_, Self>,
        delay: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Self::at(slf, now_s() + delay, Call { function: callback, args, context }, "call_later")
    }

    /// Run `callback(*args)` when the loop's clock shows `when` seconds.
    #[pyo3(signature = (when, callback, *args, context = None))]
    fn call_at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Self::at(slf, when, Call { function: callback, args, context }, "call_at")
    }

    /// The loop's clock, in seconds: that of time.monotonic().
    #[expect(clippy::unused_self, reason = "a method to asyncio")]
    fn time(&self) -> f64 {
        now_s()
    }

    /// Whether the loop is in debug mode; asked for every task that is made.
    fn get_debug(&self) -> bool {
        self.shared.is_debug()
    }

    /// Whether the loop runs; asked for every task that is started eagerly.
    fn is_running(&self) -> bool {
        self.shared.is_running()
    }

    fn _note_debug(&self, enabled: bool) {
        self.shared.set_debug(enabled);
    }

    /// Queue an asyncio.Handle: the door through which the standard selector's callbacks come.
    fn _add_callback(&self, handle: Py<PyAny>) {
        self.shared.push_ready(Ready::Standard(handle));
    }

    /// A transport over a duplicate of `sock`. Once the protocol was told of the connection, `waiter` is done.
    fn _open_stream(
        slf: &Bound<'_, Self>,
        sock: Bound<'_, PyAny>,
        protocol: Bound<'_, PyAny>,
        waiter: Option<Py<PyAny>>,
        extra: Option<Bound<'_, PyDict>>,
        server: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<StreamTransport>> {
        let py = slf.py();
        let core = slf.get();
        let runtime = core.runtime_handle()?;
        let _in_runtime = runtime.enter();
        let socket = duplicate(sock.call_method0("fileno")?.extract()?)?;
        let transport = StreamTransport::make(Parts {
            event_loop: slf.clone().into_any(),
            shared: core.shared.clone(),
            context: context_or_copy(py, None)?.into_bound(py),
            socket,
            peer: None,
            python_socket: Some(sock),
            protocol,
            extra,
            server,
        })?;
        core.shared.push_ready(Ready::Made { transport: transport.clone_ref(py), waiter });
        Ok(transport)
    }

    /// Accepts connections on the listening `sock`, at most `backlog` in a turn.
    fn _accept_on(
        slf: &Bound<'_, Self>,
        sock: &Bound<'_, PyAny>,
        protocol_factory: Py<PyAny>,
        server: Option<Py<PyAny>>,
        backlog: usize,
    ) -> PyResult<Py<Acceptor>> {
        let core = slf.get();
        let runtime = core.runtime_handle()?;
        let _in_runtime = runtime.enter();
        let socket = duplicate(sock.call_method0("fileno")?.extract()?)?;
        Acceptor::make(core, slf.as_any(), socket, protocol_factory, server, backlog)
    }

    /// Whether this process was forked off by a thread while that ran a loop: to tokio it runs one for ever.
    #[staticmethod]
    fn _is_forked_while_running() -> bool {
        RUNS_IN_PROCESS.get().is_some_and(|process| process != std::process::id())
    }

    /// Run turns until a stop is requested; `selector` is the descriptor of the standard selector.
    fn _run_native(slf: &Bound<'_, Self>, selector: RawFd) -> PyResult<()> {
        let py = slf.py();
        let core = slf.get();
        core.check_open()?;
        if RuntimeHandle::try_current().is_ok() {
            return Err(PyRuntimeError::new_err("this thread runs an event loop already"));
        }
        let runtime = core.runtime(selector)?;
        let shared = &core.shared;
        let run = Run::begin(shared, slf.clone().into_any().unbind());
        while shared.is_running() {
            shared.begin_phase();
            if shared.holds_interpreter() {
                runtime.block_on(shared.phase_over.notified());
                shared.let_interpreter_go();
            } else {
                py.detach(|| runtime.block_on(shared.phase_over.notified()));
                if shared.is_running() {
                    shared.hold_interpreter();
                }
            }
        }
        drop(run);
        shared.take_failure().map_or(Ok(()), Err)
    }

    /// End the run after the turn it is at.
    fn _stop_native(&self) {
        self.shared.request_stop();
    }

    /// The transports that are open.
    fn _open_streams(&self, py: Python<'_>) -> Vec<Py<StreamTransport>> {
        self.shared.streams(py)
    }

    /// Drop every connection, timer and callback, and what they hold.
    fn _close_native(&self, py: Python<'_>) {
        for watched in self.shared.take_watched() {
            match watched {
                Watched::Stream(transport) => transport.get().abandon(py),
                Watched::Acceptor(acceptor) => acceptor.get().close(),
            }
        }
        let runtime = std::mem::take(&mut *self.lock_runtime());
        // Tasks hold nothing of Python's, and dropping them must not wait for who has the interpreter.
        py.detach(|| drop(runtime));
        self.shared.close();
        let handlers = std::mem::take(&mut *self.handlers.lock().unwrap_or_else(PoisonError::into_inner));
        handlers.iter().for_each(|handlers| handlers.close(py));
        drop(handlers);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.shared.traverse(&visit)
    }
}
