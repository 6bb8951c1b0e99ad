//! The body of a request that is handled while it arrives.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::body::{BodyError, BufferedBody, Gathering, take};
use crate::form::FormLimits;
use crate::multipart::Boundary;
use crate::receiving::{ReceivedForm, Receiving, Unreceived};
use crate::server::State;
use crate::watch::Watch;

/// Gives the pieces of a body as they come; the client is not asked for more than was taken.
///
/// Dropped before its end it leaves the connection to be closed, since the rest may follow unasked.
pub(crate) struct Inflow {
    incoming: Incoming,
    watch: Arc<Watch>,
    server: Arc<State>,
    /// None where the route has no limit of its own.
    left_bytes: Option<usize>,
    timeout: Duration,
    /// How long the piece that is waited for may take.
    patience: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    end: Option<Result<(), BodyError>>,
}

impl Inflow {
    pub(crate) fn new(incoming: Incoming, limit_bytes: Option<usize>, server: Arc<State>, watch: Arc<Watch>) -> Self {
        watch.begin_inflow();
        let timeout = server.settings.timeouts.body;
        let left_bytes = limit_bytes;
        Self { incoming, watch, server, left_bytes, timeout, patience: None, is_waiting: false, end: None }
    }

    fn form_limits(&self) -> FormLimits {
        let limits = &self.server.settings.limits.form;
        self.left_bytes.map_or(*limits, |left| limits.of_body(left))
    }

    /// What is needed to gather what is left of the body: it is limited like a body that was not streamed.
    fn gathering(&self) -> Gathering {
        let settings = &self.server.settings;
        let limit = settings.limits.body_bytes;
        Gathering::new(&self.incoming, self.left_bytes.map_or(limit, |left| left.min(limit)), &settings.timeouts)
    }

    /// The next piece, `None` at the end; after an error only that error.
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if let Some(end) = self.end {
                return Poll::Ready(end.err().map(Err));
            }
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                return if self.poll_patience(context).is_pending() {
                    Poll::Pending
                } else {
                    Poll::Ready(Some(Err(self.fail(BodyError::TimedOut))))
                };
            };
            self.is_waiting = false;
            let data = match frame {
                None => {
                    self.complete();
                    continue;
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(self.fail(BodyError::Broken)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => data,
                    _ => continue, // trailers
                },
            };
            if let Some(left) = &mut self.left_bytes {
                let Some(less) = left.checked_sub(data.len()) else {
                    return Poll::Ready(Some(Err(self.fail(BodyError::TooLarge))));
                };
                *left = less;
            }
            if self.incoming.is_end_stream() {
                self.complete();
            }
            return Poll::Ready(Some(Ok(data)));
        }
    }

    /// Counts from when the piece was first asked for: an application may take its time between two.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
        if !self.is_waiting {
            self.is_waiting = true;
            sleep.as_mut().reset(Instant::now() + self.timeout);
        }
        sleep.as_mut().poll(context)
    }

    fn complete(&mut self) {
        self.end = Some(Ok(()));
        self.watch.end_inflow();
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        if self.end.is_none() {
            self.end = Some(Err(error));
            self.watch.linger();
        }
        error
    }
}

/// A body on its way, as every holder of the request sees it.
pub(crate) struct Arriving {
    /// None where the request was over before it.
    inflow: Mutex<Option<Inflow>>,
    /// All that is left is for those who read it whole, who may have given up: others would get a part of it without a
    /// sign.
    is_taken: AtomicBool,
    gathered: Mutex<Option<Gathered>>,
    /// What was left of it when the application asked for all of it.
    rest: OnceLock<BufferedBody>,
    /// The same, where it asked for a form.
    form: OnceLock<ReceivedForm>,
}

/// What was read of all that is left. Whoever reads goes on with it: the first may have given up, and several may read.
struct Gathered {
    gathering: Gathering,
    /// Room is waited for.
    piece: Option<Bytes>,
}

impl Arriving {
    pub(crate) fn new(inflow: Inflow) -> Self {
        let (inflow, is_taken) = (Mutex::new(Some(inflow)), AtomicBool::new(false));
        Self { inflow, is_taken, gathered: Mutex::default(), rest: OnceLock::new(), form: OnceLock::new() }
    }

