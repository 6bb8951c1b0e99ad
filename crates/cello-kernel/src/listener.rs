//! The worker's listening sockets, which somebody else has bound.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::descriptor::duplicate;
use crate::exchange::Peer;
use crate::stream::Stream;

/// A listening socket. It queues connections all the time, and they are answered once a server has it.
#[derive(Debug)]
pub struct Listener {
    socket: Bound,
    address: Address,
}

/// Where a socket listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// Host and port.
    Tcp(SocketAddr),
    /// The path of a Unix socket. One that begins with `@` is a name without a file, and an empty one is none.
    Unix(String),
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What is accepted on, in a runtime.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    /// A socket that whoever is outside Rust listens on as well, by its number here. What is queued in it is given to
    /// whoever accepts first.
    ///
    /// # Errors
    /// The number is no descriptor of a listening socket of TCP or of a Unix socket.
    pub fn inherited(descriptor: RawFd) -> io::Result<Self> {
        Self::try_from(duplicate(descriptor)?)
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// # Errors
    /// It could not be registered with the runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn into_acceptor(self) -> io::Result<Acceptor> {
        Ok(match self.socket {
            Bound::Tcp(socket) => Acceptor::Tcp(tokio::net::TcpListener::from_std(socket)?),
            Bound::Unix(socket) => Acceptor::Unix(tokio::net::UnixListener::from_std(socket)?),
        })
    }
}

impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    fn try_from(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        if !socket.is_listener()? || socket.r#type()? != Type::STREAM {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        socket.set_nonblocking(true)?;
        let (domain, address) = (socket.domain()?, socket.local_addr()?);
        if let Some(address) = address.as_socket() {
            return Ok(Self { socket: Bound::Tcp(socket.into()), address: Address::Tcp(address) });
        }
        if domain != Domain::UNIX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { socket: Bound::Unix(socket.into()), address: Address::Unix(path(&address)) })
    }
}

impl Acceptor {
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                // Without it an answer may wait for the client's acknowledgement; a socket that refuses still works.
                let _ = SockRef::from(&stream).set_tcp_nodelay(true);
                Ok((Stream::Tcp(stream), Peer { address: Some(peer), ..Peer::default() }))
            }
            Self::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok((Stream::Unix(stream), Peer::default()))
            }
        }
    }
}

fn path(address: &SockAddr) -> String {
    let name = address.as_abstract_namespace().map(|name| format!("@{}", String::from_utf8_lossy(name)));
    let path = || Some(address.as_pathname()?.to_string_lossy().into_owned());
    name.or_else(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn a_listener_is_inherited_and_nothing_else_is() {
        let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = first.local_addr().expect("an address");
        let second = Listener::inherited(first.as_raw_fd()).expect("a listening socket");
        drop(first);
        assert_eq!(*second.address(), Address::Tcp(address));
        let client = std::net::TcpStream::connect(address).expect("the socket still listens");
        assert!(Listener::inherited(client.as_raw_fd()).is_err());
        assert!(Listener::inherited(-1).is_err());
    }

    #[test]
    fn a_unix_socket_listens_at_a_path_or_under_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.sock");
        let first = UnixListener::bind(&file).expect("a free path");
        let second = Listener::inherited(first.as_raw_fd()).expect("a listening socket");
        assert_eq!(*second.address(), Address::Unix(file.to_string_lossy().into_owned()));
        let client = UnixStream::connect(&file).expect("the socket still listens");
        assert!(Listener::inherited(client.as_raw_fd()).is_err());
        let datagrams = UnixDatagram::unbound().expect("a socket");
        assert!(Listener::inherited(datagrams.as_raw_fd()).is_err());

        let name = format!("cello-{}", std::process::id());
        let named = UnixAddress::from_abstract_name(&name).and_then(|address| UnixListener::bind_addr(&address));
        let named = Listener::try_from(OwnedFd::from(named.expect("a free name"))).expect("a listening socket");
        assert_eq!(*named.address(), Address::Unix(format!("@{name}")));
    }
}
