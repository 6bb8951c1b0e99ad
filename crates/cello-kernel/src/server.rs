//! A server: the accept loop, the table of connections, the sweep that enforces timeouts, and the stop.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use http::{HeaderName, Request, StatusCode};
use hyper::server::conn::http1;
use slab::Slab;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;

use crate::access_log::AccessLog;
use crate::budget::Budget;
use crate::client::Client;
use crate::complaint::complain;
use crate::connection;
use crate::duplex::{ClientEnd, duplex};
use crate::exchange::{Application, Peer};
use crate::executor::{Executor, Task};
use crate::limits::{Limits, Timeouts};
use crate::listener::{Acceptor, Listener};
use crate::problem::{ErrorForm, Errors};
use crate::router::Router;
use crate::service::HttpService;
use crate::shared::Seat;
use crate::stream::Stream;
use crate::watch::{Clock, Expiry, Watch};

/// How long `accept` rests when the process has no file descriptor left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The whole answer to a connection over the limit, which has sent no request yet.
fn too_many_connections(form: ErrorForm) -> Vec<u8> {
    let (media_type, body) = form.body(StatusCode::SERVICE_UNAVAILABLE, "The server has all the connections it takes.");
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: {}\r\n\
         Content-Length: {}\r\n\r\n",
        media_type.to_str().unwrap_or_default(),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// How a server serves.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What a client may cost.
    pub limits: Limits,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// How it is told of errors.
    pub errors: Errors,
    /// The lines that tell of answers, where wanted.
    pub access_log: Option<Arc<AccessLog>>,
    /// The header field in which every answer tells the request's id, where wanted.
    pub request_id_header: Option<HeaderName>,
    /// Where answers and connections are counted, where wanted.
    pub seat: Option<Arc<Seat>>,
    /// Each time it has given so many answers more, the application is told ([`Application::worn`]); 0 for never.
    pub wears_after: u64,
    /// What single routes want otherwise, by their number.
    pub routes: Vec<RouteSettings>,
    /// The application is asked for the answer to a request that no handler answers, too ([`Exchange::refusal`]).
    ///
    /// [`Exchange::refusal`]: crate::Exchange::refusal
    pub asks_when_refused: bool,
}

/// What one route wants otherwise than the server's settings have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteSettings {
    /// Bytes of a body; more is a 413. Without it the limit of the server, but none where the body is streamed.
    pub body_bytes: Option<usize>,
    /// The application is asked when the head is there, and takes the body as it comes ([`Exchange::poll_body`]).
    ///
    /// [`Exchange::poll_body`]: crate::Exchange::poll_body
    pub streams_body: bool,
    /// How long the handler may take, in place of the server's own limit; 503.
    pub handler_timeout: Option<Duration>,
}

/// What every connection of a server shares.
pub(crate) struct State {
    pub application: Arc<dyn Application>,
    pub router: Router,
    pub settings: Settings,
    pub budget: Budget,
    protocol: http1::Builder,
    clock: Arc<Clock>,
    connections: Mutex<Slab<Connection>>,
    open: AtomicUsize,
    /// How many connections in memory there were.
    lines: AtomicU64,
    /// Answers since the application was last told of them.
    answers: AtomicU64,
    is_stopping: AtomicBool,
    changed: Notify,
}

struct Connection {
    watch: Arc<Watch>,
    task: Option<Task>,
}

/// A running server.
pub struct Server {
    state: Arc<State>,
    executor: Executor,
    /// What accepts, by the place that the listener was given.
    accepting: Mutex<HashMap<usize, Task>>,
}

