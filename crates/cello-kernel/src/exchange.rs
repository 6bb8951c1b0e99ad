//! A request on its way to the application, and what the application makes of it.

use std::borrow::Cow;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::body::{BodyError, BufferedBody};
use crate::form::{Form, FormLimits};
use crate::inflow::{Arriving, Inflow};
use crate::multipart::Boundary;
use crate::problem::Errors;
use crate::receiving::{ReceivedForm, Unreceived};
use crate::request_id::RequestId;
use crate::router::{NO_ROUTE, Params, RouteId};
use crate::wire::Tether;

/// The map of more fields is not kept for the next request of its connection.
const SPARE_FIELDS: usize = 24;

/// One request, whole and within its limits.
#[derive(Debug)]
pub struct Exchange {
    /// Method, target, version and header fields.
    pub head: Parts,
    /// The route that answers; [`NO_ROUTE`](crate::NO_ROUTE) where none does, and the kernel does.
    pub route: RouteId,
    /// What the route's path parameters matched.
    pub params: Option<Params>,
    /// Its identity in logs and errors.
    pub id: RequestId,
    /// Where it came from: the other end of the connection. A Unix socket has no address.
    pub peer: Option<SocketAddr>,
    /// Whether the connection is over TLS.
    pub is_secure: bool,
    /// The number of the connection in memory that it came over; 0 where it came over none.
    pub line: u64,
    pub(crate) errors: Errors,
    body: OnceLock<Received>,
    refusal: OnceLock<Refusal>,
    /// None where it came over no connection.
    tether: Option<Tether>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer {
    /// A Unix socket has none, nor has who is not told one.
    pub address: Option<SocketAddr>,
    /// Whether the connection is over TLS, or counts as one.
    pub is_secure: bool,
    /// The number of a connection in memory ([`Server::connect`](crate::Server::connect)), from 1; 0 for any other.
    pub line: u64,
}

/// Why the kernel does not have a handler answer a request.
#[derive(Debug)]
pub struct Refusal {
    /// The status of its answer.
    pub status: StatusCode,
    /// What is wrong, and what to do.
    pub detail: Cow<'static, str>,
    /// The methods that the path answers, where it has others.
    pub allow: Option<HeaderValue>,
}

/// The body of a request.
#[derive(Debug)]
enum Received {
    Whole(BufferedBody),
    Form(ReceivedForm),
    /// The application takes it as it comes.
    Arriving(Box<Arriving>),
}

impl Exchange {
    /// A request whose head is known; its body is read next, if it has one.
    pub(crate) fn new(
        head: Parts,
        route: RouteId,
        params: Option<Params>,
        peer: Peer,
        tether: Option<Tether>,
        errors: Errors,
    ) -> Self {
        let (id, body, refusal) = (RequestId::default(), OnceLock::new(), OnceLock::new());
        let Peer { address, is_secure, line } = peer;
        Self { head, route, params, id, peer: address, is_secure, line, errors, body, refusal, tether }
    }

    /// A request that came over no connection, and belongs to no route.
    pub fn by_hand(head: Parts, body: Bytes, peer: Option<SocketAddr>, is_secure: bool) -> Self {
        let peer = Peer { address: peer, is_secure, line: 0 };
        let exchange = Self::new(head, NO_ROUTE, None, peer, None, Errors::default());
        exchange.set_body(BufferedBody::by_hand(body));
        exchange
    }

    /// The peer's address, in its own family where the socket has both.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip().to_canonical())
    }

    /// The body, where it was read before the application was asked, or what [`Exchange::read_body`] has read.
    pub fn body(&self) -> &[u8] {
        match self.body.get() {
            Some(Received::Whole(body)) => body.bytes(),
            Some(Received::Arriving(arriving)) => arriving.rest().map_or(&[], |rest| rest.bytes()),
            Some(Received::Form(_)) | None => &[],
        }
    }

    /// Whether the body was, or is to be, received as a form: there are no bytes of it.
    pub fn is_form(&self) -> bool {
        match self.body.get() {
            Some(Received::Form(_)) => true,
            Some(Received::Arriving(arriving)) => arriving.form().is_some(),
            _ => false,
        }
    }

    /// The form that the body was received as, once.
    pub fn take_form(&self) -> Option<Form> {
        match self.body.get()? {
            Received::Form(form) => form.take(),
            Received::Arriving(arriving) => arriving.form()?.take(),
            Received::Whole(_) => None,
        }
    }

    /// The next piece of a body that is handled while it arrives; `None` at its end, and where there is none.
    pub fn poll_body(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self.body.get() {
            Some(Received::Arriving(arriving)) => arriving.poll_piece(context),
            _ => Poll::Ready(None),
        }
    }

    /// Whether the client has closed its end of the connection, or the connection is over.
    pub fn is_cut(&self) -> bool {
        self.tether.as_ref().is_some_and(Tether::is_cut)
    }

    /// Its answer has broken off, and the client is not waited for where it takes nothing: its connection ends.
    pub fn hurry(&self) {
        if let Some(tether) = &self.tether {
            tether.hurry();
        }
    }

    /// Whether the body is still on its way.
    pub fn is_arriving(&self) -> bool {
        matches!(self.body.get(), Some(Received::Arriving(arriving)) if arriving.rest().is_none() && arriving.form().is_none())
    }

