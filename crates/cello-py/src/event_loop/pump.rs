//! The task that gives Python its turns, and decides when the thread holds the interpreter.
//!
//! The thread is in one of two phases. *Without* the interpreter, connections are served natively; a request that
//! needs Python is queued, and the pump attaches once for all that wait. If those were several, or more is waiting
//! right after, the worker is busy, and the thread goes over to the phase *with* the interpreter: handlers are then
//! called in place by the connections themselves. It ends at the first turn in which nothing needed Python, after one
//! look at the operating system's events that did not wait for any.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cello_kernel::Registered;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Sleep};

use crate::dispatch::panicked;

use super::acceptor::Acceptor;
use super::errors::report;
use super::handle::Cancellable;
use super::ready::Ready;
use super::shared::{Running, Shared, now_s};
use super::transport::StreamTransport;
use super::watched::Watched;

/// The longest a timer is slept for at once: tokio's clock is good for two years.
const LONGEST_SLEEP_S: f64 = 86_400.0;
/// How long callbacks that make others ready at once go on without a look at the operating system's events: a look costs
/// as much as several short turns.
const LOOK_INTERVAL_S: f64 = 50e-6;
/// What a socket can give in one call.
const RECEPTION_BYTES: usize = 256 * 1024;

pub(crate) struct Pump {
    shared: Arc<Shared>,
    selector: AsyncFd<Registered>,
    /// Whether the selector may have events that nobody has seen.
    has_events: bool,
    sleep: Pin<Box<Sleep>>,
    armed_for_s: f64,
    looked_at_s: f64,
    /// What is received passes through here; never longer than one call.
    buffer: Vec<u8>,
}

impl Pump {
    /// To be made inside the runtime that will run it; `selector` is the standard selector's own epoll.
    pub(crate) fn new(shared: Arc<Shared>, selector: AsyncFd<Registered>) -> Self {
        Self {
            shared,
            selector,
            has_events: true,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed_for_s: f64::INFINITY,
            looked_at_s: f64::NEG_INFINITY,
            buffer: vec![0; RECEPTION_BYTES],
        }
    }

    /// Runs until the runtime is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            poll_fn(|context| self.poll_start(context)).await;
            if self.shared.take_has_begun() {
                tokio::task::yield_now().await; // as a turn of asyncio's, the first one sees what has come before it
            }
            self.note_look();
            let mut is_busy = false;
            loop {
                let has_work = poll_fn(|context| Poll::Ready(self.look(context))).await;
                let requests = if has_work { Python::attach(|py| self.turns(py)) } else { 0 };
                is_busy |= requests > 1;
                let ran_in_place = self.shared.take_ran_in_place();
                if self.shared.finish_if_stopping() {
                    self.shared.show_rest();
                    break;
                }
                if self.shared.holds_interpreter() {
                    if !has_work && !ran_in_place {
                        self.shared.end_phase();
                        break;
                    }
                } else if !has_work {
                    break;
                } else if is_busy {
                    self.shared.phase_over.notify_one();
                }
                is_busy = true;
                // Resumes after the connections have run and the driver was polled without waiting.
                tokio::task::yield_now().await;
                self.note_look();
            }
        }
    }

    /// Waits until Python has something to do, or the thread has got hold of the interpreter.
    fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.set_waker(context.waker());
        let has_work = self.look(context);
        let starts = self.shared.is_running() && (has_work || self.shared.holds_interpreter());
        if starts {
            return Poll::Ready(());
        }
        self.shared.show_rest();
        Poll::Pending
    }

    /// The operating system's events were just looked at.
    fn note_look(&mut self) {
        self.looked_at_s = now_s();
        self.shared.show_progress(self.looked_at_s);
    }

    /// Whether Python has something to do; if not, the task is woken when it has.
    fn look(&mut self, context: &mut Context<'_>) -> bool {
        while let Poll::Ready(Ok(mut ready)) = self.selector.poll_read_ready(context) {
            self.has_events = true;
            ready.clear_ready();
        }
        let is_due = self.poll_timer(context);
        is_due || self.has_events || self.shared.has_work()
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> bool {
        let Some(when_s) = self.shared.next_timer_s() else { return false };
        let left_s = when_s - now_s();
        if left_s <= 0.0 {
            return true;
        }
        if self.armed_for_s != when_s {
            self.armed_for_s = when_s;
            self.sleep.as_mut().reset(Instant::now() + nap(left_s));
        }
        let has_slept = self.sleep.as_mut().poll(context).is_ready();
        if has_slept {
            self.armed_for_s = f64::INFINITY;
        }
        has_slept
    }

    /// Gives Python turns as long as each makes the next one ready, but for the look at the operating system's events
    /// that is due now and then. Returns the number of requests.
    fn turns(&mut self, py: Python<'_>) -> usize {
        let mut requests = self.turn(py);
        while self.shared.has_ready() && !self.shared.is_stopping() && now_s() - self.looked_at_s < LOOK_INTERVAL_S {
            requests += self.turn(py);
        }
        requests
    }

    /// Gives Python one turn: queued requests, the selector's events, due timers, and the callbacks ready by then.
    /// Returns the number of requests.
    fn turn(&mut self, py: Python<'_>) -> usize {
        let Some(running) = self.shared.running(py) else { return 0 };
        let jobs = self.shared.take_jobs();
        let requests = jobs.len();
        for job in jobs {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job.run(py))) {
                panicked(&*panic).write_unraisable(py, None);
            }
        }
        if let Err(error) = py.check_signals().and_then(|()| self.collect_events(py, &running)) {
            self.shared.fail(error);
            return requests;
        }
        self.shared.collect_due_timers();
        for _ in 0..self.shared.ready_len() {
            let Some(ready) = self.shared.pop_ready() else { break };
            if let Err(error) = run_ready(py, ready, &self.shared, &running, &mut self.buffer) {
                self.shared.fail(error);
                break;
            }
        }
        requests
    }

    /// Has the standard selector hand its events to the loop, until it has none.
    fn collect_events(&mut self, py: Python<'_>, running: &Running) -> PyResult<()> {
        if self.has_events {
            self.has_events = running.event_loop.bind(py).call_method0(intern!(py, "_collect_events"))?.is_truthy()?;
        }
        Ok(())
    }
}

