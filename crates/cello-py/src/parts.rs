//! The parts of a form that is read while it arrives, on a route that streams its body.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use cello_kernel::{BodyError, Boundary, Event, Exchange, FormError, Parser, PartHead, Unreceived};
use pyo3::prelude::*;

use crate::reading::{Got, Reading, Wanted, waiting};
use crate::request::Request;

/// What a part that is read whole may be long: as any body.
const PART_BYTES: usize = 10 << 20;

/// Takes a body apart as it arrives. There is one for each call of `parts()`.
pub(crate) struct PartReader {
    exchange: Arc<Exchange>,
    parser: Mutex<Parser>,
    /// The number of the part that is arriving.
    part: AtomicU64,
    is_in_part: AtomicBool,
}

impl PartReader {
    fn next_event(&self) -> Result<Option<Event>, FormError> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner).next_event()
    }

    fn feed(&self, piece: Bytes) -> Result<(), FormError> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner).feed(piece)
    }

    /// The next event; None at the end of the form.
    async fn event(&self) -> Result<Option<Event>, Unreceived> {
        loop {
            if let Some(event) = self.next_event()? {
                return Ok(Some(event));
            }
            match poll_fn(|context| self.exchange.poll_body(context)).await {
                Some(piece) => self.feed(piece?)?,
                None => {
                    self.parser.lock().unwrap_or_else(PoisonError::into_inner).finish()?;
                    return Ok(None);
                }
            }
        }
    }

    /// The next part; what is left of the one before is passed over.
    async fn next_part(&self) -> Result<Got, Unreceived> {
        while let Some(event) = self.event().await? {
            if let Event::Begun(head) = event {
                let number = self.part.fetch_add(1, Relaxed) + 1;
                self.is_in_part.store(true, Relaxed);
                return Ok(Got::Part(Some((head, number))));
            }
        }
        Ok(Got::Part(None))
    }

    /// The next piece of a part; None at its end, and once another has begun.
    async fn next_piece(&self, number: u64) -> Result<Option<Bytes>, Unreceived> {
        if self.part.load(Relaxed) != number || !self.is_in_part.load(Relaxed) {
            return Ok(None);
        }
        match self.event().await? {
            Some(Event::Data(piece)) => Ok(Some(piece)),
            _ => {
                self.is_in_part.store(false, Relaxed);
                Ok(None)
            }
        }
    }

    async fn read(&self, number: u64) -> Result<Got, Unreceived> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next_piece(number).await? {
            if whole.len() + piece.len() > PART_BYTES {
                return Err(BodyError::TooLarge.into());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Got::Bytes(whole.freeze()))
    }
}

/// The parts of a form, for `async for`.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Parts {
    request: Py<Request>,
    reader: Arc<PartReader>,
}

impl Parts {
    pub(crate) fn new(request: Py<Request>, exchange: Arc<Exchange>, boundary: &Boundary) -> Self {
        let parser = Parser::new(boundary, &exchange.part_limits());
        let (part, is_in_part) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { request, reader: Arc::new(PartReader { exchange, parser: Mutex::new(parser), part, is_in_part }) }
    }
}

#[pymethods]
impl Parts {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Reading>> {
        let reader = self.reader.clone();
        let part = async move { reader.next_part().await };
        waiting(self.request.bind(py), Wanted::Part(self.reader.clone()), part)
    }
}

/// One part of a form, while it arrives.
#[pyclass(frozen, module = "cello")]
pub(crate) struct UploadPart {
    request: Py<Request>,
    reader: Arc<PartReader>,
    head: PartHead,
    number: u64,
}

impl UploadPart {
    pub(crate) fn new(request: Py<Request>, reader: Arc<PartReader>, head: PartHead, number: u64) -> Self {
        Self { request, reader, head, number }
    }
}

#[pymethods]
impl UploadPart {
    /// The name of the field.
    #[getter]
    fn name(&self) -> &str {
        &self.head.name
    }

    /// The name of the file, without any folder; None for a field that is no file.
    #[getter]
    fn filename(&self) -> Option<&str> {
        self.head.filename.as_deref()
    }

    /// The media type that the client says it is; None where it says none.
    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.head.content_type.as_deref()
    }

    /// What is left of the part, to be awaited.
    ///
    /// Errors: HTTPError 413 for more than 10 MiB; what `parts()` raises.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Reading>> {
        let (reader, number) = (self.reader.clone(), self.number);
        waiting(self.request.bind(py), Wanted::Piece, async move { reader.read(number).await })
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Reading>> {
        let (reader, number) = (self.reader.clone(), self.number);
        let piece = async move { reader.next_piece(number).await.map(Got::Piece) };
        waiting(self.request.bind(py), Wanted::Piece, piece)
    }

    fn __repr__(&self) -> String {
        match &self.head.filename {
            Some(filename) => format!("<UploadPart {:?}, file {filename:?}>", self.head.name),
            None => format!("<UploadPart {:?}>", self.head.name),
        }
    }
}
