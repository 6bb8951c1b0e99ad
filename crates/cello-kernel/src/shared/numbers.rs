//! A number for each key, until so long after it was last written.

use super::arena::Arena;
use super::error::ArenaError;
use super::expiring_map::{ExpiringMap, Step};
use super::limit::LimitError;
use super::slot::Key;

/// The greatest number.
pub const MOST: u32 = u32::MAX - 1;

const NS_PER_MS: u64 = 1_000_000;
/// A state: when it was written, in 31 bits, and the number and one in 32, where zero is no number.
const NUMBER_BITS: u32 = 32;
/// Milliseconds after which what is written comes round, after 24 days; none is zero.
const ROUND_MS: u64 = (1 << 31) - 1;
/// A number lasts that much shorter that which of two was written later is plain.
const LONGEST_NS: u64 = 7 * 86_400_000 * NS_PER_MS;

/// The map is full: a new key finds no place until another's number has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFull;

/// Numbers from 0 to [`MOST`] by key. Each is forgotten so long after it was last written, and no earlier.
///
/// A state holds when it was written, and no later writing has an earlier time: so one that has expired never comes back, as
/// [`Step::state`] wants it.
#[derive(Clone, Debug)]
pub struct Numbers {
    map: ExpiringMap,
    lifetime_ns: u64,
}

impl Numbers {
    /// The numbers of this name, for so many keys; the lifetime is rounded up to whole milliseconds.
    ///
    /// # Errors
    /// As for [`Arena::segment`].
    pub fn open(arena: &Arena, name: &str, keys: usize, lifetime_ns: u64) -> Result<Self, ArenaError> {
        Ok(Self { map: ExpiringMap::open(arena, name, keys)?, lifetime_ns })
    }

    /// Whether numbers may last so long.
    ///
    /// # Errors
    /// It is not a millisecond to 7 days.
    pub fn check_lifetime(lifetime_ns: u64) -> Result<(), LimitError> {
        match lifetime_ns {
            NS_PER_MS..=LONGEST_NS => Ok(()),
            _ => Err(LimitError("a number lasts from a millisecond to 7 days")),
        }
    }

    /// What a key is in this map.
    pub fn key(&self, bytes: &[u8]) -> Key {
        self.map.key(bytes)
    }

    /// A key's number.
    pub fn get(&self, key: Key, now_ns: u64) -> Option<u32> {
        self.map.peek(key, now_ns).and_then(number_of)
    }

    /// Adds to a key's number, which is 0 before, and gives what it is then: [`MOST`] at most.
    ///
    /// # Errors
    /// [`MapFull`].
    pub fn add(&self, key: Key, count: u32, now_ns: u64) -> Result<u32, MapFull> {
        let sum = |before: Option<u32>| before.unwrap_or(0).saturating_add(count).min(MOST);
        self.write(key, now_ns, |before| Some(Some(sum(before)))).map(sum)
    }

    /// Writes a key's number, or takes it away, and gives what it was.
    ///
    /// # Errors
    /// [`MapFull`].
    pub fn set(&self, key: Key, number: Option<u32>, now_ns: u64) -> Result<Option<u32>, MapFull> {
        if number.is_none() && self.get(key, now_ns).is_none() {
            return Ok(None);
        }
        self.write(key, now_ns, |_| Some(number))
    }

    /// Writes a key's number, or takes it away, where it is `old`; whether it was.
    ///
    /// # Errors
    /// [`MapFull`].
    pub fn replace(&self, key: Key, old: Option<u32>, new: Option<u32>, now_ns: u64) -> Result<bool, MapFull> {
        if self.get(key, now_ns) != old {
            return Ok(false);
        }
        self.write(key, now_ns, |before| (before == old).then_some(new)).map(|before| before == old)
    }

    /// Writes what `next` says of the number that there is, if it says anything, and gives that number.
    fn write(
        &self,
        key: Key,
        now_ns: u64,
        next: impl Fn(Option<u32>) -> Option<Option<u32>>,
    ) -> Result<Option<u32>, MapFull> {
        let written = self.map.update_own(key, now_ns, &|state| {
            let before = state.and_then(number_of);
            match (next(before), state) {
                (Some(number), _) => {
                    let state = state_of(number, state, now_ns);
                    Step { state, expires_at: expiry(now_ns, self.lifetime_ns), answer: before }
                }
                (None, Some(state)) => Step { state, expires_at: now_ns, answer: before },
                // The key has a slot by now, and nothing to keep in it: it has expired at once.
                (None, None) => Step { state: state_of(None, None, now_ns), expires_at: now_ns, answer: before },
            }
        });
        written.ok_or(MapFull)
    }
}

fn number_of(state: u64) -> Option<u32> {
    (state as u32).checked_sub(1)
}

fn state_of(number: Option<u32>, before: Option<u64>, now_ns: u64) -> u64 {
    let now = now_ns / NS_PER_MS % ROUND_MS + 1;
    // By the clock of another process, which was faster, it may have been written later.
    let written = match before.map(|state| state >> NUMBER_BITS) {
        Some(last) if (last + ROUND_MS - now) % ROUND_MS < ROUND_MS / 2 => last,
        _ => now,
    };
    written << NUMBER_BITS | number.map_or(0, |number| u64::from(number.min(MOST)) + 1)
}

/// Counted from the end of the millisecond, which is as much as a state says.
fn expiry(now_ns: u64, lifetime_ns: u64) -> u64 {
    (now_ns / NS_PER_MS + 1) * NS_PER_MS + lifetime_ns
}

