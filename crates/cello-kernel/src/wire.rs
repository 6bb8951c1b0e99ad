//! A connection's bytes: reported to the watch, and sent together where several answers are ready at once.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::problem::ErrorForm;
use crate::refusal;
use crate::stream::Stream;
use crate::watch::Watch;

/// How much is held back for one write; what is longer is not copied.
const HELD_BYTES: usize = 8 << 10;

/// Both hyper and the connection's task have one: hyper writes answers, and the task sends them when hyper has no more
/// to write. hyper's own `pipeline_flush` keeps what it has written for as long as it holds bytes that it has not
/// parsed: an answer that closes the connection is lost, others wait for the end of the next head, and all that is
/// pipelined is answered in memory however slowly the client reads.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ends: Mutex<Ends>,
    /// hyper has written all that it has. Not under the lock, which costs more than to say so after each answer.
    is_complete: AtomicBool,
}

#[derive(Debug)]
struct Ends {
    stream: Stream,
    watch: Arc<Watch>,
    held: Vec<u8>,
    /// hyper has ended the connection in order, with its last answer written.
    is_shut: bool,
}

impl Wire {
    pub(crate) fn new(stream: Stream, watch: Arc<Watch>) -> Self {
        let ends = Mutex::new(Ends { stream, watch, held: Vec::new(), is_shut: false });
        Self(Arc::new(Shared { ends, is_complete: AtomicBool::new(true) }))
    }

    pub(crate) fn tether(&self) -> Tether {
        Tether(Arc::downgrade(&self.0))
    }

    /// Sends what is held.
    pub(crate) fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send(&mut self.ends(), context)
    }

    /// Once hyper has ended with an error of parsing: puts a body to what it has answered, if it has.
    pub(crate) fn complete_refusal(&self, form: ErrorForm) {
        let ends = &mut *self.ends();
        if ends.is_shut {
            refusal::complete(&mut ends.held, form);
        }
    }

    /// Sends what is held, and says that nothing more comes if hyper has said so.
    pub(crate) fn poll_close(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ends = &mut *self.ends();
        ready!(self.send(ends, context))?;
        if ends.is_shut { Pin::new(&mut ends.stream).poll_shutdown(context) } else { Poll::Ready(Ok(())) }
    }

    fn send(&self, ends: &mut Ends, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(ends.poll_send(context))?;
        if self.0.is_complete.load(Relaxed) {
            ends.watch.note_flush();
        }
        Poll::Ready(Ok(()))
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.ends()
    }
}

/// A request's tie to its connection, which it does not keep open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tether(Weak<Shared>);

impl Tether {
    /// Whether the client has closed its end, or the connection is over.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.upgrade().is_none_or(|shared| shared.ends().stream.is_cut())
    }

    /// Has the connection end once its client takes nothing.
    pub(crate) fn hurry(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.ends().watch.hurry();
        }
    }
}

impl Shared {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let poll = Pin::new(&mut self.stream).poll_write(context, &self.held);
            note(&self.watch, self.held.len(), &poll);
            let written = ready!(poll)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Ends {
    /// Where the end of the connection would be taken for that of the answer, it is reset instead of closed.
    fn drop(&mut self) {
        if !self.is_shut && self.watch.ends_unmarked() {
            self.stream.reset_at_end();
        }
    }
}

fn note(watch: &Watch, count: usize, poll: &Poll<io::Result<usize>>) {
    match poll {
        Poll::Ready(Ok(written)) => watch.note_write(*written < count, true),
        Poll::Ready(Err(_)) => {}
        Poll::Pending => watch.note_write(true, false),
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let ends = &mut *self.ends();
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut ends.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            ends.watch.note_read()
        } else {
            ends.watch.note_end()
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let ends = &mut *self.ends();
        self.0.is_complete.store(false, Relaxed);
        if ends.held.len() + bytes.len() > HELD_BYTES {
            ready!(ends.poll_send(context))?;
        }
        if bytes.len() > HELD_BYTES {
            let poll = Pin::new(&mut ends.stream).poll_write(context, bytes);
            note(&ends.watch, bytes.len(), &poll);
            return poll;
        }
        ends.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.is_complete.store(true, Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Only noted: the connection's task closes, once it knows why hyper has ended.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends().is_shut = true;
        Poll::Ready(Ok(()))
    }
}
