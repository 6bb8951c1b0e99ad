//! The request as a handler sees it: native, each part becoming a Python object when it is touched.

mod accept;
mod asgi;
mod by_hand;
mod headers;
mod numbers;
mod proxies;
mod query;
mod server;
mod values;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use cello_kernel::{Exchange, Origin};
use http::{Version, header};
use percent_encoding::percent_decode_str;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use pyo3::{IntoPyObjectExt, PyTraverseError};

use crate::dispatch::Handlers;
use crate::form::{self, FormData};
use crate::later::{Later, Lists};
use crate::parts::Parts;
use crate::reading::{self, BodyPieces, Kind, Reading};
use crate::stopping::ServerStopping;
use crate::waits::bell;
pub(crate) use headers::Headers;
pub(crate) use proxies::TrustedProxies;
pub(crate) use query::Query;
use server::Server;

/// One HTTP request.
#[pyclass(frozen, module = "cello")]
pub(crate) struct Request {
    exchange: Arc<Exchange>,
    server: Server,
    /// What it waits for is known by it.
    ticket: u64,
    params: OnceLock<Py<PyDict>>,
    /// There once any of it was asked for: most requests are asked for little, and all are made.
    made: OnceLock<Box<Made>>,
    later: OnceLock<Arc<Later>>,
}

/// What is made when it is first asked for. Not in PyOnceLocks, which let the interpreter go while they are filled. None
/// of it holds the request: what is handed out keeps nothing alive but itself.
#[derive(Default)]
struct Made {
    /// What of the URL's path goes before the path, raw; empty mostly.
    root: OnceLock<String>,
    origin: OnceLock<Option<Origin>>,
    query: OnceLock<Py<Query>>,
    headers: OnceLock<Py<Headers>>,
    cookies: OnceLock<Py<PyDict>>,
    context: OnceLock<Py<PyAny>>,
    state: OnceLock<Py<PyAny>>,
    form: OnceLock<Py<FormData>>,
}

impl Request {
    pub(crate) fn new(exchange: Arc<Exchange>, handlers: Arc<Handlers>, ticket: u64) -> Self {
        Self::with(exchange, Server::Running(handlers), ticket)
    }

    fn with(exchange: Arc<Exchange>, server: Server, ticket: u64) -> Self {
        Self { exchange, server, ticket, params: OnceLock::new(), made: OnceLock::new(), later: OnceLock::new() }
    }

    /// The same request to an application that is under a path at another server.
    pub(crate) fn under(self, root: String) -> Self {
        if !root.is_empty() {
            self.made().root.get_or_init(|| root);
        }
        self
    }

    /// What of the URL's path goes before the path, raw.
    fn root(&self) -> &str {
        self.made.get().and_then(|made| made.root.get()).map_or("", String::as_str)
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(Box::default)
    }

    /// What is to be done when the request has been answered.
    pub(crate) fn later(&self) -> &Arc<Later> {
        self.later.get_or_init(Arc::default)
    }

    /// Whether there is anything to be done then.
    pub(crate) fn has_later(&self) -> bool {
        self.later.get().is_some_and(|later| later.has_any())
    }

    /// Whether anybody is to know of the end of the answer.
    pub(crate) fn is_followed(&self) -> bool {
        self.later.get().is_some_and(|later| later.has_any() || later.is_followed())
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn note_given_up(&self) {
        if let Some(later) = self.later.get() {
            later.give_up();
        }
    }

    /// Its task has taken its last step.
    pub(crate) fn note_over(&self) {
        if let Some(later) = self.later.get() {
            later.finish();
        }
    }

    pub(crate) fn form(&self) -> &OnceLock<Py<FormData>> {
        &self.made().form
    }

    /// What wakes whoever waits under the request's ticket. A request that is made by hand waits for nothing.
    pub(crate) fn bell(&self) -> Waker {
        match &self.server {
            Server::Running(handlers) => bell(handlers, self.ticket),
            Server::None(_) => Waker::noop().clone(),
        }
    }

    /// What is to be awaited until the bell rings, as an iterator.
    pub(crate) fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.server {
            Server::Running(handlers) => handlers.waits.begin(py, &handlers.shared, self.ticket),
            Server::None(_) => Err(PyRuntimeError::new_err("a request that is made by hand waits for nothing")),
        }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.exchange.head.method == http::Method::HEAD
    }

