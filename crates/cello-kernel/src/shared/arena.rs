//! The arena: one piece of memory for all workers of a server.

use std::hash::Hasher;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::rand::{GetRandomFlags, getrandom};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::directory;
use super::error::ArenaError;
use super::mapping::Mapping;
use super::word::Word;

/// The size of a server's arena. Only what is written takes memory.
pub const ARENA_BYTES: usize = 64 << 20;

/// What an arena begins with; the last byte is the version of its layout.
const MAGIC: u64 = u64::from_be_bytes(*b"cello\0\0\x01");
const MAGIC_AT: usize = 0;
const SECRET_AT: Range<usize> = 1..3;

/// Memory that is made before the first worker, is handed to every successor and outlives each of them.
///
/// Whatever stands in it is right at every instruction at which a process may be killed: nothing in it is ever locked,
/// and what is half done is not believed.
#[derive(Debug)]
pub struct Arena {
    mapping: Arc<Mapping>,
    descriptor: OwnedFd,
}

impl Arena {
    /// Makes an arena, with a secret for the keys that are hashed into it.
    ///
    /// # Errors
    /// [`ArenaError::System`]; [`ArenaError::Full`] where the size would not hold a directory.
    pub fn create(bytes: usize) -> Result<Self, ArenaError> {
        let mut secret = [0; 16];
        let mut filled = 0;
        while filled < secret.len() {
            filled += getrandom(&mut secret[filled..], GetRandomFlags::empty())?;
        }
        Self::with_secret(bytes, secret)
    }

    /// An arena whose hashes are known beforehand.
    pub(super) fn with_secret(bytes: usize, secret: [u8; 16]) -> Result<Self, ArenaError> {
        let least = directory::FIRST * size_of::<Word>();
        if bytes < least {
            return Err(ArenaError::Full { name: "directory".to_owned(), bytes: least, left: bytes });
        }
        let (mapping, descriptor) = Mapping::create(bytes)?;
        let words = mapping.words();
        super::word::prepare_bytes(&words[SECRET_AT], &secret);
        directory::prepare(words);
        words[MAGIC_AT].replace(0, MAGIC);
        Ok(Self { mapping: Arc::new(mapping), descriptor })
    }

    /// Opens an arena that another process made and handed down.
    ///
    /// # Errors
    /// [`ArenaError::Foreign`] where it is none, or one of another version; [`ArenaError::System`].
    pub fn open(descriptor: OwnedFd) -> Result<Self, ArenaError> {
        let mapping = Mapping::open(&descriptor)?;
        let words = mapping.words();
        if words.len() < directory::FIRST || words[MAGIC_AT].load() != MAGIC {
            return Err(ArenaError::Foreign);
        }
        Ok(Self { mapping: Arc::new(mapping), descriptor })
    }

    /// A duplicate that a program started from this process inherits: the arena's own is closed there.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn inheritable(&self) -> Result<OwnedFd, ArenaError> {
        Ok(rustix::io::dup(&self.descriptor)?)
    }

    /// The segment of this name, which whoever asks first makes. Its bytes, whole pages of 4096, are zero then.
    ///
    /// # Errors
    /// [`ArenaError::Mismatch`] where it exists with another version or size; [`ArenaError::Full`];
    /// [`ArenaError::Name`].
    pub fn segment(&self, name: &str, version: u32, bytes: usize) -> Result<Segment, ArenaError> {
        let range = directory::place(self.mapping.words(), name, version, bytes)?;
        let secret = self.mapping.words()[SECRET_AT].iter().map(Word::settled);
        let (first, second) = (secret.clone().next().unwrap_or_default(), secret.last().unwrap_or_default());
        Ok(Segment { mapping: Arc::clone(&self.mapping), range, secret: SipHasher13::new_with_keys(first, second) })
    }
}

impl AsFd for Arena {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A part of an arena that belongs to one user of it.
#[derive(Clone, Debug)]
pub struct Segment {
    mapping: Arc<Mapping>,
    range: Range<usize>,
    secret: SipHasher13,
}

impl Segment {
    /// All of it. Words that lead nowhere yet are zero.
    #[inline]
    pub(crate) fn words(&self) -> &[Word] {
        &self.mapping.words()[self.range.clone()]
    }

    /// Hashes with the arena's secret, so that nobody outside can choose what collides.
    pub(crate) fn hash(&self, bytes: &[u8]) -> (u64, u64) {
        let mut hasher = self.secret;
        hasher.write(bytes);
        let hash = hasher.finish128();
        (hash.h1, hash.h2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_opener_writes_another_reads() {
        let near = Arena::create(1 << 20).expect("an arena");
        let far = Arena::open(near.inheritable().expect("a descriptor")).expect("the same arena");
        let written = near.segment("a", 1, 4096).expect("room");
        let read = far.segment("a", 1, 4096).expect("it is there");
        assert!(written.words().last().expect("words").replace(0, 7));
        assert_eq!(read.words().last().expect("words").load(), 7);
        assert_eq!(written.hash(b"key"), read.hash(b"key"));
    }

    #[test]
    fn a_segment_outlives_the_arena_it_is_of() {
        let segment = Arena::create(1 << 20).and_then(|arena| arena.segment("a", 1, 1)).expect("a segment");
        assert!(segment.words()[0].replace(0, 1));
    }

    #[test]
    fn two_arenas_hash_differently() {
        let [one, two] = [(); 2].map(|()| Arena::create(1 << 20).and_then(|arena| arena.segment("a", 1, 1)));
        assert_ne!(one.expect("a segment").hash(b"key"), two.expect("a segment").hash(b"key"));
    }

    #[test]
    fn what_is_no_arena_is_refused() {
        let (_, descriptor) = Mapping::create(1 << 20).expect("a file in memory");
        assert!(matches!(Arena::open(descriptor), Err(ArenaError::Foreign)));
        let (_, descriptor) = Mapping::create(4096).expect("a file in memory");
        assert!(matches!(Arena::open(descriptor), Err(ArenaError::Foreign)));
        let file = tempfile::tempfile().expect("a file");
        assert!(matches!(Arena::open(file.into()), Err(ArenaError::System(_))));
        assert!(matches!(Arena::create(4096), Err(ArenaError::Full { .. })));
    }
}
