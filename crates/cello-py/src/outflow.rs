//! A streamed body between the generator that brings it forth and the connection that sends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use cello_kernel::{Abandonment, Broken, Source};

use crate::dispatch::{Handlers, Job};

/// From here on the generator rests until the client has taken what there is.
const ROOM_BYTES: usize = 64 << 10;

/// The generator's end.
pub(crate) struct Outflow(Mutex<Flow>);

#[derive(Default)]
struct Flow {
    /// What was brought forth and not yet taken: sent together, since nothing depends on where a piece ends.
    gathered: BytesMut,
    end: Option<End>,
    /// The connection waits for a piece.
    reader: Option<Waker>,
    /// The generator waits for room.
    awaits_room: bool,
    is_abandoned: bool,
}

/// Whether a body takes more.
pub(crate) enum Room {
    Enough,
    /// Not before its reader took something.
    Awaited,
    /// Nobody takes it any more.
    Abandoned,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Complete,
    Broken,
}

impl Outflow {
    /// Both ends; `ticket` is the request's.
    pub(crate) fn new(handlers: Arc<Handlers>, ticket: u64) -> (Arc<Self>, Outlet) {
        let flow = Arc::new(Self(Mutex::default()));
        let outlet = Outlet { flow: flow.clone(), handlers, ticket };
        (flow, outlet)
    }

    pub(crate) fn push(&self, piece: &[u8]) {
        let mut flow = self.lock();
        // One that goes out alone takes what it needs; where a second comes before it went, many may.
        let has_others = !flow.gathered.is_empty();
        if has_others && flow.gathered.capacity() - flow.gathered.len() < piece.len() {
            flow.gathered.reserve(piece.len().max(ROOM_BYTES));
        }
        flow.gathered.extend_from_slice(piece);
        let reader = if piece.is_empty() { None } else { flow.reader.take() };
        drop(flow);
        wake(reader);
    }

    /// Whether more may be pushed; if not yet, whoever waits under the ticket is woken when it may.
    pub(crate) fn room(&self) -> Room {
        let mut flow = self.lock();
        flow.awaits_room = !flow.is_abandoned && flow.gathered.len() >= ROOM_BYTES;
        match (flow.is_abandoned, flow.awaits_room) {
            (true, _) => Room::Abandoned,
            (false, true) => Room::Awaited,
            (false, false) => Room::Enough,
        }
    }

    /// Nobody takes the body any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().is_abandoned
    }

    /// The body is complete.
    pub(crate) fn complete(&self) {
        self.end(End::Complete);
    }

    /// The body breaks off: its connection is aborted.
    pub(crate) fn break_off(&self) {
        self.end(End::Broken);
    }

    fn end(&self, end: End) {
        let mut flow = self.lock();
        flow.end.get_or_insert(end);
        let reader = flow.reader.take();
        drop(flow);
        wake(reader);
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// The connection's end. Dropped before the body's, it ends the generator.
pub(crate) struct Outlet {
    flow: Arc<Outflow>,
    handlers: Arc<Handlers>,
    ticket: u64,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

impl Source for Outlet {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut flow = self.flow.lock();
        if !flow.gathered.is_empty() {
            let count = flow.gathered.len().min(ROOM_BYTES);
            let piece = flow.gathered.split_to(count).freeze();
            if flow.awaits_room && flow.gathered.len() < ROOM_BYTES {
                flow.awaits_room = false;
                drop(flow);
                let (handlers, ticket) = (self.handlers.clone(), self.ticket);
                self.handlers.shared.push_job(Job::Wake { handlers, ticket });
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match flow.end {
            Some(End::Complete) => Poll::Ready(None),
            Some(End::Broken) => Poll::Ready(Some(Err(Broken))),
            None => {
                flow.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn remaining_bytes(&self) -> Option<u64> {
        None
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut flow = self.flow.lock();
        flow.is_abandoned = true;
        let is_over = flow.end.is_some();
        drop(flow);
        if !is_over {
            let (handlers, ticket) = (self.handlers.clone(), self.ticket);
            self.handlers.shared.push_job(Job::Abandon { handlers, ticket, reason: Abandonment::ClientLeft });
        }
    }
}
