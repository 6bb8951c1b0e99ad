//! Bodies of requests, read whole within the limits before a handler runs.

use std::ops::Deref;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::OwnedSemaphorePermit;

use crate::budget::Budget;
use crate::limits::Timeouts;
use crate::watch::{Phase, Watch};

/// The whole body of a request, and its share of the worker's budget, returned when it is dropped.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl BufferedBody {
    /// A body that nobody sent, and that no budget pays for.
    pub(crate) fn by_hand(bytes: Bytes) -> Self {
        Self { bytes, _share: None }
    }

    /// The bytes as they were sent, transfer coding removed.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BodyError {
    /// Longer than the limit.
    TooLarge,
    /// The client sent nothing for too long.
    TimedOut,
    /// The worker's budget stayed used up.
    NoRoom,
    /// The client broke off, or its framing is wrong.
    Broken,
    /// Somebody else reads all of it, or has given that up half-way.
    Taken,
    /// The request was over before its body was read.
    Over,
}

impl BodyError {
    /// The status that says it, and the words.
    pub fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than this server accepts."),
            Self::TimedOut => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
            Self::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "The server has no room for this body; try again."),
            Self::Broken => (StatusCode::BAD_REQUEST, "The body broke off, or its framing is wrong."),
            Self::Taken => {
                (StatusCode::INTERNAL_SERVER_ERROR, "The body is being read elsewhere, or that was given up half-way.")
            }
            Self::Over => (StatusCode::INTERNAL_SERVER_ERROR, "The request was over before its body was read."),
        }
    }
}

/// A body while it is gathered; what arrived, not what was promised, counts against the budget.
pub(crate) struct Gathering {
    limit_bytes: usize,
    promised_bytes: usize,
    first: Bytes,
    rest: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
    patience: Duration,
}

impl Gathering {
    pub(crate) fn new(incoming: &Incoming, limit_bytes: usize, timeouts: &Timeouts) -> Self {
        Self {
            limit_bytes,
            promised_bytes: incoming.size_hint().exact().map_or(limit_bytes, |length| length as usize),
            first: Bytes::new(),
            rest: Vec::new(),
            share: None,
            patience: timeouts.buffer_room,
        }
    }

    /// Adds a piece, when there is room for it.
    pub(crate) async fn add(&mut self, data: Bytes, budget: &Budget) -> Result<(), BodyError> {
        self.check(data.len())?;
        let share = take(budget, data.len(), &mut self.patience).await?;
        self.push(data, share);
        Ok(())
    }

    /// Whether so many bytes more are within the limit.
    pub(crate) fn check(&self, count: usize) -> Result<(), BodyError> {
        let length = self.first.len() + self.rest.len() + count;
        if length > self.limit_bytes { Err(BodyError::TooLarge) } else { Ok(()) }
    }

    /// Adds a piece for which there is room.
    pub(crate) fn push(&mut self, data: Bytes, taken: OwnedSemaphorePermit) {
        let (first, rest) = (&mut self.first, &mut self.rest);
        match &mut self.share {
            Some(share) => share.merge(taken),
            None => self.share = Some(taken),
        }
        if first.is_empty() && rest.is_empty() {
            *first = data;
            return;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(first));
        }
        if rest.capacity() - rest.len() < data.len() {
            // Doubling, but never past what was promised: a promise alone must not make us allocate.
            let wanted = (2 * rest.len()).min(self.promised_bytes).max(rest.len() + data.len());
            rest.reserve_exact(wanted - rest.len());
        }
        rest.extend_from_slice(&data);
    }

    pub(crate) fn finish(self) -> BufferedBody {
        let bytes = if self.rest.is_empty() { self.first } else { Bytes::from(self.rest) };
        BufferedBody { bytes, _share: self.share }
    }
}

/// Reads a body of at most `limit_bytes` to its end.
pub(crate) async fn read_body(
    mut incoming: Incoming,
    limit_bytes: usize,
    budget: &Budget,
    timeouts: &Timeouts,
    watch: &Watch,
) -> Result<BufferedBody, BodyError> {
    let mut gathering = Gathering::new(&incoming, limit_bytes, timeouts);
    while let Some(piece) = next_piece(&mut incoming, watch).await? {
        gathering.add(piece, budget).await?;
    }
    Ok(gathering.finish())
}

/// The next piece of a body, for which room is needed now; after the last one the handler is waited for.
pub(crate) async fn next_piece(incoming: &mut Incoming, watch: &Watch) -> Result<Option<Bytes>, BodyError> {
    loop {
        watch.enter(Phase::Body);
        let frame = watch.unless_expired(incoming.frame()).await.map_err(|_| BodyError::TimedOut)?;
        let Some(frame) = frame else {
            watch.enter(Phase::Handling);
            return Ok(None);
        };
        if let Ok(piece) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            watch.enter(Phase::Room);
            return Ok(Some(piece));
        }
    }
}

/// Takes `count` bytes of the budget, waiting for them while there is patience left.
pub(crate) async fn take(
    budget: &Budget,
    count: usize,
    patience: &mut Duration,
) -> Result<OwnedSemaphorePermit, BodyError> {
    let count = u32::try_from(count).map_err(|_| BodyError::TooLarge)?;
    if let Ok(share) = budget.deref().clone().try_acquire_many_owned(count) {
        budget.note_taken();
        return Ok(share);
    }
    let began = Instant::now();
    let taken = tokio::time::timeout(*patience, budget.deref().clone().acquire_many_owned(count)).await;
    *patience = patience.saturating_sub(began.elapsed());
    match taken {
        Ok(Ok(share)) => {
            budget.note_taken();
            Ok(share)
        }
        _ => Err(BodyError::NoRoom),
    }
}
