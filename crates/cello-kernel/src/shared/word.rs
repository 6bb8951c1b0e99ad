//! The word that all shared state is made of.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use tests::step;

/// Eight bytes of shared memory, zero until somebody writes them.
///
/// What processes may contend for is sequentially consistent, so that the interleavings which the tests explore are all
/// there are.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Word(AtomicU64);

impl Word {
    pub(crate) fn load(&self) -> u64 {
        step();
        self.0.load(SeqCst)
    }

    /// Whether it was `old`, and is `new` now.
    pub(crate) fn replace(&self, old: u64, new: u64) -> bool {
        step();
        self.0.compare_exchange(old, new, SeqCst, SeqCst).is_ok()
    }

    /// Makes it `least`, unless it is more.
    pub(crate) fn raise(&self, least: u64) {
        if self.load() < least {
            step();
            self.0.fetch_max(least, SeqCst);
        }
    }

    /// Adds to a count that stands for itself, and gives what it was.
    pub(crate) fn add(&self, count: u64) -> u64 {
        step();
        self.0.fetch_add(count, Relaxed)
    }

    /// Writes what stands for itself, and nobody contends for.
    pub(crate) fn set(&self, value: u64) {
        step();
        self.0.store(value, Relaxed);
    }

    /// Writes what no other process knows of yet: the word that leads there is replaced later.
    pub(crate) fn prepare(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// Reads what was prepared, and has not changed since the word that leads there was loaded.
    pub(crate) fn settled(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Nothing comes between. In the tests this is where another process may, or where this one is killed.
#[cfg(not(test))]
mod tests {
    #[inline(always)]
    pub(super) fn step() {}
}

/// Takes `count` words of a heap whose first free word is in `end`; none where they would pass `limit`.
///
/// What a process takes and is killed with is lost. Nothing leads there.
pub(crate) fn take(end: &Word, count: usize, limit: usize) -> Option<usize> {
    loop {
        let first = end.load();
        let after = first + count as u64;
        if after > limit as u64 {
            return None;
        }
        if end.replace(first, after) {
            return Some(first as usize);
        }
    }
}

/// Gives back what was taken and not used, unless somebody took what follows it: then it is lost.
pub(crate) fn give_back(end: &Word, first: usize, count: usize) {
    end.replace((first + count) as u64, first as u64);
}

/// Words that hold so many bytes.
pub(crate) fn words_of(bytes: usize) -> usize {
    bytes.div_ceil(size_of::<u64>())
}

/// Prepares words to hold bytes.
pub(crate) fn prepare_bytes(words: &[Word], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(size_of::<u64>())) {
        let mut value = [0; size_of::<u64>()];
        value[..chunk.len()].copy_from_slice(chunk);
        word.prepare(u64::from_le_bytes(value));
    }
}

/// The bytes that words were prepared to hold.
pub(crate) fn settled_bytes(words: &[Word], length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        words.iter().take(words_of(length)).flat_map(|word| word.settled().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    pub(super) use super::super::tests::model::step;
    use super::*;

    #[test]
    fn bytes_of_any_length_come_back() {
        let words: Vec<Word> = (0..4).map(|_| Word(AtomicU64::new(u64::MAX))).collect();
        for length in 0..=32 {
            let bytes: Vec<u8> = (1..=length).collect();
            prepare_bytes(&words, &bytes);
            assert_eq!(settled_bytes(&words, bytes.len()), bytes);
        }
    }

    #[test]
    fn what_is_given_back_is_taken_again_unless_something_follows() {
        let end = Word(AtomicU64::new(8));
        assert_eq!(take(&end, 8, 32), Some(8));
        give_back(&end, 8, 8);
        assert_eq!(take(&end, 8, 32), Some(8));
        assert_eq!(take(&end, 8, 32), Some(16));
        give_back(&end, 8, 8);
        assert_eq!(take(&end, 16, 32), None);
        assert_eq!(take(&end, 8, 32), Some(24));
    }
}
