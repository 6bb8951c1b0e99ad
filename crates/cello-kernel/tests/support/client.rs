//! A client of raw bytes: it sends what a test says and reads what HTTP/1 allows.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::SAFETY_NET;

/// A connection to the server.
pub struct Client {
    stream: TcpStream,
    /// What was read and not yet taken.
    read: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub version: String,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How the server ended a connection.
#[derive(Debug, PartialEq)]
pub enum End {
    /// With a FIN, after everything it had to say.
    Closed,
    /// With a reset.
    Reset,
}

/// A GET request of a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// A POST request with a body of a known length.
pub fn post(path: &str, body: &str) -> String {
    format!("{}{body}", post_head(path, body.len()))
}

/// The head of a POST request that promises so many bytes.
pub fn post_head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n")
}

/// The head of a POST request whose body comes in chunks.
pub fn chunked_head(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket that takes options");
        stream.set_read_timeout(Some(SAFETY_NET)).expect("a socket that takes options");
        stream.set_write_timeout(Some(SAFETY_NET)).expect("a socket that takes options");
        Self { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server reads");
    }

    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends from a thread of its own, for what is longer than the sockets hold.
    pub fn send_meanwhile(&self, bytes: String) -> JoinHandle<()> {
        let mut stream = self.stream.try_clone().expect("a socket can be had twice");
        std::thread::spawn(move || stream.write_all(bytes.as_bytes()).expect("the server reads"))
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Tells the server that nothing more is coming.
    pub fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Leaves without a word: the server gets a reset.
    pub fn vanish(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket that takes options");
    }

    /// Reads the answer to any request but HEAD.
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = match (answer.status, answer.field("content-length")) {
            (100..200 | 204 | 304, _) => 0,
            (_, Some(length)) => length.parse().expect("a length"),
            (_, None) => panic!("the end of this answer cannot be told: {answer:?}"),
        };
        while self.read.len() < length {
            assert_ne!(self.read_more(), 0, "the answer broke off after {} of {length} bytes", self.read.len());
        }
        answer.body = self.read.drain(..length).collect();
        answer
    }

    /// Reads status and fields of an answer.
    pub fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            let so_far = String::from_utf8_lossy(&self.read).into_owned();
            assert_ne!(self.read_more(), 0, "the connection ended before an answer, after {so_far:?}");
        };
        let head: Vec<u8> = self.read.drain(..end + 4).collect();
        let head = std::str::from_utf8(&head[..end]).expect("a head of ASCII");
        let mut lines = head.split("\r\n");
        let mut status_line = lines.next().expect("a status line").splitn(3, ' ');
        let version = status_line.next().expect("a version").to_owned();
        let status = status_line.next().expect("a status").parse().expect("a number");
        let fields = lines.map(|line| line.split_once(": ").expect("a header field"));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let answer = Answer { version, status, fields, body: Vec::new() };
        assert_eq!(answer.field("transfer-encoding"), None, "no answer of the tests is chunked");
        answer
    }

    /// Reads up to `count` bytes of a body and throws them away; fewer only where the connection ended.
    pub fn skip(&mut self, count: usize) -> usize {
        let mut skipped = count.min(self.read.len());
        self.read.drain(..skipped);
        let mut scratch = vec![0; 64 << 10];
        while skipped < count {
            let wanted = scratch.len().min(count - skipped);
            match self.stream.read(&mut scratch[..wanted]) {
                Ok(0) => break,
                Ok(length) => skipped += length,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error}"),
            }
        }
        skipped
    }

    /// Waits until the server closes the connection, having sent nothing more.
    pub fn end(&mut self) -> End {
        match self.try_read() {
            Ok(0) => {
                assert!(self.read.is_empty(), "unexpected: {:?}", String::from_utf8_lossy(&self.read));
                End::Closed
            }
            Ok(_) => panic!("unexpected: {:?}", String::from_utf8_lossy(&self.read)),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("the server did not close the connection: {error}"),
        }
    }

    /// Whether the connection is open after a pause in which nothing is expected to come.
    pub fn is_open_after(&mut self, pause: Duration) -> bool {
        assert!(self.read.is_empty(), "unexpected: {:?}", String::from_utf8_lossy(&self.read));
        self.stream.set_read_timeout(Some(pause)).expect("a socket that takes options");
        let is_open = match self.try_read() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Ok(0) => false,
            other => panic!("unexpected: {other:?} {:?}", String::from_utf8_lossy(&self.read)),
        };
        self.stream.set_read_timeout(Some(SAFETY_NET)).expect("a socket that takes options");
        is_open
    }

    fn read_more(&mut self) -> usize {
        self.try_read().expect("an open connection")
    }

    fn try_read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 << 10];
        let length = self.stream.read(&mut buffer)?;
        self.read.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl Answer {
    /// The value of a field, where there is one.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    /// Checks that this is an error as the kernel tells it, with its request's id, which is returned.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        let text = self.text();
        assert!(text.contains(&format!("\"status\":{status},")), "{text}");
        let (_, id) = text.split_once("\"request_id\":\"").expect("a request id");
        let (id, _) = id.split_once('"').expect("the end of the id");
        assert_eq!(id.len(), 36, "{text}");
        id.to_owned()
    }

    /// Whether the server said that it closes the connection.
    pub fn says_close(&self) -> bool {
        self.field("connection") == Some("close")
    }
}
