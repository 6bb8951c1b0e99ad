//! asyncio's transport of a connected socket, TCP or Unix: what a protocol and a library see of a [`Stream`]. What
//! happens to it stands in `life.rs`, what is written to it in `writing.rs`.
//!
//! Each callback of the protocol runs in the context the transport was made in. The state is locked for a few
//! instructions at a time, never while Python runs.

mod life;
mod writing;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use pyo3::PyTraverseError;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};
use rustix::net::SocketAddrAny;

use super::address;
use super::ready::Ready;
use super::shared::Shared;
use super::stream::{Backlog, Stream};
use super::watched::{Signal, Watched};
use writing::{check_type, piece};

/// asyncio's default: a protocol is paused while more bytes than this wait to be sent.
const HIGH_WATER_BYTES: usize = 64 * 1024;

/// How a protocol is given what was received.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `data_received(bytes)`
    Streaming,
    /// `get_buffer(size)` and `buffer_updated(count)`
    Buffered,
}

impl Kind {
    fn of(protocol: &Bound<'_, PyAny>) -> PyResult<Self> {
        static BUFFERED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let is_buffered = protocol.is_instance(BUFFERED.import(protocol.py(), "asyncio", "BufferedProtocol")?)?;
        Ok(if is_buffered { Self::Buffered } else { Self::Streaming })
    }
}

/// What else of Python's belongs to a connection that is not lost yet.
struct Belongings {
    protocol: Py<PyAny>,
    kind: Kind,
    server: Option<Py<PyAny>>,
    /// Set when nothing waits to be sent any more; nothing can be written meanwhile.
    drained: Option<Py<PyAny>>,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "asyncio's states are independent of each other")]
struct State {
    /// `None` once the connection was closed.
    stream: Option<Stream>,
    belongings: Option<Belongings>,
    /// The socket as Python sees it: the one given, or one made when somebody asks for it.
    socket: Option<Py<PyAny>>,
    /// What users are given of it.
    socket_view: Option<Py<PyAny>>,
    backlog: Backlog,
    high_water: usize,
    low_water: usize,
    is_writing_paused: bool,
    is_reading_paused: bool,
    is_started: bool,
    is_closing: bool,
    /// Whether connection_lost() is called, or soon will be.
    is_lost: bool,
    lost_writes: u32,
    has_received_eof: bool,
    has_written_eof: bool,
}

impl State {
    fn reads(&self) -> bool {
        self.is_started && !self.is_reading_paused && !self.is_closing && !self.has_received_eof
    }
}

/// Attributes can be set on it, as on asyncio's: libraries replace methods in their tests.
#[pyclass(frozen, weakref, dict, module = "cello._kernel")]
pub(crate) struct StreamTransport {
    shared: Arc<Shared>,
    event_loop: Py<PyAny>,
    context: Py<PyAny>,
    /// What the maker of the transport knows of it.
    extra: Option<Py<PyDict>>,
    local: Option<SocketAddrAny>,
    peer: Option<SocketAddrAny>,
    signal: Arc<Signal>,
    state: Mutex<State>,
}

/// What a transport is made of.
pub(crate) struct Parts<'py> {
    pub(crate) event_loop: Bound<'py, PyAny>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) context: Bound<'py, PyAny>,
    pub(crate) socket: OwnedFd,
    pub(crate) peer: Option<SocketAddrAny>,
    pub(crate) python_socket: Option<Bound<'py, PyAny>>,
    pub(crate) protocol: Bound<'py, PyAny>,
    pub(crate) extra: Option<Bound<'py, PyDict>>,
    pub(crate) server: Option<Bound<'py, PyAny>>,
}

impl StreamTransport {
    /// To be made inside the runtime. The loop keeps it until the connection is lost.
    pub(crate) fn make(parts: Parts<'_>) -> PyResult<Py<Self>> {
        let py = parts.protocol.py();
        let kind = Kind::of(&parts.protocol)?;
        let signal = Signal::new(parts.shared.clone());
        let stream = Stream::new(parts.socket, signal.waker()).inspect_err(|_| drop(signal.give_up()))?;
        let belongings = Belongings {
            protocol: parts.protocol.unbind(),
            kind,
            server: parts.server.as_ref().map(|server| server.clone().unbind()),
            drained: None,
        };
        let transport = Self {
            shared: parts.shared,
            event_loop: parts.event_loop.clone().unbind(),
            context: parts.context.unbind(),
            extra: parts.extra.map(Bound::unbind),
            local: stream.local_address(),
            peer: parts.peer.or_else(|| stream.peer_address()),
            signal: signal.clone(),
            state: Mutex::new(State {
                stream: Some(stream),
                belongings: Some(belongings),
                socket: parts.python_socket.map(Bound::unbind),
                high_water: HIGH_WATER_BYTES,
                low_water: HIGH_WATER_BYTES / 4,
                ..State::default()
            }),
        };
        let transport = Py::new(py, transport)?;
        signal.keep(Watched::Stream(transport.clone_ref(py)));
        if let Some(server) = parts.server
            && let Err(error) = parts.event_loop.call_method1(intern!(py, "_attach"), (server, &transport))
        {
            transport.get().abandon(py);
            return Err(error);
        }
        Ok(transport)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock().belongings.as_ref().map(|belongings| belongings.protocol.clone_ref(py))
    }

