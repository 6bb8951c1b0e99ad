//! One request to a server of this process, over a connection in memory of its own: the client's half of HTTP/1.1.
//!
//! There is no task behind it: whoever asks for something drives the connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::duplex::ClientEnd;

/// What of a body is held here at most, beside one piece, and how long the head of an answer may be.
const BUFFER_BYTES: usize = 128 << 10;

type Answering = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// A request that is under way, or answered ([`Server::exchange`](crate::Server::exchange)). Dropped, its client has gone.
pub struct Client {
    upload: Arc<Mutex<Upload>>,
    relay: Arc<Relay>,
    waker: Waker,
    talk: Mutex<Option<Talk>>,
}

/// What there is of a request until it is over.
struct Talk {
    /// None once it has ended, which the others tell of.
    connection: Option<http1::Connection<TokioIo<Line>, Outflow>>,
    answering: Option<Answering>,
    body: Option<Incoming>,
    /// The connection ends where this one is dropped.
    _sender: SendRequest<Outflow>,
}

impl Client {
    /// Begins a request. One that `has_body` is fed it; what says how long that is was checked, and is left to this.
    ///
    /// # Errors
    /// The protocol's own.
    pub(crate) fn begin(end: ClientEnd, head: Request<()>, has_body: bool) -> io::Result<Self> {
        let mut head = head;
        if has_body && !head.headers().contains_key(CONTENT_LENGTH) {
            head.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let upload = Arc::new(Mutex::new(Upload { is_ended: !has_body, ..Upload::default() }));
        let relay = Arc::new(Relay::default());
        let waker = Waker::from(relay.clone());
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES);
        let mut handshake = Box::pin(builder.handshake(TokioIo::new(Line::new(end))));
        let Poll::Ready(ready) = handshake.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return Err(io::Error::other("a connection in memory is ready at once"));
        };
        let (mut sender, connection) = ready.map_err(io::Error::other)?;
        let answering: Answering = Box::pin(sender.send_request(head.map(|()| Outflow(upload.clone()))));
        let talk = Talk { connection: Some(connection), answering: Some(answering), body: None, _sender: sender };
        Ok(Self { upload, relay, waker, talk: Mutex::new(Some(talk)) })
    }

    /// Takes the next piece of the body, with an empty one only its end if it `is_last`. Gives false where the server
    /// wants no more of it.
    ///
    /// # Errors
    /// The connection was closed here.
    pub fn poll_feed(&self, context: &mut Context<'_>, piece: &[u8], is_last: bool) -> Poll<io::Result<bool>> {
        let mut is_taken = false;
        self.drive(context, |_, _| {
            let mut upload = lock(&self.upload);
            if upload.is_refused {
                return Poll::Ready(Ok(false));
            }
            if is_taken {
                return Poll::Ready(Ok(true));
            }
            if upload.next.is_some() || upload.is_ended {
                return Poll::Pending;
            }
            is_taken = true;
            upload.next = (!piece.is_empty()).then(|| Bytes::copy_from_slice(piece));
            upload.is_ended = is_last;
            let reader = upload.reader.take();
            drop(upload);
            if let Some(reader) = reader {
                reader.wake();
            }
            // Taken it is, but the connection is to have it now.
            self.waker.wake_by_ref();
            Poll::Pending
        })
    }

    /// The head of the answer, once.
    ///
    /// # Errors
    /// The connection broke off, or was closed here.
    pub fn poll_head(&self, context: &mut Context<'_>) -> Poll<io::Result<Parts>> {
        self.drive(context, |talk, context| {
            let Some(answering) = &mut talk.answering else { return Poll::Ready(Err(broken())) };
            let answered = ready!(answering.as_mut().poll(context));
            talk.answering = None;
            let (head, body) = answered.map_err(|_| broken())?.into_parts();
            talk.body = Some(body);
            Poll::Ready(Ok(head))
        })
    }

    /// The next piece of the answer's body, and whether it is the last; an empty last one is the end alone.
    ///
    /// # Errors
    /// The connection broke off, or was closed here.
    pub fn poll_body(&self, context: &mut Context<'_>) -> Poll<io::Result<(Bytes, bool)>> {
        self.drive(context, |talk, context| {
            let Some(body) = &mut talk.body else { return Poll::Ready(Err(broken())) };
            loop {
                if body.is_end_stream() {
                    return Poll::Ready(Ok((Bytes::new(), true)));
                }
                match ready!(Pin::new(&mut *body).poll_frame(context)) {
                    None => return Poll::Ready(Ok((Bytes::new(), true))),
                    Some(Err(_)) => return Poll::Ready(Err(broken())),
                    Some(Ok(frame)) => {
                        if let Ok(piece) = frame.into_data()
                            && !piece.is_empty()
                        {
                            return Poll::Ready(Ok((piece, body.is_end_stream())));
                        }
                    }
                }
            }
        })
    }

    /// Leaves: to the server that is a client which has gone. Whoever waits is woken.
    pub fn close(&self) {
        let talk = lock(&self.talk).take();
        drop(talk);
        self.waker.wake_by_ref();
    }

    /// Polls the connection and then what is asked for, as long as one of them wakes the other.
    fn drive<T>(
        &self,
        context: &mut Context<'_>,
        mut ask: impl FnMut(&mut Talk, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut talk = lock(&self.talk);
        let Some(talk) = &mut *talk else { return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())) };
        let inner = &mut Context::from_waker(&self.waker);
        loop {
            self.relay.begin();
            if let Some(connection) = &mut talk.connection
                && Pin::new(connection).poll(inner).is_ready()
            {
                talk.connection = None;
            }
            let asked = ask(talk, inner);
            if asked.is_ready() {
                self.relay.end(None);
                return asked;
            }
            if self.relay.end(Some(context.waker())) {
                return Poll::Pending;
            }
        }
    }
}

