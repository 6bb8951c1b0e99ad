//! Memory of Python's that is received into: what `asyncio.BufferedProtocol.get_buffer()` returns.
#![expect(unsafe_code, reason = "the system writes into memory that Python owns in one place only")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

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
