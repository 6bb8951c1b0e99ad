//! The descriptors that the loop watches natively. One that has news gets its turn in the queue of callbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Wake, Waker};

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use super::acceptor::Acceptor;
use super::ready::Ready;
use super::shared::Shared;
use super::transport::StreamTransport;

/// Whose descriptor it is.
pub(crate) enum Watched {
    Stream(Py<StreamTransport>),
    Acceptor(Py<Acceptor>),
}

impl Watched {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Stream(stream) => Self::Stream(stream.clone_ref(py)),
            Self::Acceptor(acceptor) => Self::Acceptor(acceptor.clone_ref(py)),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Stream(stream) => visit.call(stream),
            Self::Acceptor(acceptor) => visit.call(acceptor),
        }
    }
}

/// Tells the loop that a descriptor has news; from any thread, with the interpreter or without.
pub(crate) struct Signal {
    shared: Arc<Shared>,
    /// Its place among what is watched.
    place: usize,
    is_queued: AtomicBool,
}

impl Signal {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let place = shared.reserve_place();
        Arc::new(Self { shared, place, is_queued: AtomicBool::new(false) })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Has the loop keep the owner, and serve it.
    pub(crate) fn keep(&self, owner: Watched) {
        self.shared.fill_place(self.place, owner);
    }

    /// The loop lets go of the owner. The caller drops it, holding no lock.
    #[must_use]
    pub(crate) fn give_up(&self) -> Option<Watched> {
        self.shared.empty_place(self.place)
    }

    /// The news are being looked at: from now on there are other ones.
    pub(crate) fn clear(&self) {
        self.is_queued.store(false, Relaxed);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Relaxed) {
            self.shared.push_ready(Ready::News(self.place));
            self.shared.wake();
        }
    }
}
