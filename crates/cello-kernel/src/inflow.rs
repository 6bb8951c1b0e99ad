//! The body of a request that is handled while it arrives.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep};

use crate::body::{BodyError, BufferedBody, Gathering};
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
    left_bytes: usize,
    timeout: Duration,
    /// While a piece is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Inflow {
    pub(crate) fn new(incoming: Incoming, limit_bytes: usize, server: Arc<State>, watch: Arc<Watch>) -> Self {
        watch.begin_inflow();
        let timeout = server.settings.timeouts.body;
        Self { incoming, watch, server, left_bytes: limit_bytes, timeout, patience: None, is_over: false }
    }

    fn form_limits(&self) -> FormLimits {
        let limits = &self.server.settings.limits.form;
        if self.left_bytes == usize::MAX { *limits } else { limits.of_body(self.left_bytes) }
    }

    /// What is needed to gather what is left of the body: it is limited like a body that was not streamed.
    fn gathering(&self) -> (Gathering, Arc<State>) {
        let settings = &self.server.settings;
        let limit_bytes = self.left_bytes.min(settings.limits.body_bytes);
        (Gathering::new(&self.incoming, limit_bytes, &settings.timeouts), self.server.clone())
    }

    /// The next piece, `None` at the end; after an error only that.
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        while !self.is_over {
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
                let sleep = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
                if sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                return Poll::Ready(Some(Err(self.fail(BodyError::TimedOut))));
            };
            if let Some(sleep) = &mut self.patience {
                sleep.as_mut().reset(Instant::now() + self.timeout);
            }
            let data = match frame {
                None => {
                    self.is_over = true;
                    self.watch.end_inflow();
                    break;
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(self.fail(BodyError::Broken)))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => data,
                    _ => continue, // trailers
                },
            };
            let Some(left) = self.left_bytes.checked_sub(data.len()) else {
                return Poll::Ready(Some(Err(self.fail(BodyError::TooLarge))));
            };
            self.left_bytes = left;
            return Poll::Ready(Some(Ok(data)));
        }
        Poll::Ready(None)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.is_over = true;
        self.watch.linger();
        error
    }
}

/// A body on its way, as every holder of the request sees it.
pub(crate) struct Arriving {
    /// None once the request is over.
    inflow: Mutex<Option<Inflow>>,
    /// What was left of it when the application asked for all of it.
    rest: OnceLock<BufferedBody>,
    /// The same, where it asked for a form.
    form: OnceLock<ReceivedForm>,
}

impl Arriving {
    pub(crate) fn new(inflow: Inflow) -> Self {
        Self { inflow: Mutex::new(Some(inflow)), rest: OnceLock::new(), form: OnceLock::new() }
    }

    pub(crate) fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.lock().as_mut().map_or(Poll::Ready(None), |inflow| inflow.poll_piece(context))
    }

    pub(crate) async fn read_rest(&self) -> Result<(), BodyError> {
        let Some((mut gathering, server)) = self.lock().as_ref().map(Inflow::gathering) else { return Ok(()) };
        while let Some(piece) = poll_fn(|context| self.poll_piece(context)).await {
            gathering.add(piece?, &server.budget).await?;
        }
        self.rest.get_or_init(|| gathering.finish());
        Ok(())
    }

    pub(crate) async fn read_form(&self, boundary: &Boundary) -> Result<(), Unreceived> {
        let Some((limits, server)) = self.lock().as_ref().map(|inflow| (inflow.form_limits(), inflow.server.clone()))
        else {
            return Ok(());
        };
        let mut receiving = Receiving::new(boundary, &limits, &server.settings.timeouts);
        while let Some(piece) = poll_fn(|context| self.poll_piece(context)).await {
            receiving.add(piece?, &server.budget).await?;
        }
        let form = receiving.finish()?;
        self.form.get_or_init(|| form);
        Ok(())
    }

    /// The form, once it was received.
    pub(crate) fn form(&self) -> Option<&ReceivedForm> {
        self.form.get()
    }

    pub(crate) fn part_limits(&self) -> FormLimits {
        let left = self.lock().as_ref().map_or(0, |inflow| inflow.left_bytes as u64);
        FormLimits { file_bytes: left, form_bytes: left, ..FormLimits::default() }
    }

    /// The rest, once it was read.
    pub(crate) fn rest(&self) -> Option<&BufferedBody> {
        self.rest.get()
    }

    pub(crate) fn close(&self) {
        let inflow = self.lock().take();
        drop(inflow);
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
        if !self.is_over {
            self.watch.linger();
        }
    }
}