    /// Reads what is left of a body that is handled while it arrives, within the limits of any other.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn read_body(&self) -> Result<(), BodyError> {
        match self.body.get() {
            Some(Received::Arriving(arriving)) => arriving.read_rest().await,
            _ => Ok(()),
        }
    }

    /// Receives what is left of a body that is handled while it arrives, as a form.
    ///
    /// # Errors
    /// Why it could not be received.
    pub async fn read_form(&self, boundary: &Boundary) -> Result<(), Unreceived> {
        match self.body.get() {
            Some(Received::Arriving(arriving)) => arriving.read_form(boundary).await,
            _ => Ok(()),
        }
    }

    /// The limits of forms that are read while they arrive, part by part: nothing of them is kept.
    pub fn part_limits(&self) -> FormLimits {
        match self.body.get() {
            Some(Received::Arriving(arriving)) => arriving.part_limits(),
            _ => FormLimits::default(),
        }
    }

    /// The request is over: what it has not taken of its body is nobody's any more.
    pub fn close_body(&self) {
        if let Some(Received::Arriving(arriving)) = self.body.get() {
            arriving.close();
        }
    }

    /// The map of its fields, emptied, for those of its answer: to make one anew is a good part of a small answer's price.
    /// An empty one that has no room yet where anybody still has the request.
    pub(crate) fn spare_map(self: &mut Arc<Self>) -> HeaderMap {
        let Some(exchange) = Arc::get_mut(self) else { return HeaderMap::new() };
        let mut map = std::mem::take(&mut exchange.head.headers);
        if map.len() > SPARE_FIELDS {
            return HeaderMap::new();
        }
        map.clear();
        map
    }

    /// Why no handler is to answer; the application is asked all the same where it wants to be
    /// ([`Settings::asks_when_refused`](crate::Settings::asks_when_refused)).
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.get()
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.get_or_init(|| refusal);
    }

    pub(crate) fn set_body(&self, body: BufferedBody) {
        self.body.get_or_init(|| Received::Whole(body));
    }

    pub(crate) fn set_form(&self, form: ReceivedForm) {
        self.body.get_or_init(|| Received::Form(form));
    }

    pub(crate) fn set_inflow(&self, inflow: Inflow) {
        self.body.get_or_init(|| Received::Arriving(Box::new(Arriving::new(inflow))));
    }
}

/// The application's side of the crossing. Every call comes on the worker's one thread.
pub trait Application: Send + Sync + 'static {
    /// Answers a request, at once or later. A panic in here is a 500 for this request alone.
    fn dispatch(&self, exchange: Arc<Exchange>) -> Outcome;

    /// Nobody waits for the answer of a deferred request any more.
    fn abandon(&self, ticket: u64, reason: Abandonment);

    /// The server has answered its last request and closed its last connection.
    fn drained(&self);

    /// As many requests were answered as the settings have it ([`Settings::wears_after`](crate::Settings::wears_after)).
    fn worn(&self) {}
}

/// Why nobody waits for an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Abandonment {
    /// The client has gone.
    ClientLeft,
    /// It took longer than it may.
    TimedOut,
}

/// What became of a dispatched request.
#[derive(Debug)]
pub enum Outcome {
    /// It is answered.
    Answered(Answer),
    /// It will be.
    Deferred(Deferred),
}

/// An answer that is still to come.
#[derive(Debug)]
pub struct Deferred {
    /// The application's own name for it, passed to [`Application::abandon`].
    pub ticket: u64,
    /// Where the answer will arrive.
    pub answer: oneshot::Receiver<Answer>,
}

/// Waits for a deferred answer; dropped before it came, it tells the application so.
pub(crate) struct Reply {
    deferred: Option<Deferred>,
    application: Arc<dyn Application>,
    has_expired: bool,
}

/// The application let go of a request without answering it.
#[derive(Debug)]
pub(crate) struct Forgotten;

impl Reply {
    pub(crate) fn new(deferred: Deferred, application: Arc<dyn Application>) -> Self {
        Self { deferred: Some(deferred), application, has_expired: false }
    }

    /// It took too long, and is given up.
    pub(crate) fn expire(mut self) {
        self.has_expired = true;
    }
}

impl Future for Reply {
    type Output = Result<Answer, Forgotten>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(deferred) = &mut self.deferred else { return Poll::Ready(Err(Forgotten)) };
        let answer = std::task::ready!(Pin::new(&mut deferred.answer).poll(context));
        self.deferred = None;
        Poll::Ready(answer.map_err(|_| Forgotten))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // What has answered has ended, or streams a body whose source tells it.
        if let Some(mut deferred) = self.deferred.take()
            && deferred.answer.try_recv().is_err()
        {
            let reason = if self.has_expired { Abandonment::TimedOut } else { Abandonment::ClientLeft };
            self.application.abandon(deferred.ticket, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(fields: usize) -> Arc<Exchange> {
        let fields = (0..fields).map(|number| format!("x-{number}"));
        let request = fields.fold(http::Request::builder(), |request, name| request.header(name, "a"));
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Arc::new(Exchange::by_hand(head, Bytes::new(), None, false))
    }

    #[test]
    fn the_map_of_a_request_is_spared_empty_once_nobody_else_has_the_request() {
        let mut kept = exchange(3);
        let held = kept.clone();
        assert_eq!(kept.spare_map().capacity(), 0);
        assert_eq!(held.head.headers.len(), 3);
        drop(held);
        let map = kept.spare_map();
        assert!(map.is_empty() && map.capacity() >= 3, "{map:?}");
    }

    #[test]
    fn a_map_of_many_fields_is_not_spared() {
        assert!(exchange(SPARE_FIELDS).spare_map().capacity() > 0);
        assert_eq!(exchange(SPARE_FIELDS + 1).spare_map().capacity(), 0);
    }
}
