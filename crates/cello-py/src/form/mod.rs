//! Forms as Python sees them, and the exceptions for those that were not taken.

mod classes;
mod data;
mod file;

use cello_kernel::FormError;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

pub(crate) use data::FormData;
pub(crate) use file::UploadedFile;

/// The exception for a form that was not taken: HTTPError with 400 or 413, or OSError where the server's disk failed.
pub(crate) fn exception(py: Python<'_>, error: &FormError) -> PyErr {
    match error {
        FormError::Storage(failure) => match failure.raw_os_error() {
            Some(code) => PyOSError::new_err((code, error.to_string())),
            None => PyOSError::new_err(error.to_string()),
        },
        FormError::Malformed(_) => refusal(py, "BadRequest", (error.detail(),)),
        FormError::TooLarge(_) => refusal(py, "HTTPError", (error.status().as_u16(), error.detail())),
    }
}

/// An exception of `cello.errors`.
fn refusal<'py>(py: Python<'py>, class: &str, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyErr {
    let raised = py.import("cello.errors").and_then(|errors| errors.getattr(class)?.call1(arguments));
    raised.map_or_else(|failure| failure, PyErr::from_value)
}
