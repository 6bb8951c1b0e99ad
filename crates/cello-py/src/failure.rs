//! What the Python side asks of the kernel to tell of an error.

use cello_kernel::{PAGE_FIELDS, page, title};
use http::StatusCode;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::request::Request;

type Fields = Vec<(String, String)>;

/// The phrase of a status, "Error" where it has none.
///
/// Errors: ValueError for a number that is no status.
#[pyfunction]
pub(crate) fn _title(status: u16) -> PyResult<&'static str> {
    StatusCode::from_u16(status).map(title).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Whether a request's errors are told as a page.
#[pyfunction]
pub(crate) fn _wants_page(request: &Bound<'_, Request>) -> bool {
    request.get().exchange().wants_page()
}

/// The page of an error, and the header fields it needs; `sections` is HTML.
///
/// Errors: ValueError for a number that is no status.
#[pyfunction]
pub(crate) fn _page(
    request: &Bound<'_, Request>,
    status: u16,
    heading: &str,
    sections: &str,
) -> PyResult<(String, Fields)> {
    let status = StatusCode::from_u16(status).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let fields = PAGE_FIELDS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok((page(request.get().exchange(), status, heading, sections), fields))
}