impl Server {
    /// Makes a server, in tasks of `executor`, that has no clients yet.
    pub fn start(executor: Executor, router: Router, application: Arc<dyn Application>, settings: Settings) -> Self {
        let state = Arc::new(State {
            application,
            router,
            budget: Budget::new(settings.limits.buffered_bytes),
            protocol: connection::protocol(&settings.limits),
            clock: Arc::new(Clock::new(shortest_timeout(&settings))),
            settings,
            connections: Mutex::default(),
            open: AtomicUsize::new(0),
            lines: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            changed: Notify::new(),
        });
        executor.spawn(sweep(state.clone()));
        Self { state, executor, accepting: Mutex::default() }
    }

    /// Starts to accept on `listener` as well, in place of the one that was at `place` before. Once the server stops it is
    /// dropped.
    ///
    /// # Errors
    /// The listening socket could not be registered with the runtime, or there is none: a guest has no sockets.
    pub fn listen(&self, place: usize, listener: Listener) -> io::Result<()> {
        let Executor::Runtime(runtime) = &self.executor else { return Err(io::ErrorKind::Unsupported.into()) };
        if self.state.is_stopping.load(Relaxed) {
            return Ok(());
        }
        let _in_runtime = runtime.enter();
        let acceptor = listener.into_acceptor()?;
        let accepting = self.executor.spawn(accept(self.state.clone(), acceptor, self.executor.clone()));
        if let Some(before) = self.lock_accepting().insert(place, accepting) {
            before.abort();
        }
        Ok(())
    }

    /// Stops to accept on the listener at `place`, and closes it. The connections it gave stay.
    pub fn leave(&self, place: usize) {
        self.lock_accepting().remove(&place).iter().for_each(Task::abort);
    }

    /// Opens a connection in memory, and gives the client's end of it and its number.
    ///
    /// Over the limit of connections it is answered as any other. Once the server stops it is closed at once.
    pub fn connect(&self, peer: Peer) -> (ClientEnd, u64) {
        let (mut near, client) = duplex();
        let line = self.state.lines.fetch_add(1, Relaxed) + 1;
        if self.state.is_stopping.load(Relaxed) {
            return (client, line);
        }
        if self.state.is_full() {
            let refusal = too_many_connections(self.state.settings.errors.form);
            // The pipe is empty, and has room for it.
            let _ = Pin::new(&mut near).poll_write(&mut Context::from_waker(Waker::noop()), &refusal);
            return (client, line);
        }
        open(&self.state, Stream::Memory(near), Peer { line, ..peer }, &self.executor);
        (client, line)
    }

    /// Asks a request over a connection in memory of its own, as [`Server::connect`] opens it; gives its number, too. A
    /// request that `has_body` is fed it, and has a valid `Content-Length` or none, and no `Transfer-Encoding`.
    ///
    /// # Errors
    /// The protocol's own.
    pub fn exchange(&self, head: Request<()>, has_body: bool, peer: Peer) -> io::Result<(Client, u64)> {
        let (end, line) = self.connect(peer);
        Ok((Client::begin(end, head, has_body)?, line))
    }

    /// Stops accepting, lets every connection finish the request it is at, and after `deadline` closes what is left.
    /// [`Application::drained`] is called at the end. A second call does nothing.
    ///
    /// A connection that is idle is closed at once, or after `patience`: a request that comes before is answered, and with
    /// it the client is told that there is no other. So no request is lost that was on its way.
    pub fn stop(&self, deadline: Duration, patience: Duration) {
        if self.state.is_stopping.swap(true, Relaxed) {
            return;
        }
        self.lock_accepting().drain().for_each(|(_, task)| task.abort());
        let state = self.state.clone();
        state.changed.notify_waiters();
        for (_, connection) in state.lock().iter() {
            if patience.is_zero() {
                connection.watch.close();
            } else {
                connection.watch.retire();
            }
        }
        self.executor.spawn(async move {
            if !patience.is_zero() {
                let _ = tokio::time::timeout(patience.min(deadline), state.emptied()).await;
                state.lock().iter().for_each(|(_, connection)| connection.watch.close());
            }
            let _ = tokio::time::timeout(deadline.saturating_sub(patience), state.emptied()).await;
            for (_, connection) in state.lock().iter() {
                connection.task.iter().for_each(Task::abort);
            }
            state.emptied().await;
            state.application.drained();
        });
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        self.state.open.load(Relaxed)
    }

