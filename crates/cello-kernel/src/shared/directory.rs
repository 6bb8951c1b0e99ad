//! Which segment of the arena is where.
//!
//! A descriptor says a segment's name, version and size, and never changes. It is prepared where nothing leads to, and
//! one compare-and-swap of a slot puts it last in the directory: before that the segment is not, after that it is whole.
//! Where a segment lies is the sum of the sizes before it, so that nothing else must be written.

use std::ops::Range;

use super::error::ArenaError;
use super::word::{Word, give_back, prepare_bytes, settled_bytes, take, words_of};

/// Words of a page: segments begin at one.
const PAGE: usize = 512;
const DESCRIPTORS_END: usize = 63;
const SLOTS: Range<usize> = 64..320;
const DESCRIPTORS: Range<usize> = PAGE..33 * PAGE;

/// Where the first segment begins.
pub(crate) const FIRST: usize = DESCRIPTORS.end;

/// A descriptor: version and length of the name, words of the segment, name.
const DESCRIPTOR: usize = 16;
const LENGTHS: usize = 0;
const SIZE: usize = 1;
const NAME: usize = 2;
const NAME_BYTES: usize = (DESCRIPTOR - NAME) * size_of::<u64>();

/// Writes what an empty directory must have, before any other process knows of it.
pub(crate) fn prepare(words: &[Word]) {
    words[DESCRIPTORS_END].prepare(DESCRIPTORS.start as u64);
}

/// The words of a segment, which is put into the directory unless it is there.
pub(crate) fn place(words: &[Word], name: &str, version: u32, bytes: usize) -> Result<Range<usize>, ArenaError> {
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(ArenaError::Name(name.to_owned()));
    }
    let size = words_of(bytes).next_multiple_of(PAGE).max(PAGE);
    let full = |left: usize| {
        Err(ArenaError::Full { name: name.to_owned(), bytes: size * size_of::<u64>(), left: left * size_of::<u64>() })
    };
    let mut first = FIRST;
    let mut prepared = None;
    for slot in &words[SLOTS] {
        let mut at = slot.load() as usize;
        if at == 0 {
            // Those before it are settled, so that what is left here is left for good.
            if size > words.len() - first {
                return full(words.len() - first);
            }
            let Some(own) = prepared.or_else(|| describe(words, name, version, size)) else { break };
            if slot.replace(0, own as u64) {
                return Ok(first..first + size);
            }
            prepared = Some(own);
            at = slot.load() as usize;
        }
        let found = &words[at..at + DESCRIPTOR];
        let (found_version, length) = halves(found[LENGTHS].settled());
        let found_size = found[SIZE].settled() as usize;
        if settled_bytes(&found[NAME..], length as usize) == name.as_bytes() {
            if let Some(own) = prepared {
                give_back(&words[DESCRIPTORS_END], own, DESCRIPTOR);
            }
            if (version, size) == (found_version, found_size) {
                return Ok(first..first + size);
            }
            let (wanted, found) = ((version, size), (found_version, found_size));
            let [wanted, found] = [wanted, found].map(|(version, size)| (version, size * size_of::<u64>()));
            return Err(ArenaError::Mismatch { name: name.to_owned(), wanted, found });
        }
        first += found_size;
    }
    full(words.len() - first)
}

/// Prepares a descriptor that nothing leads to.
fn describe(words: &[Word], name: &str, version: u32, size: usize) -> Option<usize> {
    let at = take(&words[DESCRIPTORS_END], DESCRIPTOR, DESCRIPTORS.end)?;
    let own = &words[at..at + DESCRIPTOR];
    own[LENGTHS].prepare(u64::from(version) << 32 | name.len() as u64);
    own[SIZE].prepare(size as u64);
    prepare_bytes(&own[NAME..], name.as_bytes());
    Some(at)
}

fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::super::tests::model::{Bounds, explore};
    use super::*;

    const BYTES: usize = (FIRST + 4 * PAGE) * size_of::<u64>();

    fn empty() -> Mapping {
        let (mapping, _) = Mapping::create(BYTES).expect("a file in memory");
        prepare(mapping.words());
        mapping
    }

    fn segments(words: &[Word]) -> usize {
        words[SLOTS].iter().take_while(|slot| slot.settled() != 0).count()
    }

    #[test]
    fn a_segment_is_found_again_and_none_overlaps_another() {
        let mapping = empty();
        let one = place(mapping.words(), "one", 1, 4096).expect("room");
        let two = place(mapping.words(), "two", 1, 4097).expect("room");
        assert_eq!((one.len(), two.len()), (PAGE, 2 * PAGE));
        assert_eq!(one.end, two.start);
        assert_eq!(place(mapping.words(), "one", 1, 4096).expect("it is there"), one);
        assert_eq!(place(mapping.words(), "two", 1, 4097).expect("it is there"), two);
    }

    #[test]
    fn another_version_or_size_is_an_error_that_says_both() {
        let mapping = empty();
        place(mapping.words(), "metrics", 1, 4096).expect("room");
        for (version, bytes) in [(2, 4096), (1, 8192)] {
            let error = place(mapping.words(), "metrics", version, bytes).expect_err("it is another").to_string();
            assert!(error.starts_with("the segment \"metrics\" has layout 1 and 4096 bytes, not layout"), "{error}");
        }
        assert_eq!(segments(mapping.words()), 1);
    }

    #[test]
    fn a_segment_that_does_not_fit_leaves_the_room_to_one_that_does() {
        let mapping = empty();
        place(mapping.words(), "most", 1, 3 * 4096).expect("room");
        let error = place(mapping.words(), "more", 1, 2 * 4096).expect_err("no room").to_string();
        assert_eq!(error, "the arena is full: the segment \"more\" needs 8192 bytes of 4096 that are left");
        place(mapping.words(), "last", 1, 1).expect("room");
    }

    #[test]
    fn a_name_that_cannot_be_kept_is_refused() {
        let mapping = empty();
        assert!(place(mapping.words(), "", 1, 1).is_err());
        assert!(place(mapping.words(), &"x".repeat(113), 1, 1).is_err());
        place(mapping.words(), &"x".repeat(112), 1, 1).expect("room");
    }

    #[test]
    fn however_two_processes_interleave_and_one_is_killed_a_name_is_one_segment() {
        let found = explore(
            Bounds { switches: 3, kills: 1 },
            empty,
            &[
                &|mapping: &Mapping| [place(mapping.words(), "a", 1, 1).ok(), place(mapping.words(), "b", 1, 1).ok()],
                &|mapping: &Mapping| [place(mapping.words(), "a", 1, 1).ok(), place(mapping.words(), "c", 1, 1).ok()],
            ],
            |mapping, found| {
                let words = mapping.words();
                let [a, b, c] = ["a", "b", "c"].map(|name| place(words, name, 1, 1).expect("room for all"));
                let expected = [[a.clone(), b.clone()], [a.clone(), c.clone()]];
                for (found, expected) in found.iter().zip(expected) {
                    assert!(found.as_ref().is_none_or(|found| *found == expected.map(Some)));
                }
                assert_eq!(segments(words), 3);
                let mut firsts = [a.start, b.start, c.start];
                firsts.sort_unstable();
                assert_eq!(firsts, [FIRST, FIRST + PAGE, FIRST + 2 * PAGE]);
            },
        );
        assert!(found > 500, "{found} schedules");
    }
}
