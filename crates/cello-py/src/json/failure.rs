//! Why a value has no JSON form, and where in it: the path is put together only on the way out of a failure.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString, PyType};

use super::MAX_DEPTH;
use super::scan::Scanner;

/// A name in a path is cut there.
const NAME_CHARS: usize = 40;
/// A path with more steps shows this many at either end.
const STEPS_SHOWN: usize = 16;

/// A failure costs nothing where there is none: a pointer.
pub(super) type Written<'py, T = ()> = Result<T, Box<Failure<'py>>>;

pub(super) struct Failure<'py> {
    cause: Cause,
    /// From the innermost to the outermost: the step into a value, and the container that it leads out of.
    steps: Vec<(Step, Bound<'py, PyAny>)>,
}

enum Cause {
    /// The type of the value.
    Type(String),
    /// The value itself.
    Value(String),
    TooDeep,
    /// A container that did not stay as it was.
    Change(&'static str),
    /// What Python raised meanwhile.
    Raised(PyErr),
}

pub(super) enum Step {
    Name(String),
    Index(usize),
}

impl Step {
    /// The step to a member whose name was written.
    #[cold]
    pub(super) fn written(name: &[u8]) -> Self {
        let text = String::from_utf8_lossy(name);
        let name = Scanner::new(&text).string().map(str::to_owned);
        Self::Name(name.unwrap_or_default())
    }

    /// The step to a member whose key has no name.
    #[cold]
    pub(super) fn unwritten(key: &Bound<'_, PyAny>) -> Self {
        let text = key.str().map(|text| text.to_string_lossy().into_owned());
        Self::Name(text.unwrap_or_else(|_| "?".to_owned()))
    }

