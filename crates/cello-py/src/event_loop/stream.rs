//! A connected socket as the loop sees it: what may be read or written at once, and what has to wait. No Python runs
//! here.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, Waker};

use cello_kernel::{Registered, watch};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::{AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketAddrAny, sockopt};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::memory::{Memory, receive_bytes};

/// Pieces handed to the system in one call.
const PIECES_A_CALL: usize = 64;

/// What to ask how much of it there is, and to receive in place, is cheaper than to copy.
const MUCH_BYTES: usize = 32 * 1024;

/// The socket; its waker is called when it has become readable or writable after it was not.
pub(crate) struct Stream {
    socket: AsyncFd<Registered>,
    waker: Waker,
    /// Whether what was received last was worth to be received without a copy.
    brings_much: Cell<bool>,
}

type Readiness<'a> = Poll<io::Result<AsyncFdReadyGuard<'a, Registered>>>;

impl Stream {
    /// To be made inside the runtime; Nagle's algorithm is switched off, as asyncio does.
    pub(crate) fn new(socket: OwnedFd, waker: Waker) -> io::Result<Self> {
        if let Ok(AddressFamily::INET | AddressFamily::INET6) = sockopt::socket_domain(&socket) {
            let _not_of_tcp = sockopt::set_tcp_nodelay(&socket, true);
        }
        let socket = watch(socket, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { socket, waker, brings_much: Cell::new(false) })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.get_ref().as_fd().as_raw_fd()
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddrAny> {
        rustix::net::getsockname(self.socket.get_ref()).ok()
    }

    pub(crate) fn peer_address(&self) -> Option<SocketAddrAny> {
        rustix::net::getpeername(self.socket.get_ref()).ok().flatten()
    }

    /// Whether there may be something to receive; if not, the waker is called when there is.
    pub(crate) fn is_readable(&self) -> bool {
        self.poll_readable().is_ready()
    }

    /// The bytes received, none at the end of the stream; `None` if there is nothing yet. Few of them pass through
    /// `buffer`, which is as long as what is received at most; where many came before, they are asked for in advance and
    /// not copied.
    pub(crate) fn receive<'py>(&self, py: Python<'py>, buffer: &mut [u8]) -> io::Result<Option<Bound<'py, PyBytes>>> {
        let most = buffer.len();
        let mut bytes = None;
        self.receive_by(most, |socket| {
            let waiting = if self.brings_much.get() { waiting_bytes(socket).min(most) } else { 0 };
            let received = if waiting >= MUCH_BYTES {
                receive_bytes(py, socket, waiting)?
            } else {
                let length = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.0;
                PyBytes::new(py, buffer.get(..length).unwrap_or_default())
            };
            let length = received.as_bytes().len();
            self.brings_much.set(length >= MUCH_BYTES);
            bytes = Some(received);
            Ok(length)
        })?;
        Ok(bytes)
    }

    /// As [`Stream::receive`], into memory of Python's.
    pub(crate) fn receive_into(&self, memory: &Memory) -> io::Result<Option<usize>> {
        self.receive_by(memory.len(), |socket| memory.receive(socket))
    }

    /// Where less came than there is room for, the socket counts as empty, and the next call only asks to be woken.
    fn receive_by(
        &self,
        length: usize,
        mut receive: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        loop {
            let Poll::Ready(ready) = self.poll_readable() else { return Ok(None) };
            let mut ready = ready?;
            match uninterrupted(|| receive(self.socket.get_ref().as_fd()))? {
                Some(received) => {
                    if received < length {
                        ready.clear_ready();
                    }
                    return Ok(Some(received));
                }
                None => ready.clear_ready(),
            }
        }
    }

    /// The number of bytes that were sent at once. If that is not all, the waker is called when there is room.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = uninterrupted(|| Ok(rustix::net::send(self.socket.get_ref(), bytes, SendFlags::NOSIGNAL)?))?;
        self.await_room(sent, bytes.len())
    }

    fn send_pieces(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut no_control = SendAncillaryBuffer::default();
        let flags = SendFlags::NOSIGNAL;
        let sent = uninterrupted(|| Ok(rustix::net::sendmsg(self.socket.get_ref(), pieces, &mut no_control, flags)?))?;
        self.await_room(sent, pieces.iter().map(|piece| piece.len()).sum())
    }

    fn await_room(&self, sent: Option<usize>, length: usize) -> io::Result<usize> {
        let sent = sent.unwrap_or(0);
        if sent < length {
            // What was known of the room is older than the refusal.
            if let Poll::Ready(stale) = self.poll_writable() {
                stale?.clear_ready();
            }
            if self.poll_writable().is_ready() {
                self.waker.wake_by_ref(); // the peer is gone: the next try will tell
            }
        }
        Ok(sent)
    }

    pub(crate) fn end_writing(&self) {
        let _not_connected_any_more = rustix::net::shutdown(self.socket.get_ref(), Shutdown::Write);
    }

    fn poll_readable(&self) -> Readiness<'_> {
        self.socket.poll_read_ready(&mut Context::from_waker(&self.waker))
    }

    fn poll_writable(&self) -> Readiness<'_> {
        self.socket.poll_write_ready(&mut Context::from_waker(&self.waker))
    }
}

