//! One step of a coroutine, of a generator, or of whatever else `await` takes.
#![expect(unsafe_code, reason = "pyo3 has PyIter_Send for iterators only, and a coroutine is none")]

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

/// How a step ended, where it raised nothing.
pub(crate) enum Step<'py> {
    /// With something to wait for.
    Yielded(Bound<'py, PyAny>),
    /// With the end, and its value.
    Returned(Bound<'py, PyAny>),
}

/// Goes on after what was waited for, as `send(None)` does but without an exception for the end.
pub(crate) fn resume<'py>(awaited: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
    let py = awaited.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: both objects are alive for the call, and `result` is a place for one pointer. What is no iterator and has
    // no `send` is an error, not undefined. The result is a new reference, or null with an exception set.
    let (sent, result) = unsafe {
        let sent = ffi::PyIter_Send(awaited.as_ptr(), py.None().as_ptr(), &raw mut result);
        (sent, Bound::from_owned_ptr_or_opt(py, result))
    };
    match (sent, result) {
        (ffi::PySendResult::PYGEN_NEXT, Some(yielded)) => Ok(Step::Yielded(yielded)),
        (ffi::PySendResult::PYGEN_RETURN, Some(returned)) => Ok(Step::Returned(returned)),
        _ => Err(PyErr::fetch(py)),
    }
}

/// Goes on with an exception, raised where the coroutine waits.
pub(crate) fn throw<'py>(awaited: &Bound<'py, PyAny>, error: PyErr) -> PyResult<Step<'py>> {
    let py = awaited.py();
    let Some(throw) = awaited.getattr_opt(intern!(py, "throw"))? else { return Err(error) };
    match throw.call1((error,)) {
        Ok(yielded) => Ok(Step::Yielded(yielded)),
        Err(end) if end.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) => {
            Ok(Step::Returned(end.value(py).getattr(intern!(py, "value"))?))
        }
        Err(error) => Err(error),
    }
}
