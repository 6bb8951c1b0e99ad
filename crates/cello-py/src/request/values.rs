//! The classes of Python's that a request's values are of, looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

struct Values {
    text: Py<PyType>,
    /// What is absent.
    empty: Py<PyAny>,
    yes: Py<PyAny>,
    no: Py<PyAny>,
    context: Py<PyType>,
    namespace: Py<PyType>,
}

fn values(py: Python<'_>) -> PyResult<&Values> {
    static VALUES: PyOnceLock<Values> = PyOnceLock::new();
    VALUES.get_or_try_init(py, || {
        let module = py.import("cello._values")?;
        let class = |name| -> PyResult<Py<PyType>> { Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind()) };
        let (text, flag) = (class("Text")?, class("Flag")?);
        Ok(Values {
            empty: text.call0(py)?,
            yes: flag.call1(py, (1,))?,
            no: flag.call1(py, (0,))?,
            context: class("Context")?,
            namespace: py.import("types")?.getattr("SimpleNamespace")?.cast_into::<PyType>()?.unbind(),
            text,
        })
    })
}

/// Text that is both value and call.
pub(super) fn text<'py>(py: Python<'py>, text: Option<impl AsRef<str>>) -> PyResult<Bound<'py, PyAny>> {
    let values = values(py)?;
    match text.as_ref().map(AsRef::as_ref) {
        None | Some("") => Ok(values.empty.bind(py).clone()),
        Some(text) => values.text.bind(py).call1((text,)),
    }
}

/// A truth that is both value and call.
pub(super) fn flag<'py>(py: Python<'py>, truth: bool) -> PyResult<Bound<'py, PyAny>> {
    let values = values(py)?;
    Ok(if truth { &values.yes } else { &values.no }.bind(py).clone())
}

/// A new, empty context.
pub(super) fn context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    values(py)?.context.bind(py).call0()
}

/// A new, empty namespace.
pub(super) fn namespace(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    values(py)?.namespace.bind(py).call0()
}
