//! JSON straight from Python objects, and straight into them.

mod decode;
mod encode;
mod failure;
mod keys;
mod kind;
mod name;
mod scan;
mod shelf;
mod text;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
pub(crate) use failure::not_awaited;

/// How deep values may nest, in both directions.
const MAX_DEPTH: usize = 128;

/// Serialises a value, as `Response.json()` does.
#[pyfunction(name = "_json_encode")]
pub(crate) fn json_encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &encode(value)?))
}

/// Parses a document, as `Request.json()` does.
#[pyfunction(name = "_json_decode")]
pub(crate) fn json_decode<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    decode(py, document)
}
