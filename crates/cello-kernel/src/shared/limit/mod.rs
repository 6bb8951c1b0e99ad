//! How many requests a key has in a time: three algorithms, each exact as it is written, each with one word of state.
//!
//! They are pure functions of the state and the clock, so that all processes which share the state decide as one. Times
//! are nanoseconds of one clock that all processes read, which never goes back. A state holds the time that it is of: one
//! that has expired never comes back.

mod fixed_window;
mod sliding_window;
mod token_bucket;
mod window;

pub use fixed_window::FixedWindow;
pub use sliding_window::SlidingWindow;
pub use token_bucket::TokenBucket;

use std::fmt;

use super::expiring_map::Step;

const NS_PER_MS: u64 = 1_000_000;

/// What is decided of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is within the limit, and was counted.
    pub is_allowed: bool,
    /// How many more would be allowed now.
    pub remaining: u64,
    /// After how long one of this cost is allowed again, if no other comes first; zero while that many remain.
    pub retry_after_ns: u64,
    /// After how long the key is as if it had never come, if nothing else does.
    pub reset_after_ns: u64,
}

/// An algorithm that limits.
pub trait Limit {
    /// The greatest cost that is ever allowed.
    fn most(&self) -> u64;

    /// Decides a request at `now_ns` of a key with this state, none for one that is new or has expired. It counts for
    /// `cost` requests, 1 to [`Limit::most`].
    ///
    /// A request that is not allowed changes nothing.
    fn decide(&self, state: Option<u64>, now_ns: u64, cost: u64) -> Step<Decision>;
}

/// A limit that cannot be kept: what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError(pub(super) &'static str);

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn algorithms(requests: u64, window_ms: u64) -> [Box<dyn Limit>; 3] {
        let window_ns = window_ms * NS_PER_MS;
        [
            Box::new(TokenBucket::new(requests, window_ns).expect("a limit")),
            Box::new(SlidingWindow::new(requests, window_ns).expect("a limit")),
            Box::new(FixedWindow::new(requests, window_ns).expect("a limit")),
        ]
    }

    /// Times, each so long after the last, and what is asked then.
    fn visits() -> impl Strategy<Value = Vec<(u64, u64)>> {
        proptest::collection::vec((0..400_u64, 0..20_u64), 1..60)
    }

    fn cost_of(limit: &dyn Limit, asked: u64) -> u64 {
        asked % limit.most() + 1
    }

    /// The state after requests at these times.
    fn replay(limit: &dyn Limit, visits: &[(u64, u64)]) -> (Option<u64>, u64) {
        let (mut state, mut now) = (None, 5_000 * NS_PER_MS);
        let mut expires_at = 0;
        for &(wait_ms, asked) in visits {
            now += wait_ms * NS_PER_MS;
            let step = limit.decide(state.filter(|_| expires_at > now), now, cost_of(limit, asked));
            (state, expires_at) = (Some(step.state), expires_at.max(step.expires_at));
        }
        (state.filter(|_| expires_at > now), now)
    }

    proptest! {
        #[test]
        fn a_refusal_tells_the_first_moment_that_allows(
            requests in 1..20_u64, window_ms in 1..2000_u64, visits in visits(), asked in 0..20_u64,
        ) {
            for limit in algorithms(requests, window_ms) {
                let (state, now) = replay(&*limit, &visits);
                let cost = cost_of(&*limit, asked);
                let step = limit.decide(state, now, cost);
                if step.answer.is_allowed {
                    prop_assert!(step.answer.remaining <= requests - cost);
                    continue;
                }
                prop_assert_eq!(Some(step.state), state);
                let wait = step.answer.retry_after_ns;
                prop_assert!(wait > 0 && step.answer.remaining < cost);
                prop_assert!(limit.decide(state, now + wait, cost).answer.is_allowed);
                prop_assert!(!limit.decide(state, now + wait - 1, cost).answer.is_allowed);
            }
        }

        #[test]
        fn a_request_of_some_cost_is_as_many_requests_at_once_or_nothing(
            requests in 1..20_u64, window_ms in 1..2000_u64, visits in visits(), asked in 0..20_u64,
        ) {
            for limit in algorithms(requests, window_ms) {
                let (state, now) = replay(&*limit, &visits);
                let cost = cost_of(&*limit, asked);
                let (mut one_by_one, mut are_allowed) = (state, true);
                for _ in 0..cost {
                    let step = limit.decide(one_by_one, now, 1);
                    (one_by_one, are_allowed) = (Some(step.state), are_allowed && step.answer.is_allowed);
                }
                let step = limit.decide(state, now, cost);
                prop_assert_eq!(step.answer.is_allowed, are_allowed);
                prop_assert_eq!(Some(step.state), if are_allowed { one_by_one } else { state });
                let is_room = step.answer.remaining >= cost;
                prop_assert_eq!(step.answer.retry_after_ns == 0, is_room);
            }
        }

        #[test]
        fn what_remains_is_how_many_more_are_allowed_at_once(
            requests in 1..20_u64, window_ms in 1..2000_u64, visits in visits(),
        ) {
            for limit in algorithms(requests, window_ms) {
                let (state, now) = replay(&*limit, &visits);
                let mut step = limit.decide(state, now, 1);
                if !step.answer.is_allowed {
                    continue;
                }
                let remaining = step.answer.remaining;
                for left in (0..remaining).rev() {
                    prop_assert_eq!(step.answer.retry_after_ns, 0);
                    step = limit.decide(Some(step.state), now, 1);
                    prop_assert!(step.answer.is_allowed && step.answer.remaining == left);
                }
                prop_assert!(step.answer.retry_after_ns > 0);
                prop_assert!(!limit.decide(Some(step.state), now, 1).answer.is_allowed);
            }
        }

        #[test]
        fn an_expired_state_is_as_good_as_none_and_never_comes_back(
            requests in 1..20_u64, window_ms in 1..2000_u64, visits in visits(),
        ) {
            for limit in algorithms(requests, window_ms) {
                let (state, now) = replay(&*limit, &visits);
                let Some(state) = state else { continue };
                let later = limit.decide(Some(state), now, 1).expires_at + 2 * window_ms * NS_PER_MS;
                prop_assert_eq!(limit.decide(Some(state), later, 1), limit.decide(None, later, 1));
                prop_assert_ne!(limit.decide(None, later, 1).state, state);
            }
        }

        #[test]
        fn a_clock_that_is_behind_anothers_allows_nothing_more(
            requests in 1..20_u64, window_ms in 1..2000_u64, behind_ms in 0..4000_u64,
        ) {
            for limit in algorithms(requests, window_ms) {
                let (state, now) = replay(&*limit, &vec![(0, 0); requests as usize]);
                prop_assert!(!limit.decide(state, now - behind_ms * NS_PER_MS, 1).answer.is_allowed);
            }
        }
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_refused() {
        let day_ns = 86_400_000 * NS_PER_MS;
        assert!(TokenBucket::new(0, day_ns).is_err() && TokenBucket::new(1, 0).is_err());
        assert!(TokenBucket::new(u64::MAX, u64::MAX).is_err());
        assert!(SlidingWindow::new(0, day_ns).is_err() && SlidingWindow::new(65_536, day_ns).is_err());
        assert!(SlidingWindow::new(1, NS_PER_MS - 1).is_err() && SlidingWindow::new(1, 8 * day_ns).is_err());
        assert!(FixedWindow::new(0, day_ns).is_err() && FixedWindow::new(1, 0).is_err());
        assert!(FixedWindow::new(1 << 32, day_ns).is_err() && FixedWindow::new(1, 8 * day_ns).is_err());
    }
}
