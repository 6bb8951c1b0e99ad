//! A word of state for each key, until it expires.
//!
//! A key's slot is one of a few that follow on its hash. A new key takes the first that is free, never one whose state has
//! not expired. Two processes that bring the same key may take two slots: so a slot is first only *pending*, and a process
//! makes it live after it has looked at all slots, since it was pending, and found no other of the key. Of two pending ones
//! the first in order stays.

use super::arena::{Arena, Segment};
use super::error::ArenaError;
use super::limit::{Decision, Limit};
use super::slot::{FREED, Free, Held, Key, Look, SLOT, Slot, claim_of, is_state};
use super::word::Word;

const LAYOUT: u32 = 1;

/// The header: how many claims there were; on a line of its own the shared slot, and how often it decided.
const CLAIMS: usize = 0;
const SHARED: usize = SLOT;
const SHARED_UPDATES: usize = SHARED + 2;
const HEADER: usize = 2 * SLOT;

/// How many slots a key may be in. With 32, and half of all used, a few of 65,536 keys found theirs taken.
const REACH: usize = 64;

/// What an update makes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<A> {
    /// The new state, from 1 to 2^63 - 1. As it was, nothing is written.
    ///
    /// It must not be one that the slot had when it last expired, whosever it was: it holds a time, say.
    pub state: u64,
    /// When it expires, by the clock that the updates are told. A key never expires earlier than it was ever told.
    pub expires_at: u64,
    /// What the caller is told.
    pub answer: A,
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated<A> {
    /// What the step said.
    pub answer: A,
    /// The map is full: the key was treated as one with all others that find no slot. Worth a line in the log, once.
    pub is_shared: bool,
}

/// Keys and a word of state for each, which expires. One map has one meaning of its states.
///
/// Keys that find no slot share one state, so that together they get what one gets. A key that finds a slot while that state
/// has not expired begins with it, as if all that was allowed there had been its own.
#[derive(Clone, Debug)]
pub struct ExpiringMap {
    segment: Segment,
    /// A power of two.
    slots: usize,
}

/// What the slots of a key say.
#[derive(Default)]
struct Scan {
    live: Option<Held>,
    pending: Option<Held>,
    second: Option<Held>,
    free: Option<Free>,
}

impl ExpiringMap {
    /// The map of this name, for so many keys: it has twice the slots, 64 bytes each, or up to four times.
    ///
    /// # Errors
    /// As for [`Arena::segment`].
    pub fn open(arena: &Arena, name: &str, keys: usize) -> Result<Self, ArenaError> {
        Self::with_slots(arena, name, keys.clamp(1, 1 << 32).next_power_of_two() * 2)
    }

    fn with_slots(arena: &Arena, name: &str, slots: usize) -> Result<Self, ArenaError> {
        let segment = arena.segment(name, LAYOUT, (HEADER + slots * SLOT) * size_of::<Word>())?;
        Ok(Self { segment, slots })
    }

    /// What a key is in this map and in all others of the arena.
    pub fn key(&self, bytes: &[u8]) -> Key {
        let (high, low) = self.segment.hash(bytes);
        Key { high, low }
    }

    /// Decides a request of a key, which counts for `cost` of them: 1 to [`Limit::most`].
    pub fn decide(&self, limit: &impl Limit, key: Key, now_ns: u64, cost: u64) -> Updated<Decision> {
        self.update(key, now_ns, |state| limit.decide(state, now_ns, cost))
    }

    /// Replaces a key's state, none if it is new or has expired, in one indivisible step. `step` may be called several
    /// times; what it said last is what was done.
    ///
    /// `now_ns` is of one clock for all processes, which never goes back.
    ///
    /// # Panics
    /// The step gives a state that is none.
    pub fn update<A>(&self, key: Key, now_ns: u64, step: impl Fn(Option<u64>) -> Step<A>) -> Updated<A> {
        match self.update_own(key, now_ns, &step) {
            Some(answer) => Updated { answer, is_shared: false },
            None => self.update_shared(key, now_ns, step),
        }
    }

