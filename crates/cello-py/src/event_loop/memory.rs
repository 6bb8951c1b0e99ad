//! Memory of Python's that is received into: what `asyncio.BufferedProtocol.get_buffer()` returns, and `bytes` that nobody
//! has seen yet.
#![expect(unsafe_code, reason = "the system writes into memory that Python owns in this file only")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

/// A buffer that is exported: its owner can neither free nor resize it.
pub(crate) struct Memory {
    _exported: PyBuffer<u8>,
    bytes: NonNull<[u8]>,
}

impl Memory {
    /// # Errors
    /// The object has no buffer, or one that cannot be written, is not contiguous, or has no room.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let exported = PyBuffer::<u8>::get(object).or_else(|_| {
            let view = PyMemoryView::from(object)?;
            PyBuffer::get(&view.call_method1("cast", ("B",))?)
        })?;
        if exported.item_count() == 0 {
            return Err(PyRuntimeError::new_err("get_buffer() returned an empty buffer"));
        }
        match exported.as_slice_ptr() {
            Some(bytes) if !exported.readonly() => Ok(Self { _exported: exported, bytes }),
            _ => Err(PyBufferError::new_err("get_buffer() must return a writable, contiguous buffer")),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The number of bytes received, 0 at the end of the stream.
    ///
    /// # Errors
    /// What `recv(2)` says.
    pub(crate) fn receive(&self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: the export keeps the memory writable and in place, and only a pointer to it is used, so that others
        // may look at it at the same time; any byte is a valid value; the descriptor is borrowed for the call.
        let received = unsafe { libc::recv(socket.as_raw_fd(), self.bytes.as_ptr().cast(), self.bytes.len(), 0) };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }
}

/// Receives at most `length` bytes, none at the end of the stream, into the object that they are handed on in. If so many
/// have come, nothing is copied.
///
/// # Errors
/// What `recv(2)` says; ENOMEM where there is no room for `length` bytes.
pub(crate) fn receive_bytes<'py>(
    py: Python<'py>,
    socket: BorrowedFd<'_>,
    length: usize,
) -> io::Result<Bound<'py, PyBytes>> {
    let (bytes, start) = unwritten(py, length).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    // SAFETY: the object has `length` bytes there, of which nobody else knows; any byte is a valid value; the descriptor
    // is borrowed for the call.
    let received = unsafe { libc::recv(socket.as_raw_fd(), start.as_ptr().cast(), length, 0) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    if received == length {
        return Ok(bytes);
    }
    // SAFETY: so many bytes were written there just now, and `bytes` keeps them until they are copied.
    Ok(PyBytes::new(py, unsafe { slice::from_raw_parts(start.as_ptr(), received) }))
}

/// An object of `length` bytes that are still to be written, and where they are.
fn unwritten(py: Python<'_>, length: usize) -> PyResult<(Bound<'_, PyBytes>, NonNull<u8>)> {
    let size = ffi::Py_ssize_t::try_from(length)?;
    // SAFETY: without bytes to copy, it makes `bytes` that nobody else has, or raises.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(ptr::null(), size)) }?;
    let bytes = made.cast_into_exact::<PyBytes>()?;
    // SAFETY: it is `bytes`, which has its memory from then on.
    let start = unsafe { ffi::PyBytes_AsString(bytes.as_ptr()) };
    NonNull::new(start.cast()).map(|start| (bytes, start)).ok_or_else(|| PyErr::fetch(py))
}
