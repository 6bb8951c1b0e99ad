//! A form's fields and files, by name.

use bytes::Bytes;
use cello_kernel::{Form, FormEncoding, FormLimits};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString};

use super::classes::{Ready, classes};
use super::exception;
use super::file::UploadedFile;
use crate::exceptions::http_error;

/// The fields and files of a form, each name with all its values.
#[pyclass(frozen, mapping, module = "cello")]
pub(crate) struct FormData {
    /// Pairs of name and value, as they were sent: a str is a field's, an UploadedFile a file.
    pairs: Py<PyList>,
    /// Lists of values by name.
    values: Py<PyDict>,
}

impl FormData {
    /// What Python sees of a form that was collected.
    pub(crate) fn new(py: Python<'_>, form: Form) -> PyResult<Self> {
        let (pairs, values) = (PyList::empty(py), PyDict::new(py));
        for part in form.parts {
            let name = PyString::new(py, &part.name);
            let value = match UploadedFile::of(part) {
                Ok(file) => Bound::new(py, file)?.into_any(),
                Err(part) => PyString::new(py, &part.text()).into_any(),
            };
            match values.get_item(&name)? {
                Some(known) => known.cast_into::<PyList>()?.append(&value)?,
                None => values.set_item(&name, PyList::new(py, [&value])?)?,
            }
            pairs.append((name, value))?;
        }
        Ok(Self { pairs: pairs.unbind(), values: values.unbind() })
    }

    /// All files, as they were sent: what `request.files()` gives.
    pub(crate) fn files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let files = PyList::empty(py);
        for value in self.values(py)?.iter().filter(is_file) {
            files.append(value)?;
        }
        classes(py)?.files.bind(py).call1((files,))
    }

    /// The values of a name; none where there is no such name.
    fn of<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        match self.values.bind(py).get_item(name)? {
            Some(values) => Ok(values.cast_into::<PyList>()?),
            None => Ok(PyList::empty(py)),
        }
    }

    /// The names that have a field, or a file.
    fn names<'py>(
        &self,
        py: Python<'py>,
        is_wanted: impl Fn(&Bound<'py, PyAny>) -> bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let names = PyList::empty(py);
        for (name, values) in self.values.bind(py) {
            if values.cast_into::<PyList>()?.iter().any(|value| is_wanted(&value)) {
                names.append(name)?;
            }
        }
        Ok(names)
    }
}

fn is_file(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<UploadedFile>()
}

fn is_field(value: &Bound<'_, PyAny>) -> bool {
    !is_file(value)
}

#[pymethods]
impl FormData {
    /// Reads a form that is no request's.
    ///
    /// Errors: HTTPError: 415 where `content_type` is no form's, 400 where `body` is malformed, 413 where it exceeds a
    /// limit of forms.
    #[staticmethod]
    fn parse(py: Python<'_>, content_type: &str, body: &[u8]) -> PyResult<Self> {
        let encoding = FormEncoding::of(content_type).map_err(|error| exception(py, &error))?;
        let Some(encoding) = encoding else {
            let words = format!("The content type {content_type:?} is no form's.");
            return Err(http_error(py, 415, &words));
        };
        let body = Bytes::copy_from_slice(body);
        let form = py.detach(|| Form::parse(&encoding, body, &FormLimits::default()));
        Self::new(py, form.map_err(|error| exception(py, &error))?)
    }

    /// The first value of a name, a field's text or a file.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.of(py, name)?.iter().next().or(default))
    }

    /// The first value of a name, or `default`.
    fn get_or<'py>(&self, py: Python<'py>, name: &str, default: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.of(py, name)?.iter().next().unwrap_or(default))
    }

    /// All values of a name, as they were sent.
    fn get_all<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let values = self.of(py, name)?;
        Ok(values.get_slice(0, values.len()))
    }

    /// The first file of a name; None where there is none.
    fn get_file<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.of(py, name)?.iter().find(is_file))
    }

    /// The files of a name, or of all names, as they were sent.
    #[pyo3(signature = (name = None))]
    fn get_files<'py>(&self, py: Python<'py>, name: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let Some(name) = name else { return self.files(py) };
        let files: Vec<_> = self.of(py, name)?.iter().filter(is_file).collect();
        classes(py)?.files.bind(py).call1((files,))
    }

    /// Whether a name has a value that is no file.
    fn has_field(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        Ok(self.of(py, name)?.iter().any(|value| is_field(&value)))
    }

    /// Whether a name has a file.
    fn has_file(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        Ok(self.of(py, name)?.iter().any(|value| is_file(&value)))
    }

    /// Each name that has a value that is no file.
    fn field_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, is_field)
    }

    /// Each name that has a file.
    fn file_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, is_file)
    }

    /// How many values there are that are no files.
    fn field_count(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.values(py)?.iter().filter(is_field).count())
    }

    /// How many files there are.
    fn file_count(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.values(py)?.iter().filter(is_file).count())
    }

    /// Each name once, in the order they were first sent.
    fn keys<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        self.values.bind(py).keys()
    }

    /// All values, as they were sent.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.pairs.bind(py).iter().map(|pair| pair.get_item(1)).collect::<PyResult<Vec<_>>>()?)
    }

    /// All pairs of name and value, as they were sent.
    fn items<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        let pairs = self.pairs.bind(py);
        pairs.get_slice(0, pairs.len())
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.of(py, name)?.iter().next().ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.values.bind(py).contains(name)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.values.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys(py).try_iter()
    }

    fn __await__(this: Py<Self>) -> Ready {
        Ready(this.into_any())
    }

    /// The names alone: values may be secret, and what is printed is often logged.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names: Vec<String> = self.keys(py).extract()?;
        Ok(format!("<FormData {}>", names.join(", ")))
    }
}
