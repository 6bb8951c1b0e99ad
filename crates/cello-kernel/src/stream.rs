//! What a connection's bytes go through: a socket, or a pipe in memory.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::duplex::ServerEnd;

/// Matched, not called through a table: to a socket it costs one branch.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(ServerEnd),
}

impl Stream {
    /// Whether the client has closed its end. Asks the operating system, so that it is true even while a handler keeps
    /// the thread from reading.
    pub(crate) fn is_cut(&self) -> bool {
        match self {
            Self::Tcp(socket) => is_cut(&SockRef::from(socket)),
            Self::Unix(socket) => is_cut(&SockRef::from(socket)),
            Self::Memory(end) => end.is_cut(),
        }
    }

    /// Has the client see that the connection broke off, once this is dropped; a Unix socket can only be closed.
    pub(crate) fn reset_at_end(&mut self) {
        match self {
            Self::Tcp(socket) => {
                // A socket that refuses is closed.
                let _ = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
            }
            Self::Unix(_) => {}
            Self::Memory(end) => end.reset_at_end(),
        }
    }
}

fn is_cut(socket: &SockRef<'_>) -> bool {
    match socket.peek(&mut [MaybeUninit::uninit()]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Memory(end) => Pin::new(end).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Memory(end) => Pin::new(end).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
            Self::Memory(end) => Pin::new(end).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Memory(end) => Pin::new(end).poll_shutdown(context),
        }
    }
}
