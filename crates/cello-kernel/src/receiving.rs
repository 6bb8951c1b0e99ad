//! A form on its way: collected part by part, and paid for out of the worker's budget.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{BodyError, next_piece, take};
use crate::budget::Budget;
use crate::form::{Collector, Form, FormError, FormLimits};
use crate::limits::Timeouts;
use crate::multipart::Boundary;
use crate::watch::Watch;

/// Why a form was not received.
#[derive(Debug)]
pub enum Unreceived {
    /// Its bytes did not come.
    Body(BodyError),
    /// They are no form, or too much of one.
    Form(FormError),
}

impl Unreceived {
    /// The status that says it, and the words.
    pub fn answer(&self) -> (StatusCode, Cow<'static, str>) {
        match self {
            Self::Body(error) => {
                let (status, detail) = error.answer();
                (status, detail.into())
            }
            Self::Form(error) => (error.status(), error.detail()),
        }
    }
}

impl From<BodyError> for Unreceived {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<FormError> for Unreceived {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

/// A form that was received, and its share of the worker's budget, returned when it is dropped.
#[derive(Debug)]
pub(crate) struct ReceivedForm {
    /// None once the application has it.
    form: Mutex<Option<Form>>,
    _share: Option<OwnedSemaphorePermit>,
}

impl ReceivedForm {
    pub(crate) fn take(&self) -> Option<Form> {
        self.form.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A form while it is received.
pub(crate) struct Receiving {
    collector: Collector,
    share: Option<OwnedSemaphorePermit>,
    patience: Duration,
}

impl Receiving {
    pub(crate) fn new(boundary: &Boundary, limits: &FormLimits, timeouts: &Timeouts) -> Self {
        Self { collector: Collector::new(boundary, limits), share: None, patience: timeouts.buffer_room }
    }

    /// Adds a piece of the body, when there is room for what it leaves in memory.
    pub(crate) async fn add(&mut self, piece: Bytes, budget: &Budget) -> Result<(), Unreceived> {
        self.collector.receive(piece).await?;
        let held = self.collector.held_bytes();
        let paid = self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if held > paid {
            let taken = take(budget, held - paid, &mut self.patience).await?;
            match &mut self.share {
                Some(share) => share.merge(taken),
                None => self.share = Some(taken),
            }
        } else if let Some(share) = &mut self.share {
            drop(share.split(paid - held));
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<ReceivedForm, Unreceived> {
        Ok(ReceivedForm { form: Mutex::new(Some(self.collector.finish()?)), _share: self.share })
    }
}

/// Receives a form to its end.
pub(crate) async fn read_form(
    mut incoming: Incoming,
    boundary: &Boundary,
    limits: &FormLimits,
    budget: &Budget,
    timeouts: &Timeouts,
    watch: &Watch,
) -> Result<ReceivedForm, Unreceived> {
    let mut receiving = Receiving::new(boundary, limits, timeouts);
    while let Some(piece) = next_piece(&mut incoming, watch).await? {
        receiving.add(piece, budget).await?;
    }
    receiving.finish()
}
