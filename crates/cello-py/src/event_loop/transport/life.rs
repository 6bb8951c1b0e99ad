//! The life of a connection: made, served whenever it has news, lost; and what goes wrong in it.

use std::task::Wake;

use pyo3::exceptions::{PyConnectionError, PyOSError};
use pyo3::prelude::*;
use pyo3::{IntoPyObjectExt, intern};

use super::{Kind, State, StreamTransport};
use crate::event_loop::errors::report;
use crate::event_loop::memory::Memory;
use crate::event_loop::ready::Ready;
use crate::event_loop::stream::Stream;
use crate::exceptions::os_error;

/// What one look at the socket has brought.
enum Reception {
    Nothing,
    Received,
    End,
}

impl StreamTransport {
    /// Tells the protocol that it is connected, begins to read, and then wakes who waits for it.
    pub(crate) fn begin(slf: &Bound<'_, Self>, waiter: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let (py, me) = (slf.py(), slf.get());
        let made = me.call_protocol(py, intern!(py, "connection_made"), Some(slf.as_any()));
        me.lock().is_started = true;
        me.signal.wake_by_ref();
        if let Some(waiter) = waiter {
            settle(waiter, None)?;
        }
        match made {
            Ok(_) => Ok(()),
            Err(error) => me.report(slf, error, "protocol.connection_made() failed"),
        }
    }

    /// The socket has become readable or writable, or somebody has asked for a look at it.
    pub(crate) fn serve(slf: &Bound<'_, Self>, buffer: &mut [u8]) -> PyResult<()> {
        let me = slf.get();
        me.signal.clear();
        me.flush(slf)?;
        match me.receive(slf, buffer)? {
            Reception::Nothing => {}
            Reception::Received => me.await_more(),
            Reception::End => me.end_of_stream(slf)?,
        }
        Ok(())
    }

    /// One reception a turn, as in asyncio: what data_received() has set going goes on before the next.
    fn await_more(&self) {
        let state = self.lock();
        if state.reads() && state.stream.as_ref().is_some_and(Stream::is_readable) {
            drop(state);
            self.signal.wake_by_ref();
        }
    }

    fn receive(&self, slf: &Bound<'_, Self>, buffer: &mut [u8]) -> PyResult<Reception> {
        let py = slf.py();
        let state = self.lock();
        let (true, Some(stream), Some(belongings)) = (state.reads(), &state.stream, &state.belongings) else {
            return Ok(Reception::Nothing);
        };
        if belongings.kind == Kind::Buffered {
            let is_readable = stream.is_readable();
            drop(state);
            return if is_readable { self.receive_into(slf) } else { Ok(Reception::Nothing) };
        }
        let received = stream.receive(py, buffer);
        drop(state);
        let bytes = match received {
            Ok(None) => return Ok(Reception::Nothing),
            Ok(Some(bytes)) if bytes.as_bytes().is_empty() => return Ok(Reception::End),
            Ok(Some(bytes)) => bytes,
            Err(error) => {
                return self.fatal_io(slf, &error, "Fatal read error on socket transport").map(|()| Reception::Nothing);
            }
        };
        match self.call_protocol(py, intern!(py, "data_received"), Some(bytes.as_any())) {
            Ok(_) => Ok(Reception::Received),
            Err(error) => self
                .fatal(slf, error, "Fatal error: protocol.data_received() call failed.")
                .map(|()| Reception::Nothing),
        }
    }

    fn receive_into(&self, slf: &Bound<'_, Self>) -> PyResult<Reception> {
        let py = slf.py();
        let any_size = (-1).into_bound_py_any(py)?;
        let buffer = self.call_protocol(py, intern!(py, "get_buffer"), Some(&any_size));
        let memory = match buffer.and_then(|buffer| Memory::of(&buffer)) {
            Ok(memory) => memory,
            Err(error) => {
                return self
                    .fatal(slf, error, "Fatal error: protocol.get_buffer() call failed.")
                    .map(|()| Reception::Nothing);
            }
        };
        let received = {
            let state = self.lock();
            let Some(stream) = &state.stream else { return Ok(Reception::Nothing) };
            stream.receive_into(&memory)
        };
        drop(memory);
        let length = match received {
            Ok(None) => return Ok(Reception::Nothing),
            Ok(Some(0)) => return Ok(Reception::End),
            Ok(Some(length)) => length.into_bound_py_any(py)?,
            Err(error) => {
                return self.fatal_io(slf, &error, "Fatal read error on socket transport").map(|()| Reception::Nothing);
            }
        };
        match self.call_protocol(py, intern!(py, "buffer_updated"), Some(&length)) {
            Ok(_) => Ok(Reception::Received),
            Err(error) => self
                .fatal(slf, error, "Fatal error: protocol.buffer_updated() call failed.")
                .map(|()| Reception::Nothing),
        }
    }