/// What the connection's end means before the answer's.
fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes whoever waits, unless it is at work and will look again by itself.
#[derive(Default)]
struct Relay(Mutex<Relayed>);

#[derive(Default)]
struct Relayed {
    is_at_work: bool,
    is_woken: bool,
    waiting: Vec<Waker>,
}

impl Relay {
    fn begin(&self) {
        let mut relayed = lock(&self.0);
        relayed.is_at_work = true;
        relayed.is_woken = false;
    }

    /// Whether there is nothing to look at again: then who gave a waker is woken when there is.
    fn end(&self, waker: Option<&Waker>) -> bool {
        let mut relayed = lock(&self.0);
        relayed.is_at_work = false;
        let is_woken = relayed.is_woken;
        // Those who wait for something else may have it now, and have nobody else to tell them.
        let others = if is_woken { std::mem::take(&mut relayed.waiting) } else { Vec::new() };
        if let Some(waker) = waker
            && !is_woken
        {
            relayed.waiting.push(waker.clone());
        }
        drop(relayed);
        others.into_iter().for_each(Waker::wake);
        !is_woken
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut relayed = lock(&self.0);
        relayed.is_woken = true;
        let waiting = if relayed.is_at_work { Vec::new() } else { std::mem::take(&mut relayed.waiting) };
        drop(relayed);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The body of the request, as far as it is here.
#[derive(Default)]
struct Upload {
    next: Option<Bytes>,
    is_ended: bool,
    /// Nobody takes any more of it.
    is_refused: bool,
    reader: Option<Waker>,
}

/// Its other end, which the connection takes it from.
struct Outflow(Arc<Mutex<Upload>>);

impl Body for Outflow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut upload = lock(&self.0);
        if let Some(piece) = upload.next.take() {
            // There is room for the next one, and whoever has it drives this connection.
            drop(upload);
            context.waker().wake_by_ref();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if upload.is_ended {
            return Poll::Ready(None);
        }
        upload.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let upload = lock(&self.0);
        upload.is_ended && upload.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        let mut upload = lock(&self.0);
        upload.is_refused = true;
        upload.next = None;
    }
}

/// The client's end of the connection, as a stream.
struct Line {
    end: ClientEnd,
    /// An answer that was there before the request is read after it.
    is_early: bool,
}

impl Line {
    fn new(end: ClientEnd) -> Self {
        Self { is_early: end.is_receivable(), end }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_early {
            return Poll::Pending;
        }
        let received = ready!(self.end.poll_receive(context, buffer.remaining()))?;
        buffer.put_slice(&received);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_early {
            self.is_early = false;
            context.waker().wake_by_ref();
        }
        match ready!(self.end.poll_send(context, bytes)) {
            // What the server does not take any more does no harm to what it has answered.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(bytes.len())),
            sent => Poll::Ready(sent),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // To the server that would be a client which has gone; this one goes when it is dropped.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplex::{ServerEnd, duplex};

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

    fn quiet() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn head() -> Request<()> {
        Request::post("/").header("host", "a").body(()).expect("a request")
    }

    fn begun(has_body: bool) -> (ServerEnd, Client) {
        let (server, end) = duplex();
        (server, Client::begin(end, head(), has_body).expect("a client"))
    }

    fn read(server: &mut ServerEnd) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 17];
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(server).poll_read(&mut quiet(), &mut buffer) {
            Poll::Pending => Vec::new(),
            Poll::Ready(_) => buffer.filled().to_vec(),
        }
    }

