//! What the loop, its pump, the server's tasks and other threads share: the queues, and who holds the interpreter.
//!
//! Every lock here is held for a few instructions and never while Python runs: what is taken out of a queue is run, or
//! dropped, after the lock is gone.

use std::collections::{BinaryHeap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use cello_kernel::shared::Seat;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use slab::Slab;
use tokio::sync::Notify;

use super::ready::{Due, Ready, Timer};
use super::transport::StreamTransport;
use super::watched::Watched;
use crate::dispatch::Job;
use crate::relay::Relay;

/// Cancelled timers that may stand in the heap before it is looked through.
const CANCELLED_TIMERS: usize = 100;

/// The loop's clock, in seconds: `time.monotonic()`'s.
pub(crate) fn now_s() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// The same, as it was at the last tick of the system's timer, which is a few milliseconds: a fifth of the price.
pub(crate) fn coarse_now_s() -> f64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// The Python objects of a running loop; there while it runs, since tasks own nothing of Python's.
pub(crate) struct Running {
    pub(crate) event_loop: Py<PyAny>,
}

#[derive(Default)]
struct Queues {
    ready: VecDeque<Ready>,
    timers: BinaryHeap<Timer>,
    cancelled_timers: usize,
    sequence: u64,
    jobs: VecDeque<Job>,
}

/// See the module's description.
#[derive(Default)]
pub(crate) struct Shared {
    queues: Mutex<Queues>,
    watched: Mutex<Slab<Option<Watched>>>,
    running: Mutex<Option<Running>>,
    is_running: AtomicBool,
    has_begun: AtomicBool,
    is_stopping: AtomicBool,
    is_closed: AtomicBool,
    is_debug: AtomicBool,
    holds_interpreter: AtomicBool,
    ran_in_place: AtomicBool,
    /// The relay whose task is about to ask for its next step, and does not want it yet.
    resting: Mutex<Option<Py<Relay>>>,
    is_resting: AtomicBool,
    failure: Mutex<Option<PyErr>>,
    waker: Mutex<Option<Waker>>,
    /// Where the loop shows that it goes on; none where nobody looks.
    seat: OnceLock<Arc<Seat>>,
    /// Ends the phase that the thread is in: with the interpreter, or without.
    pub(crate) phase_over: Notify,
}

/// What is to run.
impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push_ready(&self, item: Ready) {
        self.lock().ready.push_back(item);
    }

    pub(super) fn push_timer(&self, when_s: f64, due: Due) {
        let mut queues = self.lock();
        queues.sequence += 1;
        let sequence = queues.sequence;
        queues.timers.push(Timer { when_s, sequence, due });
    }

    /// Has the relay keep the step that is asked for next, which its task does at once.
    pub(crate) fn rest(&self, relay: Py<Relay>) {
        *self.lock_resting() = Some(relay);
        self.is_resting.store(true, Relaxed);
    }

    /// The relay that keeps the step that is asked for.
    pub(crate) fn take_resting(&self) -> Option<Py<Relay>> {
        if !self.is_resting.load(Relaxed) {
            return None;
        }
        self.is_resting.store(false, Relaxed);
        self.lock_resting().take()
    }

    fn lock_resting(&self) -> MutexGuard<'_, Option<Py<Relay>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues work for the next time the thread has the interpreter.
    pub(crate) fn push_job(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.wake();
    }

    pub(crate) fn take_jobs(&self) -> VecDeque<Job> {
        std::mem::take(&mut self.lock().jobs)
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.lock().ready.is_empty()
    }

    pub(crate) fn ready_len(&self) -> usize {
        self.lock().ready.len()
    }

    pub(super) fn pop_ready(&self) -> Option<Ready> {
        self.lock().ready.pop_front()
    }

    /// Makes the timers ready whose time has come.
    pub(crate) fn collect_due_timers(&self) {
        let mut dead = Vec::new(); // dropped after the lock
        let mut queues = self.lock();
        if queues.timers.is_empty() {
            return;
        }
        let now_s = now_s();
        while let Some(timer) = queues.timers.peek() {
            let is_cancelled = timer.due.is_cancelled();
            if !is_cancelled && timer.when_s > now_s {
                break;
            }
            let Some(timer) = queues.timers.pop() else { break };
            if let Due::Native(handle) = &timer.due {
                handle.get().is_queued.store(false, Relaxed);
            }
            if is_cancelled {
                queues.cancelled_timers = queues.cancelled_timers.saturating_sub(1);
                dead.push(timer);
            } else {
                queues.ready.push_back(timer.due.into_ready());
            }
        }
        drop(queues);
    }

    /// When the next timer is due.
    pub(crate) fn next_timer_s(&self) -> Option<f64> {
        self.lock().timers.peek().map(|timer| timer.when_s)
    }

    pub(crate) fn note_cancelled_timer(&self) {
        let mut queues = self.lock();
        queues.cancelled_timers += 1;
        if queues.cancelled_timers < CANCELLED_TIMERS || queues.cancelled_timers * 2 < queues.timers.len() {
            return;
        }
        let (dead, alive): (Vec<_>, Vec<_>) =
            std::mem::take(&mut queues.timers).into_vec().into_iter().partition(|timer| timer.due.is_cancelled());
        queues.timers = BinaryHeap::from(alive);
        queues.cancelled_timers = 0;
        drop(queues);
        drop(dead);
    }

    /// Whether something in the queues waits for Python.
    pub(crate) fn has_work(&self) -> bool {
        let queues = self.lock();
        !queues.ready.is_empty() || !queues.jobs.is_empty()
    }

    /// Shows the garbage collector what a loop that nobody closes keeps alive. The collector must not wait: what is
    /// locked now is being used now.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(queues) = self.queues.try_lock() {
            queues.ready.iter().try_for_each(|ready| ready.traverse(visit))?;
            queues.timers.iter().try_for_each(|timer| timer.due.traverse(visit))?;
        }
        if let Ok(watched) = self.watched.try_lock() {
            watched
                .iter()
                .filter_map(|(_, watched)| watched.as_ref())
                .try_for_each(|watched| watched.traverse(visit))?;
        }
        Ok(())
    }

    /// Empties every queue; the loop is closed. The caller holds the interpreter.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Relaxed);
        // With the pump's task it keeps the runtime's driver, and that its descriptors.
        let waker = self.lock_waker().take();
        drop(waker);
        let queues = std::mem::take(&mut *self.lock());
        drop(queues);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }
}

