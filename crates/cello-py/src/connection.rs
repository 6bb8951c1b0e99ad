//! The client's end of a connection in memory, for threads that wait and for tasks of the server's loop.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use cello_kernel::ClientEnd;
use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::dispatch::Handlers;
use crate::server::duration;
use crate::waits::now_or_later;

/// How long a thread waits before it looks for signals, which only Python's own waiting is interrupted by.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// A connection to a server of this process. Dropped, it is closed.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Connection {
    end: ClientEnd,
    /// Its number among those of the server.
    #[pyo3(get)]
    number: u64,
    handlers: Arc<Handlers>,
    /// What tasks wait under that send, and those that receive.
    tickets: (u64, u64),
}

impl Connection {
    pub(crate) fn new((end, number): (ClientEnd, u64), handlers: Arc<Handlers>) -> Self {
        let tickets = (handlers.new_ticket(), handlers.new_ticket());
        Self { end, number, handlers, tickets }
    }
}

#[pymethods]
impl Connection {
    /// Send all of `data`, and wait in this thread for the room it needs; None for `timeout_s` waits for ever.
    ///
    /// Errors: TimeoutError; BrokenPipeError where the server has closed the connection.
    #[pyo3(signature = (data, timeout_s = None))]
    fn send(&self, py: Python<'_>, mut data: &[u8], timeout_s: Option<f64>) -> PyResult<()> {
        let wait = Wait::new(timeout_s)?;
        while !data.is_empty() {
            let count = wait.until(py, |context| self.end.poll_send(context, data))?;
            data = &data[count..];
        }
        Ok(())
    }

    /// Give what the server has sent, at most `max_bytes` of it, and wait in this thread for some; b"" at the end.
    ///
    /// Errors: TimeoutError; ConnectionResetError where the server has broken the connection off.
    #[pyo3(signature = (max_bytes = 65536, timeout_s = None))]
    fn receive<'py>(&self, py: Python<'py>, max_bytes: usize, timeout_s: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let received = Wait::new(timeout_s)?.until(py, |context| self.end.poll_receive(context, max_bytes))?;
        Ok(PyBytes::new(py, &received))
    }

    /// `send()` for tasks of the server's loop: how many bytes were taken, or a future to be awaited before it is tried again.
    fn poll_send<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let poll = |context: &mut Context<'_>| self.end.poll_send(context, data);
        now_or_later(&self.handlers, py, self.tickets.0, poll, |count| Ok(count.into_pyobject(py)?.into_any()))
    }

    /// `receive()` for tasks of the server's loop: bytes, or a future to be awaited before it is tried again.
    #[pyo3(signature = (max_bytes = 65536))]
    fn poll_receive<'py>(&self, py: Python<'py>, max_bytes: usize) -> PyResult<Bound<'py, PyAny>> {
        let poll = |context: &mut Context<'_>| self.end.poll_receive(context, max_bytes);
        now_or_later(&self.handlers, py, self.tickets.1, poll, |received| Ok(PyBytes::new(py, &received).into_any()))
    }

    /// Whether `receive()` would not wait.
    fn is_receivable(&self) -> bool {
        self.end.is_receivable()
    }

    /// Say that nothing more is sent; to the server that is a client which has gone, as over a socket.
    fn shut_down_sending(&self) {
        self.end.shut_down_sending();
    }

    /// Close the connection. What was sent before still arrives.
    fn close(&self) {
        self.end.close();
    }
}

/// A thread that waits.
struct Wait {
    deadline: Option<Instant>,
    waker: Waker,
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Wait {
    fn new(timeout_s: Option<f64>) -> PyResult<Self> {
        let deadline = timeout_s.map(duration).transpose()?.and_then(|timeout| Instant::now().checked_add(timeout));
        Ok(Self { deadline, waker: Arc::new(Parked(thread::current())).into() })
    }

    /// Polls until there is something; other threads have the interpreter meanwhile.
    fn until<T>(&self, py: Python<'_>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> PyResult<T> {
        loop {
            if let Poll::Ready(ready) = poll(&mut Context::from_waker(&self.waker)) {
                return Ok(ready?);
            }
            let left = self.deadline.map_or(SIGNAL_INTERVAL, |deadline| deadline.duration_since(Instant::now()));
            if left.is_zero() {
                return Err(PyTimeoutError::new_err("the server was waited for too long"));
            }
            py.detach(|| thread::park_timeout(left.min(SIGNAL_INTERVAL)));
            py.check_signals()?;
        }
    }
}