    fn write(server: &mut ServerEnd, bytes: &[u8]) {
        let written = Pin::new(server).poll_write(&mut quiet(), bytes).map(Result::ok);
        assert_eq!(written, Poll::Ready(Some(bytes.len())));
    }

    fn status(client: &Client) -> Poll<Option<u16>> {
        client.poll_head(&mut quiet()).map(|head| head.ok().map(|head| head.status.as_u16()))
    }

    fn body(client: &Client) -> Poll<Option<(Bytes, bool)>> {
        client.poll_body(&mut quiet()).map(Result::ok)
    }

    fn fed(client: &Client, piece: &[u8], is_last: bool) -> Poll<Option<bool>> {
        client.poll_feed(&mut quiet(), piece, is_last).map(Result::ok)
    }

    #[test]
    fn a_request_is_asked_and_its_answer_told() {
        let (mut server, client) = begun(false);
        assert_eq!(status(&client), Poll::Pending);
        assert_eq!(read(&mut server), b"POST / HTTP/1.1\r\nhost: a\r\n\r\n");
        write(&mut server, OK);
        assert_eq!(status(&client), Poll::Ready(Some(200)));
        assert_eq!(body(&client), Poll::Ready(Some((Bytes::from_static(b"hi"), true))));
        assert!(!server.is_cut());
        drop(client);
        assert!(server.is_cut());
    }

    #[test]
    fn a_body_is_fed_as_it_is_taken() {
        let (mut server, client) = begun(true);
        assert_eq!(fed(&client, b"abc", false), Poll::Ready(Some(true)));
        assert_eq!(fed(&client, b"", true), Poll::Ready(Some(false)), "after the end nothing is wanted");
        let sent = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(read(&mut server), sent);
    }

    #[test]
    fn more_than_fits_is_not_taken() {
        let (mut server, client) = begun(true);
        let piece = vec![7; BUFFER_BYTES];
        let taken = (0..10).take_while(|_| fed(&client, &piece, false).is_ready()).count();
        assert!((1..5).contains(&taken), "{taken} pieces");
        while !read(&mut server).is_empty() {
            let _ = status(&client);
        }
        assert_eq!(fed(&client, b"x", false), Poll::Ready(Some(true)));
    }

    #[test]
    fn an_answer_arrives_though_its_request_was_not_taken() {
        let (mut server, client) = begun(true);
        assert_eq!(fed(&client, &vec![7; BUFFER_BYTES], false), Poll::Ready(Some(true)));
        write(&mut server, OK);
        drop(server);
        assert_eq!(status(&client), Poll::Ready(Some(200)));
        assert_eq!(body(&client), Poll::Ready(Some((Bytes::from_static(b"hi"), true))));
    }

    #[test]
    fn an_answer_may_be_there_before_its_request() {
        let (mut server, end) = duplex();
        write(&mut server, OK);
        drop(server);
        let client = Client::begin(end, head(), false).expect("a client");
        assert_eq!(status(&client), Poll::Ready(Some(200)));
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let (mut server, client) = begun(false);
        assert_eq!(status(&client), Poll::Pending);
        write(&mut server, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
        assert_eq!(status(&client), Poll::Ready(Some(200)));
        assert_eq!(body(&client), Poll::Ready(Some((Bytes::from_static(b"hi"), false))));
        assert_eq!(body(&client), Poll::Pending);
        drop(server);
        assert_eq!(body(&client), Poll::Ready(None));
    }

    #[test]
    fn a_client_that_is_closed_tells_nothing_more() {
        let (server, client) = begun(false);
        assert_eq!(status(&client), Poll::Pending);
        client.close();
        assert_eq!(status(&client), Poll::Ready(None));
        assert_eq!(fed(&client, b"x", false), Poll::Ready(None));
        drop(server);
    }
}