    /// As JSONPath writes it.
    ///
    /// Source: RFC 9535 §2.3.
    fn write(&self, path: &mut String) {
        match self {
            Self::Index(index) => *path += &format!("[{index}]"),
            Self::Name(name) if is_plain(name) => *path += &format!(".{name}"),
            Self::Name(name) => {
                let cut = name.char_indices().nth(NAME_CHARS).map_or(name.len(), |(at, _)| at);
                let mut quoted = Vec::new();
                cello_kernel::write_json_string(&mut quoted, &name[..cut]);
                let mut quoted = String::from_utf8_lossy(&quoted).into_owned();
                if cut < name.len() {
                    quoted.insert(quoted.len() - 1, '…');
                }
                *path += &format!("[{quoted}]");
            }
        }
    }
}

fn is_plain(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl<'py> Failure<'py> {
    fn new(cause: Cause) -> Box<Self> {
        Box::new(Self { cause, steps: Vec::new() })
    }

    /// Values of this type have no JSON form: a TypeError.
    #[cold]
    pub(super) fn of_type(words: String) -> Box<Self> {
        Self::new(Cause::Type(words))
    }

    /// This value has no JSON form: a ValueError.
    #[cold]
    pub(super) fn of_value(words: impl Into<String>) -> Box<Self> {
        Self::new(Cause::Value(words.into()))
    }

    /// A container of this name changed while it was written: a RuntimeError.
    #[cold]
    pub(super) fn of_change(container: &'static str) -> Box<Self> {
        Self::new(Cause::Change(container))
    }

    /// `container` stands inside `MAX_DEPTH` others.
    #[cold]
    pub(super) fn too_deep(container: &Bound<'py, PyAny>) -> Box<Self> {
        let step = (Step::Index(0), container.clone());
        Box::new(Self { cause: Cause::TooDeep, steps: vec![step] })
    }

    /// It failed in what `container` has at `step`.
    #[cold]
    pub(super) fn within(mut self: Box<Self>, container: &Bound<'py, PyAny>, step: Step) -> Box<Self> {
        self.steps.push((step, container.clone()));
        self
    }

    /// The exception to raise.
    #[cold]
    pub(super) fn into_error(mut self, py: Python<'py>) -> PyErr {
        self.steps.reverse();
        match self.cause {
            Cause::Type(words) => PyTypeError::new_err(format!("{}: {words}", path(&self.steps))),
            Cause::Value(words) => PyValueError::new_err(format!("{}: {words}", path(&self.steps))),
            Cause::TooDeep => PyValueError::new_err(too_deep(&self.steps)),
            Cause::Change(container) => {
                let path = path(&self.steps);
                PyRuntimeError::new_err(format!("{path}: the {container} changed while it was written as JSON"))
            }
            Cause::Raised(error) => {
                let note = format!("{}: this was raised while it was written as JSON", path(&self.steps));
                // What cannot be noted is still raised.
                let _ = error.value(py).call_method1("add_note", (PyString::new(py, &note),));
                error
            }
        }
    }
}

impl From<PyErr> for Box<Failure<'_>> {
    fn from(error: PyErr) -> Self {
        Failure::new(Cause::Raised(error))
    }
}

fn path(steps: &[(Step, Bound<'_, PyAny>)]) -> String {
    let mut path = "$".to_owned();
    for (index, (step, _)) in steps.iter().enumerate() {
        if steps.len() <= 2 * STEPS_SHOWN || index < STEPS_SHOWN || index >= steps.len() - STEPS_SHOWN {
            step.write(&mut path);
        } else if index == STEPS_SHOWN {
            path.push('…');
        }
    }
    path
}

/// The words for too deep a value: what nests without end contains itself.
fn too_deep(steps: &[(Step, Bound<'_, PyAny>)]) -> String {
    for (inner, (_, container)) in steps.iter().enumerate() {
        if let Some(outer) = steps[..inner].iter().position(|(_, other)| other.is(container)) {
            return format!(
                "{}: this is the value at {} again, which contains itself and so has no JSON form",
                path(&steps[..inner]),
                path(&steps[..outer])
            );
        }
    }
    let innermost = steps.len().saturating_sub(1);
    format!("{}: this nests deeper than {MAX_DEPTH} levels", path(&steps[..innermost]))
}

/// The failure for a value whose type has no JSON form, with advice where there is some.
pub(super) fn of_another_type<'py>(value: &Bound<'py, PyAny>) -> PyResult<Box<Failure<'py>>> {
    if let Some(name) = not_awaited(value)? {
        return Ok(Failure::of_type(format!("{name} was not awaited: write await before it, in an `async def`")));
    }
    if value.is_callable()
        && let Some(name) = value.getattr_opt("__qualname__")?
    {
        let kind = if value.is_instance_of::<PyType>() { "class" } else { "function" };
        return Ok(Failure::of_type(format!("the {kind} {name} has no JSON form: call it, as in {name}()")));
    }
    let advice = if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        ": decode it, or write it as Base64"
    } else if value.is_instance_of::<PyMapping>() {
        ": make it a dict"
    } else if value.hasattr("__iter__")? {
        ": make it a list"
    } else {
        ": make it a dict, or its class a dataclass"
    };
    let kind = value.get_type().fully_qualified_name()?;
    Ok(Failure::of_type(format!("a value of type {kind} has no JSON form{advice}")))
}

/// What somebody forgot to await, as its user knows it. A coroutine is closed, so that Python does not warn of it too.
pub(crate) fn not_awaited(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let kind = value.get_type();
    if !kind.hasattr("__await__")? {
        return Ok(None);
    }
    if !value.hasattr("cr_code")? {
        return Ok(Some(format!("a value of type {}", kind.fully_qualified_name()?)));
    }
    value.call_method0("close")?;
    Ok(Some(format!("{}()", value.getattr("__qualname__")?)))
}

/// The failure for a key whose type has no JSON form.
pub(super) fn of_another_key<'py>(key: &Bound<'py, PyAny>) -> PyResult<Box<Failure<'py>>> {
    let kind = key.get_type().fully_qualified_name()?;
    Ok(Failure::of_type(format!("a key of type {kind} has no JSON form: use a str")))
}

/// The failure for NaN and infinities.
pub(super) fn of_no_number<'py>(number: f64) -> Box<Failure<'py>> {
    let name = if number.is_nan() {
        "nan"
    } else if number > 0.0 {
        "inf"
    } else {
        "-inf"
    };
    Failure::of_value(format!("{name} has no JSON form: use None"))
}
