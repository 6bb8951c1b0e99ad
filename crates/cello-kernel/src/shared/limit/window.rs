//! The beginning of a window, in few bits.

use super::{LimitError, NS_PER_MS};

/// Bits of a beginning: milliseconds that come round after 24 days. A window is that much shorter that its age is plain.
pub(super) const BITS: u32 = 31;
const ROUND_MS: u64 = 1 << BITS;
const LONGEST_MS: u64 = 7 * 86_400_000;

/// The milliseconds of a window.
pub(super) fn length_ms(window_ns: u64) -> Result<u64, LimitError> {
    match window_ns / NS_PER_MS {
        window_ms @ 1..=LONGEST_MS => Ok(window_ms),
        _ => Err(LimitError("a window lasts from a millisecond to 7 days")),
    }
}

/// The beginning of a window.
pub(super) fn start_of(now_ms: u64) -> u64 {
    now_ms % ROUND_MS
}

/// How long ago a window began. One that begins in the future, by another's clock, begins now.
pub(super) fn age_ms(start: u64, now_ms: u64) -> u64 {
    let age = now_ms.wrapping_sub(start) % ROUND_MS;
    if age >= ROUND_MS - LONGEST_MS { 0 } else { age }
}
