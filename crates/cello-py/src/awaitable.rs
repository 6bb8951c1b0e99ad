//! Values that may be awaited: the classes of `cello._awaitable`.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

pub(crate) struct Classes {
    pub(crate) bytes: Py<PyAny>,
    pub(crate) text: Py<PyAny>,
    dict: Py<PyAny>,
    list: Py<PyAny>,
    pub(crate) integer: Py<PyAny>,
    float: Py<PyAny>,
    constant: Py<PyAny>,
}

/// The classes, imported when first asked for. Not a PyOnceLock, which lets the interpreter go while it is filled.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    static CLASSES: OnceLock<Classes> = OnceLock::new();
    if let Some(classes) = CLASSES.get() {
        return Ok(classes);
    }
    let module = py.import("cello._awaitable")?;
    let class = |name| PyResult::Ok(module.getattr(name)?.unbind());
    let classes = Classes {
        bytes: class("AwaitableBytes")?,
        text: class("AwaitableStr")?,
        dict: class("AwaitableDict")?,
        list: class("AwaitableList")?,
        integer: class("AwaitableInt")?,
        float: class("AwaitableFloat")?,
        constant: class("constant")?,
    };
    Ok(CLASSES.get_or_init(|| classes))
}

pub(crate) fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    classes(py)?.bytes.bind(py).call1((PyBytes::new(py, bytes),))
}

pub(crate) fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    classes(py)?.text.bind(py).call1((PyString::new(py, text),))
}

/// A value of JSON; true, false and null have no form that may be awaited, unless their caller is seen to do it.
pub(crate) fn json<'py>(value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let classes = classes(py)?;
    let class = if value.is_exact_instance_of::<PyDict>() {
        &classes.dict
    } else if value.is_exact_instance_of::<PyList>() {
        &classes.list
    } else if value.is_exact_instance_of::<PyString>() {
        &classes.text
    } else if value.is_exact_instance_of::<PyInt>() {
        &classes.integer
    } else if value.is_exact_instance_of::<PyFloat>() {
        &classes.float
    } else {
        &classes.constant
    };
    class.bind(py).call1((value,))
}
