//! A bucket of tokens that fills steadily.

use super::{Decision, Limit, LimitError, Step};

/// The longest time that a full bucket stands for, some 73 years: with the clock's, it fits a state.
const LONGEST_NS: u64 = 1 << 61;

/// Allows `capacity` requests at once, and one more every `interval`.
///
/// The state is the *full time*: the moment at which the bucket will be full again. A request at `now` takes `cost` tokens:
///
/// ```text
/// full_time' = max(full_time, now) + cost * interval        (full_time = now for a new key)
/// it is allowed if full_time' - now <= capacity * interval; else full_time stays as it is
/// remaining   = floor((capacity * interval - (full_time' - now)) / interval)
/// retry after = full_time' + cost * interval - now - capacity * interval
/// reset after = full_time - now;   the key expires at its full time
/// ```
///
/// That is the generic cell rate algorithm, in its form of virtual scheduling (ITU-T I.371, annex A).
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    interval_ns: u64,
    depth_ns: u64,
}

impl TokenBucket {
    /// A bucket of `capacity` tokens that fills in `fill_ns`. The interval is rounded up to whole nanoseconds.
    ///
    /// # Errors
    /// Either is zero, or the bucket fills in over 73 years.
    pub fn new(capacity: u64, fill_ns: u64) -> Result<Self, LimitError> {
        if capacity == 0 || fill_ns == 0 {
            return Err(LimitError("a token bucket needs a capacity of at least 1 and a time to fill in"));
        }
        let interval_ns = fill_ns.div_ceil(capacity);
        match interval_ns.checked_mul(capacity) {
            Some(depth_ns) if depth_ns <= LONGEST_NS => Ok(Self { interval_ns, depth_ns }),
            _ => Err(LimitError("a token bucket fills in at most 73 years")),
        }
    }
}

impl Limit for TokenBucket {
    fn most(&self) -> u64 {
        self.depth_ns / self.interval_ns
    }

    fn decide(&self, state: Option<u64>, now_ns: u64, cost: u64) -> Step<Decision> {
        let before = state.unwrap_or(now_ns).max(now_ns);
        let taken_ns = self.interval_ns * cost;
        let after = before + taken_ns;
        let is_allowed = after - now_ns <= self.depth_ns;
        let full_time = if is_allowed { after } else { before };
        let left_ns = self.depth_ns.saturating_sub(full_time - now_ns);
        let answer = Decision {
            is_allowed,
            remaining: left_ns / self.interval_ns,
            retry_after_ns: (full_time + taken_ns - now_ns).saturating_sub(self.depth_ns),
            reset_after_ns: full_time - now_ns,
        };
        Step { state: full_time, expires_at: full_time, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_is_emptied_at_once_and_fills_one_by_one() {
        let bucket = TokenBucket::new(3, 300).expect("a limit");
        let mut state = None;
        let mut at = |now| {
            let step = bucket.decide(state, now, 1);
            state = Some(step.state);
            let Decision { is_allowed, remaining, retry_after_ns, reset_after_ns } = step.answer;
            (is_allowed, remaining, retry_after_ns, reset_after_ns)
        };
        assert_eq!(at(1000), (true, 2, 0, 100));
        assert_eq!(at(1000), (true, 1, 0, 200));
        assert_eq!(at(1010), (true, 0, 90, 290));
        assert_eq!(at(1010), (false, 0, 90, 290));
        assert_eq!(at(1099), (false, 0, 1, 201));
        assert_eq!(at(1100), (true, 0, 100, 300));
        assert_eq!(at(9000), (true, 2, 0, 100));
    }

    #[test]
    fn an_interval_is_never_shorter_than_asked_for() {
        let bucket = TokenBucket::new(3, 100).expect("a limit");
        assert_eq!((bucket.interval_ns, bucket.depth_ns), (34, 102));
    }
}
