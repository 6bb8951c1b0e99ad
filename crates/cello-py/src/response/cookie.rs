//! `Set-Cookie`: written so that browsers keep it, or refused where they would not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::{fmt_http_date, parse_http_date};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

/// What browsers keep of a name and its value together (RFC 6265bis §5.7).
const PAIR_BYTES: usize = 4096;

/// What browsers keep of an attribute's value (RFC 6265bis §5.6).
const ATTRIBUTE_BYTES: usize = 1024;

/// The first moment that HTTP has no date for, in seconds since 1970: the year 10000.
const BEYOND_DATES_S: f64 = 253_402_300_800.0;

/// A cookie with its attributes.
pub(super) struct Cookie<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) max_age_s: Option<u64>,
    pub(super) expires: Option<SystemTime>,
    pub(super) path: Option<&'a str>,
    pub(super) domain: Option<&'a str>,
    pub(super) secure: bool,
    pub(super) httponly: bool,
    pub(super) samesite: Option<&'a str>,
    pub(super) partitioned: bool,
}

impl Cookie<'_> {
    /// The value of `Set-Cookie`.
    ///
    /// Source: RFC 6265bis §4.1.
    pub(super) fn line(&self) -> PyResult<HeaderValue> {
        let name = self.name;
        self.check_pair()?;
        let samesite = self.samesite().map_err(|words| refused(name, &words))?;
        self.check_prefix().map_err(|words| refused(name, words))?;
        let mut line = format!("{name}={}", self.value);
        if let Some(path) = self.path {
            check_path(path).map_err(|words| refused(name, words))?;
            line.push_str(&format!("; Path={path}"));
        }
        if let Some(domain) = self.domain {
            let domain = plain_domain(domain).map_err(|words| refused(name, words))?;
            line.push_str(&format!("; Domain={domain}"));
        }
        if self.secure {
            line.push_str("; Secure");
        }
        if self.httponly {
            line.push_str("; HttpOnly");
        }
        if let Some(samesite) = samesite {
            line.push_str(&format!("; SameSite={samesite}"));
        }
        if let Some(seconds) = self.max_age_s {
            line.push_str(&format!("; Max-Age={seconds}"));
        }
        if let Some(moment) = self.expires {
            line.push_str(&format!("; Expires={}", fmt_http_date(moment)));
        }
        if self.partitioned {
            line.push_str("; Partitioned");
        }
        HeaderValue::try_from(line).map_err(|_| refused(name, "it has a control character"))
    }

    fn check_pair(&self) -> PyResult<()> {
        let (name, value) = (self.name, self.value);
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            let words = "is no name of a cookie: letters, digits and !#$%&'*+-.^_`|~ make one (RFC 6265bis §4.1.1)";
            return Err(PyValueError::new_err(format!("{name:?} {words}")));
        }
        let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if let Some(letter) = inner.chars().find(|&letter| !is_cookie_letter(letter)) {
            let words = format!("its value has {letter:?}: percent-encode it (urllib.parse.quote), or use base64");
            return Err(refused(name, &words));
        }
        if name.len() + value.len() > PAIR_BYTES {
            return Err(refused(name, &format!("name and value are longer than the {PAIR_BYTES} bytes browsers keep")));
        }
        Ok(())
    }

    fn samesite(&self) -> Result<Option<&'static str>, String> {
        let Some(samesite) = self.samesite else { return Ok(None) };
        let name = ["Strict", "Lax", "None"].into_iter().find(|name| name.eq_ignore_ascii_case(samesite));
        match name {
            None => Err(format!("samesite={samesite:?} is none of \"strict\", \"lax\" and \"none\"")),
            Some("None") if !self.secure => Err("samesite=\"none\" needs secure=True: browsers refuse it".to_owned()),
            known => Ok(known),
        }
    }

    fn check_prefix(&self) -> Result<(), &'static str> {
        let has_prefix = |prefix: &str| {
            self.name.get(..prefix.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
        };
        if self.partitioned && !self.secure {
            return Err("partitioned=True needs secure=True: browsers refuse it");
        }
        if has_prefix("__Secure-") && !self.secure {
            return Err("the prefix __Secure- needs secure=True: browsers refuse it");
        }
        if has_prefix("__Host-") && !(self.secure && self.path == Some("/") && self.domain.is_none()) {
            return Err("the prefix __Host- needs secure=True, path=\"/\" and no domain: browsers refuse it");
        }
        Ok(())
    }
}

fn refused(name: &str, words: &str) -> PyErr {
    PyValueError::new_err(format!("the cookie {name:?} cannot be set: {words}"))
}

/// RFC 9110 §5.6.2
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `cookie-octet` of RFC 6265bis §4.1.1
fn is_cookie_letter(letter: char) -> bool {
    matches!(letter, '!'..='~') && !matches!(letter, '"' | ',' | ';' | '\\')
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("its path does not start with \"/\"");
    }
    if !path.chars().all(|letter| matches!(letter, ' '..='~') && letter != ';') {
        return Err("its path has a semicolon, a control character or one beyond ASCII: percent-encode it");
    }
    if path.len() > ATTRIBUTE_BYTES {
        return Err("its path is longer than the 1024 bytes browsers keep");
    }
    Ok(())
}

/// The domain without a leading dot, which says nothing (RFC 6265bis §4.1.2.3).
fn plain_domain(domain: &str) -> Result<&str, &'static str> {
    let plain = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if plain.len() > 253 || !plain.split('.').all(is_label) {
        return Err("its domain is no domain name: letters, digits, hyphens and dots make one; others as punycode");
    }
    Ok(plain)
}

/// Seconds: a number of them, or a `datetime.timedelta`.
pub(super) fn max_age_s(name: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let is_number = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    let seconds = if is_number {
        value.extract::<i64>().unwrap_or(i64::MAX)
    } else if value.hasattr("total_seconds")? {
        // Truncated, as browsers count whole seconds.
        value.call_method0("total_seconds")?.extract::<f64>()? as i64
    } else {
        return Err(PyTypeError::new_err("max_age is in seconds, an int, or a datetime.timedelta"));
    };
    u64::try_from(seconds).map_err(|_| refused(name, "max_age is negative: use 0, or delete_cookie"))
}

/// A moment: an aware `datetime`, seconds since 1970, or a date as HTTP writes it.
pub(super) fn expires(name: &str, value: &Bound<'_, PyAny>) -> PyResult<SystemTime> {
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str()?;
        let words = "expires is no date of HTTP, such as \"Sun, 06 Nov 1994 08:49:37 GMT\"";
        return parse_http_date(text).map_err(|_| refused(name, words));
    }
    if value.hasattr("utcoffset")? && value.call_method0("utcoffset")?.is_none() {
        return Err(refused(name, "expires has no time zone: give it one, such as datetime.UTC"));
    }
    let since_1970_s = if value.hasattr("timestamp")? { value.call_method0("timestamp")? } else { value.clone() };
    let since_1970_s: f64 = since_1970_s.extract().map_err(|_| {
        PyTypeError::new_err(
            "expires is an aware datetime, a number of seconds since 1970, or a date as HTTP writes it",
        )
    })?;
    if !(0.0..BEYOND_DATES_S).contains(&since_1970_s) {
        return Err(refused(name, "expires is before 1970 or after the year 9999"));
    }
    Ok(UNIX_EPOCH + Duration::from_secs(since_1970_s as u64))
}
