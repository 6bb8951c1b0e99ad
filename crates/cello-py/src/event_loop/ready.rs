//! What is to run: at the next turn, or when its time has come.

use std::cmp::Ordering;

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use super::handle::{Handle, TimerHandle};
use super::shared::Shared;
use super::transport::StreamTransport;
use super::watched::Watched;
use crate::relay::Relay;

/// Something to run at the next turn.
pub(crate) enum Ready {
    Soon(Py<Handle>),
    Due(Py<TimerHandle>),
    /// An asyncio.Handle, from the standard selector's readers and writers.
    Standard(Py<PyAny>),
    /// The step of a request's task, which was asked for in its place.
    Turn(Py<Relay>),
    /// Of a watched descriptor, by its place.
    News(usize),
    /// A transport that is to tell its protocol of the connection; then the future is done.
    Made {
        transport: Py<StreamTransport>,
        waiter: Option<Py<PyAny>>,
    },
    /// A transport that is to tell its protocol that the connection is lost.
    Lost {
        transport: Py<StreamTransport>,
        error: Option<Py<PyAny>>,
    },
}

impl Ready {
    /// Whose turn it is, for a message.
    pub(super) fn subject(&self, py: Python<'_>, shared: &Shared) -> Option<Py<PyAny>> {
        Some(match self {
            Self::Soon(handle) => handle.clone_ref(py).into_any(),
            Self::Due(handle) => handle.clone_ref(py).into_any(),
            Self::Standard(handle) => handle.clone_ref(py),
            Self::Turn(relay) => relay.get().task(py)?.unbind(),
            Self::Made { transport, .. } | Self::Lost { transport, .. } => transport.clone_ref(py).into_any(),
            Self::News(place) => match shared.watched(py, *place)? {
                Watched::Stream(transport) => transport.into_any(),
                Watched::Acceptor(acceptor) => acceptor.into_any(),
            },
        })
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Soon(handle) => visit.call(handle),
            Self::Due(handle) => visit.call(handle),
            Self::Standard(handle) => visit.call(handle),
            Self::Turn(relay) => visit.call(relay),
            Self::News(_) => Ok(()),
            Self::Made { transport, waiter } => visit.call(transport).and_then(|()| visit.call(waiter)),
            Self::Lost { transport, error } => visit.call(transport).and_then(|()| visit.call(error)),
        }
    }
}

/// What runs when its time has come.
pub(super) enum Due {
    Native(Py<TimerHandle>),
    /// An asyncio.TimerHandle, of debug mode. Whether it was cancelled is asked when it is due.
    Standard(Py<PyAny>),
}

impl Due {
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Native(handle) if handle.get().callback.is_cancelled())
    }

    pub(super) fn into_ready(self) -> Ready {
        match self {
            Self::Native(handle) => Ready::Due(handle),
            Self::Standard(handle) => Ready::Standard(handle),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Native(handle) => visit.call(handle),
            Self::Standard(handle) => visit.call(handle),
        }
    }
}

/// Callbacks are due one after another, those of one time in the order they came in.
pub(super) struct Timer {
    pub(super) when_s: f64,
    pub(super) sequence: u64,
    pub(super) due: Due,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    /// The earliest is the greatest, since the heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.when_s.total_cmp(&self.when_s).then(other.sequence.cmp(&self.sequence))
    }
}
