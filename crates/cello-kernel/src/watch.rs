//! What a connection is doing and since when, so that one sweep per worker can enforce every timeout.
//!
//! A timer per request would cost more than the request's routing; here a phase change is one relaxed store.
//! Everything runs on one thread: the atomics are for the type system and cost nothing on it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::limits::Timeouts;

/// The worker's coarse clock: it counts sweeps.
#[derive(Debug)]
pub(crate) struct Clock {
    tick: AtomicU32,
    /// The time from one sweep to the next.
    pub period: Duration,
}

impl Clock {
    /// A clock for timeouts of which `shortest` is the shortest.
    pub(crate) fn new(shortest: Duration) -> Self {
        let period = (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1));
        Self { tick: AtomicU32::new(1), period }
    }

    pub(crate) fn advance(&self) {
        self.tick.fetch_add(1, Relaxed);
    }

    fn now(&self) -> u32 {
        self.tick.load(Relaxed)
    }

    /// Whether more than `limit` has passed since `since`: never early, at most two periods late.
    fn has_passed(&self, since: u32, limit: Duration) -> bool {
        let ticks = limit.as_nanos().div_ceil(self.period.as_nanos().max(1));
        u128::from(self.now().wrapping_sub(since)) > ticks
    }
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The next request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// The next piece of a body.
    Body,
    /// Room among the buffered bodies.
    Room,
    /// The application.
    Handling,
    /// The answer is on its way out.
    Responding,
}

const PHASES: [Phase; 6] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Room, Phase::Handling, Phase::Responding];

/// Why the sweep ends something.
#[derive(Debug, PartialEq)]
pub(crate) enum Expiry {
    /// Nothing can be answered any more: close the connection.
    Close,
    /// The request can be answered with an error.
    Answer,
}

/// A future was given up because its connection's time had run out.
#[derive(Debug)]
pub(crate) struct Expired;

