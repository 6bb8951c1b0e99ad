//! XML 1.0 from what JSON can have.

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::json;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// The element that each item of a list is in.
const ITEM: &str = "item";

/// A document with one element for each key of a dict and an `item` for each of a list.
///
/// # Errors
/// What JSON refuses, and ValueError for a key that is no name and for text with characters that XML does not have.
pub(super) fn document(value: &Bound<'_, PyAny>, root_name: &str) -> PyResult<Bytes> {
    // What JSON takes, and how it writes it, is settled there: dates, enums, dataclasses.
    let plain = json::decode(value.py(), &json::encode(value)?)?;
    let mut out = String::from(DECLARATION);
    write_element(&mut out, root_name, &plain)?;
    Ok(out.into())
}

fn write_element(out: &mut String, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !is_name(name) {
        let words = "is no name of an XML element: letters, digits, \"-\", \"_\" and \".\" make one, and the first is a \
                     letter or \"_\" (XML 1.0 §2.3)";
        return Err(PyValueError::new_err(format!("{name:?} {words}")));
    }
    out.push('<');
    out.push_str(name);
    let tag_ends = out.len();
    out.push('>');
    if let Ok(dict) = value.cast::<PyDict>() {
        for (key, value) in dict.iter() {
            write_element(out, key.cast::<PyString>()?.to_str()?, &value)?;
        }
    } else if let Ok(list) = value.cast::<PyList>() {
        for item in list.iter() {
            write_element(out, ITEM, &item)?;
        }
    } else if let Ok(text) = value.cast::<PyString>() {
        write_text(out, name, text.to_str()?)?;
    } else if !value.is_none() {
        out.push_str(&String::from_utf8_lossy(&json::encode(value)?));
    }
    if out.len() == tag_ends + 1 {
        out.truncate(tag_ends);
        out.push_str("/>");
        return Ok(());
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
    Ok(())
}

fn write_text(out: &mut String, name: &str, text: &str) -> PyResult<()> {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A reader would take it for a line feed (XML 1.0 §2.11).
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => out.push(letter),
            _ => {
                let words = format!("the text of {name:?} has {letter:?}, which XML does not have: send it as base64");
                return Err(PyValueError::new_err(words));
            }
        }
    }
    Ok(())
}

/// A name without a colon, which would be that of a namespace nobody declared.
///
/// Source: Namespaces in XML 1.0 §3, `NCName`.
fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(begins_name) && name.chars().all(continues_name)
}

fn begins_name(letter: char) -> bool {
    matches!(letter, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn continues_name(letter: char) -> bool {
    begins_name(letter)
        || matches!(letter, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
