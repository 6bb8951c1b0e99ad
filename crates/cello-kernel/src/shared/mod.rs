//! State that all workers of a machine share, in one piece of memory, with nothing to lock.
//!
//! [`Arena`] hands out segments by name. Two structures stand on it: [`Cells`], counters that only grow in number, and
//! [`ExpiringMap`], a word of state a key, which expires: for limits, and for [`Numbers`]. Any process may be killed at any instruction. Times come from the
//! caller; there is no clock here. `docs/decisions/0008-the-arena-is-never-locked.md` says why all of it holds.
//! [`Workers`] are the first that use it.

mod arena;
mod cells;
mod directory;
mod error;
mod expiring_map;
mod limit;
mod mapping;
mod numbers;
mod slot;
mod word;
mod workers;

pub use arena::{ARENA_BYTES, Arena, Segment};
pub use cells::{CellId, Cells, CellsFull, OTHER, Reading};
pub use error::ArenaError;
pub use expiring_map::{ExpiringMap, Step, Updated};
pub use limit::{Decision, FixedWindow, Limit, LimitError, SlidingWindow, TokenBucket};
pub use numbers::{MOST, MapFull, Numbers};
pub use slot::Key;
pub use workers::{Seat, SlotReading, Workers};

#[cfg(test)]
mod tests {
    pub(super) mod model;
}
