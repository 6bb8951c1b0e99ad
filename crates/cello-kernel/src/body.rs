//! Bodies: of requests, read whole within the limits before a handler runs, and of responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Timeouts;
use crate::watch::{Phase, Watch};

/// hyper copies what it is given into its buffer: a long answer is given in pieces, so that it is never there twice.
const PIECE_BYTES: usize = 64 << 10;

/// The body of a response.
#[derive(Debug, Default)]
pub(crate) struct Payload(Option<Bytes>);

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = &mut self.0 else { return Poll::Ready(None) };
        let piece = if bytes.len() > PIECE_BYTES { Some(bytes.split_to(PIECE_BYTES)) } else { self.0.take() };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// The whole body of a request, and its share of the worker's budget, returned when it is dropped.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl BufferedBody {
    /// The bytes as they were sent, transfer coding removed.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Longer than the limit.
    TooLarge,
    /// The client sent nothing for too long.
    TimedOut,
    /// The worker's budget stayed used up.
    NoRoom,
    /// The client broke off, or its framing is wrong.
    Broken,
}

/// Reads a body of at most `limit_bytes`; what arrives, not what is promised, counts against the budget.
pub(crate) async fn read_body(
    mut incoming: Incoming,
    limit_bytes: usize,
    budget: &Arc<Semaphore>,
    timeouts: &Timeouts,
    watch: &Watch,
) -> Result<BufferedBody, BodyError> {
    let promised = incoming.size_hint().exact().map_or(limit_bytes, |length| length as usize);
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    let mut patience = timeouts.buffer_room;
    loop {
        watch.enter(Phase::Body);
        let frame = watch.unless_expired(incoming.frame()).await.map_err(|_| BodyError::TimedOut)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit_bytes {
            return Err(BodyError::TooLarge);
        }
        watch.enter(Phase::Room);
        let taken = take(budget, data.len(), &mut patience).await?;
        match &mut share {
            Some(share) => share.merge(taken),
            None => share = Some(taken),
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        if rest.capacity() - rest.len() < data.len() {
            // Doubling, but never past what was promised: a promise alone must not make us allocate.
            let wanted = (2 * rest.len()).min(promised).max(rest.len() + data.len());
            rest.reserve_exact(wanted - rest.len());
        }
        rest.extend_from_slice(&data);
    }
    watch.enter(Phase::Handling);
    let bytes = if rest.is_empty() { first } else { Bytes::from(rest) };
    Ok(BufferedBody { bytes, _share: share })
}

/// Takes `count` bytes of the budget, waiting for them while there is patience left.
async fn take(
    budget: &Arc<Semaphore>,
    count: usize,
    patience: &mut Duration,
) -> Result<OwnedSemaphorePermit, BodyError> {
    let count = u32::try_from(count).map_err(|_| BodyError::TooLarge)?;
    if let Ok(share) = budget.clone().try_acquire_many_owned(count) {
        return Ok(share);
    }
    let began = Instant::now();
    let taken = tokio::time::timeout(*patience, budget.clone().acquire_many_owned(count)).await;
    *patience = patience.saturating_sub(began.elapsed());
    match taken {
        Ok(Ok(share)) => Ok(share),
        _ => Err(BodyError::NoRoom),
    }
}
