//! A server that is a guest: its tasks run in turns of the test's own thread, and its clients come in memory.

use std::future::pending;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cello_kernel::{ClientEnd, Executor, Guest, Limits, Peer, Server, Settings, Timeouts};
use tokio::runtime::{Builder, Handle};

use crate::support::{BIG_BYTES, Event, FAR_AWAY, SAFETY_NET, TestApplication, bind, get, post, router};

struct Lodged {
    server: Server,
    guest: Arc<Guest>,
    asked: mpsc::Receiver<()>,
    events: mpsc::Receiver<Event>,
    clock: Handle,
}

fn lodge(settings: Settings) -> Lodged {
    let (bell, asked) = mpsc::channel();
    // A test that has ended gives no turns any more.
    let guest = Guest::new(move || _ = bell.send(()));
    let (noted, events) = mpsc::channel();
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let clock = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(pending::<()>()));
    let application = Arc::new(TestApplication::new(noted));
    let server = Server::start(Executor::Guest(guest.clone()), router(), application, settings);
    Lodged { server, guest, asked, events, clock }
}

impl Lodged {
    /// Gives turns when they are asked for, until there is something.
    fn until<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let _in_clock = self.clock.enter();
        loop {
            if let Poll::Ready(found) = poll(&mut Context::from_waker(Waker::noop())) {
                return found;
            }
            self.asked.recv_timeout(SAFETY_NET).expect("a turn is asked for");
            self.guest.turn();
            self.guest.rest(|| false);
        }
    }

    fn connect(&self) -> ClientEnd {
        self.server.connect(Peer::default()).0
    }

    fn send(&self, client: &ClientEnd, request: &str) {
        let sent = self.until(|context| client.poll_send(context, request.as_bytes()));
        assert_eq!(sent.expect("the server reads"), request.len());
    }

    /// What comes until the server closes the connection.
    fn receive_all(&self, client: &ClientEnd) -> Vec<u8> {
        let mut received = Vec::new();
        loop {
            let piece = self.until(|context| client.poll_receive(context, 1 << 20)).expect("an end in order");
            if piece.is_empty() {
                return received;
            }
            received.extend_from_slice(&piece);
        }
    }

    fn ask(&self, client: &ClientEnd, request: &str) -> String {
        self.send(client, request);
        let received = self.until(|context| client.poll_receive(context, 1 << 20)).expect("an answer");
        String::from_utf8(received.to_vec()).expect("text")
    }

    fn next_event(&self) -> Event {
        self.until(|_| self.events.try_recv().map_or(Poll::Pending, Poll::Ready))
    }
}

fn closing(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_guest_answers_in_the_turns_it_asks_for() {
    let lodged = lodge(Settings::default());
    let client = lodged.connect();
    assert!(lodged.ask(&client, &get("/hello")).ends_with("\r\n\r\nhello"));
    assert!(lodged.ask(&client, &post("/echo", "again")).ends_with("\r\n\r\nagain"));
    assert_eq!(lodged.server.connections(), 1);
    drop(client);
    lodged.until(|_| if lodged.server.connections() == 0 { Poll::Ready(()) } else { Poll::Pending });
}

#[test]
fn what_is_longer_than_a_pipe_arrives_whole_and_timers_run_on() {
    let lodged = lodge(Settings::default());
    let client = lodged.connect();
    lodged.send(&client, &closing("/big"));
    assert!(lodged.receive_all(&client).len() > BIG_BYTES);
    let client = lodged.connect();
    lodged.send(&client, &closing("/trickle"));
    assert!(lodged.receive_all(&client).ends_with(b"\r\n\r\nxxx"));
}

#[test]
fn a_client_that_goes_is_told_and_one_that_is_slow_is_closed() {
    let head = Duration::from_millis(50);
    let lodged = lodge(Settings { timeouts: Timeouts { head, ..Timeouts::default() }, ..Settings::default() });
    let client = lodged.connect();
    lodged.send(&client, &get("/later"));
    let Event::Deferred(ticket) = lodged.next_event() else { panic!("a request is deferred") };
    drop(client);
    assert_eq!(lodged.next_event(), Event::Abandoned(ticket));
    let client = lodged.connect();
    lodged.send(&client, "GET /hello HT");
    assert!(lodged.receive_all(&client).is_empty());
}

#[test]
fn a_connection_too_many_and_one_after_the_end_are_closed() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let lodged = lodge(Settings { limits, ..Settings::default() });
    let client = lodged.connect();
    assert!(lodged.receive_all(&lodged.connect()).starts_with(b"HTTP/1.1 503 "));
    assert!(lodged.ask(&client, &get("/hello")).ends_with("hello"));
    lodged.server.stop(FAR_AWAY, Duration::ZERO);
    assert!(lodged.receive_all(&lodged.connect()).is_empty());
    assert!(lodged.receive_all(&client).is_empty());
    assert_eq!([lodged.next_event(), lodged.next_event()], [Event::Answered(0), Event::Drained]);
    lodged.server.listen(0, bind().0).expect_err("a guest has no sockets");
}

#[test]
fn a_guest_that_is_closed_lets_go_of_what_it_was_at() {
    let lodged = lodge(Settings::default());
    let client = lodged.connect();
    lodged.send(&client, &get("/later"));
    let Event::Deferred(ticket) = lodged.next_event() else { panic!("a request is deferred") };
    lodged.guest.close();
    assert_eq!(lodged.events.try_recv(), Ok(Event::Abandoned(ticket)));
    assert!(lodged.receive_all(&client).is_empty());
    assert!(lodged.receive_all(&lodged.connect()).is_empty());
}