/// What can be received now; 0 where the system does not say.
fn waiting_bytes(socket: BorrowedFd<'_>) -> usize {
    rustix::io::ioctl_fionread(socket).ok().and_then(|waiting| usize::try_from(waiting).ok()).unwrap_or(0)
}

/// Calls the system until it is not interrupted; `None` where the call would have to wait.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            moved => return moved.map(Some),
        }
    }
}

/// Bytes that are to be sent, from `start` on. Dropping them runs nothing: their type is exactly `bytes`.
pub(crate) struct Piece {
    bytes: Py<PyBytes>,
    start: usize,
}

impl Piece {
    pub(crate) fn new(bytes: Py<PyBytes>) -> Self {
        Self { bytes, start: 0 }
    }

    pub(crate) fn is_empty(&self, py: Python<'_>) -> bool {
        self.rest(py).is_empty()
    }

    fn rest<'a>(&'a self, py: Python<'a>) -> &'a [u8] {
        self.bytes.bind(py).as_bytes().get(self.start..).unwrap_or_default()
    }
}

/// What is waiting to be sent, in order.
#[derive(Default)]
pub(crate) struct Backlog {
    pieces: VecDeque<Piece>,
    /// Bytes in all of them.
    length: usize,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Sends at once what the system takes, and keeps the rest.
    pub(crate) fn send(&mut self, py: Python<'_>, stream: &Stream, mut piece: Piece) -> io::Result<()> {
        if self.is_empty() {
            piece.start += stream.send(piece.rest(py))?;
        }
        self.push(py, piece);
        Ok(())
    }

    /// As [`Backlog::send`], with all pieces in one call to the system if it takes them.
    pub(crate) fn send_all(&mut self, py: Python<'_>, stream: &Stream, pieces: Vec<Piece>) -> io::Result<()> {
        let is_first = self.is_empty();
        pieces.into_iter().for_each(|piece| self.push(py, piece));
        if is_first { self.flush(py, stream) } else { Ok(()) }
    }

    fn push(&mut self, py: Python<'_>, piece: Piece) {
        let length = piece.rest(py).len();
        if length > 0 {
            self.length += length;
            self.pieces.push_back(piece);
        }
    }

    /// Sends until the system takes no more.
    pub(crate) fn flush(&mut self, py: Python<'_>, stream: &Stream) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let pieces = self.pieces.iter().take(PIECES_A_CALL);
            let slices: Vec<_> = pieces.map(|piece| IoSlice::new(piece.rest(py))).collect();
            let offered = slices.iter().map(|slice| slice.len()).sum::<usize>();
            let sent = stream.send_pieces(&slices)?;
            drop(slices);
            self.forget(py, sent);
            if sent < offered {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.length = 0;
    }

    fn forget(&mut self, py: Python<'_>, mut sent: usize) {
        self.length -= sent;
        while let Some(first) = self.pieces.front_mut() {
            let length = first.rest(py).len();
            if sent < length {
                first.start += sent;
                return;
            }
            sent -= length;
            self.pieces.pop_front();
        }
    }
}
