//! A line on standard output for each answer.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{Timestamp, Zoned};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::exchange::Exchange;
use crate::json::write_json_string;

/// More of a path, or of a method, is not in a line. What workers write into one pipe stays whole up to 4 KiB.
const PATH_BYTES: usize = 1024;
const METHOD_BYTES: usize = 64;

/// What of a path is percent-encoded: all that is not ASCII is, too, so that no client writes line ends or what a terminal
/// obeys.
const ODD: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\');

static RFC_3339: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Which answers are told of, and how.
#[derive(Debug)]
pub struct AccessLog {
    form: LineForm,
    sample_rate: f64,
    skip: Vec<String>,
    routes: Vec<String>,
    chance: Chance,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineForm {
    /// `[2026-01-31 12:00:00] GET /users → 200 (0.1 ms)`, in local time.
    #[default]
    Text,
    /// An object of JSON, whose time is UTC.
    Json,
}

impl AccessLog {
    /// Tells of the part `sample_rate` of the answers, 0 to 1, and of all of 500 and above, but of none to the paths of
    /// `skip`, which are decoded. `routes` has the patterns of the routes, by their number.
    pub fn new(form: LineForm, sample_rate: f64, skip: Vec<String>, routes: Vec<String>) -> Self {
        Self { form, sample_rate, skip, routes, chance: Chance::default() }
    }

    /// Tells of an answer whose head is about to be sent.
    pub(crate) fn note(&self, exchange: &Exchange, status: StatusCode, took: Duration) {
        if !self.tells(exchange.head.uri.path(), status) {
            return;
        }
        let line = match self.form {
            LineForm::Text => text(exchange, status, took),
            LineForm::Json => self.json(exchange, status, took),
        };
        // A log that nobody reads any more must not end the server.
        let _ = std::io::stdout().lock().write_all(&line);
    }

    fn tells(&self, path: &str, status: StatusCode) -> bool {
        let is_skipped = || {
            let path: Cow<'_, [u8]> = percent_decode_str(path).into();
            self.skip.iter().any(|skipped| skipped.as_bytes() == &*path)
        };
        if !self.skip.is_empty() && is_skipped() {
            return false;
        }
        self.sample_rate >= 1.0 || status.is_server_error() || self.chance.next() < self.sample_rate
    }

