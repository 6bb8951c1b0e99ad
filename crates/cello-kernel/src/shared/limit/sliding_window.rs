//! A window that slides, by two counts.

use super::{Decision, Limit, LimitError, NS_PER_MS, Step, window};

/// Bits of a count.
const COUNT_BITS: u32 = 16;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Allows `requests` in any window, as far as two counts tell.
///
/// The first window begins at the key's first request, and others follow on it. All is in whole milliseconds. The state is
/// the beginning of the current window, the count of the one before it, and its own: 31, 16 and 16 bits. A request at
/// `now`, `age` after the beginning:
///
/// ```text
/// age >= 2 * window:  the key is new: the window begins now, both counts are 0
/// age >= window:      the window begins one window later, before = count, count = 0
/// weight = before * (window - age) + count * window
/// it is allowed if weight + cost * window <= requests * window; then count' = count + cost, else the state stays
/// remaining   = floor((requests * window - weight') / window)
/// retry after = the least time after which that is allowed;   the key expires at the beginning + 2 * window
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SlidingWindow {
    requests: u64,
    window_ms: u64,
}

impl SlidingWindow {
    /// A window of so many requests. It is rounded down to whole milliseconds.
    ///
    /// # Errors
    /// The requests are not 1 to 65,535, or the window is not a millisecond to 7 days.
    pub fn new(requests: u64, window_ns: u64) -> Result<Self, LimitError> {
        if !(1..=COUNT_MASK).contains(&requests) {
            return Err(LimitError("a sliding window has 1 to 65535 requests; take a token bucket for more"));
        }
        Ok(Self { requests, window_ms: window::length_ms(window_ns)? })
    }

    fn weight(&self, before: u64, count: u64, age: u64) -> u64 {
        before * (self.window_ms - age) + count * self.window_ms
    }

    /// The least age at which a window with these counts has room for one of this cost; none while it lasts.
    fn age_with_room(&self, before: u64, count: u64, cost: u64) -> Option<u64> {
        let spare = self.requests.checked_sub(count + cost)?;
        Some(match before {
            0 => 0,
            _ => self.window_ms.saturating_sub(spare * self.window_ms / before),
        })
    }
}

impl Limit for SlidingWindow {
    fn most(&self) -> u64 {
        self.requests
    }

    fn decide(&self, state: Option<u64>, now_ns: u64, cost: u64) -> Step<Decision> {
        let now_ms = now_ns / NS_PER_MS;
        let window_ms = self.window_ms;
        let kept = state.map(|state| {
            let start = state >> (2 * COUNT_BITS);
            (window::age_ms(start, now_ms), state >> COUNT_BITS & COUNT_MASK, state & COUNT_MASK, start)
        });
        let (age, before, count, start) = match kept {
            Some((age, before, count, start)) if age < window_ms => (age, before, count, start),
            Some((age, _, count, start)) if age < 2 * window_ms => {
                (age - window_ms, count, 0, window::start_of(start + window_ms))
            }
            _ => (0, 0, 0, window::start_of(now_ms)),
        };
        let full = self.requests * window_ms;
        let is_allowed = self.weight(before, count, age) + cost * window_ms <= full;
        let count = if is_allowed { count + cost } else { count };
        let room_at = match self.age_with_room(before, count, cost) {
            Some(room_at) => room_at,
            // It has no room by itself: the next one has room once this one's count weighs little enough. A window that ends
            // is not yet the next one's, whose age is zero then.
            None => window_ms + self.age_with_room(count, 0, cost).unwrap_or(window_ms),
        };
        let end_ns = |ms: u64| ((now_ms - age.min(now_ms) + ms) * NS_PER_MS).saturating_sub(now_ns);
        let answer = Decision {
            is_allowed,
            remaining: full.saturating_sub(self.weight(before, count, age)) / window_ms,
            retry_after_ns: if room_at > age { end_ns(room_at) } else { 0 },
            reset_after_ns: end_ns(2 * window_ms),
        };
        let state = match state {
            // What was only brought up to date is brought there again by whoever comes next.
            Some(state) if !is_allowed => state,
            _ => start << (2 * COUNT_BITS) | before << COUNT_BITS | count,
        };
        Step { state, expires_at: now_ns + answer.reset_after_ns, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_at_the_first_request_and_slides_on() {
        let limit = SlidingWindow::new(4, 1000 * NS_PER_MS).expect("a limit");
        let mut state = None;
        let mut at = |ms: u64| {
            let step = limit.decide(state, ms * NS_PER_MS, 1);
            state = Some(step.state);
            (step.answer.is_allowed, step.answer.remaining, step.answer.retry_after_ns / NS_PER_MS)
        };
        assert_eq!(at(700), (true, 3, 0));
        assert_eq!([at(800), at(900)], [(true, 2, 0), (true, 1, 0)]);
        assert_eq!(at(1699), (true, 0, 251)); // the next window begins at 1700, and a quarter of it must pass
        assert_eq!(at(1700), (false, 0, 250));
        assert_eq!(at(1949), (false, 0, 1));
        assert_eq!(at(1950), (true, 0, 250));
        assert_eq!(at(2200), (true, 0, 250));
        assert_eq!(at(9000), (true, 3, 0));
    }
}
