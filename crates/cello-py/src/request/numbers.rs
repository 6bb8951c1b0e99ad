//! Parameters as numbers and truths. What is none is the client's mistake: a 400 that names the parameter.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::exceptions::http_error;

const TRUE: [&str; 4] = ["true", "1", "yes", "on"];
const FALSE: [&str; 4] = ["false", "0", "no", "off"];

/// An integer of any size, in decimal digits with or without a sign.
///
/// # Errors
/// BadRequest, naming the parameter by `what`.
pub(super) fn integer<'py>(py: Python<'py>, what: &str, name: &str, text: &str) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        match py.get_type::<PyInt>().call1((text,)) {
            Err(error) if error.is_instance_of::<PyValueError>(py) => {} // more digits than Python converts
            number => return number,
        }
    }
    Err(bad(py, what, name, "an integer"))
}

/// A finite number, as `1.5`, `-2` or `1e3`.
///
/// # Errors
/// BadRequest, naming the parameter by `what`.
pub(super) fn number(py: Python<'_>, what: &str, name: &str, text: &str) -> PyResult<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| bad(py, what, name, "a number"))
}

/// A truth, in any case of its letters.
///
/// # Errors
/// BadRequest, naming the parameter by `what`.
pub(super) fn truth(py: Python<'_>, what: &str, name: &str, text: &str) -> PyResult<bool> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(TRUE) {
        Ok(true)
    } else if is_one_of(FALSE) {
        Ok(false)
    } else {
        Err(bad(py, what, name, "true or false"))
    }
}

fn bad(py: Python<'_>, what: &str, name: &str, wanted: &str) -> PyErr {
    http_error(py, 400, &format!("The {what} parameter {name:?} is not {wanted}."))
}
