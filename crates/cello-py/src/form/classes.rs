//! What forms are made of on Python's side: `cello._form`.

use std::sync::OnceLock;

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

/// The classes, by what they are used for.
pub(super) struct Classes {
    pub(super) size: Py<PyAny>,
    pub(super) files: Py<PyAny>,
    pub(super) temporary_file: Py<PyAny>,
}

/// The classes, imported when first asked for. Not a PyOnceLock, which lets the interpreter go while it is filled.
pub(super) fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    static CLASSES: OnceLock<Classes> = OnceLock::new();
    if let Some(classes) = CLASSES.get() {
        return Ok(classes);
    }
    let module = py.import("cello._form")?;
    let class = |name| PyResult::Ok(module.getattr(name)?.unbind());
    let classes = Classes { size: class("Size")?, files: class("Files")?, temporary_file: class("TemporaryFile")? };
    Ok(CLASSES.get_or_init(|| classes))
}

/// What awaits a value that is there: it gives it at once.
#[pyclass(frozen)]
pub(super) struct Ready(pub(super) Py<PyAny>);

#[pymethods]
impl Ready {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyStopIteration::new_err((self.0.clone_ref(py),)))
    }
}
