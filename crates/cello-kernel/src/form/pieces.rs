//! Bytes kept as they came.

use std::borrow::Cow;
use std::io;

use bytes::Bytes;

/// Pieces from here on are kept without copying them: shorter ones would keep more memory than they are worth, since each
/// holds the buffer it was received in.
const KEPT_BYTES: usize = 8 << 10;

/// Bytes in the pieces in which they came. A copy shares them.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    kept: Vec<Bytes>,
    /// What follows on those, gathered from short pieces.
    tail: Vec<u8>,
    length: usize,
}

impl Pieces {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.iter().map(|piece| &piece[..]).chain(Some(&self.tail[..]).filter(|tail| !tail.is_empty()))
    }

    /// All of them, copied where they are several.
    pub fn joined(&self) -> Cow<'_, [u8]> {
        match (&self.kept[..], &self.tail[..]) {
            ([], tail) => tail.into(),
            ([piece], []) => (&piece[..]).into(),
            _ => self.iter().collect::<Vec<_>>().concat().into(),
        }
    }

    /// Writes all of them to `target`.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_to(&self, target: &mut impl io::Write) -> io::Result<()> {
        self.iter().try_for_each(|piece| target.write_all(piece))
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        if piece.len() < KEPT_BYTES {
            self.tail.extend_from_slice(&piece);
            return;
        }
        if !self.tail.is_empty() {
            self.kept.push(std::mem::take(&mut self.tail).into());
        }
        self.kept.push(piece);
    }

    /// The first of the bytes, at least as many as say what they are, where there are so many.
    pub(super) fn beginning(&self) -> Cow<'_, [u8]> {
        match self.kept.first() {
            Some(piece) if piece.len() >= KEPT_BYTES => (&piece[..]).into(),
            _ => self.joined(),
        }
    }

    pub(super) fn shrink(&mut self) {
        self.tail.shrink_to_fit();
    }

    /// Bytes of memory that are held for it, the buffers behind the pieces aside.
    pub(super) fn held_bytes(&self) -> usize {
        self.length - self.tail.len() + self.tail.capacity()
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len(), kept: vec![bytes], tail: Vec::new() }
    }
}
