//! Python objects to JSON, in one pass.
#![expect(unsafe_code, reason = "to own each member of a container, as pyo3 does, costs as much as to write it")]

use std::cell::Cell;

use bytes::Bytes;
use cello_kernel::write_json_string;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::failure::{Failure, Step, Written};
use super::kind::{Field, KINDS, Kind, Kinds};
use super::name;
use super::scan::is_json_within;
use super::text::text_of;
use super::{MAX_DEPTH, failure};

/// The scratch buffer is kept up to this size; what is longer leaves with its own.
const SCRATCH_BYTES: usize = 64 << 10;

/// Serialises a value, compactly and with names in their own order (RFC 8259).
///
/// # Errors
/// TypeError for a value or key of another type, ValueError for NaN, infinities, deeper nesting than 128, two keys of
/// one name and half a surrogate pair, RuntimeError for a container that changes meanwhile: all say where. What a
/// value's own methods raise passes through with a note.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    thread_local! {
        // One copy into a body of the right size is cheaper than an allocation that has to guess it.
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut writer = Writer { out: SCRATCH.take(), kinds: None, calls: 0 };
    writer.out.clear();
    let written = writer.value(value, 0).map_err(|failure| failure.into_error(value.py()));
    if let Some(kinds) = writer.kinds {
        KINDS.put_back(kinds);
    }
    let out = writer.out;
    if out.len() > SCRATCH_BYTES {
        return written.map(|()| Bytes::from(out));
    }
    let body = written.map(|()| Bytes::copy_from_slice(&out));
    SCRATCH.set(out);
    body
}

pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// Taken with the first value that is none of the plain types.
    kinds: Option<Box<Kinds>>,
    /// How often Python may have run, and changed what is being written.
    calls: usize,
}

impl Writer {
    /// Writes a value that stands inside `depth` others. It is inlined into the loops of the containers, which makes
    /// them a tenth faster.
    #[inline(always)]
    pub(super) fn value<'py>(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Written<'py> {
        match self.scalar(value) {
            Some(written) => written,
            None => self.other(value, depth),
        }
    }

    /// Writes a value that a container lends; it is owned before any code of Python's runs.
    #[inline(always)]
    fn member<'py>(&mut self, value: Borrowed<'_, 'py, PyAny>, depth: usize) -> Written<'py> {
        match self.scalar(&value) {
            Some(written) => written,
            None => self.other(&value.to_owned(), depth),
        }
    }

