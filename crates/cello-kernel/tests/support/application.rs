//! An application with one route for each way to treat a request; it tells the test what it sees.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cello_kernel::{
    Abandonment, Answer, Application, Broken, Content, Deferred, Exchange, Outcome, Pattern, RouteId, RouteSettings,
    Router, Source,
};
use http::Method;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// The length of the body of `/big`: more than the sockets of both ends hold.
pub const BIG_BYTES: usize = 24 << 20;

const ROUTES: [(Method, &str, Treatment); 10] = [
    (Method::GET, "/hello", Treatment::Hello),
    (Method::POST, "/echo", Treatment::Echo),
    (Method::GET, "/big", Treatment::Big),
    (Method::GET, "/trickle", Treatment::Trickle),
    (Method::GET, "/later", Treatment::Later),
    (Method::POST, "/later", Treatment::Later),
    (Method::GET, "/panic", Treatment::Panic),
    (Method::POST, "/panic", Treatment::Panic),
    (Method::GET, "/panic-when-abandoned", Treatment::PanicWhenAbandoned),
    (Method::POST, "/slowly", Treatment::TakeSlowly),
];

/// What a route does.
#[derive(Clone, Copy)]
enum Treatment {
    /// `hello`, at once.
    Hello,
    /// The request's own body.
    Echo,
    /// [`BIG_BYTES`] of `x`.
    Big,
    /// Three times `x`, each after [`REST`].
    Trickle,
    /// An answer when the test says so.
    Later,
    /// A panic.
    Panic,
    /// No answer, and a panic when the client has gone.
    PanicWhenAbandoned,
    /// The request's own body, taken while it arrives, with [`REST`] after each piece.
    TakeSlowly,
}

/// What the routes want of the server.
pub fn route_settings() -> Vec<RouteSettings> {
    let streams_body = |treatment| matches!(treatment, Treatment::TakeSlowly);
    ROUTES
        .map(|(_, _, treatment)| RouteSettings { streams_body: streams_body(treatment), ..RouteSettings::default() })
        .into()
}

async fn take_slowly(exchange: Arc<Exchange>) -> Answer {
    let mut taken = Vec::new();
    loop {
        match poll_fn(|context| exchange.poll_body(context)).await {
            Some(Ok(piece)) => taken.extend_from_slice(&piece),
            Some(Err(error)) => break text(format!("{error:?}").into_bytes()),
            None => break text(taken),
        }
        tokio::time::sleep(REST).await;
    }
}

/// The time from one piece of `/trickle` to the next.
pub const REST: Duration = Duration::from_millis(800);

#[derive(Debug)]
struct Trickle {
    left: u32,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Source for Trickle {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let rest = self.rest.get_or_insert_with(|| Box::pin(tokio::time::sleep(REST)));
        std::task::ready!(rest.as_mut().poll(context));
        self.rest = None;
        self.left -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"x"))))
    }

    fn remaining_bytes(&self) -> Option<u64> {
        Some(u64::from(self.left))
    }
}

/// What happened to the application.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// A request was answered at once, with a body of so many bytes behind it.
    Answered(usize),
    /// A request waits for the test; its ticket.
    Deferred(u64),
    /// The client of a deferred request has gone.
    Abandoned(u64),
    /// The server has stopped.
    Drained,
}

pub struct TestApplication {
    events: mpsc::Sender<Event>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last_ticket: u64,
    panicking: Vec<u64>,
    requests: HashMap<u64, (Arc<Exchange>, oneshot::Sender<Answer>)>,
}

pub fn router() -> Router {
    let mut router = Router::default();
    for (expected, (method, path, _)) in ROUTES.into_iter().enumerate() {
        let route: RouteId = router.add(method, Pattern::parse(path).expect("a path")).expect("a route");
        assert_eq!(route, expected);
    }
    router
}

impl TestApplication {
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, waiting: Mutex::default() }
    }

    pub fn answer(&self, ticket: u64, body: &str) {
        let request = self.waiting.lock().expect("no panic in here").requests.remove(&ticket);
        let (exchange, answer) = request.expect("a ticket that was given out");
        drop(exchange);
        // The client may have gone.
        let _ = answer.send(text(body.as_bytes().to_vec()));
    }

    pub fn forget(&self, ticket: u64) {
        self.waiting.lock().expect("no panic in here").requests.remove(&ticket).expect("a ticket that was given out");
    }

    fn defer(&self, exchange: Arc<Exchange>, panics_when_abandoned: bool) -> Outcome {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().expect("no panic in here");
        waiting.last_ticket += 1;
        let ticket = waiting.last_ticket;
        waiting.requests.insert(ticket, (exchange, sender));
        if panics_when_abandoned {
            waiting.panicking.push(ticket);
        }
        self.note(Event::Deferred(ticket));
        Outcome::Deferred(Deferred { ticket, answer })
    }

    fn note(&self, event: Event) {
        // A test that has ended listens no more.
        let _ = self.events.send(event);
    }
}

impl Application for TestApplication {
    fn dispatch(&self, exchange: Arc<Exchange>) -> Outcome {
        let body = exchange.body();
        let answer = match ROUTES[exchange.route].2 {
            Treatment::Hello => b"hello".to_vec(),
            Treatment::Echo => body.to_vec(),
            Treatment::Big => vec![b'x'; BIG_BYTES],
            Treatment::Trickle => {
                let body = Content::Pulled(Box::new(Trickle { left: 3, rest: None }));
                return Outcome::Answered(Answer { body, ..Answer::default() });
            }
            Treatment::Later => return self.defer(exchange, false),
            Treatment::Panic => panic!("the words of a panic are not for clients"),
            Treatment::PanicWhenAbandoned => return self.defer(exchange, true),
            Treatment::TakeSlowly => {
                let (sender, answer) = oneshot::channel();
                tokio::spawn(async move { sender.send(take_slowly(exchange).await) });
                return Outcome::Deferred(Deferred { ticket: 0, answer });
            }
        };
        self.note(Event::Answered(exchange.body().len()));
        Outcome::Answered(text(answer))
    }

    fn abandon(&self, ticket: u64, _: Abandonment) {
        self.note(Event::Abandoned(ticket));
        let panics = self.waiting.lock().expect("no panic in here").panicking.contains(&ticket);
        assert!(!panics, "the application panics when it is told that a client has gone");
    }

    fn drained(&self) {
        self.note(Event::Drained);
    }
}

fn text(body: Vec<u8>) -> Answer {
    Answer { body: Content::Whole(body.into()), ..Answer::default() }
}