    /// As [`ExpiringMap::update`], but of a state that is the key's own: none where the map is full, and nothing is done.
    ///
    /// # Panics
    /// The step gives a state that is none.
    pub fn update_own<A>(&self, key: Key, now_ns: u64, step: &impl Fn(Option<u64>) -> Step<A>) -> Option<A> {
        let mut seen_pending = None;
        loop {
            let scan = self.scan(key, now_ns);
            if let Some(live) = scan.live {
                if let Some(pending) = seen_pending.take() {
                    // Another slot of the key was faster. Had this one been as fast, that would not be live.
                    self.free(pending);
                }
                let state = self.unexpired(live, now_ns);
                if let Some(answer) = self.commit(live, state, step) {
                    return Some(answer);
                }
            } else if let Some(pending) = scan.pending {
                if let Some(second) = scan.second {
                    self.free(second);
                } else if seen_pending == Some(pending)
                    && let Some(answer) = self.commit(pending, self.shared_state(now_ns), step)
                {
                    return Some(answer);
                }
                seen_pending = Some(pending);
            } else if let Some(free) = scan.free {
                let number = self.segment.words()[CLAIMS].add(1);
                seen_pending = self.slot(free.at).claim(&free, key, claim_of(number, now_ns));
            } else {
                return None;
            }
        }
    }

    /// What the next update of a key would be told.
    pub fn peek(&self, key: Key, now_ns: u64) -> Option<u64> {
        match self.scan(key, now_ns).live {
            Some(live) => self.unexpired(live, now_ns),
            None => self.shared_state(now_ns),
        }
    }

    /// How many updates the shared state has had, of keys without a slot.
    pub fn shared_updates(&self) -> u64 {
        self.segment.words()[SHARED_UPDATES].load()
    }