    /// Calls what belongs to the protocol, in the transport's context.
    fn call<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        argument: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = function.py();
        let (context, run) = (self.context.bind(py), intern!(py, "run"));
        match argument {
            Some(argument) => context.call_method1(run, (function, argument)),
            None => context.call_method1(run, (function,)),
        }
    }

    fn call_protocol<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        argument: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(protocol) = self.protocol(py) else { return Ok(py.None().into_bound(py)) };
        self.call(&protocol.bind(py).getattr(method)?, argument)
    }

    // --- what users ask of the socket

    /// The socket as Python sees it and what users are given of it, made now if nobody asked before.
    fn show_socket(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let (py, me) = (slf.py(), slf.get());
        let (given, descriptor) = {
            let state = me.lock();
            if let (Some(socket), Some(view)) = (&state.socket, &state.socket_view) {
                return Ok((socket.clone_ref(py), view.clone_ref(py)));
            }
            let given = state.socket.as_ref().map(|socket| socket.clone_ref(py));
            (given, state.stream.as_ref().map_or(-1, Stream::descriptor))
        };
        let shown = me.event_loop.call_method1(py, intern!(py, "_show_socket"), (slf, given, descriptor))?;
        let (socket, view): (Py<PyAny>, Py<PyAny>) = shown.extract(py)?;
        let replaced = {
            let mut state = me.lock();
            (state.socket.replace(socket.clone_ref(py)), state.socket_view.replace(view.clone_ref(py)))
        };
        drop(replaced);
        Ok((socket, view))
    }
}

