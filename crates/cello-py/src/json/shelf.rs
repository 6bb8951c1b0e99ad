//! What is kept from one call to the next.

use std::sync::{Mutex, PoisonError};

/// A place for one thing that whoever works with it takes away and puts back, so that no lock is held while Python runs.
/// It is a static's and not a thread's: a thread that ends may not hold the interpreter, and could drop nothing.
pub(super) struct Shelf<T>(Mutex<Option<Box<T>>>);

impl<T: Default> Shelf<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What is here, or a new one: the first time, and while another has it.
    pub(super) fn take(&self) -> Box<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_default()
    }

    pub(super) fn put_back(&self, thing: Box<T>) {
        let other = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(thing);
        drop(other); // after the lock, for it may own objects of Python's
    }
}
