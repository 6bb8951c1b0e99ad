//! The names of members, kept from one document to the next: a name costs a look-up instead of a new str and its hash.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::shelf::Shelf;

const SLOTS: usize = 512;
/// Longer names are made anew each time.
const NAME_BYTES: usize = 31;

/// The names that no parser is using.
pub(super) static KEYS: Shelf<Keys> = Shelf::new();

/// A name in each slot: which one, its hash says. The newest stays.
pub(super) struct Keys([Option<Slot>; SLOTS]);

struct Slot {
    name: [u8; NAME_BYTES],
    len: u8,
    key: Py<PyString>,
}

impl Default for Keys {
    fn default() -> Self {
        Self([const { None }; SLOTS])
    }
}

impl Keys {
    /// The str of a name.
    pub(super) fn get<'py>(&mut self, py: Python<'py>, name: &str) -> Bound<'py, PyString> {
        let bytes = name.as_bytes();
        if bytes.len() > NAME_BYTES {
            return PyString::new(py, name);
        }
        let slot = &mut self.0[slot_of(bytes)];
        if let Some(slot) = slot
            && &slot.name[..slot.len as usize] == bytes
        {
            return slot.key.bind(py).clone();
        }
        let key = PyString::new(py, name);
        let mut kept = [0; NAME_BYTES];
        kept[..bytes.len()].copy_from_slice(bytes);
        *slot = Some(Slot { name: kept, len: bytes.len() as u8, key: key.clone().unbind() });
        key
    }
}

fn slot_of(name: &[u8]) -> usize {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 over the golden ratio
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(SPREAD);
    let (words, rest) = name.as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
    (mix(hash, tail) >> (64 - SLOTS.ilog2())) as usize
}
