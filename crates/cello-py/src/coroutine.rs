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

/// What an asynchronous iterator is to be awaited for, as `async for` asks it: not through a method that is looked up.
///
/// # Errors
/// What it raises; a TypeError where it is none.
pub(crate) fn next_of<'py>(iterator: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match through(iterator, ffi::Py_am_anext)? {
        Some(awaitable) => Ok(awaitable),
        None => iterator.call_method0(intern!(iterator.py(), "__anext__")),
    }
}

/// What drives an awaitable that is no coroutine, as `await` asks for it.
///
/// # Errors
/// What it raises; a TypeError where it is none.
pub(crate) fn driver_of<'py>(awaitable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match through(awaitable, ffi::Py_am_await)? {
        Some(driver) => Ok(driver),
        None => awaitable.call_method0(intern!(awaitable.py(), "__await__")),
    }
}

/// Calls a slot of one argument; `None` where the type has none.
fn through<'py>(object: &Bound<'py, PyAny>, slot: std::ffi::c_int) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: the type is alive as long as its object. A slot of this number, where there is one, is a `unaryfunc`
    // (https://docs.python.org/3/c-api/typeobj.html#async-object-structures), for which there is no other type to say.
    let function = unsafe {
        let found = ffi::PyType_GetSlot(ffi::Py_TYPE(object.as_ptr()), slot);
        std::mem::transmute::<*mut std::ffi::c_void, Option<ffi::unaryfunc>>(found)
    };
    let Some(function) = function else { return Ok(None) };
    // SAFETY: the object is alive for the call. The result is a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), function(object.as_ptr())) }.map(Some)
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