#[cfg(test)]
mod tests {
    use super::super::tests::model::{Bounds, explore};
    use super::*;

    const MS: u64 = NS_PER_MS;
    const LIFETIME: u64 = 100 * MS;

    fn numbers(keys: usize) -> Numbers {
        let arena = Arena::with_secret(1 << 20, [7; 16]).expect("an arena");
        Numbers::open(&arena, "numbers", keys, LIFETIME).expect("room")
    }

    #[test]
    fn a_number_is_what_was_last_written_until_its_time_is_over() {
        let numbers = numbers(8);
        let key = numbers.key(b"a");
        assert_eq!(numbers.get(key, 0), None);
        assert_eq!(numbers.add(key, 2, 0), Ok(2));
        assert_eq!(numbers.add(key, 3, 50 * MS), Ok(5));
        assert_eq!(numbers.get(key, 150 * MS), Some(5));
        assert_eq!(numbers.get(key, 151 * MS), None);
        assert_eq!(numbers.add(key, 1, 151 * MS), Ok(1));
        assert_eq!(numbers.set(key, Some(0), 152 * MS), Ok(Some(1)));
        assert_eq!(numbers.get(key, 152 * MS), Some(0));
        assert_eq!(numbers.add(key, u32::MAX, 152 * MS), Ok(MOST));
        assert_eq!(numbers.add(key, 1, 152 * MS), Ok(MOST));
    }

    #[test]
    fn a_number_is_replaced_where_it_is_what_is_told() {
        let numbers = numbers(8);
        let key = numbers.key(b"a");
        assert_eq!(numbers.replace(key, Some(0), Some(1), 0), Ok(false));
        assert_eq!(numbers.replace(key, None, Some(1), 0), Ok(true));
        assert_eq!(numbers.replace(key, None, Some(2), 0), Ok(false));
        assert_eq!(numbers.replace(key, Some(1), Some(2), 0), Ok(true));
        assert_eq!(numbers.get(key, 0), Some(2));
        assert_eq!(numbers.replace(key, Some(2), None, 0), Ok(true));
        assert_eq!(numbers.get(key, 0), None);
        assert_eq!(numbers.set(key, None, 0), Ok(None));
        assert_eq!(numbers.add(key, 1, 0), Ok(1));
    }

    #[test]
    fn a_full_map_takes_no_key_and_makes_none_share() {
        let numbers = numbers(1); // two slots
        for name in [b"a", b"b"] {
            assert_eq!(numbers.add(numbers.key(name), 1, 0), Ok(1));
        }
        let key = numbers.key(b"c");
        assert_eq!(numbers.add(key, 1, 0), Err(MapFull));
        assert_eq!(numbers.set(key, Some(1), 0), Err(MapFull));
        assert_eq!(numbers.replace(key, None, Some(1), 0), Err(MapFull));
        assert_eq!((numbers.get(key, 0), numbers.set(key, None, 0)), (None, Ok(None)));
        assert_eq!(numbers.add(numbers.key(b"a"), 1, 0), Ok(2));
        assert_eq!(numbers.add(key, 1, 101 * MS), Ok(1));
    }

    #[test]
    fn a_clock_that_is_behind_anothers_writes_nothing_earlier() {
        let [first, second, round] = [5 * MS, 4 * MS, (ROUND_MS + 2) * MS];
        let last = state_of(Some(1), None, first);
        assert_eq!(state_of(Some(2), Some(last), second), last + 1);
        assert_eq!(state_of(Some(1), Some(last), first + MS), last + (1 << NUMBER_BITS));
        let old = state_of(None, None, (ROUND_MS - 1) * MS);
        assert_eq!(state_of(None, Some(old), round), state_of(None, None, round));
        for now in [0, ROUND_MS - 1, ROUND_MS, u64::MAX / MS] {
            assert!((1..1 << 63).contains(&state_of(None, None, now * MS)));
            assert!((1..1 << 63).contains(&state_of(Some(MOST), None, now * MS)));
        }
    }

    #[test]
    fn a_lifetime_that_cannot_be_kept_is_refused() {
        assert!(Numbers::check_lifetime(MS - 1).is_err() && Numbers::check_lifetime(LONGEST_NS + 1).is_err());
        assert!(Numbers::check_lifetime(MS).is_ok() && Numbers::check_lifetime(LONGEST_NS).is_ok());
    }

    #[test]
    fn however_two_processes_interleave_and_one_is_killed_no_addition_is_lost_or_made_twice() {
        let add = |numbers: &Numbers| numbers.add(numbers.key(b"a"), 1, 0);
        let found = explore(
            Bounds { switches: 2, kills: 1 },
            || numbers(2),
            &[&add, &add],
            |numbers, results| {
                let done = results.iter().flatten().count() as u32;
                let number = numbers.get(numbers.key(b"a"), 0).unwrap_or(0);
                assert!((done..=2).contains(&number) && (results.contains(&None) || number == 2));
            },
        );
        assert!(found > 1000, "{found} schedules");
    }

    #[test]
    fn however_two_processes_interleave_one_is_the_first() {
        let claim = |numbers: &Numbers| numbers.replace(numbers.key(b"a"), None, Some(1), 0);
        explore(
            Bounds { switches: 3, kills: 0 },
            || numbers(2),
            &[&claim, &claim],
            |_, results| {
                assert_eq!(results.iter().flatten().filter(|&&first| first == Ok(true)).count(), 1);
            },
        );
    }
}
