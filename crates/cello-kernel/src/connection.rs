//! One connection: hyper's HTTP/1.1 over a stream that tells the watch what it sees.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::Limits;
use crate::service::HttpService;
use crate::watch::{Phase, Watch};

/// How long, and how much of, a refused body is swallowed before its connection is closed.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 8 << 20;

/// hyper's smallest read buffer; a head of `Limits::head_bytes` has to fit as well.
const MIN_BUFFER_BYTES: usize = 8 << 10;

/// The parser's settings, made once.
pub(crate) fn protocol(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(limits.head_bytes.max(MIN_BUFFER_BYTES))
        .max_header_size(limits.head_bytes)
        .header_read_timeout(None)
        .half_close(false)
        .pipeline_flush(true)
        .writev(false);
    if limits.header_fields != 100 {
        // hyper keeps its default of 100 on the stack and any other number on the heap.
        builder.max_headers(limits.header_fields);
    }
    builder
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, protocol: &http1::Builder, service: HttpService) {
    let watch = service.watch().clone();
    let io = TokioIo::new(Watched { stream, watch: watch.clone() });
    let mut connection = protocol.serve_connection(io, service);
    let mut was_told_to_close = false;
    let ended = poll_fn(|context| {
        watch.set_waker(context.waker());
        if watch.is_closing() && !was_told_to_close {
            was_told_to_close = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    })
    .await;
    let mut stream = connection.into_parts().io.into_inner().stream;
    if ended.is_ok() || watch.lingers() {
        // The client may be gone already: there is nobody to tell.
        let _ = stream.shutdown().await;
    }
    if watch.lingers() {
        let mut sink = tokio::io::sink();
        let mut rest = stream.take(LINGER_BYTES);
        let swallow = pin!(tokio::io::copy(&mut rest, &mut sink));
        let _ = tokio::time::timeout(LINGER, swallow).await;
    }
}

/// A stream that reports reads and writes.
struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        match (self.watch.phase(), &poll) {
            // hyper looks for the next request only once it has none in hand.
            (Phase::Responding, Poll::Pending) => self.watch.enter(Phase::Idle),
            (Phase::Idle | Phase::Responding, Poll::Ready(Ok(()))) if buffer.filled().len() > before => {
                self.watch.enter(Phase::Head);
            }
            _ => {}
        }
        poll
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        match &poll {
            Poll::Ready(Ok(written)) => self.watch.note_write(*written < bytes.len(), true),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.note_write(true, false),
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}
