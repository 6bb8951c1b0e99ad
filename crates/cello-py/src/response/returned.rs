//! What a handler returns, made into an answer in one pass.

use std::sync::{Mutex, OnceLock};

use bytes::Bytes;
use cello_kernel::{Answer, Content, Exchange};
use http::HeaderValue;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyInt, PyList, PyMemoryView, PyString, PyTuple, PyType};

use super::head::{self, Head};
use super::parts::{Parts, Payload};
use super::{BYTES, JSON, Response, TEXT, selection};
use crate::json;

/// What becomes of what a handler returned.
pub(crate) enum Returned {
    /// An answer whose body can be sent as it is.
    Whole(Answer),
    /// An answer whose body is what an iterator brings forth: it has `__anext__` or `__next__`.
    Stream {
        /// The answer, without its body. Without a content type where nobody said one.
        head: Answer,
        /// It is taken out of its `Response`, so it comes once.
        iterator: Py<PyAny>,
        /// Whether its pieces tell the content type, where nobody said one.
        tells_type: bool,
    },
}

/// Makes an answer of what a handler returned to a request.
///
/// # Errors
/// TypeError for a value that is no answer, RuntimeError for a stream that has been sent, and what JSON refuses.
pub(crate) fn into_response(value: &Bound<'_, PyAny>, exchange: &Exchange) -> PyResult<Returned> {
    let (head, body) = read(value)?;
    Ok(match body {
        Payload::Whole(bytes) => Returned::Whole(head.into_answer(bytes.into())),
        Payload::File(file, range, heeds) => Returned::Whole(selection::answer(exchange, head, &file, range, heeds)?),
        Payload::Stream(Some(iterator)) => {
            let tells_type = !head.is_final;
            Returned::Stream { head: head.into_answer(Content::default()), iterator, tells_type }
        }
        Payload::Stream(None) => return Err(PyRuntimeError::new_err("the stream of this Response is taken")),
    })
}

/// Makes a Response of what a handler returned: itself, where it is one.
///
/// # Errors
/// Those of [`into_response`].
pub(crate) fn to_response<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Response>> {
    if let Ok(response) = value.cast_exact::<Response>() {
        return Ok(response.clone());
    }
    let (head, payload) = read(value)?;
    Bound::new(value.py(), Response { parts: Mutex::new(Parts { head, payload }) })
}

fn read(value: &Bound<'_, PyAny>) -> PyResult<(Head, Payload)> {
    // Exact types first: a check by pointer.
    if value.cast_exact::<PyDict>().is_ok() || value.cast_exact::<PyList>().is_ok() {
        return Ok((Head::of_type(&JSON), json::encode(value)?.into()));
    }
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok((Head::of_type(&TEXT), Bytes::copy_from_slice(text.to_str()?.as_bytes()).into()));
    }
    if let Ok(response) = value.cast_exact::<Response>() {
        return response.get().give();
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        return read_tuple(tuple);
    }
    if is_generator(value)? {
        return Ok((Head::default(), Payload::Stream(Some(value.clone().unbind()))));
    }
    match content(value) {
        Ok((bytes, content_type)) => Ok((Head::of_type(content_type), bytes.into())),
        // Asked last, so that whatever is JSON never pays for the questions.
        Err(error) if error.is_instance_of::<PyTypeError>(value.py()) => {
            if let Some(to_response) = value.getattr_opt(intern!(value.py(), "to_response"))? {
                return match to_response.call0()?.cast_exact::<Response>() {
                    Ok(response) => response.get().give(),
                    Err(_) => Err(PyTypeError::new_err("a to_response() did not return a Response")),
                };
            }
            match iterator(value)? {
                Some(iterator) => Ok((Head::default(), Payload::Stream(Some(iterator.unbind())))),
                None => Err(advised(value, error)?),
            }
        }
        Err(error) => Err(error),
    }
}

/// A whole body and its type: text and bytes as they are, everything else as JSON.
pub(super) fn content(value: &Bound<'_, PyAny>) -> PyResult<(Bytes, &'static HeaderValue)> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok((Bytes::copy_from_slice(text.to_str()?.as_bytes()), &TEXT));
    }
    if let Some(bytes) = bytes_of(value)? {
        return Ok((bytes, &BYTES));
    }
    Ok((json::encode(value)?, &JSON))
}

