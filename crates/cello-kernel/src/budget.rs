//! The worker's budget of memory for bodies.
#![expect(unsafe_code, reason = "the allocator is asked to give memory back in one place only")]

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Semaphore;

/// What must have become free for the operating system to get it back: to ask costs milliseconds.
const WORTH_RETURNING_BYTES: usize = 32 << 20;

/// Bytes that bodies may hold together, a permit each.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    total_bytes: usize,
    /// The most that was held since memory was last given back.
    most_bytes: Arc<AtomicUsize>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let total_bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(total_bytes)), total_bytes, most_bytes: Arc::default() }
    }

    /// Notes how much is held, after something was taken.
    pub(crate) fn note_taken(&self) {
        self.most_bytes.fetch_max(self.held_bytes(), Relaxed);
    }

    fn held_bytes(&self) -> usize {
        self.total_bytes - self.permits.available_permits()
    }

    /// Gives the operating system back what bodies held, once it is much. The allocator keeps what is free between what
    /// is used, which many bodies in small pieces leave behind.
    pub(crate) fn return_memory(&self) {
        let held = self.held_bytes();
        if self.most_bytes.load(Relaxed).saturating_sub(held) >= WORTH_RETURNING_BYTES {
            self.most_bytes.store(held, Relaxed);
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            // SAFETY: it takes no pointer and may be called at any time, from any thread.
            unsafe {
                libc::malloc_trim(0);
            }
        }
    }
}

impl Deref for Budget {
    type Target = Arc<Semaphore>;

    fn deref(&self) -> &Arc<Semaphore> {
        &self.permits
    }
}
