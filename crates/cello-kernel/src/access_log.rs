//! One line on standard output for each answer.

use std::io::Write;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Zoned;

/// Writes `[2026-01-31 12:00:00] GET /users → 200 (0.1 ms)`, in local time.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog;

impl AccessLog {
    pub(crate) fn write(self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let took_ms = took.as_secs_f64() * 1e3;
        // A log that nobody reads any more must not end the server.
        let _ = writeln!(std::io::stdout().lock(), "[{now}] {method} {path} → {} ({took_ms:.1} ms)", status.as_u16());
    }
}
