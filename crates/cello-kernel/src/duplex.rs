//! A connection in memory: two bounded pipes of bytes between a client of this process and the server.
//!
//! It behaves as one of TCP does: an end that is dropped is closed, what was sent before arrives all the same, and a
//! server that breaks off resets.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is under way in one direction, at most: who sends more waits until some of it was taken.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// One direction.
#[derive(Debug, Default)]
struct Pipe(Mutex<Flow>);

#[derive(Debug, Default)]
struct Flow {
    bytes: BytesMut,
    /// Nothing more is sent.
    is_ended: bool,
    /// What is read after the last byte is an error, no end.
    is_reset: bool,
    /// Nobody takes anything any more.
    is_refused: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what is there to `take`, which tells how much it took; None at the end.
    fn poll_read<T>(
        &self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut BytesMut) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        let mut flow = self.lock();
        if flow.bytes.is_empty() {
            if flow.is_reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if flow.is_ended {
                return Poll::Ready(Ok(None));
            }
            flow.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = take(&mut flow.bytes);
        if flow.bytes.is_empty() {
            // What one burst has needed is not kept by a connection that idles.
            flow.bytes = BytesMut::new();
        }
        let writer = flow.writer.take();
        drop(flow);
        wake(writer);
        Poll::Ready(Ok(Some(taken)))
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut flow = self.lock();
        if flow.is_refused || flow.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = PIPE_BYTES - flow.bytes.len();
        if room == 0 && !bytes.is_empty() {
            flow.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        flow.bytes.extend_from_slice(&bytes[..count]);
        let reader = flow.reader.take();
        drop(flow);
        wake(reader);
        Poll::Ready(Ok(count))
    }

    /// The sender sends nothing more.
    fn end(&self, is_reset: bool) {
        let mut flow = self.lock();
        if flow.is_ended {
            return;
        }
        flow.is_ended = true;
        flow.is_reset = is_reset;
        let wakers = (flow.reader.take(), flow.writer.take());
        drop(flow);
        wake(wakers.0);
        wake(wakers.1);
    }

    /// The receiver takes nothing more.
    fn refuse(&self) {
        let mut flow = self.lock();
        flow.is_refused = true;
        let rest = std::mem::take(&mut flow.bytes);
        let wakers = (flow.reader.take(), flow.writer.take());
        drop(flow);
        drop(rest);
        wake(wakers.0);
        wake(wakers.1);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[derive(Debug, Default)]
struct Pipes {
    to_server: Pipe,
    to_client: Pipe,
}

/// Both ends of a new connection.
pub(crate) fn duplex() -> (ServerEnd, ClientEnd) {
    let pipes = Arc::new(Pipes::default());
    (ServerEnd { pipes: pipes.clone(), resets: false }, ClientEnd(pipes))
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct ServerEnd {
    pipes: Arc<Pipes>,
    resets: bool,
}

impl ServerEnd {
    /// Whether the client has closed its end, and all that it has sent before was read.
    pub(crate) fn is_cut(&self) -> bool {
        let flow = self.pipes.to_server.lock();
        flow.is_ended && flow.bytes.is_empty()
    }

    /// Has the client see an error where the end of the answer would be.
    pub(crate) fn reset_at_end(&mut self) {
        self.resets = true;
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.pipes.to_client.end(self.resets);
        self.pipes.to_server.refuse();
    }
}

impl AsyncRead for ServerEnd {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.pipes.to_server.poll_read(context, |bytes| {
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..count]);
            bytes.advance(count);
        });
        read.map_ok(|_| ())
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipes.to_client.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipes.to_client.end(false);
        Poll::Ready(Ok(()))
    }
}

/// The client's end of a connection in memory ([`Server::connect`](crate::Server::connect)). Dropped, it is closed.
///
/// Any thread may have it: what is woken is whatever the context's waker wakes.
#[derive(Debug)]
pub struct ClientEnd(Arc<Pipes>);

impl ClientEnd {
    /// Sends some of `bytes` and tells how many.
    ///
    /// # Errors
    /// The server has closed the connection, or this end was closed for sending.
    pub fn poll_send(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.to_server.poll_write(context, bytes)
    }

    /// What the server has sent, at most `max_bytes` of it; nothing at the end.
    ///
    /// # Errors
    /// The server has broken the connection off.
    pub fn poll_receive(&self, context: &mut Context<'_>, max_bytes: usize) -> Poll<io::Result<Bytes>> {
        let received = self.0.to_client.poll_read(context, |bytes| {
            let count = bytes.len().min(max_bytes);
            bytes.split_to(count).freeze()
        });
        received.map_ok(Option::unwrap_or_default)
    }

