//! A file that a client sent in a form.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use cello_kernel::{Part, PartContent};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};

use super::classes::classes;
use crate::awaitable;
use crate::exceptions::os_error;

/// A file that a client sent in a form: in memory up to 1 MiB, else in a temporary file without a name.
#[pyclass(frozen, module = "cello")]
pub(crate) struct UploadedFile {
    field_name: String,
    filename: String,
    content_type: String,
    declared_content_type: Option<String>,
    size: u64,
    /// Gone once it is closed.
    content: Mutex<Option<PartContent>>,
    /// Python's file object over the content, made when first asked for. Not a PyOnceLock, which lets the interpreter
    /// go while it is filled.
    file: OnceLock<Py<PyAny>>,
}

impl UploadedFile {
    /// The file that a part is; the part again where it is a field.
    #[expect(clippy::result_large_err, reason = "the part is what the caller goes on with")]
    pub(super) fn of(part: Part) -> Result<Self, Part> {
        let Some(filename) = part.filename else { return Err(part) };
        Ok(Self {
            field_name: part.name,
            filename,
            content_type: part.content_type.unwrap_or_default(),
            declared_content_type: part.declared_content_type,
            size: part.content.size(),
            content: Mutex::new(Some(part.content)),
            file: OnceLock::new(),
        })
    }

    fn content(&self) -> PyResult<PartContent> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner).clone();
        content.ok_or_else(|| PyValueError::new_err(format!("the uploaded file {:?} is closed", self.filename)))
    }
}

/// Calls a method of the file object.
macro_rules! forward {
    ($this:ident, $py:ident, $method:literal $(, $argument:expr)*) => {
        $this.file($py)?.call_method1(pyo3::intern!($py, $method), ($($argument,)*))
    };
}

#[pymethods]
impl UploadedFile {
    /// The name of the form's field.
    #[getter]
    fn field_name(&self) -> &str {
        &self.field_name
    }

    /// The name that the client gave to the file.
    ///
    /// Shape: one component of a path, of at most 255 bytes, without control characters; empty where none was given.
    #[getter]
    fn filename(&self) -> &str {
        &self.filename
    }

    /// The media type: as the client said it, unless it said nothing or the first bytes contradict it.
    #[getter]
    fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The media type as the client said it; None where it did not.
    #[getter]
    fn declared_content_type(&self) -> Option<&str> {
        self.declared_content_type.as_deref()
    }

    /// The number of bytes, which can be called as well: `size` and `size()` are the same.
    #[getter]
    fn size<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        classes(py)?.size.bind(py).call1((self.size,))
    }

    /// A path that opens the temporary file while this object is there; None where the content is in memory.
    ///
    /// The file has no name of its own: the path leads through the process, "/proc/71/fd/12".
    #[getter]
    fn temp_path(&self) -> Option<String> {
        match self.content.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(PartContent::File(file, _)) if cfg!(target_os = "linux") => {
                Some(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
            }
            Some(PartContent::File(file, _)) => Some(format!("/dev/fd/{}", file.as_raw_fd())),
            _ => None,
        }
    }

    /// Python's own file object over the content: binary, seekable, for libraries that want one.
    ///
    /// Errors: ValueError once this is closed.
    #[getter]
    fn file<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(file) = self.file.get() {
            return Ok(file.bind(py).clone());
        }
        let module = py.import("io")?;
        let file = match self.content()? {
            PartContent::Memory(bytes) => {
                let whole = PyBytes::new_with(py, bytes.len(), |mut target| Ok(bytes.write_to(&mut target)?))?;
                module.getattr("BytesIO")?.call1((whole,))?
            }
            PartContent::File(file, _) => {
                let raw = module.getattr("FileIO")?.call1((file.try_clone()?.into_raw_fd(), "rb"))?;
                raw.call_method1("seek", (0,))?;
                classes(py)?.temporary_file.bind(py).call1((raw,))?
            }
        };
        Ok(self.file.get_or_init(|| file.unbind()).bind(py).clone())
    }

    /// The next `n` bytes, all that are left by default: bytes, which can be awaited as well.
    #[pyo3(signature = (n = -1), text_signature = "($self, n=-1)")]
    fn read<'py>(&self, py: Python<'py>, n: Option<i64>) -> PyResult<Bound<'py, PyAny>> {
        let bytes = forward!(self, py, "read", n)?;
        awaitable::classes(py)?.bytes.bind(py).call1((bytes,))
    }

    /// The whole content as text, wherever was read before: a str, which can be awaited as well.
    ///
    /// Errors: UnicodeDecodeError where it is no text of that encoding.
    #[pyo3(signature = (encoding = "utf-8", errors = "strict"))]
    fn read_text<'py>(&self, py: Python<'py>, encoding: &str, errors: &str) -> PyResult<Bound<'py, PyAny>> {
        let content = self.content()?;
        let mut bytes = Vec::new();
        content.write_to(&mut bytes)?;
        awaitable::classes(py)?.text.bind(py).call1((PyBytes::new(py, &bytes), encoding, errors))
    }

    /// Goes to a place in the content, and gives its distance from the beginning, in bytes.
    #[pyo3(signature = (offset, whence = 0))]
    fn seek<'py>(&self, py: Python<'py>, offset: i64, whence: i32) -> PyResult<Bound<'py, PyAny>> {
        let position = forward!(self, py, "seek", offset, whence)?;
        awaitable::classes(py)?.integer.bind(py).call1((position,))
    }

    /// The place in the content, in bytes from the beginning.
    fn tell<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        forward!(self, py, "tell")
    }

    /// Whether it can be read: until it is closed.
    fn readable(&self) -> bool {
        !self.closed()
    }

    /// Whether seek() can be used: until it is closed.
    fn seekable(&self) -> bool {
        !self.closed()
    }

    /// Whether close() was called.
    #[getter]
    fn closed(&self) -> bool {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Writes the whole content to `path`, over what is there, and gives the path: a str, which can be awaited.
    ///
    /// Where `path` is a folder, the file goes into it under its `filename`.
    /// Errors: OSError, as of open(); ValueError for a folder where there is no filename.
    fn save<'py>(&self, py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        let content = self.content()?;
        let is_folder = path.is_dir();
        if is_folder && self.filename.is_empty() {
            return Err(PyValueError::new_err("the uploaded file has no filename: give save() the path of a file"));
        }
        let path = if is_folder { path.join(&self.filename) } else { path };
        py.detach(|| write(&content, &path)).map_err(|error| match error.raw_os_error() {
            Some(code) => os_error(py, code, Some(&path)),
            None => PyOSError::new_err(error.to_string()),
        })?;
        awaitable::classes(py)?.text.bind(py).call1((path.as_os_str(),))
    }

    /// The ending of the filename, in lower case and without its dot; None where there is none.
    fn extension(&self) -> Option<String> {
        Path::new(&self.filename).extension().map(|ending| ending.to_string_lossy().to_lowercase())
    }

    /// Gives memory and temporary file back now, and not when the form is gone.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(content);
        match self.file.get() {
            Some(file) => file.call_method0(py, "close").map(drop),
            None => Ok(()),
        }
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.file(py)?.try_iter()
    }

    fn __repr__(&self) -> String {
        format!("<UploadedFile {:?} {}, {} bytes>", self.filename, self.content_type, self.size)
    }
}

fn write(content: &PartContent, path: &Path) -> io::Result<()> {
    content.write_to(&mut File::create(path)?)
}
