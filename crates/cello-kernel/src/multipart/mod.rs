//! `multipart/form-data`, parsed as it arrives: bytes in, events out. There is no I/O here.
//!
//! Source: RFC 7578, RFC 2046 §5.1; what browsers write is the HTML standard, "multipart/form-data encoding algorithm".

mod boundary;
mod filename;
mod head;
mod parameters;
mod parser;

pub use boundary::Boundary;
pub use head::PartHead;
pub use parser::{Event, Parser};