    fn lock_accepting(&self) -> MutexGuard<'_, HashMap<usize, Task>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Slab<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are as many connections as there may be.
    fn is_full(&self) -> bool {
        self.open.load(Relaxed) >= self.settings.limits.connections
    }

    /// Counts an answer. The thread is the only one that counts: no addition need be atomic for its own sake.
    #[inline]
    pub(crate) fn note_answer(&self) {
        if let Some(seat) = &self.settings.seat {
            seat.note_answer();
        }
        if self.settings.wears_after == 0 {
            return;
        }
        let answers = self.answers.load(Relaxed) + 1;
        let is_worn = answers >= self.settings.wears_after;
        self.answers.store(if is_worn { 0 } else { answers }, Relaxed);
        if is_worn {
            self.application.worn();
        }
    }

    async fn emptied(&self) {
        while self.open.load(Relaxed) > 0 {
            self.changed.notified().await;
        }
    }
}

/// The shortest of the timeouts that the connections' watch enforces.
fn shortest_timeout(settings: &Settings) -> Duration {
    let routes = settings.routes.iter().filter_map(|route| route.handler_timeout);
    routes.fold(settings.timeouts.shortest(), Duration::min)
}

async fn accept(state: Arc<State>, acceptor: Acceptor, executor: Executor) {
    let mut has_complained = false;
    loop {
        let accepted = acceptor.accept().await;
        has_complained &= accepted.is_err();
        match accepted {
            Ok((mut stream, _)) if state.is_full() => {
                // Best effort: a client that cannot take so little is not waited for.
                let refusal = too_many_connections(state.settings.errors.form);
                let _ = Pin::new(&mut stream).poll_write(&mut Context::from_waker(Waker::noop()), &refusal);
            }
            Ok((stream, peer)) => open(&state, stream, peer, &executor),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !has_complained {
                    complain(format_args!("no connection can be accepted for a moment: {error}"));
                }
                has_complained = true;
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn open(state: &Arc<State>, stream: Stream, peer: Peer, executor: &Executor) {
    if let Some(seat) = &state.settings.seat {
        seat.note_connection();
    }
    let watch = Arc::new(Watch::new(state.clock.clone()));
    if state.open.fetch_add(1, Relaxed) == 0 {
        state.changed.notify_one();
    }
    let key = state.lock().insert(Connection { watch: watch.clone(), task: None });
    let entry = Entry { state: state.clone(), key };
    let task = executor.spawn(async move {
        let state = &entry.state;
        connection::serve(stream, &state.protocol, HttpService::new(state.clone(), watch, peer)).await;
    });
    if let Some(connection) = state.lock().get_mut(key) {
        connection.task = Some(task);
    }
}

/// A connection's place in the table, given back however its task ends.
struct Entry {
    state: Arc<State>,
    key: usize,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.state.lock().try_remove(self.key);
        if self.state.open.fetch_sub(1, Relaxed) == 1 {
            self.state.changed.notify_waiters();
        }
    }
}

/// Looks at every connection once a period; rests while there is none, so that an idle worker costs nothing.
async fn sweep(state: Arc<State>) {
    loop {
        state.budget.return_memory();
        while state.open.load(Relaxed) == 0 {
            if state.is_stopping.load(Relaxed) {
                return;
            }
            state.changed.notified().await;
        }
        tokio::time::sleep(state.clock.period).await;
        state.clock.advance();
        for (_, connection) in state.lock().iter() {
            match connection.watch.check(&state.settings.timeouts) {
                Some(Expiry::Close) => connection.task.iter().for_each(Task::abort),
                Some(Expiry::Answer) => connection.watch.expire(),
                None => {}
            }
        }
    }
}
