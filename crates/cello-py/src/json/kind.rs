//! What a value of a type is in JSON: settled once for each type, and then a look-up by the type's address.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use cello_kernel::write_json_string;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple, PyType};

use super::shelf::Shelf;
use super::text::Form;

/// Types beyond these are forgotten: an application that makes types as it goes on does not grow by it.
const TYPES: usize = 1024;

/// The kinds that no writer is using.
pub(super) static KINDS: Shelf<Kinds> = Shelf::new();

#[derive(Clone)]
pub(super) enum Kind {
    Str,
    Int,
    /// An int that stands for a truth: `cello._values.Flag`.
    Flag,
    Float,
    Dict,
    List,
    Tuple,
    Set,
    Enum,
    /// A string, in a form of its own.
    Text(Form),
    Dataclass(Arc<[Field]>),
    /// A model or dataclass of pydantic's.
    Model {
        by_alias: bool,
    },
    /// A Struct, and msgspec's function for it.
    Struct(Arc<Py<PyAny>>),
}

/// A field of a dataclass.
pub(super) struct Field {
    pub(super) name: Py<PyString>,
    /// The name as it is written, with its quotes and the colon.
    pub(super) written: Vec<u8>,
}

/// The types that have been met.
#[derive(Default)]
pub(super) struct Kinds(HashMap<usize, (Py<PyType>, Kind), BuildHasherDefault<AddressHasher>>);

impl Kinds {
    /// The kind of a value by its type; None for a type that has no JSON form.
    pub(super) fn of(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<Kind>> {
        let address = value.get_type_ptr().addr();
        if let Some((_, kind)) = self.0.get(&address) {
            return Ok(Some(kind.clone()));
        }
        let kind = value.get_type();
        let found = settle(&kind)?;
        if let Some(found) = &found {
            if self.0.len() >= TYPES {
                self.0.clear();
            }
            // The type is kept, so that its address is never another's.
            self.0.insert(address, (kind.unbind(), found.clone()));
        }
        Ok(found)
    }
}

fn settle(kind: &Bound<'_, PyType>) -> PyResult<Option<Kind>> {
    let py = kind.py();
    let is_a = |module: &str, name: &str| match imported(py, module)? {
        Some(module) => kind.is_subclass(&module.getattr(name)?),
        None => Ok(false),
    };
    // What a type was made to be goes before what it is built upon: an Enum may be an int, a dataclass a dict.
    if is_a("enum", "Enum")? {
        return Ok(Some(Kind::Enum));
    }
    if kind.hasattr("__pydantic_serializer__")? && imported(py, "pydantic_core")?.is_some() {
        return Ok(Some(Kind::Model { by_alias: is_by_alias(kind)? }));
    }
    if is_a("msgspec", "Struct")? {
        let encode = imported(py, "msgspec")?.map(|msgspec| msgspec.getattr("json")?.getattr("encode")).transpose()?;
        return Ok(encode.map(|encode| Kind::Struct(Arc::new(encode.unbind()))));
    }
    if kind.hasattr("__dataclass_fields__")? {
        return Ok(Some(Kind::Dataclass(fields(kind)?)));
    }
    let found = if kind.is_subclass_of::<PyString>()? {
        Kind::Str
    } else if kind.is_subclass_of::<PyDict>()? {
        Kind::Dict
    } else if kind.is_subclass_of::<PyList>()? {
        Kind::List
    } else if kind.is_subclass_of::<PyTuple>()? {
        Kind::Tuple
    } else if kind.is_subclass_of::<PyInt>()? {
        if is_a("cello._values", "Flag")? { Kind::Flag } else { Kind::Int }
    } else if kind.is_subclass_of::<PyFloat>()? {
        Kind::Float
    } else if kind.is_subclass_of::<PySet>()? || kind.is_subclass_of::<PyFrozenSet>()? {
        Kind::Set
    } else {
        return Ok(form(kind, is_a)?.map(Kind::Text));
    };
    Ok(Some(found))
}

fn form(kind: &Bound<'_, PyType>, is_a: impl Fn(&str, &str) -> PyResult<bool>) -> PyResult<Option<Form>> {
    let found = if is_a("datetime", "datetime")? {
        let module = kind.py().import("datetime")?;
        if kind.is(&module.getattr("datetime")?) {
            let utc = module.getattr("timezone")?.getattr("utc")?;
            Form::Datetime { utc: Arc::new(utc.unbind()) }
        } else {
            Form::Moment
        }
    } else if is_a("datetime", "date")? || is_a("datetime", "time")? {
        Form::Moment
    } else if is_a("datetime", "timedelta")? {
        Form::Duration
    } else if is_a("uuid", "UUID")? {
        Form::Uuid
    } else if is_a("decimal", "Decimal")? {
        Form::Decimal
    } else {
        return Ok(None);
    };
    Ok(Some(found))
}

/// A module that somebody has imported: no value is of a type whose module nobody has.
fn imported<'py>(py: Python<'py>, module: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
    modules.cast::<PyDict>()?.get_item(module)
}

/// Aliases are what a model is read by, so they are what it is written by, unless its configuration decides.
fn is_by_alias(model: &Bound<'_, PyType>) -> PyResult<bool> {
    let name = if model.hasattr("model_config")? { "model_config" } else { "__pydantic_config__" };
    let Ok(config) = model.getattr(name) else { return Ok(true) };
    let Ok(config) = config.cast::<PyDict>() else { return Ok(true) };
    config.get_item("serialize_by_alias")?.map_or(Ok(true), |decided| decided.is_truthy())
}

fn fields(kind: &Bound<'_, PyType>) -> PyResult<Arc<[Field]>> {
    let fields = kind.py().import("dataclasses")?.getattr("fields")?.call1((kind,))?;
    let field = |field: Bound<'_, PyAny>| {
        let name = field.getattr("name")?.cast_into::<PyString>()?;
        let mut written = Vec::new();
        write_json_string(&mut written, name.to_str()?);
        written.push(b':');
        Ok(Field { name: name.unbind(), written })
    };
    fields.try_iter()?.map(|next| field(next?)).collect()
}

/// Spreads addresses, which have zeros at their end.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(byte.into());
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
