//! What a client may cost: sizes and durations, all enforced before the application sees a byte.

use std::time::Duration;

use crate::form::FormLimits;

/// Sizes and counts a client may not exceed, per worker.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one request's head, request line included; more is a 431.
    pub head_bytes: usize,
    /// Header fields in one request; more is a 431.
    pub header_fields: usize,
    /// Bytes of the request target; more is a 414.
    pub uri_bytes: usize,
    /// Bytes of one request's body; more is a 413.
    pub body_bytes: usize,
    /// What a form of `multipart/form-data` may cost, in place of `body_bytes`.
    pub form: FormLimits,
    /// Bytes of all buffered bodies together; past it reading pauses, then answers 503.
    pub buffered_bytes: usize,
    /// Connections open at once; one more is answered 503 and closed.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 << 10,
            header_fields: 100,
            uri_bytes: 16 << 10,
            body_bytes: 10 << 20,
            form: FormLimits::default(),
            buffered_bytes: 256 << 20,
            connections: 10_000,
        }
    }
}

/// How long a client, or a handler, may take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head; the connection is closed.
    pub head: Duration,
    /// Between two pieces of a body; 408.
    pub body: Duration,
    /// While the client takes nothing of the answer; the connection is closed.
    pub write: Duration,
    /// Between two requests on one connection; the connection is closed.
    pub keep_alive: Duration,
    /// For the handler, none by default; 503.
    pub handler: Option<Duration>,
    /// For room among the buffered bodies; 503.
    pub buffer_room: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            handler: None,
            buffer_room: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// The shortest of those that the connections' watch enforces.
    pub(crate) fn shortest(&self) -> Duration {
        [self.head, self.body, self.write, self.keep_alive].into_iter().chain(self.handler).min().unwrap_or(self.head)
    }
}
