//! `cello._kernel`: the kernel and an asyncio event loop on one thread. The only place where Rust meets Python.

mod arena;
mod awaitable;
mod client;
mod clock;
mod connection;
mod coroutine;
mod current;
mod dispatch;
mod event_loop;
mod exceptions;
mod failure;
mod form;
mod guest;
mod json;
mod later;
mod outflow;
mod parts;
mod reading;
mod relay;
mod request;
mod response;
mod routing;
mod run;
mod server;
mod shared;
mod stopping;
mod stream;
mod waits;

use pyo3::prelude::*;

/// The native half of cello-core.
#[pymodule]
mod _kernel {
    use pyo3::prelude::*;
    use pyo3::types::PyMapping;

    #[pymodule_export]
    use crate::arena::{Arena, Seat};
    #[pymodule_export]
    use crate::client::ClientExchange;
    #[pymodule_export]
    use crate::connection::Connection;
    #[pymodule_export]
    use crate::current::_note_current;
    #[pymodule_export]
    use crate::event_loop::LoopCore;
    #[pymodule_export]
    use crate::event_loop::acceptor::Acceptor;
    #[pymodule_export]
    use crate::event_loop::handle::{Handle, TimerHandle};
    #[pymodule_export]
    use crate::event_loop::transport::StreamTransport;
    #[pymodule_export]
    use crate::failure::{_page, _title, _wants_page};
    #[pymodule_export]
    use crate::form::{FormData, UploadedFile};
    #[pymodule_export]
    use crate::json::{json_decode, json_encode};
    #[pymodule_export]
    use crate::parts::UploadPart;
    #[pymodule_export]
    use crate::relay::Relay;
    #[pymodule_export]
    use crate::request::{Headers, Query, Request, TrustedProxies};
    #[pymodule_export]
    use crate::response::Response;
    #[pymodule_export]
    use crate::response::headers::ResponseHeaders;
    #[pymodule_export]
    use crate::response::{_raw_response, _to_response};
    #[pymodule_export]
    use crate::routing::Routing;
    #[pymodule_export]
    use crate::server::{_path_names, Listener, RouteError, Server};
    #[pymodule_export]
    use crate::shared::{Decision, Limit, SharedCell, SharedCells, SharedLimit, SharedNumbers};
    #[pymodule_export]
    use crate::stopping::ServerStopping;

    /// The version of the distribution.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[cfg(debug_assertions)]
    #[pymodule_export]
    use crate::panic_now;

    /// "release" or "dev": a measurement of a development build is worth nothing.
    #[pymodule_export]
    const BUILD_PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        PyMapping::register::<Query>(py)?;
        PyMapping::register::<Headers>(py)?;
        PyMapping::register::<FormData>(py)
    }
}

/// Panics: what a panic of native code does to a request cannot be tested without one. Not in release builds.
#[cfg(debug_assertions)]
#[pyfunction(name = "_panic")]
fn panic_now() {
    panic!("as a test wants it");
}
