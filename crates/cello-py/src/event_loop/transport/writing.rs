//! Writing to a connection: at once as far as the system takes it; the rest waits.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use super::{State, StreamTransport};
use crate::event_loop::stream::{Backlog, Piece, Stream};

/// The write to a connection that is lost from which on the log is told, as in asyncio.
const LOST_WRITES: u32 = 5;

impl StreamTransport {
    pub(super) fn check_writable(&self, method: &str) -> PyResult<()> {
        let state = self.lock();
        if state.has_written_eof {
            return Err(PyRuntimeError::new_err(format!("Cannot call {method}() after write_eof()")));
        }
        if state.belongings.as_ref().is_some_and(|belongings| belongings.drained.is_some()) {
            return Err(PyRuntimeError::new_err(format!("unable to {method}; sendfile is in progress")));
        }
        Ok(())
    }

    /// Sends as much as the system takes now; the rest waits.
    pub(super) fn send(
        &self,
        slf: &Bound<'_, Self>,
        send: impl FnOnce(&mut Backlog, &Stream) -> std::io::Result<()>,
    ) -> PyResult<()> {
        let (sent, is_long) = {
            let mut state = self.lock();
            let State { stream: Some(stream), backlog, is_lost: false, high_water, .. } = &mut *state else {
                state.lost_writes += 1;
                let is_worth_telling = state.lost_writes >= LOST_WRITES;
                drop(state);
                return if is_worth_telling { warn_of_lost_writes(slf.py()) } else { Ok(()) };
            };
            (send(backlog, stream), backlog.len() > *high_water)
        };
        if let Err(error) = sent {
            return self.fatal_io(slf, &error, "Fatal write error on socket transport");
        }
        if is_long { self.pause_protocol(slf) } else { Ok(()) }
    }
}

/// What is mutable is copied: the caller may change it while it waits.
pub(super) fn piece(data: &Bound<'_, PyAny>) -> PyResult<Piece> {
    if let Ok(bytes) = data.cast_exact::<PyBytes>() {
        return Ok(Piece::new(bytes.clone().unbind()));
    }
    let copy = data.py().get_type::<PyBytes>().call1((PyMemoryView::from(data)?,))?;
    Ok(Piece::new(copy.cast_into_exact::<PyBytes>()?.unbind()))
}

pub(super) fn check_type(data: &Bound<'_, PyAny>) -> PyResult<()> {
    if data.is_instance_of::<PyBytes>() || data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>()
    {
        return Ok(());
    }
    let kind = data.get_type().name()?;
    Err(PyTypeError::new_err(format!("data argument must be a bytes-like object, not '{kind}'")))
}

fn warn_of_lost_writes(py: Python<'_>) -> PyResult<()> {
    let log = py.import("logging")?.call_method1("getLogger", ("asyncio",))?;
    log.call_method1("warning", ("socket.send() raised exception.",))?;
    Ok(())
}