    fn end_of_stream(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        self.lock().has_received_eof = true;
        match self.call_protocol(py, intern!(py, "eof_received"), None).and_then(|keeps_open| keeps_open.is_truthy()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Self::close(slf);
                Ok(())
            }
            Err(error) => self.fatal(slf, error, "Fatal error: protocol.eof_received() call failed."),
        }
    }

    /// Sends what waits, and does what was waiting for it to be sent.
    fn flush(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let flushed = {
            let mut state = self.lock();
            let State { stream: Some(stream), backlog, is_lost: false, .. } = &mut *state else { return Ok(()) };
            if backlog.is_empty() {
                return Ok(());
            }
            backlog.flush(py, stream)
        };
        if let Err(error) = flushed {
            return self.fatal_io(slf, &error, "Fatal write error on socket transport");
        }
        self.resume_protocol(slf)?;
        let mut state = self.lock();
        if !state.backlog.is_empty() || state.is_lost {
            return Ok(());
        }
        let drained = state.belongings.as_ref().and_then(|belongings| belongings.drained.as_ref());
        let drained = drained.map(|drained| drained.clone_ref(py));
        let closes = state.is_closing;
        if closes {
            state.is_lost = true;
        } else if state.has_written_eof
            && let Some(stream) = &state.stream
        {
            stream.end_writing();
        }
        drop(state);
        if closes {
            Self::lose(slf, None)?;
        }
        drained.map_or(Ok(()), |drained| settle(drained.bind(py), None))
    }

    pub(super) fn pause_protocol(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut state = self.lock();
            if state.is_writing_paused || state.backlog.len() <= state.high_water {
                return Ok(());
            }
            state.is_writing_paused = true;
        }
        // Not in the transport's context, in which the caller may be already.
        let Some(protocol) = self.protocol(slf.py()) else { return Ok(()) };
        match protocol.call_method0(slf.py(), intern!(slf.py(), "pause_writing")) {
            Ok(_) => Ok(()),
            Err(error) => self.report(slf, error, "protocol.pause_writing() failed"),
        }
    }

    fn resume_protocol(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut state = self.lock();
            if !state.is_writing_paused || state.backlog.len() > state.low_water {
                return Ok(());
            }
            state.is_writing_paused = false;
        }
        match self.call_protocol(slf.py(), intern!(slf.py(), "resume_writing"), None) {
            Ok(_) => Ok(()),
            Err(error) => self.report(slf, error, "protocol.resume_writing() failed"),
        }
    }

    /// Tells the protocol that the connection is lost, and closes it.
    pub(crate) fn lose(slf: &Bound<'_, Self>, error: Option<Py<PyAny>>) -> PyResult<()> {
        let (py, me) = (slf.py(), slf.get());
        let error = error.unwrap_or_else(|| py.None());
        let told = me.call_protocol(py, intern!(py, "connection_lost"), Some(error.bind(py)));
        let (stream, belongings, socket) = {
            let mut state = me.lock();
            state.backlog.clear();
            let socket = state.socket.as_ref().map(|socket| socket.clone_ref(py));
            (state.stream.take(), state.belongings.take(), socket)
        };
        drop(stream);
        drop(me.signal.give_up());
        if let Some(belongings) = belongings {
            if socket.is_some() || belongings.server.is_some() {
                me.event_loop.call_method1(py, intern!(py, "_release"), (slf, socket, belongings.server))?;
            }
            if let Some(drained) = belongings.drained {
                settle(drained.bind(py), Some(PyConnectionError::new_err("Connection is closed by peer")))?;
            }
        }
        match told {
            Ok(_) => Ok(()),
            Err(error) => me.report(slf, error, "protocol.connection_lost() failed"),
        }
    }

    /// Closes the connection without a word to the protocol: the loop is closed, or the connection was never made.
    pub(crate) fn abandon(&self, py: Python<'_>) {
        let (stream, belongings, socket) = {
            let mut state = self.lock();
            (state.is_closing, state.is_lost) = (true, true);
            state.backlog.clear();
            (state.stream.take(), state.belongings.take(), state.socket.take())
        };
        drop(stream);
        drop(belongings);
        drop(self.signal.give_up());
        if let Some(socket) = socket
            && let Err(error) = socket.call_method0(py, intern!(py, "close"))
        {
            error.write_unraisable(py, None);
        }
    }

    /// Closes the connection now; connection_lost() is called in the next turn.
    pub(super) fn break_off(&self, slf: &Bound<'_, Self>, error: Option<Py<PyAny>>) {
        {
            let mut state = self.lock();
            if state.is_lost {
                return;
            }
            state.backlog.clear();
            state.is_closing = true;
            state.is_lost = true;
        }
        self.shared.push_ready(Ready::Lost { transport: slf.clone().unbind(), error });
    }

    pub(super) fn fatal_io(&self, slf: &Bound<'_, Self>, error: &std::io::Error, message: &str) -> PyResult<()> {
        let error = os_error(slf.py(), error.raw_os_error().unwrap_or_default(), None);
        self.fatal(slf, error, message)
    }

    /// What the system says of a connection is for the log in debug mode only: clients leave. What a protocol raises
    /// goes to the exception handler. Both end the connection.
    fn fatal(&self, slf: &Bound<'_, Self>, error: PyErr, message: &str) -> PyResult<()> {
        let py = slf.py();
        let value = error.value(py).clone().into_any().unbind();
        if error.is_instance_of::<PyOSError>(py) {
            if self.shared.is_debug() {
                self.event_loop.call_method1(py, "_note_io_error", (slf, message, error))?;
            }
        } else {
            self.report(slf, error, message)?;
        }
        self.break_off(slf, Some(value));
        Ok(())
    }

    fn report(&self, slf: &Bound<'_, Self>, error: PyErr, message: &str) -> PyResult<()> {
        let protocol = self.protocol(slf.py()).into_bound_py_any(slf.py())?;
        report(self.event_loop.bind(slf.py()), error, message, &[("transport", slf.as_any()), ("protocol", &protocol)])
    }
}

/// Ends the waiting for a future, if nothing has before: who waits may be cancelled.
fn settle(future: &Bound<'_, PyAny>, error: Option<PyErr>) -> PyResult<()> {
    let py = future.py();
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    let settled = match error {
        None => future.call_method1(intern!(py, "set_result"), (py.None(),)),
        Some(error) => future.call_method1(intern!(py, "set_exception"), (error,)),
    };
    settled.map(drop)
}