    fn slot(&self, at: usize) -> Slot<'_> {
        Slot(&self.segment.words()[at..at + SLOT])
    }

    fn scan(&self, key: Key, now_ns: u64) -> Scan {
        let mut scan = Scan::default();
        let words = self.segment.words();
        for step in 0..REACH.min(self.slots) {
            let at = HEADER + ((key.low as usize).wrapping_add(step) & (self.slots - 1)) * SLOT;
            match Slot(&words[at..at + SLOT]).look(at, key, now_ns) {
                Look::Live(held) => {
                    scan.live = Some(held);
                    return scan;
                }
                // A key takes the first slot that is free, and none is ever again as if never used.
                Look::Virgin(free) => {
                    scan.free.get_or_insert(free);
                    return scan;
                }
                Look::Pending(held) if scan.pending.is_none() => scan.pending = Some(held),
                Look::Pending(held) => scan.second = Some(held),
                Look::Free(free) => {
                    scan.free.get_or_insert(free);
                }
                Look::Taken => {}
            }
        }
        scan
    }

    fn unexpired(&self, held: Held, now_ns: u64) -> Option<u64> {
        (self.slot(held.at).expires().load() > now_ns).then_some(held.holder)
    }

    fn shared_state(&self, now_ns: u64) -> Option<u64> {
        let holder = self.slot(SHARED).holder().load();
        if holder == 0 { None } else { self.unexpired(Held { at: SHARED, holder }, now_ns) }
    }

    fn free(&self, pending: Held) -> bool {
        self.slot(pending.at).holder().replace(pending.holder, FREED)
    }

    /// Steps from a state that was found; none where it is not there any more.
    fn commit<A>(&self, found: Held, state: Option<u64>, step: &impl Fn(Option<u64>) -> Step<A>) -> Option<A> {
        let Step { state: next, expires_at, answer } = step(state);
        assert!(is_state(next), "{next:#x} is no state: one is from 1 to 2^63 - 1");
        if next == found.holder {
            return Some(answer);
        }
        let slot = self.slot(found.at);
        // First the expiry: were the process killed here, the slot would be kept too long, never too short.
        slot.expires().raise(expires_at);
        slot.holder().replace(found.holder, next).then_some(answer)
    }

    /// Steps from the state that all keys without a slot share.
    fn update_shared<A>(&self, key: Key, now_ns: u64, step: impl Fn(Option<u64>) -> Step<A>) -> Updated<A> {
        self.segment.words()[SHARED_UPDATES].add(1);
        let answer = loop {
            let found = Held { at: SHARED, holder: self.slot(SHARED).holder().load() };
            let state = if found.holder == 0 { None } else { self.unexpired(found, now_ns) };
            if let Some(answer) = self.commit(found, state, &step) {
                break answer;
            }
        };
        // Another process may just have found a slot for the key, and have read what was shared before this step. It is
        // made to read again; if it is live already, the step is done there as well.
        loop {
            let scan = self.scan(key, now_ns);
            if let Some(live) = scan.live {
                let state = self.unexpired(live, now_ns);
                if let Some(answer) = self.commit(live, state, &step) {
                    return Updated { answer, is_shared: true };
                }
            } else if let Some(pending) = scan.pending {
                self.free(pending);
            } else {
                return Updated { answer, is_shared: true };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limit::{FixedWindow, TokenBucket};
    use super::super::tests::model::{Bounds, explore};
    use super::*;

    const MS: u64 = 1_000_000;

    fn map(slots: usize) -> ExpiringMap {
        let arena = Arena::with_secret(1 << 20, [7; 16]).expect("an arena");
        ExpiringMap::with_slots(&arena, "limits", slots).expect("room")
    }

    fn one_in(window_ms: u64) -> FixedWindow {
        FixedWindow::new(1, window_ms * MS).expect("a limit")
    }

    /// Whether a request is allowed, and whether it had to share.
    fn ask(map: &ExpiringMap, limit: &impl Limit, name: &str, at_ms: u64) -> (bool, bool) {
        let updated = map.decide(limit, map.key(name.as_bytes()), at_ms * MS, 1);
        (updated.answer.is_allowed, updated.is_shared)
    }

    fn slots_of(map: &ExpiringMap, name: &str, at_ms: u64) -> usize {
        let key = map.key(name.as_bytes());
        let slots = (0..map.slots).map(|slot| HEADER + slot * SLOT);
        slots.filter(|&at| matches!(map.slot(at).look(at, key, at_ms * MS), Look::Live(_))).count()
    }

    #[test]
    fn each_key_has_its_own_limit() {
        let map = map(1024);
        let limit = TokenBucket::new(3, 3 * MS).expect("a limit");
        for name in 0..500 {
            let allowed = (0..5).filter(|_| ask(&map, &limit, &name.to_string(), 10) == (true, false)).count();
            assert_eq!(allowed, 3, "{name}");
        }
        assert_eq!(map.shared_updates(), 0);
    }

    #[test]
    fn a_peek_tells_what_an_update_would_be_told_and_changes_nothing() {
        let map = map(16);
        let key = map.key(b"a");
        assert_eq!(map.peek(key, 0), None);
        assert_eq!(map.update(key, 0, |state| Step { state: 5, expires_at: 10, answer: state }).answer, None);
        assert_eq!(map.peek(key, 9), Some(5));
        assert_eq!(map.update(key, 9, |state| Step { state: 6, expires_at: 8, answer: state }).answer, Some(5));
        assert_eq!(map.peek(key, 9), Some(6), "it expires no earlier than it was told before");
        assert_eq!(map.peek(key, 10), None);
    }

    #[test]
    fn what_has_expired_makes_room_and_nothing_else_does() {
        let map = map(4);
        let limit = one_in(100);
        for (n, name) in ["a", "b", "c", "d"].iter().enumerate() {
            assert_eq!(ask(&map, &limit, name, 1000 + n as u64), (true, false));
        }
        assert_eq!(ask(&map, &limit, "e", 1050), (true, true));
        assert_eq!(ask(&map, &limit, "f", 1050), (false, true), "all that have no slot get together what one gets");
        assert_eq!(ask(&map, &limit, "a", 1099), (false, false));
        assert_eq!(ask(&map, &limit, "f", 1100), (false, false), "it may have been the one that was allowed");
        assert_eq!(ask(&map, &limit, "f", 1150), (true, false));
        assert_eq!(map.shared_updates(), 2);
        assert_eq!(slots_of(&map, "a", 1150), 0);
    }

    #[test]
    fn keys_come_and_go_for_long_without_sharing() {
        let map = map(64);
        let limit = one_in(8);
        for at in 0..5000 {
            assert_eq!(ask(&map, &limit, &at.to_string(), at), (true, false), "{at}");
            assert_eq!(ask(&map, &limit, &at.to_string(), at), (false, false));
        }
    }

    #[test]
    fn a_state_that_is_none_is_refused() {
        let map = map(16);
        for state in [0, 1 << 63] {
            let step = |_| Step { state, expires_at: 1, answer: () };
            assert!(std::panic::catch_unwind(|| map.update(map.key(b"a"), 0, step)).is_err());
        }
    }

    #[test]
    fn a_slot_whose_claimant_is_gone_is_free_after_a_second() {
        let map = map(1);
        let slot = map.slot(HEADER);
        assert!(matches!(slot.look(HEADER, map.key(b"gone"), 0), Look::Virgin(_)));
        assert!(slot.holder().replace(0, claim_of(0, 0)));
        assert_eq!(ask(&map, &one_in(1), "a", 999), (true, true));
        assert_eq!(ask(&map, &one_in(1), "a", 1000), (true, false));
    }

    #[test]
    fn however_two_processes_interleave_and_one_is_killed_a_new_key_has_one_state() {
        let request = |map: &ExpiringMap| ask(map, &one_in(100), "a", 1000);
        let found = explore(
            Bounds { switches: 2, kills: 1 },
            || map(4),
            &[&request, &request],
            |map, results| {
                let allowed = results.iter().flatten().filter(|&&(is_allowed, _)| is_allowed).count();
                assert!(allowed <= 1);
                assert!(results.iter().flatten().all(|&(_, is_shared)| !is_shared));
                let (is_allowed, is_shared) = ask(map, &one_in(100), "a", 1000);
                assert!(!is_shared && allowed + usize::from(is_allowed) <= 1);
                // Without a kill nothing is lost either.
                assert!(results.contains(&None) || allowed == 1);
                assert_eq!(slots_of(map, "a", 1000), 1);
            },
        );
        assert!(found > 2000, "{found} schedules");
    }

    #[test]
    fn however_processes_interleave_two_slots_do_not_make_two_states() {
        // Whoever comes later finds the first slot free that another passed over.
        let early = |map: &ExpiringMap| ask(map, &one_in(100), "a", 1099).0;
        let late = |map: &ExpiringMap| ask(map, &one_in(100), "a", 1100).0;
        let begin = || {
            let map = map(2);
            let first =
                ["x", "y", "z"].into_iter().find(|name| (map.key(name.as_bytes()).low ^ map.key(b"a").low) & 1 == 0);
            ask(&map, &one_in(100), first.expect("a key with the same first slot"), 1000);
            map
        };
        explore(Bounds { switches: 3, kills: 0 }, begin, &[&early, &late], |map, results| {
            assert_eq!(results.iter().flatten().filter(|&&allowed| allowed).count(), 1);
            assert_eq!(slots_of(map, "a", 1100), 1);
        });
        explore(Bounds { switches: 2, kills: 0 }, begin, &[&early, &late, &late], |_, results| {
            assert_eq!(results.iter().flatten().filter(|&&allowed| allowed).count(), 1);
        });
    }

    #[test]
    fn however_processes_interleave_a_slot_that_changes_hands_takes_no_request_of_its_last_key() {
        // "a" is asked for at its last moment, "b" takes its slot when it has expired.
        let last = |map: &ExpiringMap| ask(map, &FixedWindow::new(2, 100 * MS).expect("a limit"), "a", 1099).0;
        let next = |map: &ExpiringMap| ask(map, &FixedWindow::new(2, 100 * MS).expect("a limit"), "b", 1100).0;
        let begin = || {
            let map = map(1);
            ask(&map, &FixedWindow::new(2, 100 * MS).expect("a limit"), "a", 1000);
            map
        };
        explore(Bounds { switches: 2, kills: 1 }, begin, &[&last, &next], |map, results| {
            assert!(results.iter().flatten().all(|&allowed| allowed));
            let limit = FixedWindow::new(2, 100 * MS).expect("a limit");
            let more = (0..3).filter(|_| ask(map, &limit, "b", 1100).0).count();
            assert!(more <= 2 && (results[1].is_none() || more <= 1));
        });
    }

    #[test]
    fn however_processes_interleave_a_claim_that_is_taken_over_harms_nobody() {
        // To a clock that is a second ahead the claim of the other is stale at once.
        let slow = |map: &ExpiringMap| ask(map, &one_in(100_000), "a", 1000).0;
        let fast = |map: &ExpiringMap| ask(map, &one_in(100_000), "b", 2000).0;
        let found = explore(
            Bounds { switches: 2, kills: 1 },
            || map(1),
            &[&slow, &fast],
            |map, results| {
                let (a, b) = (slots_of(map, "a", 2000), slots_of(map, "b", 2000));
                assert!(a + b <= 1, "one slot cannot be two keys'");
                let held = a + b + usize::from(map.shared_state(2000 * MS).is_some());
                let allowed = results.iter().flatten().filter(|&&allowed| allowed).count();
                assert!(allowed <= held, "what was allowed is remembered");
                for name in ["a", "b"] {
                    let (is_allowed, is_shared) = ask(map, &one_in(100_000), name, 3000);
                    assert!(!is_allowed || results.contains(&None) || is_shared);
                }
            },
        );
        assert!(found > 1000, "{found} schedules");
    }

    #[test]
    fn however_processes_interleave_a_key_that_shared_gets_no_more_in_a_slot_of_its_own() {
        // The only slot expires at 1100: who comes before it shares, who comes after it does not.
        let before = |map: &ExpiringMap| ask(map, &one_in(100), "a", 1099).0;
        let after = |map: &ExpiringMap| ask(map, &one_in(100), "a", 1100).0;
        let begin = || {
            let map = map(1);
            ask(&map, &one_in(100), "x", 1000);
            map
        };
        explore(Bounds { switches: 3, kills: 0 }, begin, &[&before, &after], |_, results| {
            assert!(results.iter().flatten().filter(|&&allowed| allowed).count() <= 1);
        });
    }
}
