//! Exceptions of Python's that native code raises.

use std::path::Path;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// An exception of `cello.errors`, by the name of its class or of the function that makes it.
pub(crate) fn of_cello<'py>(py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let made = py.import("cello.errors").and_then(|errors| errors.getattr(name)?.call1(arguments));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// The HTTPError of a status: of its own class where it has one.
pub(crate) fn http_error(py: Python<'_>, status: u16, detail: &str) -> PyErr {
    of_cello(py, "_of_status", (status, detail))
}

/// The OSError of the subclass that the operating system's number has, with its words as Python says them.
pub(crate) fn os_error(py: Python<'_>, code: i32, path: Option<&Path>) -> PyErr {
    match py.import("os").and_then(|os| os.call_method1("strerror", (code,))) {
        Ok(words) => match path {
            Some(path) => PyOSError::new_err((code, words.unbind(), path.as_os_str().to_owned())),
            None => PyOSError::new_err((code, words.unbind())),
        },
        Err(failure) => failure,
    }
}
