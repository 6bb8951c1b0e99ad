//! A kernel server on a thread of its own, with an application made for tests.

mod application;
mod client;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use cello_kernel::{Executor, Listener, Server, Settings};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use application::{BIG_BYTES, Event, REST, TestApplication, route_settings, router};
pub use client::{Client, End, chunked_head, get, post, post_head};

/// No test needs as long; it keeps a broken one from hanging.
pub const SAFETY_NET: Duration = Duration::from_secs(10);

/// A deadline that no test waits for.
pub const FAR_AWAY: Duration = Duration::from_secs(600);

/// A server that is running, and what its application has seen.
pub struct Served {
    pub address: SocketAddr,
    application: Arc<TestApplication>,
    events: mpsc::Receiver<Event>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Stop(Duration, Duration),
    Listen(usize, Listener),
    Leave(usize),
    CountConnections(mpsc::Sender<usize>),
    StandStill(mpsc::Receiver<()>),
}

/// Serves the test application on 127.0.0.1 and a port that is free.
pub fn serve(settings: Settings) -> Served {
    let (listener, address) = bind();
    let (noted, events) = mpsc::channel();
    let application = Arc::new(TestApplication::new(noted));
    let (commands, received) = unbounded_channel();
    let served = application.clone();
    let thread = std::thread::spawn(move || run(listener, served, settings, received));
    Served { address, application, events, commands: Some(commands), thread: Some(thread) }
}

/// A listener on 127.0.0.1 and a port that is free.
pub fn bind() -> (Listener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    (Listener::try_from(OwnedFd::from(socket)).expect("a listening socket"), address)
}

fn run(
    listener: Listener,
    application: Arc<TestApplication>,
    settings: Settings,
    mut commands: UnboundedReceiver<Command>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let router = router();
    let server = Server::start(Executor::Runtime(runtime.handle().clone()), router, application, settings);
    server.listen(0, listener).expect("a socket that can be watched");
    runtime.block_on(async {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Stop(deadline, patience) => server.stop(deadline, patience),
                Command::Listen(place, listener) => {
                    server.listen(place, listener).expect("a socket that can be watched")
                }
                Command::Leave(place) => server.leave(place),
                Command::CountConnections(reply) => reply.send(server.connections()).expect("a test that waits"),
                Command::StandStill(meeting) => {
                    meeting.recv().expect("a test that waits");
                    // The test lets go of its end when it is done.
                    meeting.recv().expect_err("nothing is sent twice");
                }
            }
        }
    });
}

impl Served {
    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until the server has seen all that was sent before: it takes connections, and reads them, in turn.
    pub fn settle(&self) {
        let answer = self.connect().ask("OPTIONS /hello HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(answer.status, 204);
    }

    /// Answers a deferred request and lets go of its body.
    pub fn answer(&self, ticket: u64, body: &str) {
        self.application.answer(ticket, body);
    }

    /// Lets go of a deferred request without an answer.
    pub fn forget(&self, ticket: u64) {
        self.application.forget(ticket);
    }

    /// Waits for the next thing that happens to the application.
    pub fn next_event(&self) -> Event {
        self.events.recv_timeout(SAFETY_NET).expect("an event")
    }

    /// Waits for a request to be deferred and returns its ticket.
    pub fn next_ticket(&self) -> u64 {
        match self.next_event() {
            Event::Deferred(ticket) => ticket,
            other => panic!("{other:?} is no deferred request"),
        }
    }

    /// What has happened so far and was not waited for.
    pub fn events_so_far(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// Does something while the server stands still, so that it sees all of it at once.
    pub fn while_it_stands_still<R>(&self, act: impl FnOnce() -> R) -> R {
        let (meet, meeting) = mpsc::sync_channel(0);
        self.send(Command::StandStill(meeting));
        meet.send(()).expect("the server's thread runs");
        act()
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        let (reply, count) = mpsc::channel();
        self.send(Command::CountConnections(reply));
        count.recv_timeout(SAFETY_NET).expect("a count")
    }

    /// Begins to stop.
    pub fn stop(&self, deadline: Duration) {
        self.retire(deadline, Duration::ZERO);
    }

    /// Begins to stop, with patience for idle connections.
    pub fn retire(&self, deadline: Duration, patience: Duration) {
        self.send(Command::Stop(deadline, patience));
    }

    /// Has the server accept on another listener.
    pub fn listen(&self, place: usize, listener: Listener) {
        self.send(Command::Listen(place, listener));
    }

    /// Has the server accept no more on a listener.
    pub fn leave(&self, place: usize) {
        self.send(Command::Leave(place));
    }

    /// Stops, waits until the last connection is closed, and returns every event that was not waited for, among which
    /// `Drained` comes last.
    pub fn drain(&self) -> Vec<Event> {
        self.stop(FAR_AWAY);
        self.events_until_drained()
    }

    /// Every event that was not waited for, up to `Drained`.
    pub fn events_until_drained(&self) -> Vec<Event> {
        let mut events = Vec::new();
        while events.last() != Some(&Event::Drained) {
            events.push(self.next_event());
        }
        events
    }

    fn send(&self, command: Command) {
        let commands = self.commands.as_ref().expect("only a drop takes it away");
        commands.send(command).expect("the server's thread runs");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.commands = None;
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("a thread").expect("the server's thread did not panic");
        }
    }
}
