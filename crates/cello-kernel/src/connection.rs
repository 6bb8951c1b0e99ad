//! One connection: hyper's HTTP/1.1 over a wire, to its end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;

use crate::limits::Limits;
use crate::service::HttpService;
use crate::stream::Stream;
use crate::wire::Wire;

/// How long, and how much of, a refused body is swallowed before its connection is closed: more than the largest body
/// that is accepted, since many clients look for an answer only when they have sent theirs.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 64 << 20;

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
        .writev(false);
    if limits.header_fields != 100 {
        // hyper keeps its default of 100 on the stack and any other number on the heap.
        builder.max_headers(limits.header_fields);
    }
    builder
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: Stream, protocol: &http1::Builder, mut service: HttpService) {
    let (watch, error_form) = (service.watch().clone(), service.error_form());
    let wire = Wire::new(stream, watch.clone());
    service.tie(wire.tether());
    let mut connection = protocol.serve_connection(TokioIo::new(wire.clone()), service);
    let mut was_told_to_close = false;
    let ended = poll_fn(|context| {
        watch.set_waker(context.waker());
        if watch.is_closing() && !was_told_to_close {
            was_told_to_close = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let ended = Pin::new(&mut connection).poll(context);
        if ended.is_pending()
            && (watch.is_cut_short() || matches!(wire.poll_send(context), Poll::Ready(Err(_))) || watch.is_given_up())
        {
            return Poll::Ready(None);
        }
        ended.map(Some)
    })
    .await;
    drop(connection);
    let has_unread_bytes = match ended {
        None => return,
        Some(Ok(())) => watch.lingers(),
        Some(Err(error)) if error.is_parse() => {
            // hyper has answered a head that it cannot parse, and may not have read all of it.
            wire.complete_refusal(error_form);
            true
        }
        Some(Err(_)) => false,
    };
    let closed = poll_fn(|context| match wire.poll_close(context) {
        Poll::Pending if watch.is_given_up() => Poll::Ready(false),
        closed => closed.map(|closed| closed.is_ok()),
    });
    if !closed.await {
        return;
    }
    if has_unread_bytes {
        let mut sink = tokio::io::sink();
        let mut rest = wire.take(LINGER_BYTES);
        let swallow = pin!(tokio::io::copy(&mut rest, &mut sink));
        let _ = tokio::time::timeout(LINGER, swallow).await;
    }
}
