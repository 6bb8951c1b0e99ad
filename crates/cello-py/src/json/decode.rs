//! JSON to Python objects: simd-json's tape, walked once.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use simd_json::{Node, StaticNode};

use super::MAX_DEPTH;

/// Parses a document (RFC 8259).
///
/// # Errors
/// MalformedJSON where it is malformed or nests deeper than 128.
pub(crate) fn decode<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut scratch = document.to_vec(); // the parser writes into its input
    match simd_json::to_tape(&mut scratch) {
        // What can be wrong with a tape is its depth: the exact parser has the words for it.
        Ok(tape) => Walk { py, nodes: tape.0.iter() }.value(0).or_else(|_| decode_exactly(py, document)),
        Err(_) => decode_exactly(py, document),
    }
}

/// The standard library's parser: for integers beyond 64 bits, and for the words about a malformed document.
fn decode_exactly<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "cello._json", "loads")?.call1((PyBytes::new(py, document),))
}

struct Walk<'py, 'tape, Nodes: Iterator<Item = &'tape Node<'tape>>> {
    py: Python<'py>,
    nodes: Nodes,
}

impl<'py, 'tape, Nodes: Iterator<Item = &'tape Node<'tape>>> Walk<'py, 'tape, Nodes> {
    fn next(&mut self) -> PyResult<&'tape Node<'tape>> {
        self.nodes.next().ok_or_else(|| PyValueError::new_err("the document ends early"))
    }

    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        match self.next()? {
            Node::String(text) => Ok(PyString::new(py, text).into_any()),
            Node::Static(StaticNode::I64(number)) => number.into_bound_py_any(py),
            Node::Static(StaticNode::U64(number)) => number.into_bound_py_any(py),
            Node::Static(StaticNode::F64(number)) => number.into_bound_py_any(py),
            Node::Static(StaticNode::Bool(flag)) => flag.into_bound_py_any(py),
            Node::Static(StaticNode::Null) => Ok(py.None().into_bound(py)),
            Node::Array { .. } | Node::Object { .. } if depth >= MAX_DEPTH => {
                Err(PyValueError::new_err(format!("the document nests deeper than {MAX_DEPTH} levels")))
            }
            Node::Array { len, .. } => {
                let items = (0..*len).map(|_| self.value(depth + 1)).collect::<PyResult<Vec<_>>>()?;
                Ok(PyList::new(py, items)?.into_any())
            }
            Node::Object { len, .. } => {
                let dict = PyDict::new(py);
                for _ in 0..*len {
                    let Node::String(key) = self.next()? else {
                        return Err(PyValueError::new_err("the document has a key that is no string"));
                    };
                    dict.set_item(PyString::new(py, key), self.value(depth + 1)?)?;
                }
                Ok(dict.into_any())
            }
        }
    }
}
