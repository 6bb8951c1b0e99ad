//! One request to a server of this process, for tasks of its loop: what servers of others bring to an application.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Context;

use cello_kernel::{Client, Peer};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::dispatch::{Brought, Handlers};
use crate::waits::now_or_later;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// A request as another server has it.
#[derive(FromPyObject)]
pub(crate) struct Asked<'py> {
    method: String,
    /// Path and query, as sent.
    target: Vec<u8>,
    /// Pairs of bytes.
    headers: Bound<'py, PyAny>,
    has_body: bool,
    /// Host and port of the client.
    client: Option<(String, u16)>,
    /// Host and port that it was sent to, for a request that does not say.
    server: Option<(String, Option<u16>)>,
    is_secure: bool,
    /// What the handler's context is; None for a copy of the server's.
    context: Option<Py<PyAny>>,
    /// What goes before the target's path in the URL, percent-encoded.
    root_path: String,
}

impl Asked<'_> {
    pub(crate) fn has_body(&self) -> bool {
        self.has_body
    }

    /// What no connection carries.
    pub(crate) fn brought(self) -> Brought {
        Brought { context: self.context, root: self.root_path }
    }

    /// A name, as one of tests, is no address.
    pub(crate) fn peer(&self) -> Peer {
        let client = self.client.as_ref();
        let address = client.and_then(|(host, port)| Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, *port)));
        Peer { address, is_secure: self.is_secure, line: 0 }
    }

    /// The head, without what concerns the connection to the other server alone.
    ///
    /// # Errors
    /// ValueError for what no request can have.
    pub(crate) fn head(&self) -> PyResult<Request<()>> {
        let bad = |what: String| PyValueError::new_err(what);
        let mut head = Request::new(());
        *head.method_mut() = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| bad(format!("The method {:?} is none.", self.method)))?;
        if self.target != b"*" && !self.target.starts_with(b"/") {
            return Err(bad("The path does not begin with a slash.".into()));
        }
        let target = PathAndQuery::try_from(self.target.as_slice());
        *head.uri_mut() = Uri::from(target.map_err(|_| bad("The path, or the query, cannot be sent.".into()))?);
        for pair in self.headers.try_iter()? {
            let pair = pair?;
            let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
            let name = HeaderName::from_bytes(name.cast::<PyBytes>()?.as_bytes())
                .map_err(|_| bad("The name of a header field is none.".into()))?;
            if is_of_connection(&name) || name == EXPECT || name == TE || (name == CONTENT_LENGTH && !self.has_body) {
                continue;
            }
            let value = HeaderValue::from_bytes(value.cast::<PyBytes>()?.as_bytes())
                .map_err(|_| bad(format!("The value of the header field {name} cannot be sent.")))?;
            if name == CONTENT_LENGTH && !is_length(head.headers(), &value) {
                return Err(bad("Content-Length is not one number.".into()));
            }
            head.headers_mut().try_append(name, value).map_err(|_| bad("There are too many header fields.".into()))?;
        }
        if !head.headers().contains_key(HOST) {
            let host = HeaderValue::try_from(self.authority()).unwrap_or(HeaderValue::from_static("localhost"));
            head.headers_mut().insert(HOST, host);
        }
        Ok(head)
    }

    fn authority(&self) -> String {
        match &self.server {
            Some((host, Some(port))) if host.contains(':') => format!("[{host}]:{port}"),
            Some((host, Some(port))) => format!("{host}:{port}"),
            // Without a port it is the path of a Unix socket.
            _ => "localhost".into(),
        }
    }
}

/// Whether a field is about one connection, and not for whoever is behind it.
fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
}

/// Whether a length is a number, and no other than the one before.
fn is_length(before: &HeaderMap, value: &HeaderValue) -> bool {
    let digits = value.as_bytes();
    let is_number = !digits.is_empty() && digits.len() < 19 && digits.iter().all(u8::is_ascii_digit);
    is_number && !before.contains_key(CONTENT_LENGTH)
}

/// A request under way, and its answer. Closed, or dropped, its client has gone.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct ClientExchange {
    client: Client,
    line: u64,
    ticket: u64,
    handlers: Arc<Handlers>,
}

impl ClientExchange {
    pub(crate) fn new((client, line): (Client, u64), handlers: Arc<Handlers>, brought: Brought) -> Self {
        if brought.context.is_some() || !brought.root.is_empty() {
            handlers.lines.keep(line, brought);
        }
        let ticket = handlers.new_ticket();
        Self { client, line, ticket, handlers }
    }
}

impl Drop for ClientExchange {
    fn drop(&mut self) {
        self.handlers.lines.forget(self.line);
    }
}

#[pymethods]
impl ClientExchange {
    /// Take the next piece of the body; with an empty one its end alone, where it `is_last`. Give whether the server wants
    /// more of it, or a future to be awaited before it is tried again.
    ///
    /// Errors: ConnectionError where the exchange was closed.
    fn poll_feed<'py>(&self, py: Python<'py>, piece: &[u8], is_last: bool) -> PyResult<Bound<'py, PyAny>> {
        let poll = |context: &mut Context<'_>| self.client.poll_feed(context, piece, is_last);
        now_or_later(&self.handlers, py, self.ticket, poll, |is_wanted| {
            Ok(is_wanted.into_pyobject(py)?.to_owned().into_any())
        })
    }

    /// Status and header fields of the answer, without what concerns the connection, or a future to be awaited before it is
    /// asked for again.
    ///
    /// Errors: ConnectionError where the server broke off, or the exchange was closed.
    fn poll_head<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let poll = |context: &mut Context<'_>| self.client.poll_head(context);
        now_or_later(&self.handlers, py, self.ticket, poll, |head| {
            let fields = PyList::empty(py);
            // The other server dates what it sends.
            for (name, value) in head.headers.iter().filter(|(name, _)| !is_of_connection(name) && *name != DATE) {
                let name = PyBytes::new(py, name.as_str().as_bytes());
                fields.append((name, PyBytes::new(py, value.as_bytes())))?;
            }
            Ok((head.status.as_u16(), fields).into_pyobject(py)?.into_any())
        })
    }

    /// A piece of the answer's body and whether more comes, or a future to be awaited before it is asked for again.
    ///
    /// Errors: ConnectionError where the server broke off, or the exchange was closed.
    fn poll_body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let poll = |context: &mut Context<'_>| self.client.poll_body(context);
        now_or_later(&self.handlers, py, self.ticket, poll, |(piece, is_last)| {
            let piece = PyBytes::new(py, &piece).into_any();
            let more = (!is_last).into_pyobject(py)?.to_owned().into_any();
            Ok(PyTuple::new(py, [piece, more])?.into_any())
        })
    }

    /// Leave, and wake whoever waits. A handler that is not done is cancelled.
    fn close(&self) {
        self.client.close();
    }
}
