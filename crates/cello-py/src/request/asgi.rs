//! A request as an application of ASGI is told of it.

use std::borrow::Cow;

use http::header::HOST;
use percent_encoding::percent_decode_str;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::Request;

/// The entries of the scope that the request itself tells: all but `asgi`, `extensions` and `state`.
///
/// Source: ASGI HTTP 2.3, "HTTP Connection Scope".
pub(super) fn scope<'py>(py: Python<'py>, request: &Request, is_under: bool) -> PyResult<Bound<'py, PyDict>> {
    let head = &request.exchange.head;
    let path = head.uri.path();
    let scope = PyDict::new(py);
    scope.set_item(intern!(py, "type"), intern!(py, "http"))?;
    scope.set_item(intern!(py, "http_version"), request.http_version())?;
    scope.set_item(intern!(py, "method"), upper(head.method.as_str()))?;
    scope.set_item(intern!(py, "scheme"), request.scheme())?;
    let root = root(request, is_under);
    // Of both, what is before the path is part.
    let above = request.root();
    let (path, root) = match above {
        "" => (Cow::Borrowed(path), Cow::Borrowed(root)),
        above => (format!("{above}{path}").into(), format!("{above}{root}").into()),
    };
    scope.set_item(intern!(py, "path"), decoded(py, &path))?;
    scope.set_item(intern!(py, "raw_path"), PyBytes::new(py, path.as_bytes()))?;
    scope.set_item(intern!(py, "query_string"), PyBytes::new(py, request.query_string().as_bytes()))?;
    scope.set_item(intern!(py, "root_path"), decoded(py, &root))?;
    scope.set_item(intern!(py, "headers"), fields(py, request)?)?;
    scope.set_item(intern!(py, "client"), client(request))?;
    scope.set_item(intern!(py, "server"), request.server.address(py))?;
    Ok(scope)
}

/// The part of the path that leads to the application, raw.
fn root(request: &Request, is_under: bool) -> &str {
    let path = request.exchange.head.uri.path();
    let rest = request.exchange.params.as_ref().filter(|_| is_under).and_then(|params| params.last_start());
    match rest {
        Some(start) => path.get(..start.saturating_sub(1)).unwrap_or_default(),
        None => path.strip_suffix('/').unwrap_or(path),
    }
}

fn decoded<'py>(py: Python<'py>, raw: &str) -> Bound<'py, PyString> {
    if raw.contains('%') {
        PyString::new(py, &percent_decode_str(raw).decode_utf8_lossy())
    } else {
        PyString::new(py, raw)
    }
}

/// The name of a method as ASGI has it.
fn upper(method: &str) -> Cow<'_, str> {
    if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Cow::Owned(method.to_ascii_uppercase())
    } else {
        Cow::Borrowed(method)
    }
}

/// The header fields, and the host that the target names where no field does.
fn fields<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyList>> {
    let head = &request.exchange.head;
    let fields = PyList::empty(py);
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(HOST)
    {
        fields.append((PyBytes::new(py, b"host"), PyBytes::new(py, authority.as_str().as_bytes())))?;
    }
    for (name, value) in &head.headers {
        fields.append((PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes())))?;
    }
    Ok(fields)
}

/// The client's address and port; 0 where only a proxy knows the port.
fn client(request: &Request) -> Option<(String, u16)> {
    match request.origin() {
        Some(origin) => origin.client.map(|address| (address.to_string(), 0)),
        None => request.exchange.peer.map(|peer| (peer.ip().to_canonical().to_string(), peer.port())),
    }
}