    pub(crate) fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    fn header(&self, name: impl header::AsHeaderName) -> Option<Cow<'_, str>> {
        self.exchange.head.headers.get(name).map(headers::text)
    }

    fn media_type(&self) -> &str {
        headers::media_type(&self.exchange)
    }

    /// A parameter of the query, converted; the default where it is not there.
    fn query_value<'py, T: IntoPyObject<'py>>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Maybe<'py>,
        convert: impl FnOnce(Python<'py>, &str, &str, &str) -> PyResult<T>,
    ) -> PyResult<Maybe<'py>> {
        match query::first(&self.exchange, name) {
            Some(text) => convert(py, "query", name, &text)?.into_bound_py_any(py).map(Some),
            None => Ok(default),
        }
    }
}

/// A value, or that there is none.
type Maybe<'py> = Option<Bound<'py, PyAny>>;

/// What a slot holds, made first where it is empty.
fn kept<'a, 'py, T>(
    slot: &'a OnceLock<Py<T>>,
    py: Python<'py>,
    make: impl FnOnce() -> PyResult<Bound<'py, T>>,
) -> PyResult<&'a Bound<'py, T>> {
    match slot.get() {
        Some(made) => Ok(made.bind(py)),
        None => {
            let made = make()?;
            Ok(slot.get_or_init(|| made.unbind()).bind(py))
        }
    }
}

#[pymethods]
impl Request {
    /// A request made by hand, for tests of handlers. It came over no socket, and behaves as one that did.
    ///
    /// Shape: `path` may have a query, or be a whole URL; `query` and `headers` are mappings or pairs, `query` may be
    /// text too; a dict or list as `body` becomes JSON; `client` is "192.0.2.1" or ("192.0.2.1", 50000).
    /// `root_path` begins with a slash, and does not end with one.
    /// Errors: ValueError and TypeError, for what no client could send.
    #[new]
    #[pyo3(signature = (method, path, params = None, query = None, headers = None, body = None, *, app = None, client = None, root_path = ""))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's, each with its name")]
    fn by_hand(
        py: Python<'_>,
        method: &str,
        path: &str,
        params: Option<&Bound<'_, PyAny>>,
        query: Option<&Bound<'_, PyAny>>,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
        app: Option<Bound<'_, PyAny>>,
        client: Option<&Bound<'_, PyAny>>,
        root_path: &str,
    ) -> PyResult<Self> {
        let exchange = by_hand::exchange(by_hand::Parts { method, path, query, headers, body, client })?;
        let request = Self::with(Arc::new(exchange), Server::none(py, app)?, 0).under(by_hand::root(root_path)?);
        kept(&request.params, py, || by_hand::params(py, params))?;
        Ok(request)
    }

    /// The method, as it was sent: "GET".
    #[getter]
    fn method(&self) -> &str {
        self.exchange.head.method.as_str()
    }