/// One connection under watch.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Arc<Clock>,
    phase: AtomicU8,
    since: AtomicU32,
    /// The tick since which the client takes nothing, 0 where it does.
    write_blocked_since: AtomicU32,
    expired: AtomicBool,
    /// What the handler of this request may take, in milliseconds; 0 for what the server has.
    handler_limit_ms: AtomicU32,
    /// Something of the next request came before the answer to this one was out.
    has_next: AtomicBool,
    /// The next answer is to be the last.
    retiring: AtomicBool,
    closing: AtomicBool,
    lingers: AtomicBool,
    /// A client that takes nothing is not waited for.
    hurries: AtomicBool,
    /// The request is handled while its body arrives: what comes is not of the next one.
    has_inflow: AtomicBool,
    /// There is more of the answer to come than what was written.
    has_outflow: AtomicBool,
    /// The answer's end is that of the connection: one that breaks off must not look like it.
    ends_unmarked: AtomicBool,
    /// The client sends nothing more.
    has_ended: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Watch {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        let since = AtomicU32::new(clock.now());
        Self {
            clock,
            // A new connection owes its first request's head, as if it had begun.
            phase: AtomicU8::new(Phase::Head as u8),
            since,
            write_blocked_since: AtomicU32::new(0),
            expired: AtomicBool::new(false),
            handler_limit_ms: AtomicU32::new(0),
            has_next: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            hurries: AtomicBool::new(false),
            has_inflow: AtomicBool::new(false),
            has_outflow: AtomicBool::new(false),
            ends_unmarked: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            waker: OnceLock::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        PHASES[self.phase.load(Relaxed) as usize]
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(self.clock.now(), Relaxed);
        self.expired.store(false, Relaxed);
    }

    /// A request's head is complete; what the one before it left behind is forgotten.
    pub(crate) fn begin_request(&self) {
        self.has_next.store(false, Relaxed);
        self.lingers.store(false, Relaxed);
        self.handler_limit_ms.store(0, Relaxed);
        self.end_inflow();
        self.enter(Phase::Handling);
    }

    /// Gives the handler of this request a limit of its own.
    pub(crate) fn limit_handler(&self, limit: Duration) {
        let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1);
        self.handler_limit_ms.store(limit_ms, Relaxed);
    }

    fn handler_limit(&self) -> Option<Duration> {
        match self.handler_limit_ms.load(Relaxed) {
            0 => None,
            limit_ms => Some(Duration::from_millis(limit_ms.into())),
        }
    }

    /// Bytes came.
    pub(crate) fn note_read(&self) {
        match self.phase() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Handling | Phase::Responding if self.has_inflow.load(Relaxed) => {}
            Phase::Handling | Phase::Responding => self.has_next.store(true, Relaxed),
            Phase::Head | Phase::Body | Phase::Room => {}
        }
    }

    /// The client has closed its end, or the connection is broken.
    pub(crate) fn note_end(&self) {
        self.has_ended.store(true, Relaxed);
    }

    /// Whether the client has left before the body was there that a request is handled with. hyper tells that only to who
    /// reads the body, and the application may be waiting for something else.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.has_ended.load(Relaxed) && self.has_inflow.load(Relaxed)
    }

    /// All that was to be written is written.
    pub(crate) fn note_flush(&self) {
        if self.phase() == Phase::Responding && !self.has_outflow.load(Relaxed) {
            self.enter(if self.has_next.load(Relaxed) { Phase::Head } else { Phase::Idle });
        }
    }

    pub(crate) fn note_write(&self, is_blocked: bool, made_progress: bool) {
        if !is_blocked {
            self.write_blocked_since.store(0, Relaxed);
        } else if made_progress || self.write_blocked_since.load(Relaxed) == 0 {
            self.write_blocked_since.store(self.clock.now(), Relaxed);
        }
        if made_progress && self.phase() == Phase::Idle {
            self.since.store(self.clock.now(), Relaxed);
        }
    }

    /// What has run out, if anything.
    pub(crate) fn check(&self, timeouts: &Timeouts) -> Option<Expiry> {
        let blocked = self.write_blocked_since.load(Relaxed);
        if blocked != 0 && self.clock.has_passed(blocked, timeouts.write) {
            return Some(Expiry::Close);
        }
        let (limit, expiry) = match self.phase() {
            Phase::Idle => (timeouts.keep_alive, Expiry::Close),
            Phase::Head => (timeouts.head, Expiry::Close),
            Phase::Body => (timeouts.body, Expiry::Answer),
            Phase::Handling => (self.handler_limit().or(timeouts.handler)?, Expiry::Answer),
            Phase::Room | Phase::Responding => return None,
        };
        self.clock.has_passed(self.since.load(Relaxed), limit).then_some(expiry)
    }

    /// Resolves like `future`, or to [`Expired`] once the sweep has called [`Watch::expire`].
    pub(crate) async fn unless_expired<F: Future>(&self, future: F) -> Result<F::Output, Expired> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.expired.load(Relaxed) {
                return Poll::Ready(Err(Expired));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }

    pub(crate) fn expire(&self) {
        self.expired.store(true, Relaxed);
        self.wake();
    }

    /// Asks for the next answer to be the connection's last, without a limit to when that is.
    pub(crate) fn retire(&self) {
        self.retiring.store(true, Relaxed);
    }

    pub(crate) fn is_retiring(&self) -> bool {
        self.retiring.load(Relaxed)
    }

    /// Asks the connection to end after the request it is at.
    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Has a client that takes nothing, now or later, not waited for.
    pub(crate) fn hurry(&self) {
        self.hurries.store(true, Relaxed);
        self.wake();
    }

    /// Whether the client is not to be waited for, and would have to be.
    pub(crate) fn is_given_up(&self) -> bool {
        self.hurries.load(Relaxed) && self.write_blocked_since.load(Relaxed) != 0
    }

    /// Has the client's unread bytes swallowed for a moment before the connection is closed: with them unread the
    /// operating system would send a reset, which can overtake the answer.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub(crate) fn begin_inflow(&self) {
        self.has_inflow.store(true, Relaxed);
    }

    pub(crate) fn end_inflow(&self) {
        self.has_inflow.store(false, Relaxed);
    }

    pub(crate) fn begin_outflow(&self) {
        self.has_outflow.store(true, Relaxed);
    }

    pub(crate) fn end_outflow(&self) {
        self.has_outflow.store(false, Relaxed);
    }

    pub(crate) fn note_unmarked_end(&self) {
        self.ends_unmarked.store(true, Relaxed);
    }

    pub(crate) fn ends_unmarked(&self) -> bool {
        self.ends_unmarked.load(Relaxed)
    }

    pub(crate) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ticks: u32, phase: Phase, timeouts: &Timeouts) -> Option<Expiry> {
        let clock = Arc::new(Clock::new(timeouts.shortest()));
        let watch = Watch::new(clock.clone());
        watch.enter(phase);
        for _ in 0..ticks {
            clock.advance();
        }
        watch.check(timeouts)
    }

    #[test]
    fn each_phase_has_its_own_limit_and_none_is_early() {
        let timeouts = Timeouts::default(); // one tick a second
        assert_eq!(after(10, Phase::Head, &timeouts), None);
        assert_eq!(after(11, Phase::Head, &timeouts), Some(Expiry::Close));
        assert_eq!(after(30, Phase::Body, &timeouts), None);
        assert_eq!(after(31, Phase::Body, &timeouts), Some(Expiry::Answer));
        assert_eq!(after(75, Phase::Idle, &timeouts), None);
        assert_eq!(after(76, Phase::Idle, &timeouts), Some(Expiry::Close));
        assert_eq!(after(10_000, Phase::Handling, &timeouts), None);
        assert_eq!(after(10_000, Phase::Responding, &timeouts), None);
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up_and_one_that_takes_a_little_is_not() {
        let timeouts = Timeouts::default();
        let clock = Arc::new(Clock::new(timeouts.shortest()));
        let watch = Watch::new(clock.clone());
        watch.enter(Phase::Responding);
        watch.note_write(true, false);
        for _ in 0..31 {
            assert_eq!(watch.check(&timeouts), None);
            clock.advance();
            watch.note_write(true, false);
        }
        assert_eq!(watch.check(&timeouts), Some(Expiry::Close));
        watch.note_write(true, true);
        assert_eq!(watch.check(&timeouts), None);
    }
}
