//! One request: checked, routed, its body read, dispatched, and answered whatever happens.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Incoming};

use crate::body::{BodyError, BufferedBody, Payload, read_body};
use crate::exchange::{Deferred, Exchange, FORGOTTEN, Outcome, Reply};
use crate::framing;
use crate::problem::Problem;
use crate::request_id::RequestId;
use crate::router::{Found, Params, RouteId};
use crate::server::State;
use crate::watch::{Expired, Phase, Watch};

/// Answers the requests of one connection.
pub(crate) struct HttpService {
    server: Arc<State>,
    watch: Arc<Watch>,
}

impl HttpService {
    pub(crate) fn new(server: Arc<State>, watch: Arc<Watch>) -> Self {
        Self { server, watch }
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Refuses a request before its body: the connection is closed, since the body may follow unasked.
    fn refuse(&self, status: StatusCode, detail: &str, head: &Parts, id: &RequestId) -> Response<Payload> {
        self.watch.linger();
        let mut response = Problem { status, detail, instance: head.uri.path() }.response(id);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn answer(&self, head: Parts, incoming: Incoming) -> Answer {
        let id = RequestId::default();
        let state = &self.server;
        if let Err((status, detail)) = framing::check(&head, &state.settings.limits) {
            return Answer::Ready(self.refuse(status, detail, &head, &id));
        }
        let (route, params) = match state.router.find(&head.method, head.uri.path()) {
            Found::Route(route, params) => (route, params),
            Found::OtherMethods(allow) => return Answer::Ready(other_methods(&head, &id, allow)),
            Found::Nothing => {
                let problem = Problem {
                    status: StatusCode::NOT_FOUND,
                    detail: "No route has this path.",
                    instance: head.uri.path(),
                };
                return Answer::Ready(problem.response(&id));
            }
        };
        if incoming.is_end_stream() {
            let exchange = Exchange { head, route, params, body: BufferedBody::default(), id };
            return match state.application.dispatch(exchange) {
                Outcome::Answered(response) => Answer::Ready(response),
                Outcome::Deferred(deferred) => {
                    Answer::Later(Box::pin(wait(state.clone(), self.watch.clone(), deferred)))
                }
            };
        }
        let limit_bytes = state.settings.limits.body_bytes;
        if promised_bytes(&head).is_some_and(|promised| promised > limit_bytes as u64) {
            let (status, detail) = (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than this server accepts.");
            return Answer::Ready(self.refuse(status, detail, &head, &id));
        }
        Answer::Later(Box::pin(receive(state.clone(), self.watch.clone(), head, incoming, route, params, id)))
    }
}

impl hyper::service::Service<Request<Incoming>> for HttpService {
    type Response = Response<Payload>;
    type Error = Infallible;
    type Future = Serving;

    fn call(&self, request: Request<Incoming>) -> Serving {
        self.watch.begin_request();
        let (head, incoming) = request.into_parts();
        let subject = Subject::of(&head);
        let started = self.server.settings.access_log.map(|_| Instant::now());
        match catch_unwind(AssertUnwindSafe(|| self.answer(head, incoming))) {
            Ok(Answer::Later(future)) => Serving::Pending(Box::new(Pending {
                future,
                subject,
                started,
                server: self.server.clone(),
                watch: self.watch.clone(),
            })),
            Ok(Answer::Ready(response)) => {
                Serving::Ready(Some(finish(response, &self.server, &self.watch, &subject, started)))
            }
            Err(panic) => {
                let response = panicked(&subject, &*panic);
                Serving::Ready(Some(finish(response, &self.server, &self.watch, &subject, started)))
            }
        }
    }
}

enum Answer {
    Ready(Response<Payload>),
    Later(Pin<Box<dyn Future<Output = Response<Payload>> + Send>>),
}

/// The future of one answer.
pub(crate) enum Serving {
    /// Answered in place.
    Ready(Option<Response<Payload>>),
    /// Waiting for a body or for the application.
    Pending(Box<Pending>),
}

pub(crate) struct Pending {
    future: Pin<Box<dyn Future<Output = Response<Payload>> + Send>>,
    subject: Subject,
    started: Option<Instant>,
    server: Arc<State>,
    watch: Arc<Watch>,
}

impl Future for Serving {
    type Output = Result<Response<Payload>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = match &mut *self {
            Self::Ready(response) => {
                return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
            Self::Pending(pending) => pending,
        };
        let polled = catch_unwind(AssertUnwindSafe(|| pending.future.as_mut().poll(context)));
        let response = match polled {
            Ok(poll) => ready!(poll),
            Err(panic) => panicked(&pending.subject, &*panic),
        };
        Poll::Ready(Ok(finish(response, &pending.server, &pending.watch, &pending.subject, pending.started)))
    }
}

/// What a log line says of a request.
struct Subject {
    method: Method,
    uri: Uri,
}

impl Subject {
    fn of(head: &Parts) -> Self {
        Self { method: head.method.clone(), uri: head.uri.clone() }
    }
}

fn finish(
    response: Response<Payload>,
    server: &State,
    watch: &Watch,
    subject: &Subject,
    started: Option<Instant>,
) -> Response<Payload> {
    watch.enter(Phase::Responding);
    if let (Some(log), Some(started)) = (server.settings.access_log, started) {
        log.write(&subject.method, subject.uri.path(), response.status(), started.elapsed());
    }
    response
}

/// Answers a request whose path is known: OPTIONS with what the path takes, another method with 405.
fn other_methods(head: &Parts, id: &RequestId, allow: HeaderValue) -> Response<Payload> {
    let mut response = if head.method == Method::OPTIONS {
        let mut response = Response::new(Payload::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        let detail = "This path does not answer that method; Allow names those it does.";
        Problem { status: StatusCode::METHOD_NOT_ALLOWED, detail, instance: head.uri.path() }.response(id)
    };
    response.headers_mut().insert(ALLOW, allow);
    response
}

fn promised_bytes(head: &Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the body, then dispatches.
async fn receive(
    server: Arc<State>,
    watch: Arc<Watch>,
    head: Parts,
    incoming: Incoming,
    route: RouteId,
    params: Option<Params>,
    id: RequestId,
) -> Response<Payload> {
    let settings = &server.settings;
    let body = read_body(incoming, settings.limits.body_bytes, &server.budget, &settings.timeouts, &watch).await;
    let error = match body {
        Ok(body) => {
            let exchange = Exchange { head, route, params, body, id };
            return match server.application.dispatch(exchange) {
                Outcome::Answered(response) => response,
                Outcome::Deferred(deferred) => wait(server, watch, deferred).await,
            };
        }
        Err(error) => error,
    };
    let (status, detail) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than this server accepts."),
        BodyError::TimedOut => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
        BodyError::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "The server has no room for this body; try again."),
        BodyError::Broken => (StatusCode::BAD_REQUEST, "The body broke off, or its framing is wrong."),
    };
    watch.linger();
    let mut response = Problem { status, detail, instance: head.uri.path() }.response(&id);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Waits for the application's answer, as long as the handler's timeout allows.
async fn wait(server: Arc<State>, watch: Arc<Watch>, deferred: Deferred) -> Response<Payload> {
    let reply = Reply::new(deferred, server.application.clone());
    let (status, detail) = match watch.unless_expired(reply).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => FORGOTTEN,
        Err(Expired) => (StatusCode::SERVICE_UNAVAILABLE, "The handler took longer than it may."),
    };
    Problem { status, detail, instance: "" }.response(&RequestId::default())
}

/// A panic is an error of one request: told to its client without the words, logged with them.
fn panicked(subject: &Subject, panic: &(dyn Any + Send)) -> Response<Payload> {
    let id = RequestId::default();
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    eprintln!(
        "cello: panic in native code, answering {} {} (request {}): {}",
        subject.method,
        subject.uri.path(),
        id.get(),
        words.unwrap_or("no message"),
    );
    let problem = Problem {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        detail: "The server failed to answer this request.",
        instance: subject.uri.path(),
    };
    problem.response(&id)
}
