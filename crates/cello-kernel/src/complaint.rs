//! What the kernel has to complain of: a line each, on standard error.

use std::fmt::Display;
use std::io::Write;

/// Writes a line. Where it cannot be written it is lost: `eprintln!` would panic, and end who complains.
pub(crate) fn complain(words: impl Display) {
    let line = format!("cello: {words}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
