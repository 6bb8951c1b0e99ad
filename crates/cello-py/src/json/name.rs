//! The names that the keys of a dict become.

use std::collections::HashSet;

use cello_kernel::write_json_string;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use super::encode::{Writer, digits};
use super::failure::{self, Failure, Step, Written};
use super::kind::Kind;
use super::text::text_of;

/// An Enum whose value is an Enum whose value is an Enum: no further.
const MAX_ENUMS: usize = 8;

/// Writes the name of a key that is no plain str, quotes included; `holder` has the key.
pub(super) fn write<'py>(writer: &mut Writer, holder: &Bound<'py, PyAny>, key: &Bound<'py, PyAny>) -> Written<'py> {
    name(writer, key, 0).map_err(|failure| failure.within(holder, Step::unwritten(key)))
}

fn name<'py>(writer: &mut Writer, key: &Bound<'py, PyAny>, enums: usize) -> Written<'py> {
    if let Ok(flag) = key.cast_exact::<PyBool>() {
        write_json_string(&mut writer.out, if flag.is_true() { "true" } else { "false" });
        return Ok(());
    }
    if key.is_none() {
        write_json_string(&mut writer.out, "null");
        return Ok(());
    }
    let text = match writer.kind(key)? {
        Some(Kind::Text(form)) => return form.write(key, &mut writer.out),
        Some(Kind::Enum) if enums < MAX_ENUMS => return name(writer, &key.getattr("value")?, enums + 1),
        Some(Kind::Str) => key.cast::<PyString>().map_err(PyErr::from)?.clone(),
        Some(Kind::Flag) => {
            write_json_string(&mut writer.out, if key.is_truthy()? { "true" } else { "false" });
            return Ok(());
        }
        Some(Kind::Int) => digits(key.cast().map_err(PyErr::from)?)?,
        Some(Kind::Float) => float(key.cast().map_err(PyErr::from)?)?,
        _ => return Err(failure::of_another_key(key)?),
    };
    write_json_string(&mut writer.out, text_of(&text)?);
    Ok(())
}

/// As Python prints it, which is what the standard library makes of it.
fn float<'py>(key: &Bound<'py, PyFloat>) -> Written<'py, Bound<'py, PyString>> {
    let number = key.value();
    if !number.is_finite() {
        return Err(failure::of_no_number(number));
    }
    Ok(PyFloat::new(key.py(), number).repr()?)
}

/// Refuses a dict of which two keys become one name, like 1 and "1": a reader would see one of them.
pub(super) fn check<'py>(writer: &mut Writer, holder: &Bound<'py, PyAny>, dict: &Bound<'py, PyDict>) -> Written<'py> {
    let keys = dict.keys();
    if keys.iter().all(|key| key.is_exact_instance_of::<PyInt>()) {
        return Ok(()); // different ints have different names
    }
    let start = writer.out.len();
    let mut names = HashSet::with_capacity(keys.len());
    for key in keys {
        match key.cast_exact::<PyString>() {
            Ok(text) => {
                let text = text_of(text).map_err(|failure| failure.within(holder, Step::unwritten(&key)))?;
                write_json_string(&mut writer.out, text);
            }
            Err(_) => write(writer, holder, &key)?,
        }
        if let Some(name) = names.replace(writer.out.split_off(start)) {
            let words = "two keys of the dict have this name in JSON";
            return Err(Failure::of_value(words).within(holder, Step::written(&name)));
        }
    }
    Ok(())
}
