//! Waiting on a descriptor that comes from outside Rust.
#![expect(unsafe_code, reason = "a number from outside becomes a descriptor in one place only")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A duplicate of a descriptor whose owner, outside Rust, may close it at any time.
///
/// # Errors
/// The number is no open descriptor of this process.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: the borrow ends with this expression; a number that is not open makes `dup` fail, and -1, the only
    // value that a BorrowedFd must not have, was refused above.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()
}

/// A descriptor that the process has registered with the operating system's events.
///
/// A child that is forked off shares its parent's registrations: what it undid would be undone for the parent. There
/// the number to undo is none.
#[derive(Debug)]
pub struct Registered {
    descriptor: OwnedFd,
    process: u32,
}

impl From<Registered> for OwnedFd {
    fn from(registered: Registered) -> Self {
        registered.descriptor
    }
}

impl AsFd for Registered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Registered {
    fn as_raw_fd(&self) -> RawFd {
        if self.process == std::process::id() { self.descriptor.as_raw_fd() } else { -1 }
    }
}

/// Reports what `interest` asks about on `descriptor`.
///
/// # Errors
/// It cannot be waited on.
///
/// # Panics
/// Outside a tokio runtime.
pub fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<Registered>> {
    let registered = Registered { descriptor, process: std::process::id() };
    // SAFETY: an OwnedFd is open, and the same descriptor, for as long as the AsyncFd owns it. In a child the number is
    // -1, which the system refuses.
    Ok(unsafe { AsyncFd::register_with_interest(registered, interest) }?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_is_watched_even_after_its_owner_closed_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
            let watched = duplicate(near.as_raw_fd()).and_then(|own| watch(own, Interest::READABLE));
            let watched = watched.expect("an open descriptor");
            drop(near);
            far.write_all(b"x").expect("the duplicate is open");
            watched.readable().await.expect("it becomes readable").retain_ready();
        });
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_refused() {
        assert!(duplicate(-1).is_err());
        assert!(duplicate(1 << 20).is_err());
    }
}
