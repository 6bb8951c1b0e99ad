//! The Cello HTTP engine: it listens, parses, limits, routes and answers. There is no Python in it.
//!
//! An application implements [`Application`]; a [`Server`] serves it on a tokio runtime of one thread, or as a
//! [`Guest`] of another loop, to clients that come over sockets ([`Server::listen`]) or in memory ([`Server::connect`]).
//! A request passes `listener`, `connection`, `service`, `router` and `body` in that order, and comes back as an
//! [`Answer`].

#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

mod access_log;
mod answer;
mod body;
mod budget;
mod client;
mod complaint;
mod condition;
mod connection;
mod content;
mod descriptor;
mod duplex;
mod exchange;
mod executor;
mod file;
mod form;
mod forwarded;
mod framing;
mod guest;
mod inflow;
mod json;
mod limits;
mod listener;
mod multipart;
mod page;
mod problem;
mod proxies;
mod receiving;
mod refusal;
mod request_id;
mod router;
mod server;
mod service;
pub mod shared;
mod stream;
mod watch;
mod wire;

pub use access_log::{AccessLog, LineForm};
pub use answer::Answer;
pub use body::BodyError;
pub use client::Client;
pub use condition::{Condition, judge};
pub use content::{Broken, Content, Source};
pub use descriptor::{Registered, duplicate, watch};
pub use duplex::ClientEnd;
pub use exchange::{Abandonment, Application, Deferred, Exchange, Outcome, Peer, Refusal};
pub use executor::Executor;
pub use file::OpenFile;
pub use form::{Collector, Form, FormEncoding, FormError, FormLimits, Part, PartContent, Pieces};
pub use guest::{Guest, GuestTask};
pub use json::{json_specials, write_json_string};
pub use limits::{Limits, Timeouts};
pub use listener::{Address, Listener};
pub use multipart::{Boundary, Event, Parser, PartHead};
pub use page::{PAGE_FIELDS, page};
pub use problem::{ErrorForm, Errors, Problem, title};
pub use proxies::{ForwardedBy, Origin, TrustedProxies, host};
pub use receiving::Unreceived;
pub use request_id::RequestId;
pub use router::{Candidate, Found, NO_ROUTE, Params, PathError, Pattern, RouteConflict, RouteId, Router};
pub use server::{RouteSettings, Server, Settings};
pub use service::panic_words;