/// The bytes of an object that is nothing but bytes.
pub(super) fn bytes_of(value: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Some(Bytes::copy_from_slice(bytes.as_bytes())));
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(Some(bytes.to_vec().into()));
    }
    if let Ok(view) = value.cast::<PyMemoryView>() {
        let bytes = view.call_method0("tobytes")?;
        return Ok(Some(Bytes::copy_from_slice(bytes.cast::<PyBytes>()?.as_bytes())));
    }
    Ok(None)
}

/// `(body, status)` or `(body, status, headers)`.
fn read_tuple(tuple: &Bound<'_, PyTuple>) -> PyResult<(Head, Payload)> {
    let (value, status, fields) = match tuple.len() {
        2 => (tuple.get_item(0)?, tuple.get_item(1)?, None),
        3 => (tuple.get_item(0)?, tuple.get_item(1)?, Some(tuple.get_item(2)?)),
        _ => return Err(other_tuple(tuple)),
    };
    if !status.is_instance_of::<PyInt>() || status.is_instance_of::<PyBool>() || value.is_exact_instance_of::<PyTuple>()
    {
        return Err(other_tuple(tuple));
    }
    let status = match head::status(status.extract().unwrap_or(i64::MAX)) {
        // An array without its brackets: `return 1, 2, 3`.
        Err(_) if fields.as_ref().is_some_and(|fields| fields.is_instance_of::<PyInt>()) => {
            return Err(other_tuple(tuple));
        }
        status => status?,
    };
    let (mut head, body) = if head::is_bodiless(status) && value.is_none() {
        (Head::default(), Bytes::new().into())
    } else {
        read(&value)?
    };
    head.set_status(status, !body.is_empty())?;
    head.apply(fields.as_ref())?;
    Ok((head, body))
}

fn other_tuple(tuple: &Bound<'_, PyTuple>) -> PyErr {
    let mut kinds: Vec<String> = tuple.iter().take(4).map(|item| kind(&item)).collect();
    if tuple.len() > kinds.len() {
        kinds.push("…".to_owned());
    }
    PyTypeError::new_err(format!(
        "a handler returned ({}): use (body, status), (body, status, headers), or a list",
        kinds.join(", ")
    ))
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    value.get_type().fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// Whether a value is a generator, asynchronous or not.
fn is_generator(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static TYPES: OnceLock<[Py<PyType>; 2]> = OnceLock::new();
    let py = value.py();
    let types = match TYPES.get() {
        Some(types) => types,
        None => {
            let module = py.import("types")?;
            let find = |name| PyResult::Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind());
            let found = [find("GeneratorType")?, find("AsyncGeneratorType")?];
            TYPES.get_or_init(|| found)
        }
    };
    Ok(types.iter().any(|kind| value.is_exact_instance(kind.bind(py))))
}

/// What brings forth a body piece by piece, where a value is or makes such a thing by itself: not a container.
fn iterator<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let kind = value.get_type();
    if kind.hasattr("__anext__")? || kind.hasattr("__next__")? {
        return Ok(Some(value.clone()));
    }
    if kind.hasattr("__aiter__")? {
        return value.call_method0("__aiter__").map(Some);
    }
    Ok(None)
}

/// What `Response.stream` is given, as an iterator: containers of pieces too.
pub(super) fn stream_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let is_whole = value.is_instance_of::<PyString>() || value.is_instance_of::<PyDict>() || bytes_of(value)?.is_some();
    if !is_whole {
        if let Some(iterator) = iterator(value)? {
            return Ok(iterator);
        }
        if let Ok(iterator) = value.try_iter() {
            return Ok(iterator.into_any());
        }
    }
    let words = "a stream is made of an iterator, a generator or an async generator of bytes or str, not of an object \
                 of type";
    let advice = if value.is_callable() { ": call it, and give what it returns" } else { "" };
    Err(PyTypeError::new_err(format!("{words} {}{advice}", kind(value))))
}

/// An error about what JSON cannot have, with advice for what is returned by mistake.
fn advised(value: &Bound<'_, PyAny>, error: PyErr) -> PyResult<PyErr> {
    if let Some(name) = json::not_awaited(value)? {
        return Ok(PyTypeError::new_err(format!(
            "a handler returned {name}, which was not awaited: write `return await …`, in an `async def`"
        )));
    }
    if value.is_instance_of::<PyBaseException>() {
        // It is not answered as if it was raised: what depends on that, as a transaction, would not know.
        let name = value.get_type().name()?;
        return Ok(PyTypeError::new_err(format!("a handler returned {name}, an exception: write `raise {name}(…)`")));
    }
    Ok(error)
}
