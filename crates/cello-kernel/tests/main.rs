//! The kernel over real sockets: one program for all its tests, so that they wait side by side.

mod disconnects;
mod framing;
mod limits;
mod memory;
mod panics;
mod protocol;
mod routing;
mod stop;
mod support;
mod timeouts;
