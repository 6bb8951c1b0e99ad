//! A server that is a guest of a loop it knows nothing of: its tasks run in callbacks of that loop.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use cello_kernel::Guest;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::clock;
use crate::dispatch::panicked;
use crate::event_loop::shared::{Running, Shared};

/// How often in one turn of the loop jobs and tasks make each other ready: an answer in place takes two.
const ROUNDS: usize = 4;

/// A guest's place in a loop.
pub(crate) struct Lodging {
    pub(crate) guest: Arc<Guest>,
    pub(crate) shared: Arc<Shared>,
    event_loop: Py<PyAny>,
    turn: Py<Turn>,
}

impl Lodging {
    /// Moves into a loop that runs.
    ///
    /// # Errors
    /// The loop watches no descriptors, or the system has none.
    pub(crate) fn begin(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let (bell, button) = bell()?;
        // From any thread, and with any lock held: nothing of Python's runs here.
        let guest = Guest::new(move || drop((&button).write(&[1])));
        let shared = Arc::new(Shared::default());
        shared.begin(Running { event_loop: event_loop.clone().unbind() });
        shared.set_waker(&Waker::from(guest.clone()));
        let descriptor = bell.as_raw_fd();
        let turn = Turn { guest: guest.clone(), shared: shared.clone(), bell, clock: clock::handle()? };
        let turn = Bound::new(py, turn)?;
        event_loop.call_method1(intern!(py, "add_reader"), (descriptor, &turn))?;
        Ok(Self { guest, shared, event_loop: event_loop.clone().unbind(), turn: turn.unbind() })
    }

    /// Moves out: drops every task and whatever was queued.
    ///
    /// # Errors
    /// What the loop has against it.
    pub(crate) fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.close();
        let event_loop = self.event_loop.bind(py);
        if event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()? {
            return Ok(());
        }
        let descriptor = self.turn.get().bell.as_raw_fd();
        event_loop.call_method1(intern!(py, "remove_reader"), (descriptor,)).map(drop)
    }

    /// As [`Lodging::end`], but the loop goes on watching the descriptor.
    pub(crate) fn close(&self) {
        self.guest.close();
        drop(self.shared.end());
        self.shared.close();
    }
}

/// What a loop can watch, and what rings it.
fn bell() -> io::Result<(UnixStream, UnixStream)> {
    let (bell, button) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    button.set_nonblocking(true)?;
    Ok((bell, button))
}

/// What the loop calls when the guest has asked for a turn.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Turn {
    guest: Arc<Guest>,
    shared: Arc<Shared>,
    bell: UnixStream,
    clock: Handle,
}

#[pymethods]
impl Turn {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mut rings = [0; 64];
        let _ = (&self.bell).read(&mut rings); // a bell that was not rung, or is broken, does no harm
        let _in_clock = self.clock.enter();
        for _ in 0..ROUNDS {
            for job in self.shared.take_jobs() {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job.run(py))) {
                    panicked(&*panic).write_unraisable(py, None);
                }
            }
            if !self.guest.turn() && !self.shared.has_work() {
                break;
            }
        }
        self.guest.rest(|| self.shared.has_work());
        self.shared.take_failure().map_or(Ok(()), Err)
    }
}