    /// The path, percent-decoded: "/users/7". The query is not part of it.
    #[getter]
    fn path(&self) -> Cow<'_, str> {
        percent_decode_str(self.exchange.head.uri.path()).decode_utf8_lossy()
    }

    /// The path that the application is under at another server, percent-decoded: "/shop". Empty where it is none.
    ///
    /// Shape: in the URL it goes before `path`, which does not have it.
    /// Source: ASGI HTTP 2.4, `root_path`.
    #[getter]
    fn root_path(&self) -> Cow<'_, str> {
        percent_decode_str(self.root()).decode_utf8_lossy()
    }

    /// What the path's parameters matched, percent-decoded, by name.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        kept(&self.params, py, || {
            let params = PyDict::new(py);
            if let Some(matched) = &self.exchange.params {
                let names = self.server.names(self.exchange.route);
                for (name, value) in names.iter().zip(matched.values(self.exchange.head.uri.path())) {
                    params.set_item(name, &*value)?;
                }
            }
            Ok(params)
        })
    }

    /// A parameter of the path.
    #[pyo3(signature = (name, default = None))]
    fn get_param<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        Ok(self.params(py)?.get_item(name)?.or(default))
    }

    /// A parameter of the path, as an integer.
    ///
    /// Errors: BadRequest (400) for one that is none.
    #[pyo3(signature = (name, default = None))]
    fn get_param_int<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        match self.params(py)?.get_item(name)? {
            Some(text) => numbers::integer(py, "path", name, text.str()?.to_str()?).map(Some),
            None => Ok(default),
        }
    }

    /// The parameters of the query, in their order; a name may come more than once.
    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Query>> {
        kept(&self.made().query, py, || Bound::new(py, Query::new(self.exchange.clone())))
    }

    /// The parameters of the query: the same object as `query`.
    #[getter]
    fn query_params<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Query>> {
        self.query(py)
    }

    /// The query as it was sent, without the question mark.
    #[getter]
    fn query_string(&self) -> &str {
        self.exchange.head.uri.query().unwrap_or_default()
    }

    /// The first value of a parameter of the query.
    #[pyo3(signature = (name, default = None))]
    fn get_query_param<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> Maybe<'py> {
        query::first(&self.exchange, name).map(|value| PyString::new(py, &value).into_any()).or(default)
    }

    /// A parameter of the query, as an integer.
    ///
    /// Errors: BadRequest (400) for one that is none.
    #[pyo3(signature = (name, default = None))]
    fn get_query_int<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        self.query_value(py, name, default, numbers::integer)
    }

    /// A parameter of the query, as a finite number.
    ///
    /// Errors: BadRequest (400) for one that is none.
    #[pyo3(signature = (name, default = None))]
    fn get_query_float<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        self.query_value(py, name, default, numbers::number)
    }

    /// A parameter of the query, as a truth: true, 1, yes, on; false, 0, no, off.
    ///
    /// Errors: BadRequest (400) for any other word.
    #[pyo3(signature = (name, default = None))]
    fn get_query_bool<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        self.query_value(py, name, default, numbers::truth)
    }

    /// The header fields; a name may come more than once.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Headers>> {
        kept(&self.made().headers, py, || Bound::new(py, Headers::new(self.exchange.clone())))
    }

    /// The first value of a header field, by its name in any case.
    #[pyo3(signature = (name, default = None))]
    fn get_header<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> Maybe<'py> {
        headers::first(&self.exchange, name).map(|value| PyString::new(py, &value).into_any()).or(default)
    }

    /// The cookies, by name.
    #[getter]
    fn cookies<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        kept(&self.made().cookies, py, || headers::cookies(py, &self.exchange))
    }

    /// The media type of the body with its parameters, as it was sent; empty where there is none.
    #[getter]
    fn content_type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::text(py, self.header(header::CONTENT_TYPE))
    }

    /// The bytes of the body that were promised; None where nothing was.
    #[getter]
    fn content_length(&self) -> Option<u64> {
        self.exchange.head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The program that the client says it is; empty where it does not.
    #[getter]
    fn user_agent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::text(py, self.header(header::USER_AGENT))
    }

    /// Whether the body is said to be JSON: `application/json`, or a type that ends in `+json`.
    fn is_json(&self) -> bool {
        headers::is_json(self.media_type())
    }

    /// Whether the body is said to be a form without files: `application/x-www-form-urlencoded`.
    fn is_form(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// Whether the body is said to be a form with files: `multipart/form-data`.
    fn is_multipart(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("multipart/form-data")
    }

    /// Whether a script says that it asks, by `X-Requested-With: XMLHttpRequest`.
    fn is_xhr(&self) -> bool {
        self.header("x-requested-with").is_some_and(|value| value.eq_ignore_ascii_case("XMLHttpRequest"))
    }

    /// Whether the client takes a media type, by its `Accept`; "json", "html", "text" and "xml" are short for theirs.
    ///
    /// Errors: ValueError for what is no media type.
    fn accepts(&self, media_type: &str) -> PyResult<bool> {
        let offer = accept::Offer::parse(media_type)?;
        Ok(accept::Accepted::parse(&accept::accept_of(&self.exchange)).welcome(&offer).is_some())
    }

    /// Which of several media types the client would rather have; None where it takes none of them.
    ///
    /// Where it says no difference, what it names more exactly goes first, then what stands first in `media_types`.
    /// Errors: ValueError for what is no media type.
    fn best_match<'py>(&self, media_types: Vec<Bound<'py, PyString>>) -> PyResult<Option<Bound<'py, PyString>>> {
        let accept = accept::accept_of(&self.exchange);
        let accepted = accept::Accepted::parse(&accept);
        let mut best = None;
        for media_type in media_types {
            let welcome = accepted.welcome(&accept::Offer::parse(media_type.to_str()?)?);
            if let Some(welcome) = welcome
                && best.as_ref().is_none_or(|(least, _)| welcome > *least)
            {
                best = Some((welcome, media_type));
            }
        }
        Ok(best.map(|(_, media_type)| media_type))
    }

    /// The whole URL as the client asked for it; without scheme and host where it named no host.
    #[getter]
    fn url(&self) -> String {
        let uri = &self.exchange.head.uri;
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        let target = if target == "*" { "" } else { target };
        match self.host_name() {
            Some(host) => format!("{}://{host}{}{target}", self.scheme(), self.root()),
            None => format!("{}{target}", self.root()),
        }
    }

    /// The scheme the client came by: "http" or "https".
    #[getter]
    fn scheme(&self) -> &'static str {
        if self.is_over_tls() { "https" } else { "http" }
    }

    /// Whether the client came over TLS.
    #[getter]
    fn is_secure<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::flag(py, self.is_over_tls())
    }

    /// The number of the connection in memory that it came over; 0 where it came over none.
    #[getter]
    fn _line(&self) -> u64 {
        self.exchange.line
    }

    /// The host that the client asked for, with the port it named: "example.org:8000".
    #[getter]
    fn host<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::text(py, self.host_name())
    }

    /// The client's address, behind trusted proxies too: "192.0.2.1". Empty where there is none.
    #[getter]
    fn client_ip<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let address = self.origin().map_or_else(|| self.exchange.peer_ip(), |origin| origin.client);
        values::text(py, address.map(|address| address.to_string()))
    }

    /// The address at the other end of the socket, whatever proxies tell. Empty where there is none.
    #[getter]
    fn remote_addr(&self) -> String {
        self.exchange.peer_ip().map(|address| address.to_string()).unwrap_or_default()
    }

    /// Whether the socket's peer is a trusted proxy, whose word is taken for who the client is.
    #[getter]
    fn is_from_trusted_proxy(&self) -> bool {
        self.is_through_proxy()
    }

    /// The version of HTTP: "1.0" or "1.1".
    #[getter]
    fn http_version(&self) -> &'static str {
        match self.exchange.head.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => "1.1",
        }
    }

    /// The request's identity in logs and errors: a UUIDv7, or what it was set to.
    ///
    /// Shape: text of 1 to 128 characters, visible ASCII without quotes and backslashes.
    /// Errors: when it is set, ValueError for other text, TypeError for no text.
    #[getter]
    fn request_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::text(py, Some(self.exchange.id.to_string()))
    }

    #[setter]
    fn set_request_id(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(text) = value.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!("a request id is a str, not {}", value.get_type().name()?)));
        };
        // What is no text of UTF-8 is no id either, and a ValueError too.
        self.exchange.id.set(text.to_str()?).map_err(PyValueError::new_err)
    }

    /// The path of the route that the request came to, as it was registered: "/users/{id}". None where it came to none.
    #[getter]
    fn route<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.server.path(self.exchange.route).map(|path| path.bind(py))
    }

    /// The application that serves the request.
    ///
    /// Errors: RuntimeError where the request is made by hand without one.
    #[getter]
    fn app(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.server.app(py, &self.exchange).ok_or_else(|| {
            PyRuntimeError::new_err("this request was made without an application: give one, Request(..., app=app)")
        })
    }

    /// A namespace of the request's own: any attribute you set.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        kept(&self.made().state, py, || values::namespace(py))
    }

    /// What middleware and handlers tell each other of the request, by name.
    // pyo3 would give a getter `context` and the method `get_context` one name.
    #[getter(context)]
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        kept(&self.made().context, py, || values::context(py))
    }

    /// An entry of the context.
    #[pyo3(signature = (name, default = None))]
    fn get_context<'py>(&self, py: Python<'py>, name: &str, default: Maybe<'py>) -> PyResult<Maybe<'py>> {
        let Some(context) = self.made.get().and_then(|made| made.context.get()) else { return Ok(default) };
        Ok(context.bind(py).cast::<PyDict>()?.get_item(name)?.or(default))
    }

    /// An entry of the context that is text; None where it is anything else, or not there.
    fn get_context_string<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Maybe<'py>> {
        Ok(self.get_context(py, name, None)?.filter(|value| value.is_instance_of::<PyString>()))
    }

    /// Set an entry of the context.
    fn set_context(&self, py: Python<'_>, name: &str, value: Bound<'_, PyAny>) -> PyResult<()> {
        self.entries(py)?.cast::<PyDict>()?.set_item(name, value)
    }

    /// The whole body. May be awaited, and must be where the route streams its body.
    fn body<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Bytes)
    }

    /// The whole body as plain bytes, where it is empty or said to be JSON; None where it is said to be anything else.
    #[pyo3(name = "_json_document")]
    fn json_document<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let body = if self.exchange.is_form() { None } else { Some(self.exchange.body()) };
        body.filter(|body| body.is_empty() || self.is_json()).map(|body| PyBytes::new(py, body))
    }

    /// The whole body as text: UTF-8, U+FFFD in place of what is none. May be awaited, as `body()`.
    fn text<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Text)
    }

    /// The body, parsed as JSON. May be awaited, as `body()`; true, false and null only where it is called.
    ///
    /// Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400.
    fn json<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Json)
    }

    /// The body as a form. May be awaited, as `body()`.
    ///
    /// Errors: HTTPError 415 for a body that is said to be something else; 400 and 413 for a form that cannot be taken.
    #[pyo3(name = "form")]
    fn read_form<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Form)
    }

    /// The files of the form, a list. May be awaited, as `body()`.
    ///
    /// Errors: those of `form()`.
    fn files<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reading::read(slf, Kind::Files)
    }

    /// The parts of a form as they arrive, for `async for`, on a route that streams its body.
    ///
    /// Errors: RuntimeError on another route; HTTPError 415 for a body that is no form in parts.
    fn parts(slf: &Bound<'_, Self>) -> PyResult<Parts> {
        let exchange = slf.get().exchange.clone();
        // A body of no bytes never arrives. It is the client's mistake, as any form is that breaks off.
        let is_empty = !exchange.is_form() && exchange.body().is_empty();
        if !exchange.is_arriving() && !is_empty {
            let words = "the body of this request is there: parts() is for routes with stream=True, form() for others";
            return Err(PyRuntimeError::new_err(words));
        }
        let boundary = form::needed_boundary(slf)?;
        Ok(Parts::new(slf.clone().unbind(), exchange, &boundary))
    }

    /// `body()`, to be awaited.
    fn body_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Bytes)
    }

    /// `text()`, to be awaited.
    fn text_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Text)
    }

    /// `json()`, to be awaited.
    fn json_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::read_async(slf, Kind::Json)
    }

    /// Whether the client has left: it closed its end, or the connection is over.
    fn disconnected(&self) -> bool {
        self.exchange.is_cut()
    }

    /// Whether the server stops. May be called, which gives a bool, and awaited, which waits for it.
    #[getter]
    fn server_stopping(&self) -> ServerStopping {
        ServerStopping::new(self.server.handlers())
    }

    /// The body in the pieces in which it arrives, where the route streams it; else in one.
    fn stream(slf: Py<Self>) -> BodyPieces {
        BodyPieces::new(slf)
    }

    /// Have `function(*arguments, **keywords)` called after the answer, as `BackgroundTasks.add_task` does.
    #[pyo3(signature = (function, *arguments, **keywords))]
    fn add_background_task(
        &self,
        function: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = function.py();
        let all = PyTuple::new(py, [function.clone()])?.as_sequence().concat(arguments.as_sequence())?.to_tuple()?;
        let call = py.import(intern!(py, "functools"))?.getattr(intern!(py, "partial"))?.call(all, keywords)?;
        self.later().add_background(call.unbind());
        Ok(())
    }

    /// Have `function` called in the request's own task and context once the last byte of the answer was taken, or the
    /// client has gone; last given first. It gets what the handler or its stream raised, or None, and may return
    /// something to be awaited.
    fn _at_end(&self, function: Bound<'_, PyAny>) {
        self.later().add_ending(function.unbind());
    }

    /// Have `function` called after everything else, in the order they are given. It may return something to be awaited.
    fn _in_background(&self, function: Bound<'_, PyAny>) {
        self.later().add_background(function.unbind());
    }

    /// What was given to `_at_end` and to `_in_background` since it was last asked for.
    fn _take_later(&self) -> (Vec<Py<PyAny>>, Vec<Py<PyAny>>) {
        let Lists { endings, background } = self.later().take();
        (endings, background)
    }

    /// Have `_sent` wait for an answer that is not on its way yet, and whether or not anything is left to be done then.
    fn _follow(&self) {
        self.later().follow();
    }

    /// What ASGI's `scope` says of the request: all that is the same for every application it is mounted in.
    ///
    /// Shape: with `is_under` the path of its route ends with a catch-all, and what is before that is the `root_path`;
    /// else all of the path is.
    /// Source: ASGI HTTP 2.3.
    fn _asgi_scope<'py>(&self, py: Python<'py>, is_under: bool) -> PyResult<Bound<'py, PyDict>> {
        asgi::scope(py, self, is_under)
    }

    /// Whether the answer was sent, or given up.
    fn _is_sent(&self) -> bool {
        self.later().is_sent()
    }

    /// To be awaited until the answer was sent, or given up.
    fn _sent<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Reading>> {
        reading::until_sent(slf)
    }

    /// The path as it was sent, without the query.
    #[getter]
    fn _raw_path(&self) -> &str {
        self.exchange.head.uri.path()
    }

    /// Why the kernel has no handler answer the request, as status, detail and the methods allowed; None where it has.
    #[getter]
    fn _refusal(&self) -> Option<(u16, &str, Option<&str>)> {
        let refusal = self.exchange.refusal()?;
        let allow = refusal.allow.as_ref().and_then(|allow| allow.to_str().ok());
        Some((refusal.status.as_u16(), &refusal.detail, allow))
    }

    /// The handler of its route, as it was registered; None of a request made by hand.
    #[getter]
    fn _endpoint(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.server.endpoint(py, &self.exchange)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.later.get().map_or(Ok(()), |later| later.traverse(&visit))?;
        let Some(made) = self.made.get() else { return Ok(()) };
        visit.call(made.context.get())?;
        visit.call(made.state.get())
    }

    fn __repr__(&self) -> String {
        let head = &self.exchange.head;
        let from = self.exchange.peer_ip().map(|address| format!(" from {address}")).unwrap_or_default();
        format!("<Request {} {}{from}>", head.method, head.uri.path())
    }
}
