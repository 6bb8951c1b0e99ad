//! Python objects to JSON.

use std::cell::Cell;

use bytes::Bytes;
use cello_kernel::write_json_string;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::MAX_DEPTH;

/// The scratch buffer is kept up to this size; what is longer leaves with its own.
const SCRATCH_BYTES: usize = 64 << 10;

/// Serialises a value, compactly and with keys in their own order (RFC 8259).
///
/// # Errors
/// TypeError for a value or key of another type, ValueError for NaN, infinities and deeper nesting than 128.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    thread_local! {
        // One copy into a body of the right size is cheaper than an allocation that has to guess it.
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut out = SCRATCH.take();
    out.clear();
    let written = write(value, &mut out, 0);
    if out.len() > SCRATCH_BYTES {
        return written.map(|()| Bytes::from(out));
    }
    let body = written.map(|()| Bytes::copy_from_slice(&out));
    SCRATCH.set(out);
    body
}

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    // Exact types first: a check by pointer. Subclasses take the second round.
    if let Ok(text) = value.cast_exact::<PyString>() {
        write_json_string(out, text.to_str()?);
        Ok(())
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        write_dict(dict, out, depth)
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        write_int(number, out)
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        write_items(list.iter(), out, depth)
    } else if let Ok(flag) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
        Ok(())
    } else if value.is_none() {
        out.extend_from_slice(b"null");
        Ok(())
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        write_float(number.value(), out)
    } else {
        write_subclass(value, out, depth)
    }
}

fn write_subclass(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    if let Ok(text) = value.cast::<PyString>() {
        write_json_string(out, text.to_str()?);
        Ok(())
    } else if let Ok(dict) = value.cast::<PyDict>() {
        // dict's own iteration knows nothing of the order that an OrderedDict keeps; a copy takes it over.
        let plain = PyDict::new(value.py());
        plain.update(dict.as_mapping())?;
        write_dict(&plain, out, depth)
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(tuple.iter(), out, depth)
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(list.iter(), out, depth)
    } else if let Ok(number) = value.cast::<PyInt>() {
        write_int(number, out)
    } else if let Ok(number) = value.cast::<PyFloat>() {
        write_float(number.value(), out)
    } else {
        let kind = value.get_type().fully_qualified_name()?;
        Err(PyTypeError::new_err(format!("a value of type {kind} cannot be serialised as JSON")))
    }
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    check_depth(depth)?;
    out.push(b'{');
    for (index, (key, value)) in dict.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            let kind = key.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("a key of type {kind} cannot be serialised as JSON: use str")));
        };
        write_json_string(out, key.to_str()?);
        out.push(b':');
        write(&value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    check_depth(depth)?;
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(&item, out, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

fn write_int(number: &Bound<'_, PyInt>, out: &mut Vec<u8>) -> PyResult<()> {
    if let Ok(small) = number.extract::<i64>() {
        out.extend_from_slice(itoa::Buffer::new().format(small).as_bytes());
    } else {
        // int.__repr__, since a subclass may print itself otherwise.
        let digits = number.py().get_type::<PyInt>().call_method1("__repr__", (number,))?;
        out.extend_from_slice(digits.cast::<PyString>()?.to_str()?.as_bytes());
    }
    Ok(())
}

fn write_float(number: f64, out: &mut Vec<u8>) -> PyResult<()> {
    if !number.is_finite() {
        return Err(PyValueError::new_err(format!("{number} cannot be serialised as JSON: it has no such number")));
    }
    out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    Ok(())
}

fn check_depth(depth: usize) -> PyResult<()> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("the value nests deeper than {MAX_DEPTH} levels, or contains itself")))
}
