//! Python objects to JSON, in one pass.

use std::cell::Cell;

use bytes::Bytes;
use cello_kernel::write_json_string;
use pyo3::exceptions::PyValueError;
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
        // Exact types first: a check by pointer. Everything else has a kind.
        if let Ok(text) = value.cast_exact::<PyString>() {
            write_json_string(&mut self.out, text_of(text)?);
            Ok(())
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(value, dict, depth)
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.int(number)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list, depth)
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            self.out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
            Ok(())
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
            Ok(())
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.float(number.value())
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
            Some(Kind::Int) => self.int(value.cast().map_err(PyErr::from)?),
            Some(Kind::Float) => self.float(value.cast::<PyFloat>().map_err(PyErr::from)?.value()),
            None => Err(failure::of_another_type(value)?),
        }
    }

    #[inline(never)]
    fn dict<'py>(&mut self, holder: &Bound<'py, PyAny>, dict: &Bound<'py, PyDict>, depth: usize) -> Written<'py> {
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep(holder));
        }
        self.out.push(b'{');
        let members = dict.iter();
        let (size, mut calls, mut are_checked) = (members.len(), self.calls, false);
        let mut left = size;
        for (key, value) in members {
            if left == 0 {
                return Err(Failure::of_change("dict")); // a key that was not there
            }
            if left != size {
                self.out.push(b',');
            }
            left -= 1;
            let name_from = self.out.len();
            if let Ok(text) = key.cast_exact::<PyString>() {
                let text = text_of(text).map_err(|failure| failure.within(holder, Step::unwritten(&key)))?;
                write_json_string(&mut self.out, text);
            } else {
                if !are_checked {
                    name::check(self, holder, dict)?;
                    are_checked = true;
                }
                name::write(self, holder, &key)?;
            }
            let name = name_from..self.out.len();
            self.out.push(b':');
            self.value(&value, depth + 1).map_err(|failure| failure.within(holder, Step::written(&self.out[name])))?;
            // The iterator would panic at another size.
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

    #[inline(never)]
    fn list<'py>(&mut self, list: &Bound<'py, PyList>, depth: usize) -> Written<'py> {
        let size = list.len();
        // A list that became shorter has no such item.
        let item = |index| list.get_item(index).map_err(|_| Failure::of_change("list"));
        self.items(list, (0..size).map(item), depth)?;
        if list.len() != size {
            return Err(Failure::of_change("list"));
        }
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

    #[inline(never)]
    fn int<'py>(&mut self, number: &Bound<'py, PyInt>) -> Written<'py> {
        if let Ok(small) = number.extract::<i64>() {
            self.out.extend_from_slice(itoa::Buffer::new().format(small).as_bytes());
        } else {
            self.out.extend_from_slice(text_of(&digits(number)?)?.as_bytes());
        }
        Ok(())
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
