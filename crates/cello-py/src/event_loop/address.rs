//! Socket addresses, as Python's socket module writes them.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::{SocketAddrAny, SocketAddrUnix};

/// `(host, port)`, `(host, port, flow, scope)`, or what a Unix socket is bound to; `None` for any other family.
pub(crate) fn into_python<'py>(py: Python<'py>, address: &SocketAddrAny) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        let (host, port) = (address.ip().to_string(), address.port());
        let name = match address {
            SocketAddr::V4(_) => (host, port).into_pyobject(py)?.into_any(),
            SocketAddr::V6(v6) => (host, port, v6.flowinfo(), v6.scope_id()).into_pyobject(py)?.into_any(),
        };
        return Ok(Some(name));
    }
    let Ok(address) = SocketAddrUnix::try_from(address.clone()) else { return Ok(None) };
    let name = match (address.abstract_name(), address.path()) {
        (Some(name), _) if !name.is_empty() => PyBytes::new(py, &[b"\0", name].concat()).into_any(),
        (_, Some(path)) => OsStr::from_bytes(path.to_bytes()).into_pyobject(py)?.into_any(),
        _ => "".into_pyobject(py)?.into_any(),
    };
    Ok(Some(name))
}
