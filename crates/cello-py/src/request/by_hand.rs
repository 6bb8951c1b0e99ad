//! A request that is made by hand, for tests of handlers: what came over no socket becomes what a socket would have given.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use cello_kernel::Exchange;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, Entry, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::json;

/// What a browser encodes of a path that is typed into it. What is encoded already stays so.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');

/// What a form encodes of a parameter.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// What is given for a request, but for its path parameters and its application.
pub(super) struct Parts<'a, 'py> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: Option<&'a Bound<'py, PyAny>>,
    pub headers: Option<&'a Bound<'py, PyAny>>,
    pub body: Option<&'a Bound<'py, PyAny>>,
    pub client: Option<&'a Bound<'py, PyAny>>,
}

/// Makes the request.
///
/// # Errors
/// ValueError and TypeError, for what no client could send.
pub(super) fn exchange(parts: Parts<'_, '_>) -> PyResult<Exchange> {
    let Parts { method, path, query, headers, body, client } = parts;
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::from_bytes(method.as_bytes())
        .map_err(|_| PyValueError::new_err(format!("{method:?} is no method of HTTP")))?;
    let (target, host, is_secure) = target(path, query)?;
    head.uri = target;
    if let Some(headers) = headers {
        add_headers(&mut head.headers, headers)?;
    }
    if let Entry::Vacant(entry) = head.headers.entry(HOST) {
        entry.insert(host);
    }
    let (body, content_type) = body.map(body_of).transpose()?.unwrap_or_default();
    if let (Some(content_type), Entry::Vacant(entry)) = (content_type, head.headers.entry(CONTENT_TYPE)) {
        entry.insert(HeaderValue::from_static(content_type));
    }
    if !body.is_empty()
        && let Entry::Vacant(entry) = head.headers.entry(CONTENT_LENGTH)
    {
        entry.insert(body.len().into());
    }
    Ok(Exchange::by_hand(head, body, client.map(peer).transpose()?, is_secure))
}

/// The path's parameters: text, as they would have been matched.
pub(super) fn params<'py>(py: Python<'py>, given: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyDict>> {
    let params = PyDict::new(py);
    for (name, value) in given.map(pairs).transpose()?.unwrap_or_default() {
        params.set_item(name.cast::<PyString>()?, value.str()?)?;
    }
    Ok(params)
}

/// The path that an application is under, raw.
pub(super) fn root(path: &str) -> PyResult<String> {
    let root = utf8_percent_encode(path, PATH).to_string();
    if !root.is_empty() && (!root.starts_with('/') || root.ends_with('/') || root.contains(['?', '#'])) {
        return Err(PyValueError::new_err(format!("{path:?} is no root_path: write it as \"/shop\"")));
    }
    Ok(root)
}

/// The target in origin form, the value of the Host field, and whether the request is over TLS.
fn target(path: &str, query: Option<&Bound<'_, PyAny>>) -> PyResult<(Uri, HeaderValue, bool)> {
    let refused = || PyValueError::new_err(format!("{path:?} is no path: start it with \"/\", or give a whole URL"));
    let mut text = utf8_percent_encode(path, PATH).to_string();
    if let Some((whole, _fragment)) = text.split_once('#') {
        text.truncate(whole.len());
    }
    if let Some(query) = query.map(encode_query).transpose()?.filter(|query| !query.is_empty()) {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&query);
    }
    if text.starts_with('/') || text == "*" {
        let target: PathAndQuery = text.parse().map_err(|_| refused())?;
        return Ok((target.into(), HeaderValue::from_static("localhost"), false));
    }
    let url: Uri = text.parse().map_err(|_| refused())?;
    let is_secure = match url.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(refused()),
    };
    let host = url.authority().map(|authority| authority.as_str()).filter(|host| !host.contains('@'));
    let host = host.and_then(|host| HeaderValue::from_str(host).ok()).ok_or_else(refused)?;
    let target = url.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok((target.into(), host, is_secure))
}

fn encode_query(query: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = query.cast::<PyString>() {
        let text = text.to_str()?;
        return Ok(utf8_percent_encode(text.strip_prefix('?').unwrap_or(text), PATH).to_string().replace('#', "%23"));
    }
    let mut encoded: Vec<String> = Vec::new();
    for (name, value) in pairs(query)? {
        let values = match value.cast::<PyList>() {
            Ok(values) => values.iter().collect(),
            Err(_) => vec![value],
        };
        for value in values {
            encoded.push(format!("{}={}", encode_parameter(&name)?, encode_parameter(&value)?));
        }
    }
    Ok(encoded.join("&"))
}

fn encode_parameter(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = value.str()?;
    let mut text = text.to_str()?.to_owned();
    if value.is_instance_of::<PyBool>() {
        text.make_ascii_lowercase();
    }
    Ok(utf8_percent_encode(&text, PARAMETER).to_string().replace("%20", "+"))
}

fn add_headers(map: &mut HeaderMap, headers: &Bound<'_, PyAny>) -> PyResult<()> {
    for (name, value) in pairs(headers)? {
        let (name, value) = (name.cast::<PyString>()?, value.cast::<PyString>()?);
        let field = HeaderName::from_bytes(name.to_str()?.as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{name:?} is no name of a header field (RFC 9110 §5.1)")))?;
        let bytes = value.to_str()?.chars().map(|character| u8::try_from(character).ok()).collect::<Option<Vec<_>>>();
        let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()).ok_or_else(|| {
            PyValueError::new_err(format!(
                "the value of the header field {name:?} has a control character, or one beyond latin-1"
            ))
        })?;
        map.append(field, value);
    }
    Ok(())
}

/// The body, and the type it has unless the header fields say another.
fn body_of(body: &Bound<'_, PyAny>) -> PyResult<(Bytes, Option<&'static str>)> {
    if let Ok(bytes) = body.cast::<PyBytes>() {
        Ok((Bytes::copy_from_slice(bytes.as_bytes()), None))
    } else if let Ok(bytes) = body.cast::<PyByteArray>() {
        Ok((bytes.to_vec().into(), None))
    } else if let Ok(text) = body.cast::<PyString>() {
        Ok((Bytes::copy_from_slice(text.to_str()?.as_bytes()), None))
    } else if body.is_instance_of::<PyDict>() || body.is_instance_of::<PyList>() {
        Ok((json::encode(body)?, Some("application/json")))
    } else {
        let kind = body.get_type().fully_qualified_name()?;
        Err(PyTypeError::new_err(format!("a body is bytes, str, or a dict or list that becomes JSON, not {kind}")))
    }
}

/// The address of a client that is given as "192.0.2.1" or ("192.0.2.1", 50000).
fn peer(client: &Bound<'_, PyAny>) -> PyResult<SocketAddr> {
    let (host, port): (Bound<'_, PyAny>, Bound<'_, PyAny>) = match client.cast::<PyTuple>() {
        Ok(pair) => pair.extract()?,
        Err(_) => (client.clone(), 0_u16.into_bound_py_any(client.py())?),
    };
    let refused = || PyValueError::new_err(format!("the client is {client:?}: give an IP address, or one and a port"));
    let address: IpAddr = host.extract::<String>()?.parse().map_err(|_| refused())?;
    let port: u16 = port.extract().map_err(|_| refused())?;
    Ok((address, port).into())
}

/// The pairs of a mapping, or of what goes through pairs.
fn pairs<'py>(given: &Bound<'py, PyAny>) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    if let Ok(mapping) = given.cast::<PyMapping>() {
        return mapping.items()?.iter().map(|pair| pair.extract()).collect();
    }
    given.try_iter()?.map(|pair| pair?.extract()).collect()
}
