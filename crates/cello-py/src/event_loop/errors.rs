//! Errors that nobody awaits: they go to the loop's exception handler, or end what runs it.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Whether an error is meant to end the process.
pub(crate) fn ends_process(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py)
}

/// Hands an error to the loop's exception handler, with what else is known of it; what is meant to end the process is
/// given back.
pub(crate) fn report(
    event_loop: &Bound<'_, PyAny>,
    error: PyErr,
    message: &str,
    known: &[(&str, &Bound<'_, PyAny>)],
) -> PyResult<()> {
    let py = event_loop.py();
    if ends_process(py, &error) {
        return Err(error);
    }
    let report = PyDict::new(py);
    report.set_item("message", message)?;
    report.set_item("exception", error.value(py))?;
    for (name, value) in known {
        report.set_item(name, value)?;
    }
    event_loop.call_method1(intern!(py, "call_exception_handler"), (report,)).map(drop)
}