/// What is watched.
impl Shared {
    fn lock_watched(&self) -> MutexGuard<'_, Slab<Option<Watched>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among what is watched, still empty.
    pub(crate) fn reserve_place(&self) -> usize {
        self.lock_watched().insert(None)
    }

    pub(crate) fn fill_place(&self, place: usize, owner: Watched) {
        if let Some(slot) = self.lock_watched().get_mut(place) {
            *slot = Some(owner);
        }
    }

    pub(crate) fn empty_place(&self, place: usize) -> Option<Watched> {
        self.lock_watched().try_remove(place).flatten()
    }

    pub(crate) fn watched(&self, py: Python<'_>, place: usize) -> Option<Watched> {
        self.lock_watched().get(place)?.as_ref().map(|watched| watched.clone_ref(py))
    }

    pub(crate) fn streams(&self, py: Python<'_>) -> Vec<Py<StreamTransport>> {
        let watched = self.lock_watched();
        let streams = watched.iter().filter_map(|(_, watched)| match watched {
            Some(Watched::Stream(transport)) => Some(transport.clone_ref(py)),
            _ => None,
        });
        streams.collect()
    }

    pub(crate) fn take_watched(&self) -> Vec<Watched> {
        std::mem::take(&mut *self.lock_watched()).into_iter().filter_map(|(_, watched)| watched).collect()
    }
}

