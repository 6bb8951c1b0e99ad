//! A window that is counted, and then begins anew.

use super::{Decision, Limit, LimitError, NS_PER_MS, Step, window};

/// Bits of a count.
const COUNT_BITS: u32 = 32;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Allows `requests` in a window that begins at the key's first request.
///
/// All is in whole milliseconds. The state is the beginning of the window and its count: 31 and 32 bits. A request at
/// `now`, `age` after the beginning:
///
/// ```text
/// age >= window:  the key is new: the window begins now, the count is 0
/// it is allowed if count + cost <= requests; then count' = count + cost, else the state stays as it is
/// remaining   = requests - count'
/// retry after = window - age;   the key expires at the beginning + window
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FixedWindow {
    requests: u64,
    window_ms: u64,
}

impl FixedWindow {
    /// A window of so many requests. It is rounded down to whole milliseconds.
    ///
    /// # Errors
    /// The requests are not 1 to 4,294,967,295, or the window is not a millisecond to 7 days.
    pub fn new(requests: u64, window_ns: u64) -> Result<Self, LimitError> {
        if !(1..=COUNT_MASK).contains(&requests) {
            return Err(LimitError("a fixed window has 1 to 4294967295 requests"));
        }
        Ok(Self { requests, window_ms: window::length_ms(window_ns)? })
    }
}

impl Limit for FixedWindow {
    fn most(&self) -> u64 {
        self.requests
    }

    fn decide(&self, state: Option<u64>, now_ns: u64, cost: u64) -> Step<Decision> {
        let now_ms = now_ns / NS_PER_MS;
        let kept = state.map(|state| {
            let start = state >> COUNT_BITS;
            (window::age_ms(start, now_ms), state & COUNT_MASK, start)
        });
        let (age, count, start) =
            kept.filter(|&(age, ..)| age < self.window_ms).unwrap_or((0, 0, window::start_of(now_ms)));
        let is_allowed = count + cost <= self.requests;
        let count = if is_allowed { count + cost } else { count };
        let remaining = self.requests.saturating_sub(count);
        let end_ns = ((now_ms - age.min(now_ms) + self.window_ms) * NS_PER_MS).saturating_sub(now_ns);
        let answer = Decision {
            is_allowed,
            remaining,
            retry_after_ns: if remaining < cost { end_ns } else { 0 },
            reset_after_ns: end_ns,
        };
        Step { state: start << COUNT_BITS | count, expires_at: now_ns + end_ns, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_at_the_first_request_and_then_anew() {
        let limit = FixedWindow::new(2, 1000 * NS_PER_MS).expect("a limit");
        let mut state = None;
        let mut at = |ms: u64| {
            let step = limit.decide(state, ms * NS_PER_MS, 1);
            state = Some(step.state);
            (step.answer.is_allowed, step.answer.remaining, step.answer.retry_after_ns / NS_PER_MS)
        };
        assert_eq!(at(700), (true, 1, 0));
        assert_eq!(at(1600), (true, 0, 100));
        assert_eq!(at(1699), (false, 0, 1));
        assert_eq!(at(1700), (true, 1, 0));
    }
}
