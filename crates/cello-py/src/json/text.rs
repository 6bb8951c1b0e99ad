//! The kinds that are strings in JSON: moments, durations, UUIDs and decimals.

use std::sync::Arc;

use cello_kernel::write_json_string;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::failure::{Failure, Written};

/// How a value is a string.
#[derive(Clone)]
pub(super) enum Form {
    /// A datetime, and no subclass: `isoformat()` costs four times as much as its parts.
    Datetime {
        utc: Arc<Py<PyAny>>,
    },
    /// What has `isoformat()`: dates, times and subclasses of datetime.
    Moment,
    Duration,
    Uuid,
    Decimal,
}

impl Form {
    /// Appends the string, quotes included.
    pub(super) fn write<'py>(&self, value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
        match self {
            Self::Datetime { utc } => datetime(value, utc.bind(value.py()), out),
            Self::Moment => moment(value, out),
            Self::Duration => duration(value, out),
            Self::Uuid => uuid(value, out),
            Self::Decimal => decimal(value, out),
        }
    }
}

/// The characters of a str.
#[inline(always)]
pub(super) fn text_of<'text, 'py>(text: &'text Bound<'py, PyString>) -> Written<'py, &'text str> {
    text.to_str().map_err(|error| no_text(text.py(), error))
}

#[cold]
fn no_text<'py>(py: Python<'py>, error: PyErr) -> Box<Failure<'py>> {
    if error.is_instance_of::<PyUnicodeEncodeError>(py) {
        Failure::of_value("a str with half of a surrogate pair has no JSON form")
    } else {
        error.into()
    }
}

/// As `isoformat()` has it.
fn datetime<'py>(value: &Bound<'py, PyAny>, utc: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
    let py = value.py();
    let zone = value.getattr(intern!(py, "tzinfo"))?;
    let offset = if zone.is_none() {
        ""
    } else if zone.is(utc) {
        "+00:00"
    } else {
        return moment(value, out);
    };
    let part = |name| value.getattr(name)?.extract::<u32>();
    let (year, month, day) = (part(intern!(py, "year"))?, part(intern!(py, "month"))?, part(intern!(py, "day"))?);
    let (hour, minute) = (part(intern!(py, "hour"))?, part(intern!(py, "minute"))?);
    let (second, micro) = (part(intern!(py, "second"))?, part(intern!(py, "microsecond"))?);
    let mut text = *b"\"0000-00-00T00:00:00.000000";
    put(&mut text[1..5], year);
    put(&mut text[6..8], month);
    put(&mut text[9..11], day);
    put(&mut text[12..14], hour);
    put(&mut text[15..17], minute);
    put(&mut text[18..20], second);
    put(&mut text[21..], micro);
    let end = if micro == 0 { 20 } else { text.len() };
    out.extend_from_slice(&text[..end]);
    out.extend_from_slice(offset.as_bytes());
    out.push(b'"');
    Ok(())
}

fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn moment<'py>(value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
    let text = value.call_method0(intern!(value.py(), "isoformat"))?;
    write_json_string(out, text_of(text.cast().map_err(PyErr::from)?)?);
    Ok(())
}

/// A duration of ISO 8601 in days, hours, minutes and seconds.
fn duration<'py>(value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
    let py = value.py();
    let part = |name| value.getattr(name)?.extract::<i64>();
    let seconds = part(intern!(py, "days"))? * 86_400 + part(intern!(py, "seconds"))?;
    let total = i128::from(seconds) * 1_000_000 + i128::from(part(intern!(py, "microseconds"))?);
    let (sign, micros) = (if total < 0 { "-" } else { "" }, total.unsigned_abs());
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut text = format!("{sign}P");
    if days > 0 {
        text += &format!("{days}D");
    }
    if days == 0 || of_day > 0 || micros > 0 {
        text.push('T');
    }
    for (amount, unit) in [(of_day / 3600, 'H'), (of_day % 3600 / 60, 'M')] {
        if amount > 0 {
            text += &format!("{amount}{unit}");
        }
    }
    if micros > 0 {
        let fraction = format!("{micros:06}");
        text += &format!("{}.{}S", of_day % 60, fraction.trim_end_matches('0'));
    } else if of_day % 60 > 0 || total == 0 {
        text += &format!("{}S", of_day % 60);
    }
    write_json_string(out, &text);
    Ok(())
}

/// Source: RFC 9562 §4.
fn uuid<'py>(value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
    let number = value.getattr(intern!(value.py(), "int"))?.extract::<u128>()?;
    let mut text = uuid::Uuid::encode_buffer();
    let text = uuid::Uuid::from_u128(number).hyphenated().encode_lower(&mut text);
    write_json_string(out, text);
    Ok(())
}

/// A Decimal's digits, all of them: most clients would read a JSON number as a binary fraction.
fn decimal<'py>(value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> Written<'py> {
    let text = value.str()?;
    let text = text_of(&text)?;
    if !text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Failure::of_value(format!("the Decimal {text} has no JSON form: use None")));
    }
    write_json_string(out, text);
    Ok(())
}