    /// Whether a receipt would not wait: there are bytes, or the end of them.
    pub fn is_receivable(&self) -> bool {
        let flow = self.0.to_client.lock();
        !flow.bytes.is_empty() || flow.is_ended
    }

    /// Says that this end sends nothing more.
    pub fn shut_down_sending(&self) {
        self.0.to_server.end(false);
    }

    /// Closes the connection. What was sent before still arrives.
    pub fn close(&self) {
        self.0.to_server.end(false);
        self.0.to_client.end(false);
        self.0.to_client.refuse();
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn quiet() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn received(client: &ClientEnd) -> Poll<Result<Bytes, io::ErrorKind>> {
        client.poll_receive(&mut quiet(), 1 << 20).map_err(|error| error.kind())
    }

    fn sent(client: &ClientEnd, bytes: &[u8]) -> Poll<Result<usize, io::ErrorKind>> {
        client.poll_send(&mut quiet(), bytes).map_err(|error| error.kind())
    }

    fn answered(server: &mut ServerEnd, bytes: &[u8]) -> Poll<Result<usize, io::ErrorKind>> {
        Pin::new(server).poll_write(&mut quiet(), bytes).map_err(|error| error.kind())
    }

    /// What the server reads next; nothing at the end.
    fn read(server: &mut ServerEnd, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        let mut bytes = [0; 4096];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = Pin::new(server).poll_read(context, &mut buffer);
        read.map(|read| read.map(|()| buffer.filled().to_vec()).expect("no error"))
    }

    #[test]
    fn a_pipe_takes_so_much_and_no_more() {
        let (_server, client) = duplex();
        let flood = vec![7; 2 * PIPE_BYTES];
        assert_eq!(sent(&client, &flood), Poll::Ready(Ok(PIPE_BYTES)));
        assert!(sent(&client, &flood).is_pending());
    }

    #[test]
    fn what_was_sent_before_the_end_arrives_before_it() {
        let (mut server, client) = duplex();
        assert_eq!(sent(&client, b"hello"), Poll::Ready(Ok(5)));
        client.close();
        assert!(!server.is_cut());
        assert_eq!(read(&mut server, &mut quiet()), Poll::Ready(b"hello".to_vec()));
        assert!(server.is_cut());
        assert_eq!(read(&mut server, &mut quiet()), Poll::Ready(Vec::new()));
        assert_eq!(answered(&mut server, b"too late"), Poll::Ready(Err(io::ErrorKind::BrokenPipe)));
    }

    #[test]
    fn an_end_that_is_dropped_is_closed_and_one_that_resets_is_no_end() {
        for resets in [false, true] {
            let (mut server, client) = duplex();
            assert_eq!(answered(&mut server, b"half"), Poll::Ready(Ok(4)));
            if resets {
                server.reset_at_end();
            }
            drop(server);
            assert!(client.is_receivable());
            assert_eq!(received(&client), Poll::Ready(Ok(Bytes::from_static(b"half"))));
            let end = if resets { Err(io::ErrorKind::ConnectionReset) } else { Ok(Bytes::new()) };
            assert_eq!(received(&client), Poll::Ready(end));
            assert_eq!(sent(&client, b"too late"), Poll::Ready(Err(io::ErrorKind::BrokenPipe)));
        }
    }

    #[test]
    fn an_end_that_was_shut_down_in_order_is_no_reset() {
        let (mut server, client) = duplex();
        server.reset_at_end();
        assert!(matches!(Pin::new(&mut server).poll_shutdown(&mut quiet()), Poll::Ready(Ok(()))));
        drop(server);
        assert_eq!(received(&client), Poll::Ready(Ok(Bytes::new())));
    }

    #[test]
    fn whoever_waits_is_woken_by_the_other_end() {
        let (mut server, client) = duplex();
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut context = Context::from_waker(&waker);
        assert!(read(&mut server, &mut context).is_pending());
        let flood = vec![7; PIPE_BYTES];
        assert_eq!(sent(&client, &flood), Poll::Ready(Ok(PIPE_BYTES)));
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert!(client.poll_send(&mut context, b"more").is_pending());
        assert!(read(&mut server, &mut quiet()).is_ready());
        assert_eq!(bell.0.load(Ordering::SeqCst), 2);
        assert!(client.poll_receive(&mut context, 1).is_pending());
        drop(server);
        assert_eq!(bell.0.load(Ordering::SeqCst), 3);
    }
}