/// How the loop runs, and ends.
impl Shared {
    pub(crate) fn is_debug(&self) -> bool {
        self.is_debug.load(Relaxed)
    }

    pub(crate) fn set_debug(&self, enabled: bool) {
        self.is_debug.store(enabled, Relaxed);
    }

    pub(crate) fn begin(&self, running: Running) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        self.has_begun.store(true, Relaxed);
        self.is_running.store(true, Relaxed);
        self.hold_interpreter();
    }

    /// The run is over: gives back what it was begun with, to be dropped.
    pub(crate) fn end(&self) -> Option<Running> {
        self.is_running.store(false, Relaxed);
        self.let_interpreter_go();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What the run was ended by.
    pub(crate) fn take_failure(&self) -> Option<PyErr> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn running(&self, py: Python<'_>) -> Option<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref()?;
        Some(Running { event_loop: running.event_loop.clone_ref(py) })
    }

    /// Whether the run is before its first turn; asked once.
    pub(crate) fn take_has_begun(&self) -> bool {
        self.has_begun.swap(false, Relaxed)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Relaxed)
    }

    pub(crate) fn request_stop(&self) {
        self.is_stopping.store(true, Relaxed);
        self.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    /// Stops the loop with an exception, the first one if there are several.
    pub(crate) fn fail(&self, error: PyErr) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let later = if failure.is_none() { failure.replace(error) } else { Some(error) };
        drop(failure);
        drop(later);
        self.request_stop();
    }

    /// Ends the run where a stop was asked for; tells whether it was.
    pub(crate) fn finish_if_stopping(&self) -> bool {
        if !self.is_stopping.swap(false, Relaxed) {
            return false;
        }
        self.is_running.store(false, Relaxed);
        self.end_phase();
        true
    }
}

/// Who holds the interpreter.
impl Shared {
    /// The thread holds the interpreter from here on, until [`Shared::let_interpreter_go`].
    pub(crate) fn hold_interpreter(&self) {
        self.holds_interpreter.store(true, Relaxed);
        self.wake();
    }

    pub(crate) fn let_interpreter_go(&self) {
        self.holds_interpreter.store(false, Relaxed);
    }

    /// Whether handlers may be called in place. A hint for speed: attaching is what makes it sound.
    pub(crate) fn holds_interpreter(&self) -> bool {
        self.holds_interpreter.load(Relaxed)
    }

    /// Forgets that the phase before was told more than once to end, which would end this one at once.
    pub(crate) fn begin_phase(&self) {
        pin!(self.phase_over.notified()).as_mut().enable();
    }

    pub(crate) fn end_phase(&self) {
        self.let_interpreter_go();
        self.phase_over.notify_one();
    }

    pub(crate) fn note_run_in_place(&self) {
        self.ran_in_place.store(true, Relaxed);
    }

    pub(crate) fn take_ran_in_place(&self) -> bool {
        self.ran_in_place.swap(false, Relaxed)
    }
}

/// What is shown of the loop's progress.
impl Shared {
    /// Has the loop show there from now on that it goes on.
    pub(crate) fn show_in(&self, seat: Arc<Seat>) {
        self.seat.get_or_init(|| seat);
    }

    /// The loop goes on: whatever it begins now, it has come so far.
    pub(crate) fn show_progress(&self, now_s: f64) {
        if let Some(seat) = self.seat.get() {
            seat.show((now_s * 1e3) as u64);
        }
    }

    /// The loop waits for something to do.
    pub(crate) fn show_rest(&self) {
        if let Some(seat) = self.seat.get() {
            seat.rest();
        }
    }
}

/// Waking the pump.
impl Shared {
    fn lock_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut slot = self.lock_waker();
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.lock_waker() {
            waker.wake_by_ref();
        }
    }
}
