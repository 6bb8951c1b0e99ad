//! One request: checked, routed, its body read, dispatched, and answered whatever happens.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};

use crate::access_log::target;
use crate::answer::Answer;
use crate::body::{BodyError, read_body};
use crate::complaint::complain;
use crate::content::Content;
use crate::exchange::{Exchange, Forgotten, Outcome, Peer, Refusal, Reply};
use crate::form::{FormError, FormLimits};
use crate::framing;
use crate::inflow::Inflow;
use crate::multipart::Boundary;
use crate::problem::ErrorForm;
use crate::receiving::{Unreceived, read_form};
use crate::router::{Found, NO_ROUTE, Params, RouteId};
use crate::server::{RouteSettings, State};
use crate::watch::{Expired, Phase, Watch};
use crate::wire::Tether;

/// Answers the requests of one connection.
pub(crate) struct HttpService {
    server: Arc<State>,
    watch: Arc<Watch>,
    peer: Peer,
    tether: Tether,
}

impl HttpService {
    pub(crate) fn new(server: Arc<State>, watch: Arc<Watch>, peer: Peer) -> Self {
        Self { server, watch, peer, tether: Tether::default() }
    }

    /// Ties the requests to their connection.
    pub(crate) fn tie(&mut self, tether: Tether) {
        self.tether = tether;
    }

    /// The form of errors that belong to no request.
    pub(crate) fn error_form(&self) -> ErrorForm {
        self.server.settings.errors.form
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Checks and routes a request by its head.
    fn admit(&self, head: &Parts) -> Result<(RouteId, Option<Params>), Denial> {
        framing::check(head, &self.server.settings.limits).map_err(Denial::Refused)?;
        match self.server.router.find(&head.method, head.uri.path()) {
            Found::Route(route, params) => Ok((route, params)),
            Found::OtherMethods(allow) => Err(Denial::OtherMethods(allow)),
            Found::Nothing => Err(Denial::NoRoute),
        }
    }

    /// Answers an admitted request.
    fn answer(&self, exchange: &Arc<Exchange>, incoming: Incoming) -> Begun {
        let (state, watch) = (&self.server, &self.watch);
        let settings = &state.settings;
        let RouteSettings { body_bytes, streams_body, handler_timeout } =
            settings.routes.get(exchange.route).copied().unwrap_or_default();
        if let Some(limit) = handler_timeout {
            watch.limit_handler(limit);
        }
        if incoming.is_end_stream() {
            return self.dispatch(exchange);
        }
        let refused = |(status, detail): (StatusCode, Cow<'static, str>)| {
            if !settings.asks_when_refused {
                return Begun::Answered(refuse(watch, exchange, status, &detail));
            }
            watch.linger();
            exchange.refuse(Refusal { status, detail, allow: None });
            self.dispatch(exchange)
        };
        let too_large = || {
            let (status, detail) = BodyError::TooLarge.answer();
            (status, Cow::Borrowed(detail))
        };
        let promised = promised_bytes(&exchange.head);
        if streams_body {
            if promised.zip(body_bytes).is_some_and(|(promised, limit)| promised > limit as u64) {
                return refused(too_large());
            }
            exchange.set_inflow(Inflow::new(incoming, body_bytes, state.clone(), watch.clone()));
            return self.dispatch(exchange);
        }
        let boundary = match boundary(&exchange.head) {
            Ok(boundary) => boundary,
            Err(error) => return refused((error.status(), error.detail())),
        };
        let wanted = match boundary {
            None => Wanted::Body { limit_bytes: body_bytes.unwrap_or(settings.limits.body_bytes) },
            Some(boundary) => {
                let form = settings.limits.form;
                Wanted::Form { boundary, limits: body_bytes.map_or(form, |bytes| form.of_body(bytes)) }
            }
        };
        if promised.is_some_and(|promised| promised > wanted.limit_bytes()) {
            return refused(too_large());
        }
        Begun::Waiting(Box::pin(receive(state.clone(), watch.clone(), exchange.clone(), incoming, wanted)))
    }

    fn dispatch(&self, exchange: &Arc<Exchange>) -> Begun {
        let application = &self.server.application;
        match application.dispatch(exchange.clone()) {
            Outcome::Answered(answer) => Begun::Answered(answer),
            Outcome::Deferred(deferred) => {
                // Made here, not when the future is first polled: the client may have gone by then.
                let reply = Reply::new(deferred, application.clone());
                Begun::Waiting(Box::pin(wait(self.watch.clone(), exchange.clone(), reply)))
            }
        }
    }

    /// Answers a request that was not admitted.
    fn deny(&self, exchange: &Arc<Exchange>, incoming: &Incoming, denial: Denial) -> Begun {
        if !incoming.is_end_stream() {
            self.watch.linger();
        }
        let refusal = match denial {
            // Before it is routed a request is nobody's.
            Denial::Refused((status, detail)) => {
                return Begun::Answered(refuse(&self.watch, exchange, status, detail));
            }
            Denial::NoRoute => {
                Refusal { status: StatusCode::NOT_FOUND, detail: "No route has this path.".into(), allow: None }
            }
            Denial::OtherMethods(allow) if exchange.head.method == Method::OPTIONS => {
                Refusal { status: StatusCode::NO_CONTENT, detail: "".into(), allow: Some(allow) }
            }
            Denial::OtherMethods(allow) => {
                let detail = "This path does not answer that method; Allow names those it does.".into();
                Refusal { status: StatusCode::METHOD_NOT_ALLOWED, detail, allow: Some(allow) }
            }
        };
        if self.server.settings.asks_when_refused {
            exchange.refuse(refusal);
            return self.dispatch(exchange);
        }
        let Refusal { status, detail, allow } = refusal;
        let mut answer = match status {
            StatusCode::NO_CONTENT => Answer { status, ..Answer::default() },
            _ => problem(status, &detail, exchange),
        };
        if let Some(allow) = allow {
            answer.fields_mut().insert(ALLOW, allow);
        }
        Begun::Answered(answer)
    }
}

/// Why a request does not come to a handler.
enum Denial {
    Refused(framing::Refusal),
    OtherMethods(HeaderValue),
    NoRoute,
}

impl hyper::service::Service<Request<Incoming>> for HttpService {
    type Response = Response<Content>;
    type Error = Infallible;
    type Future = Serving;

