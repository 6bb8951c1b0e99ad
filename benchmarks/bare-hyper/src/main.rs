//! The limit of the stack Cello stands on: hyper and constant bodies, on one thread.
//! Several processes may share the port. There is no router here, no timeout and no limit on anything, and nothing looks at a body that is sent.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpSocket, runtime, task};

const HELLO: &[u8] = br#"{"message":"Hello, World!"}"#;
const USER: &[u8] = br#"{"id":42,"name":"User 42"}"#;
const FOUND: &[u8] = br#"{"q":"rust web","page":2,"limit":20,"client":"bench"}"#;
const UPLOADED: &[u8] = br#"{"filename":"blob.bin","size":1048576}"#;
const RECEIPT: &[u8] = br#"{"order":"2026-10042","city":"Leiden","quantity":36}"#;
static CHUNK: [u8; 1024] = [b'x'; 1024];

/// What is left of a stream's 100 chunks.
struct Chunks(usize);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }
}

type Answer = Response<Either<Full<Bytes>, Chunks>>;

fn articles() -> Bytes {
    let article = |number: u32| {
        format!(
            r#"{{"id":{number},"title":"Article number {number}","price":{:?},"is_sold":{},"#,
            f64::from(number) * 0.25,
            number.is_multiple_of(3),
        ) + r#""tags":["red","round","rare"],"text":"What there is to say."}"#
    };
    format!("[{}]", (0..500).map(article).collect::<Vec<_>>().join(",")).into()
}

fn constant(body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn read_to_its_end(mut body: Incoming) -> hyper::Result<()> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

async fn answer(request: Request<Incoming>, articles: Bytes) -> hyper::Result<Answer> {
    Ok(match request.uri().path() {
        "/" | "/async" | "/suspend" | "/section299/7/details" => constant(HELLO),
        "/users/42" => constant(USER),
        "/search" => constant(FOUND),
        "/articles" => constant(articles),
        "/sleep" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            constant(HELLO)
        }
        "/stream" => {
            let mut response = Response::new(Either::Right(Chunks(100)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            response
        }
        "/upload" => {
            read_to_its_end(request.into_body()).await?;
            constant(UPLOADED)
        }
        "/orders" => {
            read_to_its_end(request.into_body()).await?;
            constant(RECEIPT)
        }
        _ => {
            let mut missing = Response::new(Either::Left(Full::default()));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            missing
        }
    })
}

async fn listen(port: u16) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = socket.listen(1024)?;
    let articles = articles();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let articles = articles.clone();
        let service = service_fn(move |request| answer(request, articles.clone()));
        // A client that leaves ends its own connection and nothing else, so the outcome is of no interest.
        task::spawn_local(http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(socket), service));
    }
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("the port is the only argument");
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    task::LocalSet::new().block_on(&runtime, listen(port))
}