    fn json(&self, exchange: &Exchange, status: StatusCode, took: Duration) -> Vec<u8> {
        let (method, path) = target(&exchange.head);
        let now = RFC_3339.timestamp_to_string(&Timestamp::now());
        let mut line = format!("{{\"timestamp\":\"{now}\",\"level\":\"info\",\"message\":").into_bytes();
        write_json_string(&mut line, &message(&method, &path, status));
        line.extend_from_slice(b",\"method\":");
        write_json_string(&mut line, &method);
        line.extend_from_slice(b",\"path\":");
        write_json_string(&mut line, &path);
        line.extend_from_slice(b",\"route\":");
        match self.routes.get(exchange.route) {
            Some(route) => write_json_string(&mut line, route),
            None => line.extend_from_slice(b"null"),
        }
        let (status, took_ms, id) = (status.as_u16(), took.as_secs_f64() * 1e3, &exchange.id);
        // An id has nothing that JSON escapes.
        let rest = format!(",\"status\":{status},\"duration_ms\":{took_ms:.3},\"request_id\":\"{id}\"}}\n");
        line.extend_from_slice(rest.as_bytes());
        line
    }
}

fn text(exchange: &Exchange, status: StatusCode, took: Duration) -> Vec<u8> {
    let (method, path) = target(&exchange.head);
    let (now, took_ms) = (Zoned::now().strftime("%Y-%m-%d %H:%M:%S"), took.as_secs_f64() * 1e3);
    format!("[{now}] {} ({took_ms:.1} ms)\n", message(&method, &path, status)).into_bytes()
}

fn message(method: &str, path: &str, status: StatusCode) -> String {
    format!("{method} {path} → {}", status.as_u16())
}

/// Method and path as they are in a line of a log.
pub(crate) fn target(head: &Parts) -> (Cow<'_, str>, Cow<'_, str>) {
    let path = utf8_percent_encode(head.uri.path(), ODD);
    (short(head.method.as_str().into(), METHOD_BYTES), short(path.into(), PATH_BYTES))
}

/// The text, which is ASCII, or its beginning.
fn short(text: Cow<'_, str>, most_bytes: usize) -> Cow<'_, str> {
    match text.get(..most_bytes) {
        Some(beginning) if text.len() > most_bytes => format!("{beginning}…").into(),
        _ => text,
    }
}

/// A sequence of numbers that nobody has to foresee, from 0 to less than 1.
///
/// Source: SplitMix64, "Fast Splittable Pseudorandom Number Generators" (Steele, Lea, Flood 2014).
#[derive(Debug)]
struct Chance(AtomicU64);

impl Default for Chance {
    fn default() -> Self {
        Self(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }
}

impl Chance {
    fn next(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;

    fn exchange(method: &str, path: &str) -> Exchange {
        let request = Request::builder().method(method).uri(path.as_bytes()).body(()).expect("a request");
        Exchange::by_hand(request.into_parts().0, Bytes::new(), None, false)
    }

    fn log(form: LineForm) -> AccessLog {
        AccessLog::new(form, 1.0, Vec::new(), vec!["/users/{id}".to_owned()])
    }

    fn line(log: &AccessLog, exchange: &Exchange, status: u16) -> String {
        let status = StatusCode::from_u16(status).expect("a status");
        let took = Duration::from_micros(1260);
        let line =
            if log.form == LineForm::Text { text(exchange, status, took) } else { log.json(exchange, status, took) };
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn a_line_of_text_has_the_local_time() {
        let line = line(&log(LineForm::Text), &exchange("GET", "/users?page=2"), 200);
        let (time, rest) = line.split_at("[2026-01-31 12:00:00]".len());
        assert_eq!(rest, " GET /users → 200 (1.3 ms)\n");
        assert!(time.bytes().all(|byte| byte.is_ascii_digit() || b"[]-: ".contains(&byte)), "{time}");
    }

    #[test]
    fn a_line_of_json_has_every_key() {
        let log = log(LineForm::Json);
        let mut exchange = exchange("DELETE", "/users/7");
        exchange.id.set("given-1").expect("an id");
        let without_time = |line: String| {
            let (before, after) = line.split_at("{\"timestamp\":\"2026-01-31T12:00:00.000Z\"".len());
            assert!(before.starts_with("{\"timestamp\":\"2") && before.ends_with("Z\""), "{before}");
            after.to_owned()
        };
        let told = |route: &str| {
            format!(
                ",\"level\":\"info\",\"message\":\"DELETE /users/7 → 404\",\"method\":\"DELETE\",\"path\":\"/users/7\",\
                 \"route\":{route},\"status\":404,\"duration_ms\":1.260,\"request_id\":\"given-1\"}}\n"
            )
        };
        assert_eq!(without_time(line(&log, &exchange, 404)), told("null"));
        exchange.route = 0;
        assert_eq!(without_time(line(&log, &exchange, 404)), told("\"/users/{id}\""));
    }

    #[test]
    fn what_a_client_names_cannot_be_more_than_a_part_of_a_line() {
        let odd = exchange("GET", "/a\u{9b}31m\u{2028}\u{202e}é\"\\{}");
        for form in [LineForm::Text, LineForm::Json] {
            let line = line(&log(form), &odd, 200);
            assert!(line.contains("GET /a%C2%9B31m%E2%80%A8%E2%80%AE%C3%A9%22%5C{} → 200"), "{line}");
        }
        let long = exchange(&"A".repeat(2000), &format!("/{}", "\u{9b}".repeat(2000)));
        for form in [LineForm::Text, LineForm::Json] {
            let line = line(&log(form), &long, 200);
            assert!(line.len() < 4096 && line.contains("AAA… /%C2%9B%C2"), "{} bytes: {line}", line.len());
        }
    }

    #[test]
    fn what_is_skipped_is_not_told_of_and_failures_always_are() {
        let skip = vec!["/health".to_owned(), "/a b".to_owned()];
        let [none, all] = [0.0, 1.0].map(|rate| AccessLog::new(LineForm::Text, rate, skip.clone(), Vec::new()));
        for (path, status, is_told, is_sampled) in [
            ("/health", 200, false, false),
            ("/health", 503, false, false),
            ("/a%20b", 200, false, false),
            ("/health/", 200, true, false),
            ("/healthy", 404, true, false),
            ("/", 500, true, true),
            ("/", 599, true, true),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(all.tells(path, status), is_told, "{path} {status}");
            assert_eq!(none.tells(path, status), is_sampled, "{path} {status}, sampled");
        }
    }

    #[test]
    fn as_many_are_told_of_as_the_rate_says() {
        let log = AccessLog::new(LineForm::Text, 0.25, Vec::new(), Vec::new());
        let told = (0..40_000).filter(|_| log.tells("/", StatusCode::OK)).count();
        assert!((9_000..11_000).contains(&told), "{told} of 40000"); // eleven standard deviations either way
    }
}
