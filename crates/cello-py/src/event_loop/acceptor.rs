//! Accepting connections on a listening socket of asyncio's: one transport and one protocol each.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use cello_kernel::{Registered, watch};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, intern};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::errors::report;
use super::transport::{Parts, StreamTransport};
use super::watched::{Signal, Watched};
use super::{LoopCore, context_or_copy};
use crate::exceptions::os_error;

/// How long accepting rests after an error, as asyncio does where descriptors or memory have run out.
const RETRY_DELAY_S: f64 = 1.0;

/// Accepts on one socket, until it is closed.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Acceptor {
    event_loop: Py<PyAny>,
    /// Each connection's context is a copy of this one, in which the server was started.
    context: Py<PyAny>,
    protocol_factory: Py<PyAny>,
    server: Option<Py<PyAny>>,
    /// Connections accepted in one turn.
    backlog: usize,
    socket: Mutex<Option<AsyncFd<Registered>>>,
    signal: Arc<Signal>,
    waker: Waker,
}

enum Accepted {
    Nothing,
    Connection(OwnedFd, Option<SocketAddrAny>),
    Failed(Errno),
}

impl Acceptor {
    /// To be made inside the runtime. The loop keeps it until it is closed.
    pub(crate) fn make(
        core: &LoopCore,
        event_loop: &Bound<'_, PyAny>,
        socket: OwnedFd,
        protocol_factory: Py<PyAny>,
        server: Option<Py<PyAny>>,
        backlog: usize,
    ) -> PyResult<Py<Self>> {
        let py = event_loop.py();
        let context = context_or_copy(py, None)?;
        let socket = watch(socket, Interest::READABLE)?;
        let signal = Signal::new(core.shared().clone());
        let acceptor = Self {
            event_loop: event_loop.clone().unbind(),
            context,
            protocol_factory,
            server,
            backlog: backlog.max(1),
            socket: Mutex::new(Some(socket)),
            waker: signal.waker(),
            signal: signal.clone(),
        };
        let acceptor = Py::new(py, acceptor)?;
        signal.keep(Watched::Acceptor(acceptor.clone_ref(py)));
        signal.wake_by_ref();
        Ok(acceptor)
    }

    fn lock(&self) -> MutexGuard<'_, Option<AsyncFd<Registered>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has connected.
    pub(crate) fn serve(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, me) = (slf.py(), slf.get());
        me.signal.clear();
        for _ in 0..me.backlog {
            match me.accept() {
                Accepted::Nothing => return Ok(()),
                Accepted::Connection(socket, peer) => me.connect(py, socket, peer)?,
                Accepted::Failed(error) => return me.rest(slf, error),
            }
        }
        me.signal.wake_by_ref(); // others first
        Ok(())
    }

    fn accept(&self) -> Accepted {
        let mut slot = self.lock();
        loop {
            let Some(socket) = &*slot else { return Accepted::Nothing };
            let Poll::Ready(Ok(mut ready)) = self.poll(socket) else { return Accepted::Nothing };
            match acceptfrom_with(socket.get_ref().as_fd(), SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((connection, peer)) => return Accepted::Connection(connection, peer),
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    if self.poll(socket).is_ready() {
                        // It was shut down once, which counts for ever, and listens again.
                        *slot =
                            slot.take().and_then(|socket| watch(socket.into_inner().into(), Interest::READABLE).ok());
                    }
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Accepted::Failed(error),
            }
        }
    }

    fn poll<'a>(&self, socket: &'a AsyncFd<Registered>) -> Poll<std::io::Result<AsyncFdReadyGuard<'a, Registered>>> {
        socket.poll_read_ready(&mut Context::from_waker(&self.waker))
    }

    fn connect(&self, py: Python<'_>, socket: OwnedFd, peer: Option<SocketAddrAny>) -> PyResult<()> {
        let context = self.context.bind(py).call_method0(intern!(py, "copy"))?;
        let made = context.call_method1(intern!(py, "run"), (&self.protocol_factory,)).and_then(|protocol| {
            let event_loop = self.event_loop.bind(py);
            let core = event_loop.cast::<LoopCore>()?.get();
            StreamTransport::make(Parts {
                event_loop: event_loop.clone(),
                shared: core.shared().clone(),
                context,
                socket,
                peer,
                python_socket: None,
                protocol,
                extra: None,
                server: self.server.as_ref().map(|server| server.bind(py).clone()),
            })
        });
        match made {
            Ok(transport) => StreamTransport::begin(transport.bind(py), None),
            Err(error) => self.report(py, error, "Error on transport creation for incoming connection"),
        }
    }

    /// The next try is in a while: where there is no room for another connection, the queue keeps those that wait.
    fn rest(&self, slf: &Bound<'_, Self>, error: Errno) -> PyResult<()> {
        let py = slf.py();
        let has_no_room = matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM);
        let message = if has_no_room { "socket.accept() out of system resource" } else { "socket.accept() failed" };
        self.report(py, os_error(py, error.raw_os_error(), None), message)?;
        let again = slf.getattr(intern!(py, "_try_again"))?;
        self.event_loop.call_method1(py, intern!(py, "call_later"), (RETRY_DELAY_S, again))?;
        Ok(())
    }

    fn report(&self, py: Python<'_>, error: PyErr, message: &str) -> PyResult<()> {
        report(self.event_loop.bind(py), error, message, &[])
    }
}

#[pymethods]
impl Acceptor {
    /// Accept no more. The socket itself stays open.
    pub(crate) fn close(&self) {
        let socket = self.lock().take();
        drop(socket);
        drop(self.signal.give_up());
    }

    fn _try_again(&self) {
        self.signal.wake_by_ref();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.context)?;
        visit.call(&self.protocol_factory)?;
        visit.call(&self.server)
    }
}
