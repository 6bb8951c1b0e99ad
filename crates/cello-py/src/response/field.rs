//! Header fields as Python gives them: checked where they are made, so that what is sent is well formed.

use http::header::{HeaderMap, HeaderName, HeaderValue, MaxSizeReached};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What frames a message is the server's to say: a second opinion would be request smuggling.
const SERVERS_OWN: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// Header fields that are given as a mapping or as pairs.
pub(super) fn fields(given: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    if let Ok(dict) = given.cast_exact::<PyDict>() {
        for (name, value) in dict.iter() {
            add(&mut map, &name, &value)?;
        }
        return Ok(map);
    }
    let pairs = if given.hasattr("items")? { given.call_method0("items")? } else { given.clone() };
    for pair in pairs.try_iter().map_err(|_| no_fields(&pairs))? {
        let pair = pair?;
        let (name, value) = pair.extract().map_err(|_| no_fields(&pair))?;
        add(&mut map, &name, &value)?;
    }
    Ok(map)
}

fn add(map: &mut HeaderMap, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(name) = name.cast::<PyString>() else { return Err(no_fields(name)) };
    let field = own_name(name.to_str()?)?;
    let Ok(value) = value.cast::<PyString>() else {
        let kind = value.get_type().fully_qualified_name()?;
        let words = format!("the value of the header field {:?} is of type {kind}: use str", field.as_str());
        return Err(PyTypeError::new_err(words));
    };
    let text = value.to_str().map_err(|_| {
        PyValueError::new_err(format!("the value of the header field {:?} has a lone surrogate", field.as_str()))
    })?;
    let value = field_value(field.as_str(), text)?;
    map.try_append(field, value).map(drop).map_err(too_many)
}

fn no_fields(given: &Bound<'_, PyAny>) -> PyErr {
    let kind = given.get_type().fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("header fields are a mapping or pairs of str and str, and this is of type {kind}"))
}

pub(super) fn too_many(_: MaxSizeReached) -> PyErr {
    PyValueError::new_err("these are more header fields than a response can have")
}

/// The name of a field that an application may set.
pub(super) fn own_name(name: &str) -> PyResult<HeaderName> {
    let field = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| PyValueError::new_err(format!("{name:?} is no name of a header field (RFC 9110 §5.1)")))?;
    if SERVERS_OWN.contains(&field.as_str()) {
        return Err(PyValueError::new_err(format!("the header field {name:?} is the server's own to set")));
    }
    Ok(field)
}

/// The value of the field `name`: latin-1, as requests are read (RFC 9110 §5.5).
pub(super) fn field_value(name: &str, value: &str) -> PyResult<HeaderValue> {
    if value.is_ascii() {
        return HeaderValue::from_str(value).map_err(|_| has_control_character(name));
    }
    let latin1 = value.chars().map(|letter| u8::try_from(letter).map_err(|_| beyond_latin1(name, letter)));
    HeaderValue::from_bytes(&latin1.collect::<PyResult<Vec<u8>>>()?).map_err(|_| has_control_character(name))
}

pub(super) fn has_control_character(name: &str) -> PyErr {
    let words = format!("the value of the header field {name:?} has a line break or another control character");
    PyValueError::new_err(words)
}

fn beyond_latin1(name: &str, letter: char) -> PyErr {
    PyValueError::new_err(format!(
        "the value of the header field {name:?} has the character {letter:?}, which is beyond latin-1: percent-encode \
         it (urllib.parse.quote)"
    ))
}

/// The text of a value.
pub(super) fn text_of(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}
