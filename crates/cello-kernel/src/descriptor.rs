//! Waiting on a descriptor that comes from outside Rust.
#![expect(unsafe_code, reason = "a number from outside becomes a descriptor in one place only")]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Reports when `descriptor` is readable, on a duplicate: its owner may close it at any time.
///
/// # Errors
/// The number is no open descriptor of this process, or not one that can be waited on.
///
/// # Panics
/// Outside a tokio runtime.
pub fn watch_readable(descriptor: RawFd) -> io::Result<AsyncFd<OwnedFd>> {
    if descriptor < 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: the borrow ends with this expression; a number that is not open makes `dup` fail, and -1, the only
    // value that a BorrowedFd must not have, was refused above.
    let duplicate = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
    // SAFETY: an OwnedFd is open, and the same descriptor, for as long as the AsyncFd owns it.
    Ok(unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_is_watched_even_after_its_owner_closed_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
            let watched = watch_readable(near.as_raw_fd()).expect("an open descriptor");
            drop(near);
            far.write_all(b"x").expect("the duplicate is open");
            watched.readable().await.expect("it becomes readable").retain_ready();
            assert!(watch_readable(-1).is_err());
            assert!(watch_readable(1 << 20).is_err());
        });
    }
}
