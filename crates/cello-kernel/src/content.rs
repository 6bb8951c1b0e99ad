//! Bodies of responses: whole, or pulled piece by piece as the client takes them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::watch::Watch;

/// hyper copies what it is given into its buffer: a long answer is given in pieces, so that it is never there twice.
const PIECE_BYTES: usize = 64 << 10;

/// The body of a response.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// What brings it forth while it is sent.
    Pulled(Box<dyn Source>),
}

/// Brings forth a body, a piece each time the client has room for one.
///
/// It is dropped when it has ended, when it broke, and when the client is gone.
pub trait Source: fmt::Debug + Send + 'static {
    /// The next piece; `None` at the end. An error aborts the connection, so that the client cannot take what it has
    /// for the whole (RFC 9112 §8).
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>>;

    /// The bytes still to come, where they are known: they become `Content-Length`.
    fn remaining_bytes(&self) -> Option<u64>;
}

/// A body ended before its end. Whoever brings it forth has logged why.
#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the answer broke off")
    }
}

impl std::error::Error for Broken {}

impl Content {
    /// The same body; `end` is called when the connection has taken the last of it, or has given it up.
    pub fn then(self, end: impl FnOnce() + Send + 'static) -> Self {
        let source: Box<dyn Source> = match self {
            Self::Whole(bytes) => Box::new(Cut(bytes)),
            Self::Pulled(source) => source,
        };
        Self::Pulled(Box::new(Then { source, end: Some(Box::new(end)) }))
    }

    /// The body as it is sent: a connection is not through with its answer before the last piece of it was taken.
    pub(crate) fn watched(self, watch: &Arc<Watch>) -> Self {
        if matches!(&self, Self::Whole(bytes) if bytes.len() <= PIECE_BYTES) {
            return self;
        }
        watch.begin_outflow();
        let watch = watch.clone();
        self.then(move || watch.end_outflow())
    }
}

/// Runs something once a body is done with: sent, or given up.
struct Then {
    source: Box<dyn Source>,
    end: Option<Box<dyn FnOnce() + Send>>,
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Source for Then {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.source.poll_piece(context)
    }

    fn remaining_bytes(&self) -> Option<u64> {
        self.source.remaining_bytes()
    }
}

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

/// A whole body, piece by piece.
#[derive(Debug)]
struct Cut(Bytes);

impl Source for Cut {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let piece = self.0.split_to(self.0.len().min(PIECE_BYTES));
        Poll::Ready(if piece.is_empty() { None } else { Some(Ok(piece)) })
    }

    fn remaining_bytes(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pulled(source) => {
                let piece = ready!(source.poll_piece(context));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let remaining = match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Pulled(source) => source.remaining_bytes(),
        };
        remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
