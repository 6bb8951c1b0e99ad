//! A slot of the expiring map, and how it changes hands.
//!
//! One word says whose the slot is: zero before its first use, a *state* of a key, or a *claim*. A claim is a number that
//! never comes back, and the words of the key are kept masked with it, so that none of them ever has a value twice.
//!
//! A process claims a slot by replacing the word that it read before it read the key's words, and writes each of these
//! only in place of what it read. Should the claim be taken from it meanwhile, or an older claimant still be at work, then
//! one of both fails at the first word that the other was faster at, and leaves the slot. So a key's words that are whole
//! and masked with the claim that stands were all written under it, and stay until the next claim. Halves of two keys,
//! or masks of two claims, match no key.

use super::word::Word;

/// Words of a slot: a cache line.
pub(super) const SLOT: usize = 8;

/// What a claim has and no state.
const CLAIM: u64 = 1 << 63;
/// A claim that nobody holds.
pub(super) const FREED: u64 = CLAIM;
/// After so long a claim is nobody's any more. Safety does not depend on it: an earlier taking would be right as well.
const STALE_MS: u64 = 1000;
/// Bits of a claim: when it was made, in milliseconds, before its number.
const MADE_BITS: u32 = 31;
const NUMBER_BITS: u32 = 32;

/// What a key is hashed to, by the arena's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub(super) high: u64,
    pub(super) low: u64,
}

/// A slot that somebody may claim, as it was found.
pub(super) struct Free {
    pub(super) at: usize,
    holder: u64,
    generation: u64,
    high: u64,
    low: u64,
}

/// A slot that is the key's, and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) at: usize,
    pub(super) holder: u64,
}

/// What a slot is to a key.
pub(super) enum Look {
    /// It was never used, and none after it is the key's.
    Virgin(Free),
    /// It has the key's state.
    Live(Held),
    /// It is claimed for the key, and whole but for its state.
    Pending(Held),
    /// It has nothing that anybody needs.
    Free(Free),
    /// It is another's.
    Taken,
}

pub(super) struct Slot<'a>(pub(super) &'a [Word]);

impl Slot<'_> {
    pub(super) fn holder(&self) -> &Word {
        &self.0[0]
    }

    /// When the state expires, or later: it is raised before the state is replaced, and never lowered.
    pub(super) fn expires(&self) -> &Word {
        &self.0[1]
    }

    fn generation(&self) -> &Word {
        &self.0[2]
    }

    fn high(&self) -> &Word {
        &self.0[3]
    }

    fn low(&self) -> &Word {
        &self.0[4]
    }

    /// Looks at it for a key. The word that says whose it is comes first: where it still stands later, all else was so.
    pub(super) fn look(&self, at: usize, key: Key, now_ns: u64) -> Look {
        let holder = self.holder().load();
        if holder == 0 {
            return Look::Virgin(Free { at, holder, generation: 0, high: 0, low: 0 });
        }
        let is_claim = holder & CLAIM != 0;
        let is_free = match is_claim {
            true => is_stale(holder, now_ns),
            false => self.expires().load() <= now_ns,
        };
        let [generation, high, low] = [self.generation(), self.high(), self.low()].map(Word::load);
        let is_keys = high ^ generation == key.high && low ^ generation == key.low;
        match (is_claim, is_keys && (!is_claim || generation == holder)) {
            (false, true) => Look::Live(Held { at, holder }),
            (true, true) => Look::Pending(Held { at, holder }),
            _ if is_free => Look::Free(Free { at, holder, generation, high, low }),
            _ => Look::Taken,
        }
    }

    /// Makes it the key's, but for its state. None where somebody else was at it.
    pub(super) fn claim(&self, found: &Free, key: Key, claim: u64) -> Option<Held> {
        if !self.holder().replace(found.holder, claim) {
            return None;
        }
        let is_whole = self.generation().replace(found.generation, claim)
            && self.high().replace(found.high, key.high ^ claim)
            && self.low().replace(found.low, key.low ^ claim);
        if !is_whole {
            self.holder().replace(claim, FREED);
        }
        is_whole.then_some(Held { at: found.at, holder: claim })
    }
}

/// A claim that was never made before.
pub(super) fn claim_of(number: u64, now_ns: u64) -> u64 {
    let number = (number + 1) % (1 << NUMBER_BITS);
    CLAIM | made_ms(now_ns) << NUMBER_BITS | number.max(1)
}

/// Whether a word may be a key's state.
pub(super) fn is_state(word: u64) -> bool {
    word != 0 && word & CLAIM == 0
}

fn made_ms(now_ns: u64) -> u64 {
    (now_ns / 1_000_000) % (1 << MADE_BITS)
}

fn is_stale(claim: u64, now_ns: u64) -> bool {
    let made = (claim & !CLAIM) >> NUMBER_BITS;
    let age = made_ms(now_ns).wrapping_sub(made) % (1 << MADE_BITS);
    // More than half of what comes round is a time to come, by a clock that is behind.
    claim == FREED || (STALE_MS..1 << (MADE_BITS - 1)).contains(&age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_stale_after_a_second_and_not_before_it_was_made() {
        let second = 1_000_000_000;
        let claim = claim_of(7, 5 * second);
        assert!(!is_state(claim));
        assert!(!is_stale(claim, 5 * second));
        assert!(!is_stale(claim, 6 * second - 1));
        assert!(is_stale(claim, 6 * second));
        assert!(!is_stale(claim, 2 * second));
        assert!(is_stale(FREED, 0));
    }

    #[test]
    fn no_claim_is_that_of_nobody() {
        assert_ne!(claim_of(u64::from(u32::MAX), 0), FREED);
        assert_ne!(claim_of(0, 0), claim_of(1, 0));
    }
}
