//! The memory that workers share, and a worker's seat in it, as cello-core hands them over.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cello_kernel::duplicate;
use cello_kernel::shared::{self, ARENA_BYTES, ArenaError, Workers};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// A slot: its number, requests, connections, starts, and the process that has it with the time it began to serve, in
/// seconds since the epoch of Unix.
type Counted = (u32, u64, u64, u64, Option<(u32, f64)>);

pub(crate) fn refused(error: ArenaError) -> PyErr {
    match error {
        ArenaError::System(error) => error.into(),
        other => PyOSError::new_err(other.to_string()),
    }
}

/// Memory that all workers of a server share: made once, before the first of them, and handed to each.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Arena {
    pub(crate) arena: shared::Arena,
    workers: Workers,
}

impl Arena {
    fn of(arena: shared::Arena) -> PyResult<Self> {
        let workers = Workers::open(&arena).map_err(refused)?;
        Ok(Self { arena, workers })
    }
}

#[pymethods]
impl Arena {
    /// Make one; only what is written takes memory.
    ///
    /// Errors: OSError where the system has no such memory.
    #[staticmethod]
    fn create() -> PyResult<Self> {
        Self::of(shared::Arena::create(ARENA_BYTES).map_err(refused)?)
    }

    /// The one that another process handed down, by its number here, which the caller may close.
    ///
    /// Errors: OSError for the number of anything else, and for an arena that another version made.
    #[staticmethod]
    fn open(descriptor: RawFd) -> PyResult<Self> {
        Self::of(shared::Arena::open(duplicate(descriptor)?).map_err(refused)?)
    }

    /// Its descriptor, which no program inherits that this process starts, and which is closed with it.
    fn fileno(&self) -> RawFd {
        self.arena.as_fd().as_raw_fd()
    }

    /// Take a seat that no living process has, for a worker of `slot`. With `shows_progress` the loop that it serves on
    /// shows there that it goes on.
    ///
    /// Errors: OSError for a slot or a seat that there is no room for.
    fn sit(&self, slot: u32, seat: usize, shows_progress: bool) -> PyResult<Seat> {
        let seat = self.workers.sit(slot, seat).map_err(refused)?;
        Ok(Seat { seat: Arc::new(seat), shows_progress })
    }

    /// When the process in a seat last went on, by time.monotonic() in seconds; None while it waits for something to do.
    fn progress_s(&self, seat: usize) -> Option<f64> {
        self.workers.sign(seat).map(|sign_ms| sign_ms as f64 / 1e3)
    }

    /// What the slots have done that ever had a worker: number, requests, connections, starts, and the process that began
    /// last with the time of that, in seconds since 1970.
    fn slots(&self) -> Vec<Counted> {
        let slots = self.workers.list().into_iter();
        let holder = |(process, began): (u32, Duration)| (process, began.as_secs_f64());
        slots.map(|slot| (slot.slot, slot.requests, slot.connections, slot.starts, slot.holder.map(holder))).collect()
    }
}

/// A worker's place in the arena, where what it does is counted.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Seat {
    pub(crate) seat: Arc<shared::Seat>,
    pub(crate) shows_progress: bool,
}

impl Seat {
    /// The worker begins to serve.
    pub(crate) fn begin(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.seat.begin(std::process::id(), now);
    }
}

#[pymethods]
impl Seat {
    /// Say that the worker serves no more.
    fn leave(&self) {
        self.seat.leave(std::process::id());
    }
}