    /// Writes a value of one of the plainest types, and runs none of Python's code for it; None for any other.
    #[inline(always)]
    fn scalar<'py>(&mut self, value: &Bound<'py, PyAny>) -> Option<Written<'py>> {
        // Exact types: a check by pointer.
        if let Ok(text) = value.cast_exact::<PyString>() {
            return Some(text_of(text).map(|text| write_json_string(&mut self.out, text)));
        }
        if let Ok(number) = value.cast_exact::<PyInt>() {
            return self.small_int(number).then_some(Ok(()));
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            return Some(self.float(number.value()));
        }
        if let Ok(flag) = value.cast_exact::<PyBool>() {
            self.out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
        } else {
            return None;
        }
        Some(Ok(()))
    }

    #[inline(never)]
    fn other<'py>(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Written<'py> {
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(value, dict, depth)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list, depth)
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.int(number)
        } else {
            self.by_kind(value, depth)
        }
    }

    /// The kind of a value; None for a type that has no JSON form.
    pub(super) fn kind<'py>(&mut self, value: &Bound<'py, PyAny>) -> Written<'py, Option<Kind>> {
        self.calls += 1;
        Ok(self.kinds.get_or_insert_with(|| KINDS.take()).of(value)?)
    }

    #[inline(never)]
    fn by_kind<'py>(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Written<'py> {
        let py = value.py();
        match self.kind(value)? {
            Some(Kind::Text(form)) => form.write(value, &mut self.out),
            Some(Kind::Tuple) => {
                let tuple = value.cast::<PyTuple>().map_err(PyErr::from)?;
                self.items(value, tuple.iter().map(Ok), depth)
            }
            Some(Kind::List) => self.list(value.cast().map_err(PyErr::from)?, depth),
            Some(Kind::Set) => self.items(value, value.try_iter()?.map(|item| Ok(item?)), depth),
            Some(Kind::Dict) => {
                // dict's own iteration knows nothing of the order that an OrderedDict keeps; a copy takes it over.
                let plain = PyDict::new(py);
                plain.update(value.cast::<PyDict>().map_err(PyErr::from)?.as_mapping())?;
                self.dict(value, &plain, depth)
            }
            Some(Kind::Dataclass(fields)) => self.dataclass(value, &fields, depth),
            Some(Kind::Model { by_alias }) => {
                let serializer = value.getattr(intern!(py, "__pydantic_serializer__"))?;
                let options = PyDict::new(py);
                options.set_item(intern!(py, "by_alias"), by_alias)?;
                let written = serializer.call_method(intern!(py, "to_json"), (value,), Some(&options))?;
                self.written(value, &written, depth)
            }
            Some(Kind::Struct(encode)) => {
                let written = encode.bind(py).call1((value,))?;
                self.written(value, &written, depth)
            }
            Some(Kind::Enum) if depth > MAX_DEPTH => Err(Failure::too_deep(value)),
            Some(Kind::Enum) => self.value(&value.getattr(intern!(py, "value"))?, depth + 1),
            Some(Kind::Str) => {
                write_json_string(&mut self.out, text_of(value.cast().map_err(PyErr::from)?)?);
                Ok(())
            }
            Some(Kind::Flag) => {
                self.out.extend_from_slice(if value.is_truthy()? { b"true" } else { b"false" });
                Ok(())
            }
            Some(Kind::Int) => self.int(value.cast().map_err(PyErr::from)?),
            Some(Kind::Float) => self.float(value.cast::<PyFloat>().map_err(PyErr::from)?.value()),
            None => Err(failure::of_another_type(value)?),
        }
    }

    fn dict<'py>(&mut self, holder: &Bound<'py, PyAny>, dict: &Bound<'py, PyDict>, depth: usize) -> Written<'py> {
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep(holder));
        }
        let py = dict.py();
        let (size, mut calls, mut are_checked) = (dict.len(), self.calls, false);
        let (mut left, mut position) = (size, 0);
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        self.out.push(b'{');
        // SAFETY: the dict is alive, and nothing else has these three. A dict that has changed gives other members, or
        // ends.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) } != 0 {
            if left == 0 {
                return Err(Failure::of_change("dict")); // a key that was not there
            }
            if left != size {
                self.out.push(b',');
            }
            left -= 1;
            // SAFETY: the dict owns both, and keeps them until code of Python's runs. That is not before they are owned
            // here or used no more: a key that is a str is copied at once, and `member` has the same rule.
            let (key, value) = unsafe { (Borrowed::from_ptr(py, key), Borrowed::from_ptr(py, value)) };
            let name_from = self.out.len();
            if let Ok(text) = key.cast_exact::<PyString>() {
                let text = text_of(&text).map_err(|failure| failure.within(holder, Step::unwritten(&key)))?;
                write_json_string(&mut self.out, text);
                let name_to = self.out.len();
                self.out.push(b':');
                self.member(value, depth + 1)
                    .map_err(|failure| failure.within(holder, Step::written(&self.out[name_from..name_to])))?;
            } else {
                let (key, value) = (key.to_owned(), value.to_owned());
                if !are_checked {
                    name::check(self, holder, dict)?;
                    are_checked = true;
                }
                name::write(self, holder, &key)?;
                let name_to = self.out.len();
                self.out.push(b':');
                self.value(&value, depth + 1)
                    .map_err(|failure| failure.within(holder, Step::written(&self.out[name_from..name_to])))?;
            }
            if self.calls != calls {
                calls = self.calls;
                if dict.len() != size {
                    return Err(Failure::of_change("dict"));
                }
            }
        }
        if left != 0 {
            return Err(Failure::of_change("dict"));
        }
        self.out.push(b'}');
        Ok(())
    }

    fn list<'py>(&mut self, list: &Bound<'py, PyList>, depth: usize) -> Written<'py> {
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep(list));
        }
        let (py, size) = (list.py(), list.len());
        self.out.push(b'[');
        for (index, place) in (0..size).zip(0..) {
            if index > 0 {
                self.out.push(b',');
            }
            // SAFETY: the list is alive. It owns its item, and keeps it until code of Python's runs, which is not before
            // `member` owns it. A list that became shorter has no such item: an error.
            let item = unsafe { Borrowed::from_ptr_or_opt(py, ffi::PyList_GetItem(list.as_ptr(), place)) };
            let Some(item) = item else {
                drop(PyErr::take(py));
                return Err(Failure::of_change("list"));
            };
            self.member(item, depth + 1).map_err(|failure| failure.within(list, Step::Index(index)))?;
        }
        if list.len() != size {
            return Err(Failure::of_change("list"));
        }
        self.out.push(b']');
        Ok(())
    }

    fn items<'py>(
        &mut self,
        holder: &Bound<'py, PyAny>,
        items: impl Iterator<Item = Written<'py, Bound<'py, PyAny>>>,
        depth: usize,
    ) -> Written<'py> {
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep(holder));
        }
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&item?, depth + 1).map_err(|failure| failure.within(holder, Step::Index(index)))?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn dataclass<'py>(&mut self, value: &Bound<'py, PyAny>, fields: &[Field], depth: usize) -> Written<'py> {
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep(value));
        }
        self.out.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&field.written);
            let inner = value.getattr(field.name.bind(value.py()))?;
            self.value(&inner, depth + 1).map_err(|failure| failure.within(value, Step::written(&field.written)))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// What a model's own library wrote, which keeps other limits than ours.
    fn written<'py>(&mut self, value: &Bound<'py, PyAny>, written: &Bound<'py, PyAny>, depth: usize) -> Written<'py> {
        let bytes = written.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes();
        if !is_json_within(bytes, MAX_DEPTH - depth.min(MAX_DEPTH)) {
            let kind = value.get_type().fully_qualified_name()?;
            return Err(Failure::of_value(format!(
                "{kind} wrote itself with NaN or an infinity, or deeper than {MAX_DEPTH} levels"
            )));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn int<'py>(&mut self, number: &Bound<'py, PyInt>) -> Written<'py> {
        if !self.small_int(number) {
            self.out.extend_from_slice(text_of(&digits(number)?)?.as_bytes());
        }
        Ok(())
    }

    /// Writes an integer of up to 64 bits; false for a longer one.
    fn small_int(&mut self, number: &Bound<'_, PyInt>) -> bool {
        let small = number.extract::<i64>();
        if let Ok(small) = small {
            self.out.extend_from_slice(itoa::Buffer::new().format(small).as_bytes());
        }
        small.is_ok()
    }

    fn float<'py>(&mut self, number: f64) -> Written<'py> {
        if !number.is_finite() {
            return Err(failure::of_no_number(number));
        }
        self.out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
        Ok(())
    }
}

/// int.__repr__, since a subclass may print itself otherwise.
pub(super) fn digits<'py>(number: &Bound<'py, PyInt>) -> Written<'py, Bound<'py, PyString>> {
    let py = number.py();
    let digits = py.get_type::<PyInt>().call_method1(intern!(py, "__repr__"), (number,));
    let digits = digits.map_err(|error| match error.is_instance_of::<PyValueError>(py) {
        // sys.set_int_max_str_digits()
        true => Failure::of_value(error.value(py).to_string()),
        false => error.into(),
    })?;
    Ok(digits.cast_into::<PyString>().map_err(PyErr::from)?)
}
