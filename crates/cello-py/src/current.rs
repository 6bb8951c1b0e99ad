//! The request that is being handled, as whoever asks for it without having it is told: by a context variable.

use std::sync::OnceLock;

use pyo3::prelude::*;

use crate::request::Request;

/// `ContextVar.set` of it, once somebody has asked. Never dropped, as the variable is not.
static NOTE: OnceLock<Py<PyAny>> = OnceLock::new();

/// Have each request that begins from now on given to `note` in its context.
#[pyfunction]
pub(crate) fn _note_current(note: Py<PyAny>) {
    drop(NOTE.set(note));
}

/// Notes a request in its context; does nothing as long as nobody has asked for that.
pub(crate) fn note(run: &Bound<'_, PyAny>, context: &Bound<'_, PyAny>, request: &Bound<'_, Request>) -> PyResult<()> {
    match NOTE.get() {
        Some(note) => run.call1((context, note, request)).map(drop),
        None => Ok(()),
    }
}

/// Whether somebody has asked for that.
pub(crate) fn is_noted() -> bool {
    NOTE.get().is_some()
}
