//! What a response consists of.

use std::ops::Range;

use bytes::Bytes;
use cello_kernel::OpenFile;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::file;
use super::head::Head;

/// Head and body.
pub(super) struct Parts {
    pub(super) head: Head,
    pub(super) payload: Payload,
}

/// The body of a `Response`.
pub(super) enum Payload {
    /// All of it.
    Whole(Bytes),
    /// A part of a file.
    File(OpenFile, Range<u64>, Heeds),
    /// What an iterator brings forth; nothing once it is on its way to a client.
    Stream(Option<Py<PyAny>>),
}

/// What a file heeds of what its request asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Heeds {
    /// Nothing: whoever sends it has heeded it all.
    Nothing,
    /// Its conditions: the part was chosen.
    Conditions,
    /// Its conditions and its `Range`.
    All,
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Payload {
    pub(super) fn length_bytes(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::File(_, range, _) => Some(range.end - range.start),
            Self::Stream(_) => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length_bytes() == Some(0)
    }

    /// The body on its way to a client. A stream goes once.
    pub(super) fn give(&mut self) -> PyResult<Self> {
        match self {
            Self::Whole(bytes) => Ok(Self::Whole(bytes.clone())),
            Self::File(file, range, heeds) => Ok(Self::File(file.clone(), range.clone(), *heeds)),
            Self::Stream(iterator) => match iterator.take() {
                Some(iterator) => Ok(Self::Stream(Some(iterator))),
                None => Err(PyRuntimeError::new_err(
                    "this Response has been sent, and its stream with it: make one for each request",
                )),
            },
        }
    }

    /// What is needed to have the bytes of the body, without the body.
    pub(super) fn reading(&self) -> Reading {
        match self {
            Self::Whole(bytes) => Reading::Bytes(bytes.clone()),
            Self::File(file, range, _) => Reading::File(file.clone(), range.clone()),
            Self::Stream(_) => Reading::Unknown,
        }
    }
}

/// A body as `Response.body()` reads it.
pub(super) enum Reading {
    Bytes(Bytes),
    File(OpenFile, Range<u64>),
    Unknown,
}

impl Reading {
    pub(super) fn bytes(self, py: Python<'_>) -> PyResult<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(file, range) => file.read(range).map_err(|error| file::os_error(py, error, file.path())),
            Self::Unknown => Err(PyValueError::new_err("the body of a stream is known only when it has been sent")),
        }
    }
}
