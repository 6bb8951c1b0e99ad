//! Forms as Python sees them, and the exceptions for those that were not taken.

mod classes;
mod data;
mod file;

use bytes::Bytes;
use cello_kernel::{Boundary, Form, FormEncoding, FormError, FormLimits};
use http::header::CONTENT_TYPE;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

pub(crate) use data::FormData;
pub(crate) use file::UploadedFile;

use crate::exceptions::http_error;
use crate::request::Request;

const NO_FORM: &str = "The body is no form: send multipart/form-data or application/x-www-form-urlencoded.";

/// The form that a request's body is.
///
/// # Errors
/// HTTPError 415 for a body that is said to be something else, 400 for one that is none, 413 for too much of one.
pub(crate) fn of<'py>(request: &Bound<'py, Request>) -> PyResult<Bound<'py, FormData>> {
    let py = request.py();
    if let Some(form) = request.get().form().get() {
        return Ok(form.bind(py).clone());
    }
    let exchange = request.get().exchange();
    let form = match exchange.take_form() {
        Some(form) => form,
        None => match encoding(request)? {
            Some(encoding) => {
                let body = Bytes::copy_from_slice(exchange.body());
                Form::parse(&encoding, body, &FormLimits::default()).map_err(|error| exception(py, &error))?
            }
            None if exchange.body().is_empty() => Form::default(),
            None => return Err(http_error(py, 415, NO_FORM)),
        },
    };
    let form = Bound::new(py, FormData::new(py, form)?)?;
    Ok(request.get().form().get_or_init(|| form.unbind()).bind(py).clone())
}

/// The boundary of a body that is a form in parts; None for any other.
///
/// # Errors
/// HTTPError 400 for a boundary that is none.
pub(crate) fn boundary(request: &Bound<'_, Request>) -> PyResult<Option<Boundary>> {
    Ok(match encoding(request)? {
        Some(FormEncoding::Multipart(boundary)) => Some(boundary),
        _ => None,
    })
}

/// The boundary of a body that must be a form in parts.
///
/// # Errors
/// HTTPError 415 for any other, 400 for a boundary that is none.
pub(crate) fn needed_boundary(request: &Bound<'_, Request>) -> PyResult<Boundary> {
    boundary(request)?
        .ok_or_else(|| http_error(request.py(), 415, "The body is no form in parts: send multipart/form-data."))
}

fn encoding(request: &Bound<'_, Request>) -> PyResult<Option<FormEncoding>> {
    let Some(content_type) = request.get().exchange().head.headers.get(CONTENT_TYPE) else { return Ok(None) };
    let encoding = FormEncoding::of(&String::from_utf8_lossy(content_type.as_bytes()));
    encoding.map_err(|error| exception(request.py(), &error))
}

/// The exception for a form that was not taken: HTTPError with 400 or 413, or OSError where the server's disk failed.
pub(crate) fn exception(py: Python<'_>, error: &FormError) -> PyErr {
    match error {
        FormError::Storage(failure) => match failure.raw_os_error() {
            Some(code) => PyOSError::new_err((code, error.to_string())),
            None => PyOSError::new_err(error.to_string()),
        },
        _ => http_error(py, error.status().as_u16(), &error.detail()),
    }
}