    /// The next piece, for whoever takes them one by one.
    pub(crate) fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.is_taken.load(Relaxed) {
            return self.poll_next(context);
        }
        let failed = self.lock().as_ref().and_then(|inflow| inflow.end?.err());
        Poll::Ready(Some(Err(failed.unwrap_or(BodyError::Taken))))
    }

    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let over = || Poll::Ready(Some(Err(BodyError::Over)));
        self.lock().as_mut().map_or_else(over, |inflow| inflow.poll_piece(context))
    }

    pub(crate) async fn read_rest(&self) -> Result<(), BodyError> {
        if self.is_read() {
            return Ok(());
        }
        if self.lock_gathered().is_none() {
            let gathering = self.take(Inflow::gathering)?;
            *self.lock_gathered() = Some(Gathered { gathering, piece: None });
        }
        let server = self.lock().as_ref().ok_or(BodyError::Over)?.server.clone();
        let mut patience = server.settings.timeouts.buffer_room;
        while let Some(count) = poll_fn(|context| self.poll_gather(context)).await? {
            match take(&server.budget, count, &mut patience).await {
                Ok(share) => self.pay(count, share),
                Err(_) if self.is_read() => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(())
    }

    /// The length of a piece that waits for room; `None` when all is read. Those who read at once share a waker.
    fn poll_gather(&self, context: &mut Context<'_>) -> Poll<Result<Option<usize>, BodyError>> {
        let mut slot = self.lock_gathered();
        let Some(gathered) = &mut *slot else {
            return Poll::Ready(if self.is_read() { Ok(None) } else { Err(BodyError::Over) });
        };
        if let Some(piece) = &gathered.piece {
            return Poll::Ready(Ok(Some(piece.len())));
        }
        Poll::Ready(match ready!(self.poll_next(context)) {
            Some(Ok(piece)) => gathered.gathering.check(piece.len()).map_err(|error| self.fail(error)).map(|()| {
                let count = piece.len();
                gathered.piece = Some(piece);
                Some(count)
            }),
            Some(Err(error)) => Err(error),
            None => {
                if let Some(gathered) = slot.take() {
                    self.rest.get_or_init(|| gathered.gathering.finish());
                }
                Ok(None)
            }
        })
    }

    /// Adds the piece that waits, unless somebody else was faster.
    fn pay(&self, count: usize, share: OwnedSemaphorePermit) {
        if let Some(Gathered { gathering, piece }) = &mut *self.lock_gathered()
            && let Some(piece) = piece.take_if(|piece| piece.len() == count)
        {
            gathering.push(piece, share);
        }
    }

    pub(crate) async fn read_form(&self, boundary: &Boundary) -> Result<(), Unreceived> {
        if self.is_read() {
            return Ok(());
        }
        let (limits, server) = self.take(|inflow| (inflow.form_limits(), inflow.server.clone()))?;
        let mut receiving = Receiving::new(boundary, &limits, &server.settings.timeouts);
        while let Some(piece) = poll_fn(|context| self.poll_next(context)).await {
            receiving.add(piece?, &server.budget).await?;
        }
        let form = receiving.finish()?;
        self.form.get_or_init(|| form);
        Ok(())
    }

    fn is_read(&self) -> bool {
        self.rest.get().is_some() || self.form.get().is_some()
    }

    /// Begins to read all that is left.
    fn take<T>(&self, begin: impl FnOnce(&Inflow) -> T) -> Result<T, BodyError> {
        let inflow = self.lock();
        let inflow = inflow.as_ref().ok_or(BodyError::Over)?;
        if let Some(Err(error)) = inflow.end {
            return Err(error);
        }
        if self.is_taken.swap(true, Relaxed) { Err(BodyError::Taken) } else { Ok(begin(inflow)) }
    }

    fn fail(&self, error: BodyError) -> BodyError {
        self.lock().as_mut().map_or(error, |inflow| inflow.fail(error))
    }

    /// The form, once it was received.
    pub(crate) fn form(&self) -> Option<&ReceivedForm> {
        self.form.get()
    }

    pub(crate) fn part_limits(&self) -> FormLimits {
        let left = self.lock().as_ref().map_or(0, |inflow| inflow.left_bytes.map_or(u64::MAX, |left| left as u64));
        FormLimits { file_bytes: left, form_bytes: left, ..FormLimits::default() }
    }

    /// The rest, once it was read.
    pub(crate) fn rest(&self) -> Option<&BufferedBody> {
        self.rest.get()
    }

    pub(crate) fn close(&self) {
        let inflow = self.lock().take_if(|inflow| inflow.end != Some(Ok(())));
        let gathered = self.lock_gathered().take();
        drop((inflow, gathered));
    }

    fn lock_gathered(&self) -> MutexGuard<'_, Option<Gathered>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Inflow>> {
        self.inflow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Arriving")
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.watch.linger();
        }
    }
}
