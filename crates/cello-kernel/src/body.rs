//! Bodies of requests, read whole within the limits before a handler runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Timeouts;
use crate::watch::{Phase, Watch};

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