/// What `asyncio.Transport` offers, for a connected socket.
#[pymethods]
impl StreamTransport {
    /// A kind of `asyncio.Transport`, which a native class cannot inherit from.
    #[getter]
    fn __class__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.event_loop.getattr(py, intern!(py, "_transport_kind"))
    }

    /// What is known of the connection: `peername`, `sockname`, `socket`.
    #[pyo3(signature = (name, default = None))]
    fn get_extra_info(slf: &Bound<'_, Self>, name: &str, default: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let (py, me) = (slf.py(), slf.get());
        let default = default.unwrap_or_else(|| py.None());
        if let Some(extra) = &me.extra
            && let Some(value) = extra.bind(py).get_item(name)?
        {
            return Ok(value.unbind());
        }
        let address = match name {
            "socket" => return Ok(Self::show_socket(slf)?.1),
            "peername" => &me.peer,
            "sockname" => &me.local,
            _ => return Ok(default),
        };
        let address = address.as_ref().map(|address| address::into_python(py, address)).transpose()?.flatten();
        Ok(address.map_or_else(|| py.None(), Bound::unbind))
    }

    /// Have another protocol receive from now on.
    fn set_protocol(&self, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        let kind = Kind::of(protocol)?;
        let replaced = self.lock().belongings.as_mut().map(|belongings| {
            belongings.kind = kind;
            std::mem::replace(&mut belongings.protocol, protocol.clone().unbind())
        });
        drop(replaced);
        Ok(())
    }

    /// The protocol; None once the connection is lost.
    fn get_protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.protocol(py)
    }

    /// Whether the connection is closed, or will be.
    fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// Whether the protocol is given what comes.
    fn is_reading(&self) -> bool {
        let state = self.lock();
        !state.is_closing && !state.is_reading_paused
    }

    /// Receive nothing for the time being.
    fn pause_reading(&self) {
        let mut state = self.lock();
        if !state.is_closing {
            state.is_reading_paused = true;
        }
    }

    /// Receive again.
    fn resume_reading(&self) {
        let mut state = self.lock();
        if !state.is_closing && state.is_reading_paused {
            state.is_reading_paused = false;
            drop(state);
            self.signal.wake_by_ref();
        }
    }

    /// Send `data`; what the system does not take at once waits.
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        check_type(data)?;
        let piece = piece(data)?;
        slf.get().check_writable("write")?;
        let py = slf.py();
        if piece.is_empty(py) { Ok(()) } else { slf.get().send(slf, |backlog, stream| backlog.send(py, stream, piece)) }
    }

    /// Send each of `list_of_data`, in as few packets as the system makes of them.
    fn writelines(slf: &Bound<'_, Self>, list_of_data: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().check_writable("writelines")?;
        let py = slf.py();
        let pieces = list_of_data.try_iter()?.map(|data| piece(&data?)).collect::<PyResult<Vec<_>>>()?;
        if pieces.is_empty() {
            return Ok(());
        }
        slf.get().send(slf, |backlog, stream| backlog.send_all(py, stream, pieces))
    }

    /// Whether write_eof() is supported: it is.
    #[expect(clippy::unused_self, reason = "a method to asyncio")]
    fn can_write_eof(&self) -> bool {
        true
    }

    /// Tell the peer that nothing more will be sent, after what waits.
    fn write_eof(&self) {
        let mut state = self.lock();
        if state.is_closing || state.has_written_eof {
            return;
        }
        state.has_written_eof = true;
        if state.backlog.is_empty()
            && let Some(stream) = &state.stream
        {
            stream.end_writing();
        }
    }

    /// Close the connection after what waits was sent.
    fn close(slf: &Bound<'_, Self>) {
        let me = slf.get();
        let mut state = me.lock();
        if state.is_closing {
            return;
        }
        state.is_closing = true;
        if state.backlog.is_empty() {
            state.is_lost = true;
            drop(state);
            me.shared.push_ready(Ready::Lost { transport: slf.clone().unbind(), error: None });
        }
    }

    /// Close the connection now, whatever waits.
    fn abort(slf: &Bound<'_, Self>) {
        slf.get().break_off(slf, None);
    }

    /// Bytes that wait to be sent.
    fn get_write_buffer_size(&self) -> usize {
        self.lock().backlog.len()
    }

    /// The bytes at which the protocol is resumed, and over which it is paused.
    fn get_write_buffer_limits(&self) -> (usize, usize) {
        let state = self.lock();
        (state.low_water, state.high_water)
    }

    /// Set the bytes over which the protocol is paused, and at which it is resumed.
    ///
    /// Errors: ValueError unless high >= low >= 0.
    #[pyo3(signature = (high = None, low = None))]
    fn set_write_buffer_limits(slf: &Bound<'_, Self>, high: Option<i64>, low: Option<i64>) -> PyResult<()> {
        let high = high.unwrap_or_else(|| low.map_or(HIGH_WATER_BYTES as i64, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        let limits = usize::try_from(high).ok().zip(usize::try_from(low).ok());
        let Some((high_water, low_water)) = limits.filter(|(high, low)| high >= low) else {
            return Err(PyValueError::new_err(format!("high ({high}) must be >= low ({low}) must be >= 0")));
        };
        {
            let mut state = slf.get().lock();
            (state.high_water, state.low_water) = (high_water, low_water);
        }
        slf.get().pause_protocol(slf)
    }

    fn __repr__(&self) -> String {
        let state = self.lock();
        let Some(stream) = &state.stream else { return "<StreamTransport closed>".to_owned() };
        let phase = if state.is_closing { "closing " } else { "" };
        let reading = if state.reads() { "reading" } else { "not reading" };
        format!("<StreamTransport {phase}fd={} {reading}, {} bytes to write>", stream.descriptor(), state.backlog.len())
    }

    // --- what asyncio's own modules ask of a transport

    /// Close the connection now, and tell the protocol why.
    fn _force_close(slf: &Bound<'_, Self>, exc: Option<Py<PyAny>>) {
        slf.get().break_off(slf, exc);
    }

    /// A future that is done when nothing waits to be sent. Nothing can be written until _reset_empty_waiter().
    fn _make_empty_waiter(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.event_loop.call_method0(py, intern!(py, "create_future"))?;
        let mut state = self.lock();
        let is_empty = state.backlog.is_empty();
        let Some(belongings) = &mut state.belongings else {
            return Err(PyRuntimeError::new_err("the connection is closed"));
        };
        if belongings.drained.is_some() {
            return Err(PyRuntimeError::new_err("Empty waiter is already set"));
        }
        belongings.drained = Some(future.clone_ref(py));
        drop(state);
        if is_empty {
            future.call_method1(py, intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(future)
    }

    fn _reset_empty_waiter(&self) {
        let waiter = self.lock().belongings.as_mut().and_then(|belongings| belongings.drained.take());
        drop(waiter);
    }

    /// The socket as Python sees it.
    #[getter]
    fn _sock(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Ok(Self::show_socket(slf)?.0)
    }

    /// asyncio's own sendfile(), where it has to read the file itself, makes its futures of it.
    #[getter]
    fn _loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[getter]
    fn _protocol_paused(&self) -> bool {
        self.lock().is_writing_paused
    }

    #[getter]
    fn _sendfile_compatible(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.event_loop.getattr(py, intern!(py, "_sendfile_mode"))
    }

    #[getter]
    #[expect(clippy::unused_self, reason = "an attribute to asyncio")]
    fn _start_tls_compatible(&self) -> bool {
        true
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.context)?;
        visit.call(&self.extra)?;
        // The collector must not wait; what is locked now is being used now.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        visit.call(&state.socket)?;
        visit.call(&state.socket_view)?;
        let Some(belongings) = &state.belongings else { return Ok(()) };
        visit.call(&belongings.protocol)?;
        visit.call(&belongings.server)?;
        visit.call(&belongings.drained)
    }

    fn __clear__(&self) {
        let belongings = self.lock().belongings.take();
        drop(belongings);
    }
}
