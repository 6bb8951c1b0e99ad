//! `Content-Disposition`: the name under which a client keeps a file.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// All but `attr-char` of RFC 8187 §3.2.1.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment`, with the name as it is where every client reads it alike, else with a plain and an exact form of it.
///
/// Source: RFC 6266 §4.3 and appendix D.
pub(super) fn attachment(name: &str) -> PyResult<HeaderValue> {
    if name.is_empty() {
        return Err(PyValueError::new_err("the filename is empty"));
    }
    if let Some(control) = name.chars().find(char::is_ascii_control) {
        return Err(PyValueError::new_err(format!("the filename {name:?} has the control character {control:?}")));
    }
    // A separator would be a path on the client's machine.
    let name = name.replace(['/', '\\'], "_");
    let plain: String = name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(&name, ENCODED));
    }
    HeaderValue::try_from(value).map_err(|_| PyValueError::new_err(format!("{name:?} is no filename")))
}

/// Whether a letter stands in a quoted string without an escape, and no client decodes it.
fn is_plain(letter: char) -> bool {
    matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '%')
}
