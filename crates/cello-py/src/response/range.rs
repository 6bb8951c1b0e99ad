//! `Range`: which bytes of a file a client asks for (RFC 9110 §14).

use std::ops::Range;

use http::HeaderValue;
use http::header::CONTENT_RANGE;
use pyo3::prelude::*;

use super::field::field_value;
use super::head::Head;

/// What is said where only bytes that are not there are asked for.
pub(super) const BEYOND: &str = "The range lies beyond the end of the file.";

/// What a `Range` asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// All: nothing is asked, or nothing that has to be understood.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Only bytes that are not there.
    Beyond,
}

/// Reads a `Range` about a file of so many bytes.
///
/// What is malformed, counts in another unit or asks for several parts is answered with the whole, as §14.2 allows.
pub(super) fn asked(header: &str, length: u64) -> Asked {
    let Some((unit, ranges)) = header.split_once('=') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let mut asked = Asked::Whole;
    for (index, range) in ranges.split(',').map(str::trim).filter(|range| !range.is_empty()).enumerate() {
        asked = match (one(range, length), asked) {
            (Asked::Whole, _) => return Asked::Whole,
            (found, _) if index == 0 => found,
            (Asked::Beyond, before) => before,
            (found, Asked::Beyond) => found,
            _ => return Asked::Whole,
        };
    }
    asked
}

/// `first-last`, `first-` or `-count`.
fn one(range: &str, length: u64) -> Asked {
    let Some((first, last)) = range.split_once('-') else { return Asked::Whole };
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Asked::Beyond,
        (None, Some(_)) if first.is_empty() && length == 0 => Asked::Whole,
        (None, Some(count)) if first.is_empty() => Asked::Part(length.saturating_sub(count)..length),
        (Some(first), Some(last)) if last < first => Asked::Whole,
        (Some(first), Some(_)) if first >= length => Asked::Beyond,
        (Some(first), Some(last)) => Asked::Part(first..last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() && first >= length => Asked::Beyond,
        (Some(first), None) if last.is_empty() => Asked::Part(first..length),
        _ => Asked::Whole,
    }
}

/// Digits; what is longer than any file is as long as the longest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Says which part of a file of so many bytes is sent.
pub(super) fn set_part(head: &mut Head, part: &Range<u64>, length: u64) -> PyResult<()> {
    let (first, last) = (part.start, part.end - 1);
    head.set(CONTENT_RANGE, field_value("content-range", &format!("bytes {first}-{last}/{length}"))?)
}

/// How long the file is that has no such part.
pub(super) fn unsatisfied(length: u64) -> PyResult<HeaderValue> {
    field_value("content-range", &format!("bytes */{length}"))
}