    fn call(&self, request: Request<Incoming>) -> Serving {
        self.watch.begin_request();
        let started = self.server.settings.access_log.as_ref().map(|_| Instant::now());
        let (head, incoming) = request.into_parts();
        let (route, params, denial) = match self.admit(&head) {
            Ok((route, params)) => (route, params, None),
            Err(denial) => (NO_ROUTE, None, Some(denial)),
        };
        let (tether, errors) = (Some(self.tether.clone()), self.server.settings.errors);
        let mut exchange = Arc::new(Exchange::new(head, route, params, self.peer, tether, errors));
        let begun = catch_unwind(AssertUnwindSafe(|| match denial {
            None => self.answer(&exchange, incoming),
            Some(denial) => self.deny(&exchange, &incoming, denial),
        }));
        let answer = match begun {
            Ok(Begun::Answered(answer)) => answer,
            Ok(Begun::Waiting(future)) => {
                let (server, watch) = (self.server.clone(), self.watch.clone());
                return Serving::Pending(Box::new(Pending { future, exchange, started, server, watch }));
            }
            Err(panic) => panicked(&exchange, &*panic),
        };
        let answer = finish(answer, &self.server, &self.watch, &exchange, started);
        Serving::Ready(Some(answer.into_response(exchange.spare_map())))
    }
}

type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

enum Begun {
    Answered(Answer),
    Waiting(AnswerFuture),
}

/// The future of one answer.
pub(crate) enum Serving {
    /// Answered in place.
    Ready(Option<Response<Content>>),
    /// Waiting for a body or for the application.
    Pending(Box<Pending>),
}

pub(crate) struct Pending {
    future: AnswerFuture,
    exchange: Arc<Exchange>,
    started: Option<Instant>,
    server: Arc<State>,
    watch: Arc<Watch>,
}

impl Future for Serving {
    type Output = Result<Response<Content>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = match &mut *self {
            Self::Ready(response) => {
                return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
            Self::Pending(pending) => pending,
        };
        let polled = catch_unwind(AssertUnwindSafe(|| pending.future.as_mut().poll(context)));
        let answer = match polled {
            Ok(poll) => ready!(poll),
            Err(panic) => panicked(&pending.exchange, &*panic),
        };
        let answer = finish(answer, &pending.server, &pending.watch, &pending.exchange, pending.started);
        Poll::Ready(Ok(answer.into_response(pending.exchange.spare_map())))
    }
}

fn finish(
    mut answer: Answer,
    server: &State,
    watch: &Arc<Watch>,
    exchange: &Exchange,
    started: Option<Instant>,
) -> Answer {
    watch.enter(Phase::Responding);
    server.note_answer();
    if let (Some(log), Some(started)) = (&server.settings.access_log, started) {
        log.note(exchange, answer.status, started.elapsed());
    }
    if let Some(name) = &server.settings.request_id_header
        && let Ok(value) = HeaderValue::try_from(exchange.id.to_string())
    {
        answer.fields_mut().insert(name, value);
    }
    if watch.is_retiring() {
        answer.fields_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let body = answer.body.watched(watch);
    if exchange.head.version == Version::HTTP_10 && body.size_hint().exact().is_none() {
        watch.note_unmarked_end();
    }
    Answer { body, ..answer }
}

fn problem(status: StatusCode, detail: &str, exchange: &Exchange) -> Answer {
    exchange.problem(status, detail)
}

/// Refuses a request whose body is unread: the connection is closed, since the body may follow unasked.
fn refuse(watch: &Watch, exchange: &Exchange, status: StatusCode, detail: &str) -> Answer {
    watch.linger();
    let mut answer = problem(status, detail, exchange);
    answer.fields_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn promised_bytes(head: &Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The boundary of a body that is a form in parts.
fn boundary(head: &Parts) -> Result<Option<Boundary>, FormError> {
    match head.headers.get(CONTENT_TYPE) {
        None => Ok(None),
        Some(content_type) => Boundary::of(&String::from_utf8_lossy(content_type.as_bytes())),
    }
}

/// As what a body is read before the application is asked.
enum Wanted {
    Body { limit_bytes: usize },
    Form { boundary: Boundary, limits: FormLimits },
}

impl Wanted {
    fn limit_bytes(&self) -> u64 {
        match self {
            Self::Body { limit_bytes } => *limit_bytes as u64,
            Self::Form { limits, .. } => limits.form_bytes,
        }
    }
}

/// Reads the body, then dispatches.
async fn receive(
    server: Arc<State>,
    watch: Arc<Watch>,
    exchange: Arc<Exchange>,
    incoming: Incoming,
    wanted: Wanted,
) -> Answer {
    if let Err(error) = read(&server, &watch, &exchange, incoming, &wanted).await {
        if let Unreceived::Form(error @ FormError::Storage(_)) = &error {
            let ((method, path), id) = (target(&exchange.head), &exchange.id);
            complain(format_args!("{method} {path} (request {id}): {error}"));
        }
        let (status, detail) = error.answer();
        if !server.settings.asks_when_refused {
            let mut answer = refuse(&watch, &exchange, status, &detail);
            if status == StatusCode::SERVICE_UNAVAILABLE {
                answer.fields_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            return answer;
        }
        watch.linger();
        watch.enter(Phase::Handling);
        exchange.refuse(Refusal { status, detail, allow: None });
    }
    match server.application.dispatch(exchange.clone()) {
        Outcome::Answered(answer) => answer,
        Outcome::Deferred(deferred) => {
            let reply = Reply::new(deferred, server.application.clone());
            wait(watch, exchange, reply).await
        }
    }
}

async fn read(
    server: &State,
    watch: &Watch,
    exchange: &Exchange,
    incoming: Incoming,
    wanted: &Wanted,
) -> Result<(), Unreceived> {
    let (budget, timeouts) = (&server.budget, &server.settings.timeouts);
    match wanted {
        Wanted::Body { limit_bytes } => {
            exchange.set_body(read_body(incoming, *limit_bytes, budget, timeouts, watch).await?);
        }
        Wanted::Form { boundary, limits } => {
            exchange.set_form(read_form(incoming, boundary, limits, budget, timeouts, watch).await?);
        }
    }
    Ok(())
}

/// Waits for the application's answer, as long as the handler's timeout allows.
async fn wait(watch: Arc<Watch>, exchange: Arc<Exchange>, mut reply: Reply) -> Answer {
    let detail = match watch.unless_expired(&mut reply).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(Forgotten)) => "The application stopped before it had an answer.",
        Err(Expired) => {
            reply.expire();
            "The handler took longer than it may."
        }
    };
    problem(StatusCode::SERVICE_UNAVAILABLE, detail, &exchange)
}

/// The message of a panic that was caught.
pub fn panic_words(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    words.unwrap_or("no message")
}

/// A panic is an error of one request: told to its client without the words, logged with them.
fn panicked(exchange: &Exchange, panic: &(dyn Any + Send)) -> Answer {
    let ((method, path), id, words) = (target(&exchange.head), &exchange.id, panic_words(panic));
    complain(format_args!("panic in native code, answering {method} {path} (request {id}): {words}"));
    problem(StatusCode::INTERNAL_SERVER_ERROR, "The server failed to answer this request.", exchange)
}
