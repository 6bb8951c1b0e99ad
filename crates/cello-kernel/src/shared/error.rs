//! Why shared state is not to be had.

use std::{fmt, io};

/// Why an arena or a segment of it is not to be had.
#[derive(Debug)]
pub enum ArenaError {
    /// The system gave no memory, or the descriptor is none of an arena.
    System(io::Error),
    /// The descriptor is that of something else, or of an arena that is laid out otherwise.
    Foreign,
    /// The name of a segment is empty or over 112 bytes.
    Name(String),
    /// The segment exists and is not what was asked for.
    Mismatch {
        /// The segment.
        name: String,
        /// Version and bytes that were asked for.
        wanted: (u32, usize),
        /// Version and bytes that it has.
        found: (u32, usize),
    },
    /// There is no room for the segment.
    Full {
        /// The segment.
        name: String,
        /// Bytes it needs.
        bytes: usize,
        /// Bytes that are left; with enough of them it is the directory that is full.
        left: usize,
    },
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "memory cannot be shared: {error}"),
            Self::Foreign => f.write_str("the descriptor is none of an arena of this version"),
            Self::Name(name) => write!(f, "a segment's name has 1 to 112 bytes, {name:?} has {}", name.len()),
            Self::Mismatch { name, wanted, found } => write!(
                f,
                "the segment {name:?} has layout {} and {} bytes, not layout {} and {}: \
                 another version made it, and only a restart of the server replaces it",
                found.0, found.1, wanted.0, wanted.1,
            ),
            Self::Full { name, bytes, left } => {
                write!(f, "the arena is full: the segment {name:?} needs {bytes} bytes of {left} that are left")
            }
        }
    }
}

impl std::error::Error for ArenaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rustix::io::Errno> for ArenaError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::System(error.into())
    }
}

impl From<io::Error> for ArenaError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
