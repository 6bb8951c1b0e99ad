//! JSON to Python objects, in one pass.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyString};

use super::MAX_DEPTH;
use super::keys::{KEYS, Keys};
use super::scan::{Malformed, Number, Scanner};
use crate::exceptions;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses a document (RFC 8259).
///
/// # Errors
/// MalformedJSON where it is malformed, nests deeper than 128 or has a number that Python has not.
pub(crate) fn decode<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // RFC 8259 §8.1 lets a parser ignore the mark, and editors do write it.
    let mark = if document.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let body = &document[mark..];
    let parsed = match std::str::from_utf8(body) {
        Ok(text) => parse(py, text),
        Err(error) => Err(Malformed { at: error.valid_up_to(), what: "this byte is no UTF-8" }.into()),
    };
    parsed.map_err(|fault| match *fault {
        Fault::Malformed(malformed) => refuse(py, body, mark, &malformed),
        Fault::Python(error) => error,
    })
}

fn parse<'py>(py: Python<'py>, text: &str) -> Result<Bound<'py, PyAny>, Box<Fault>> {
    let mut parser = Parser { py, scanner: Scanner::new(text), items: Vec::new(), keys: None };
    let value = parser.value(0).and_then(|value| match parser.scanner.peek_token() {
        None => Ok(value),
        Some(_) => Ok(parser.scanner.malformed("nothing may follow the value")?),
    });
    if let Some(keys) = parser.keys {
        KEYS.put_back(keys);
    }
    value
}

/// What ends a document's parsing.
enum Fault {
    Malformed(Malformed),
    /// Python's own: it has no memory.
    Python(PyErr),
}

impl From<Malformed> for Box<Fault> {
    fn from(malformed: Malformed) -> Self {
        Box::new(Fault::Malformed(malformed))
    }
}

impl From<PyErr> for Box<Fault> {
    fn from(error: PyErr) -> Self {
        Box::new(Fault::Python(error))
    }
}

struct Parser<'py, 'text> {
    py: Python<'py>,
    scanner: Scanner<'text>,
    /// The items of all arrays that have begun and not ended.
    items: Vec<Bound<'py, PyAny>>,
    /// Taken with the first object.
    keys: Option<Box<Keys>>,
}

impl<'py> Parser<'py, '_> {
    fn value(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Box<Fault>> {
        let py = self.py;
        match self.scanner.peek_token() {
            Some(b'"') => Ok(PyString::new(py, self.scanner.string()?).into_any()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Ok(self.scanner.malformed("it nests deeper than 128 levels")?),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') if self.scanner.takes("true") => Ok(PyBool::new(py, true).to_owned().into_any()),
            Some(b'f') if self.scanner.takes("false") => Ok(PyBool::new(py, false).to_owned().into_any()),
            Some(b'n') if self.scanner.takes("null") => Ok(py.None().into_bound(py)),
            _ => Ok(self.scanner.malformed("a value is expected")?),
        }
    }

    fn number(&mut self) -> Result<Bound<'py, PyAny>, Box<Fault>> {
        let (py, at) = (self.py, self.scanner.at());
        Ok(match self.scanner.number()? {
            Number::Small(number) => number.into_bound_py_any(py)?,
            Number::Float(number) => number.into_bound_py_any(py)?,
            Number::Big(digits) => match py.get_type::<PyInt>().call1((digits,)) {
                Ok(number) => number,
                // sys.set_int_max_str_digits()
                Err(error) if error.is_instance_of::<PyValueError>(py) => {
                    return Err(Malformed { at, what: "the integer has too many digits" }.into());
                }
                Err(error) => return Err(error.into()),
            },
        })
    }

    fn array(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Box<Fault>> {
        self.scanner.take();
        if self.scanner.peek_token() == Some(b']') {
            self.scanner.take();
            return Ok(PyList::empty(self.py).into_any());
        }
        let from = self.items.len();
        loop {
            let item = self.value(depth + 1)?;
            self.items.push(item);
            match self.scanner.peek_token() {
                Some(b',') => self.scanner.take(),
                Some(b']') => break,
                _ => self.scanner.malformed("',' or ']' is expected")?,
            }
        }
        self.scanner.take();
        Ok(PyList::new(self.py, self.items.drain(from..))?.into_any())
    }

    fn object(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Box<Fault>> {
        let dict = PyDict::new(self.py);
        self.scanner.take();
        if self.scanner.peek_token() == Some(b'}') {
            self.scanner.take();
            return Ok(dict.into_any());
        }
        loop {
            if self.scanner.peek_token() != Some(b'"') {
                self.scanner.malformed("a name in double quotes is expected")?;
            }
            let name = self.scanner.string()?;
            let key = self.keys.get_or_insert_with(|| KEYS.take()).get(self.py, name);
            if self.scanner.peek_token() != Some(b':') {
                self.scanner.malformed("':' is expected")?;
            }
            self.scanner.take();
            dict.set_item(key, self.value(depth + 1)?)?;
            match self.scanner.peek_token() {
                Some(b',') => self.scanner.take(),
                Some(b'}') => break,
                _ => self.scanner.malformed("',' or '}' is expected")?,
            }
        }
        self.scanner.take();
        Ok(dict.into_any())
    }
}

/// The exception for a malformed document, with the place in it: lines and columns count from 1, bytes from 0.
fn refuse(py: Python<'_>, body: &[u8], mark: usize, malformed: &Malformed) -> PyErr {
    let before = String::from_utf8_lossy(&body[..malformed.at]);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&character| character != '\n').count() + 1;
    let (what, byte) = (malformed.what, mark + malformed.at);
    let detail = format!("The body cannot be read as JSON: {what} at line {line}, column {column} (byte {byte}).");
    exceptions::of_cello(py, "MalformedJSON", (detail,))
}
