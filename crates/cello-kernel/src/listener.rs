//! The worker's listening socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::RawFd;

use socket2::{Domain, Protocol, Socket, Type};

use crate::descriptor::duplicate;

/// Connections that wait for `accept`; the operating system caps it (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// A bound socket. It queues connections from now on, and answers them once a server has it.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Why an address could not be listened on, in words that say what to do.
#[derive(Debug)]
pub struct BindError {
    message: String,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Listener {
    /// Binds the first address of `host` that can be bound; port 0 takes any that is free.
    ///
    /// # Errors
    /// A host that is no address of this machine, and a port that is taken or not allowed.
    pub fn bind(host: &str, port: u16) -> Result<Self, BindError> {
        let addresses = (host, port).to_socket_addrs().map_err(|source| BindError {
            message: format!(
                "the host {host:?} cannot be resolved: give an address of this machine, such as 127.0.0.1 or 0.0.0.0"
            ),
            source,
        })?;
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match listen(address) {
                Ok(socket) => {
                    let address = socket.local_addr().unwrap_or(address);
                    return Ok(Self { socket, address });
                }
                Err(error) => failure = error,
            }
        }
        Err(explain(host, port, failure))
    }

    /// A socket that another process listens on as well, by its number here. What is queued in it is given to whoever
    /// accepts first.
    ///
    /// # Errors
    /// The number is no descriptor of a listening socket.
    pub fn inherited(descriptor: RawFd) -> io::Result<Self> {
        let socket = Socket::from(duplicate(descriptor)?);
        if !socket.is_listener()? {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens, with the port that was given where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn into_socket(self) -> TcpListener {
        self.socket
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(host: &str, port: u16, source: io::Error) -> BindError {
    let message = match source.kind() {
        io::ErrorKind::AddrInUse => {
            let other = port.checked_add(1).unwrap_or(0);
            format!("port {port} on {host} is in use: stop the program that has it, or choose another: --port {other}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} on {host} is not allowed: ports below 1024 belong to root, choose another with --port")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("the host {host:?} is no address of this machine: give 127.0.0.1, 0.0.0.0 or one that is")
        }
        _ => format!("{host}:{port} cannot be listened on: {source}"),
    };
    BindError { message, source }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_port_in_use_and_a_foreign_host_are_told_apart() {
        let first = Listener::bind("127.0.0.1", 0).expect("a free port");
        let port = first.address().port();
        let taken = Listener::bind("127.0.0.1", port).expect_err("the port is taken");
        assert!(taken.to_string().contains("is in use"), "{taken}");
        let foreign = Listener::bind("192.0.2.1", 0).expect_err("not an address of this machine");
        assert!(foreign.to_string().contains("no address of this machine"), "{foreign}");
    }

    #[test]
    fn a_listener_is_inherited_and_nothing_else_is() {
        let first = Listener::bind("127.0.0.1", 0).expect("a free port");
        let address = first.address();
        let second = Listener::inherited(first.socket.as_raw_fd()).expect("a listening socket");
        drop(first);
        assert_eq!(second.address(), address);
        let client = std::net::TcpStream::connect(address).expect("the socket still listens");
        assert!(Listener::inherited(client.as_raw_fd()).is_err());
        assert!(Listener::inherited(-1).is_err());
    }
}