/// What tokio is told to sleep for what is left. It counts its milliseconds from its own beginning, and takes for whole
/// both the one that it is in and the one that the end is in: that is a millisecond too long.
fn nap(left_s: f64) -> Duration {
    let left_ms = (left_s.min(LONGEST_SLEEP_S) * 1e3).ceil();
    Duration::from_millis((left_ms as u64).saturating_sub(1))
}

/// Runs what is ready. What fails, or panics, is reported, but for what is meant to end the process.
fn run_ready(py: Python<'_>, ready: Ready, shared: &Shared, running: &Running, buffer: &mut [u8]) -> PyResult<()> {
    let debugged = shared.is_debug().then(|| (ready.subject(py, shared), now_s()));
    let ran = catch_unwind(AssertUnwindSafe(|| run(py, ready, shared, running, buffer)));
    if let Err(error) = ran.unwrap_or_else(|panic| Err(panicked(&*panic))) {
        report(running.event_loop.bind(py), error, "Exception in the event loop", &[])?;
    }
    if let Some((subject, began_s)) = debugged {
        let took_s = now_s() - began_s;
        running.event_loop.call_method1(py, intern!(py, "_note_duration"), (subject, took_s))?;
    }
    Ok(())
}

fn run(py: Python<'_>, ready: Ready, shared: &Shared, running: &Running, buffer: &mut [u8]) -> PyResult<()> {
    match ready {
        Ready::Soon(handle) => run_callback(py, &handle.get().0, handle.as_any(), running),
        Ready::Due(handle) => run_callback(py, &handle.get().callback, handle.as_any(), running),
        Ready::Standard(handle) => running.event_loop.call_method1(py, intern!(py, "_run_handle"), (handle,)).map(drop),
        Ready::Turn(relay) => relay.get().take_turn(py),
        Ready::News(place) => {
            let served = match shared.watched(py, place) {
                Some(Watched::Stream(transport)) => StreamTransport::serve(transport.bind(py), buffer),
                Some(Watched::Acceptor(acceptor)) => Acceptor::serve(acceptor.bind(py)),
                None => Ok(()), // closed in the meantime
            };
            // The loop may run again, and the system tells its news only once.
            served.inspect_err(|_| shared.push_ready(Ready::News(place)))
        }
        Ready::Made { transport, waiter } => {
            StreamTransport::begin(transport.bind(py), waiter.as_ref().map(|waiter| waiter.bind(py)))
        }
        Ready::Lost { transport, error } => StreamTransport::lose(transport.bind(py), error),
    }
}

fn run_callback(py: Python<'_>, callback: &Cancellable, handle: &Py<PyAny>, running: &Running) -> PyResult<()> {
    let ran = catch_unwind(AssertUnwindSafe(|| callback.run(py)));
    match ran.unwrap_or_else(|panic| Err((panicked(&*panic), "of native code".to_owned()))) {
        Ok(()) => Ok(()),
        Err((error, callback)) => {
            let message = format!("Exception in callback {callback}");
            report(running.event_loop.bind(py), error, &message, &[("handle", handle.bind(py))])
        }
    }
}
