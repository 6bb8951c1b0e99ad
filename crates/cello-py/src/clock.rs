//! The clock of guests: a tokio runtime for timers and for work on files, on one thread for the whole process.
//!
//! That thread never enters the interpreter: what it wakes asks its loop for a turn through a descriptor.

use std::future::pending;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle};

/// Of this process; a child that was forked off has no such thread, and finds its parent's.
static CLOCK: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

/// The handle to be entered where a guest's tasks run; the first call starts the thread.
///
/// # Errors
/// The system has no thread, or no descriptors, for it.
pub(crate) fn handle() -> io::Result<Handle> {
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((of, handle)) = &*clock
        && *of == process
    {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(pending::<()>());
    std::thread::Builder::new().name("cello-clock".into()).spawn(run)?;
    if let Some(of_parent) = clock.replace((process, handle.clone())) {
        std::mem::forget(of_parent);
    }
    Ok(handle)
}

/// The handle to be entered where a guest's work is polled outside of its turns; None where a runtime is entered already.
///
/// # Errors
/// Those of [`handle`].
pub(crate) fn needed() -> io::Result<Option<Handle>> {
    if Handle::try_current().is_ok() { Ok(None) } else { handle().map(Some) }
}
