//! Responses: what a handler makes by hand, and what becomes of whatever it returns.

mod cookie;
mod disposition;
mod field;
mod file;
mod head;
pub(crate) mod headers;
mod location;
mod parts;
mod problem;
mod range;
mod raw;
mod returned;
mod selection;
mod xml;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, HeaderValue, LOCATION, SET_COOKIE};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyString};

use crate::json;
use cookie::Cookie;
use field::{field_value, own_name, text_of};
use head::Head;
use headers::ResponseHeaders;
use parts::{Heeds, Parts, Payload};
use range::{Asked, BEYOND, asked};
pub(crate) use raw::_raw_response;
pub(crate) use returned::{Returned, into_response};

/// What a handler may return, as a Response.
///
/// Errors: TypeError for what is no answer, and what JSON refuses.
#[pyfunction]
pub(crate) fn _to_response<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Response>> {
    returned::to_response(value)
}

pub(crate) static JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) static TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
static HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
static XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
/// Of bytes, which may name another encoding than UTF-8 themselves (RFC 7303 §3).
static XML_BYTES: HeaderValue = HeaderValue::from_static("application/xml");
pub(crate) static BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A response with its status, header fields and body.
///
/// Shape: `body` is str (text), bytes (octet-stream), None (empty), or what JSON can have. A `status` of None is 200.
/// `headers` are a mapping or pairs; they go before `content_type`.
/// Errors: ValueError for a bad status or header field, and for a body that the status does not have (204, 205, 304).
#[pyclass(frozen, module = "cello")]
pub(crate) struct Response {
    parts: Mutex<Parts>,
}

impl Response {
    fn make(
        mut head: Head,
        payload: Payload,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        head.set_status(head::status(status.unwrap_or(200))?, !payload.is_empty())?;
        head.apply(headers)?;
        Ok(Self { parts: Mutex::new(Parts { head, payload }) })
    }

    fn whole(
        content_type: &'static HeaderValue,
        body: impl Into<Bytes>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::make(Head::of_type(content_type), Payload::Whole(body.into()), status, headers)
    }

    /// Never held while Python runs.
    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Head and body on their way to a client. A stream goes once.
    fn give(&self) -> PyResult<(Head, Payload)> {
        let mut parts = self.lock();
        let body = parts.payload.give()?;
        Ok((parts.head.clone(), body))
    }

    fn add_cookie(&self, cookie: &Cookie<'_>) -> PyResult<()> {
        let line = cookie.line()?;
        self.lock().head.append(SET_COOKIE, line)
    }
}

#[pymethods]
impl Response {
    #[new]
    #[pyo3(signature = (body = None, status = None, headers = None, content_type = None))]
    fn new(
        body: Option<&Bound<'_, PyAny>>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
    ) -> PyResult<Self> {
        let (mut head, body) = match body {
            None => (Head::default(), Bytes::new()),
            Some(body) => {
                let (body, content_type) = returned::content(body)?;
                (Head::of_type(content_type), body)
            }
        };
        head.set_content_type(content_type)?;
        Self::make(head, Payload::Whole(body), status, headers)
    }

    /// A response whose body is `data` as JSON.
    ///
    /// Errors: TypeError or ValueError where `data` is no JSON.
    #[staticmethod]
    #[pyo3(signature = (data, status = None, headers = None))]
    fn json(data: &Bound<'_, PyAny>, status: Option<i64>, headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Self::whole(&JSON, json::encode(data)?, status, headers)
    }

    /// A response whose body is `content` as plain text in UTF-8.
    #[staticmethod]
    #[pyo3(signature = (content, status = None, headers = None))]
    fn text(content: &str, status: Option<i64>, headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Self::whole(&TEXT, Bytes::copy_from_slice(content.as_bytes()), status, headers)
    }

    /// A response whose body is `content` as HTML in UTF-8.
    #[staticmethod]
    #[pyo3(signature = (content, status = None, headers = None))]
    fn html(content: &str, status: Option<i64>, headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Self::whole(&HTML, Bytes::copy_from_slice(content.as_bytes()), status, headers)
    }

    /// A response whose body is XML: `data` as it is where it is str or bytes, else made of what JSON can have.
    ///
    /// Shape: the root holds an element for each key of a dict, an `item` for each of a list; None is an empty element.
    /// Errors: ValueError for a key that is no name of an element, and for characters that XML does not have.
    /// Source: XML 1.0, RFC 7303.
    #[staticmethod]
    #[pyo3(signature = (data, status = None, root_name = None, headers = None))]
    fn xml(
        data: &Bound<'_, PyAny>,
        status: Option<i64>,
        root_name: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if let Ok(text) = data.cast::<PyString>() {
            return Self::whole(&XML, Bytes::copy_from_slice(text.to_str()?.as_bytes()), status, headers);
        }
        match returned::bytes_of(data)? {
            Some(bytes) => Self::whole(&XML_BYTES, bytes, status, headers),
            None => Self::whole(&XML, xml::document(data, root_name.unwrap_or("root"))?, status, headers),
        }
    }

    /// A response whose body is bytes: bytes, bytearray or memoryview.
    #[staticmethod]
    #[pyo3(signature = (data, content_type = None, status = None, headers = None))]
    fn binary(
        data: &Bound<'_, PyAny>,
        content_type: Option<&str>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let Some(body) = returned::bytes_of(data)? else {
            let kind = data.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!("a binary body is bytes, bytearray or memoryview, not {kind}")));
        };
        let mut head = Head::of_type(&BYTES);
        head.set_content_type(content_type)?;
        Self::make(head, Payload::Whole(body), status, headers)
    }

    /// Sends the client to another URL; `permanent` makes 302, the default, a 301, and 307 a 308.
    ///
    /// Shape: `url` is absolute or relative, and percent-encoded where it has to be; what is encoded stays as it is.
    /// Errors: ValueError for a URL that is empty or has control characters, and for a status that sends nobody away.
    /// Source: RFC 9110 §15.4.
    #[staticmethod]
    #[pyo3(signature = (url, status = None, permanent = None, headers = None))]
    fn redirect(
        url: &str,
        status: Option<&Bound<'_, PyAny>>,
        permanent: Option<bool>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        // A truth is no status: who gives one behind the URL says `permanent`.
        let truth = status.and_then(|given| given.cast::<PyBool>().ok());
        let permanent = permanent.unwrap_or(false) || truth.is_some_and(|truth| truth.is_true());
        let status = match status {
            Some(given) if truth.is_none() => given.extract()?,
            _ => 302,
        };
        let status = match (status, permanent) {
            (301 | 302, true) => 301,
            (307 | 308, true) => 308,
            (301 | 302 | 303 | 307 | 308, false) => status,
            _ => {
                let kind = if permanent {
                    "permanent redirect: use 301 or 308"
                } else {
                    "redirect: use 301, 302, 303, 307 or 308"
                };
                return Err(PyValueError::new_err(format!("{status} is no status of a {kind}")));
            }
        };
        let mut head = Head::default();
        head.set(LOCATION, location::location(url)?)?;
        Self::make(head, Payload::Whole(Bytes::new()), Some(status), headers)
    }

    /// A 204, which has no body.
    #[staticmethod]
    #[pyo3(signature = (headers = None))]
    fn no_content(headers: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Self::make(Head::default(), Payload::Whole(Bytes::new()), Some(204), headers)
    }

    /// A 201 whose body is `data` as JSON, or none, with the URL of what was made as `Location`.
    ///
    /// Errors: as `json` and `redirect` have.
    #[staticmethod]
    #[pyo3(signature = (data = None, location = None, headers = None))]
    fn created(
        data: Option<&Bound<'_, PyAny>>,
        location: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (mut head, body) = match data {
            None => (Head::default(), Bytes::new()),
            Some(data) => (Head::of_type(&JSON), json::encode(data)?),
        };
        if let Some(url) = location {
            head.set(LOCATION, location::location(url)?)?;
        }
        Self::make(head, Payload::Whole(body), Some(201), headers)
    }

    /// A file to be kept by the client, under `filename` or its own name.
    ///
    /// Shape: the extension of that name tells the type where `content_type` does not. The file is opened now, and read
    /// while it is sent. What a GET or HEAD asks of it is heeded when it answers with a 200: its conditions (304, 412),
    /// and `Range` (206, 416), all of it where several parts are asked for.
    /// Errors: FileNotFoundError, IsADirectoryError, PermissionError and other OSErrors of the system; OSError for what
    /// is no regular file.
    /// Source: RFC 6266; RFC 9110 §13 and §14.
    #[staticmethod]
    #[pyo3(signature = (path, filename = None, content_type = None, status = None, headers = None))]
    fn file(
        py: Python<'_>,
        path: PathBuf,
        filename: Option<&str>,
        content_type: Option<&str>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let name = filename.map_or_else(|| file::name_of(&path), str::to_owned);
        let (file, mut head) = file::open(py, &path, name.as_ref(), content_type)?;
        head.set(CONTENT_DISPOSITION, disposition::attachment(&name)?)?;
        let whole = 0..file.length_bytes();
        Self::make(head, Payload::File(file, whole, Heeds::All), status, headers)
    }

    /// The part of a file that a `Range` asks for, as 206; all of it, as 200, where it asks for none or for several.
    ///
    /// Shape: `range_header` is such as "bytes=0-99", or None. A range beyond the end is a 416. The conditions of the
    /// request are heeded, `If-Range` among them.
    /// Errors: as `file` has.
    /// Source: RFC 9110 §14.
    #[staticmethod]
    #[pyo3(signature = (path, range_header, content_type = None, headers = None))]
    fn file_range(
        py: Python<'_>,
        path: PathBuf,
        range_header: Option<&str>,
        content_type: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (file, mut head) = file::open(py, &path, path.as_os_str(), content_type)?;
        let length = file.length_bytes();
        let (mut status, mut payload) = (200, Payload::File(file.clone(), 0..length, Heeds::Conditions));
        match range_header.map_or(Asked::Whole, |header| asked(header, length)) {
            Asked::Whole => {}
            Asked::Part(part) => {
                range::set_part(&mut head, &part, length)?;
                (status, payload) = (206, Payload::File(file, part, Heeds::Conditions));
            }
            Asked::Beyond => {
                let unsatisfiable = StatusCode::RANGE_NOT_SATISFIABLE;
                let body = problem::problem(unsatisfiable, Some(BEYOND), None, "about:blank", None)?;
                head = Head::of_type(&problem::PROBLEM);
                head.set(CONTENT_RANGE, range::unsatisfied(length)?)?;
                head.set(ACCEPT_RANGES, HeaderValue::from_static("bytes"))?;
                (status, payload) = (416, Payload::Whole(body));
            }
        }
        Self::make(head, payload, Some(status), headers)
    }

    /// A file to be shown by the client: as `file`, without a name to keep it under.
    #[staticmethod]
    #[pyo3(signature = (path, content_type = None, status = None, headers = None))]
    fn sendfile(
        py: Python<'_>,
        path: PathBuf,
        content_type: Option<&str>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (file, head) = file::open(py, &path, path.as_os_str(), content_type)?;
        let whole = 0..file.length_bytes();
        Self::make(head, Payload::File(file, whole, Heeds::All), status, headers)
    }

    /// An error as `application/problem+json`; what is given by name beside the rest becomes a member of it.
    ///
    /// Shape: `title` is the status' own phrase unless it is given; `detail` is left out where it is None.
    /// Errors: ValueError for a status below 400 or above 599; TypeError or ValueError for a member that is no JSON.
    /// Source: RFC 9457 §3.
    #[staticmethod]
    #[pyo3(signature = (status, detail = None, *, title = None, r#type = "about:blank", headers = None, **members))]
    fn error(
        status: i64,
        detail: Option<&str>,
        title: Option<&str>,
        r#type: &str,
        headers: Option<&Bound<'_, PyAny>>,
        members: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let body = problem::problem(head::status(status)?, detail, title, r#type, members)?;
        Self::whole(&problem::PROBLEM, body, Some(status), headers)
    }

    /// A response whose body is what an iterator, a generator or an async generator brings forth: bytes or str.
    ///
    /// Shape: such a response is sent once. Without a `content_type` its first piece tells it.
    /// Errors: TypeError for what cannot be iterated, and for str and bytes, which are bodies by themselves.
    #[staticmethod]
    #[pyo3(signature = (iterator, content_type = None, status = None, headers = None))]
    fn stream(
        iterator: &Bound<'_, PyAny>,
        content_type: Option<&str>,
        status: Option<i64>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut head = Head::default();
        head.set_content_type(content_type)?;
        let iterator = returned::stream_of(iterator)?;
        Self::make(head, Payload::Stream(Some(iterator.unbind())), status, headers)
    }

    /// The HTTP status; it can be set.
    #[getter]
    fn status(&self) -> u16 {
        self.lock().head.status.as_u16()
    }

    #[setter]
    fn set_status(&self, status: i64) -> PyResult<()> {
        let parts = &mut *self.lock();
        parts.head.set_status(head::status(status)?, !parts.payload.is_empty())
    }

    /// The header fields, as a live mapping: what is set in it is sent.
    #[getter]
    fn headers(slf: Bound<'_, Self>) -> ResponseHeaders {
        ResponseHeaders(slf.unbind())
    }

    /// The whole body; a file is read for it.
    ///
    /// Errors: ValueError for a stream, OSError where the file cannot be read.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let reading = self.lock().payload.reading();
        Ok(PyBytes::new(py, &reading.bytes(py)?))
    }

    /// The length of the body in bytes; None for a stream.
    fn content_length(&self) -> Option<u64> {
        self.lock().payload.length_bytes()
    }

    /// The media type of the body; None where there is none.
    fn content_type(&self) -> Option<String> {
        self.lock().head.content_type().map(text_of)
    }

    /// Sets a header field, in the place of all of its name.
    ///
    /// Errors: ValueError for what is no name or value, and for a field that is the server's own to set.
    fn set_header(&self, name: &str, value: &str) -> PyResult<()> {
        self.lock().head.set(own_name(name)?, field_value(name, value)?)
    }

    /// Adds a header field beside those of its name.
    ///
    /// Errors: as `set_header` has.
    fn append_header(&self, name: &str, value: &str) -> PyResult<()> {
        self.lock().head.append(own_name(name)?, field_value(name, value)?)
    }

    /// Removes a header field, all of its name.
    ///
    /// Errors: KeyError where it is not set.
    fn delete_header(&self, name: &str) -> PyResult<()> {
        let removed = self.lock().head.all().remove(name);
        removed.map(drop).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    /// Adds a cookie.
    ///
    /// Units: `max_age` in seconds, or a timedelta; `expires` an aware datetime, seconds since 1970, or a date of HTTP.
    /// Shape: `samesite` is "strict", "lax", "none" or None; `http_only` and `same_site` are other names.
    /// Errors: ValueError for what browsers would refuse: a name, value, domain or path that is none, "none" and
    /// `partitioned` without `secure`, a name with `__Host-` or `__Secure-` without what that promises.
    /// Source: RFC 6265bis §4.1.
    #[pyo3(signature = (
        name, value = "", max_age = None, path = Some("/"), domain = None, secure = false, httponly = false,
        samesite = Some("lax"), expires = None, partitioned = false, *, http_only = None, same_site = None
    ), text_signature = "(self, name, value='', max_age=None, path='/', domain=None, secure=False, httponly=False, \
        samesite='lax', expires=None, partitioned=False, *, http_only=None, same_site=None)")]
    #[expect(clippy::too_many_arguments, reason = "a cookie has as many attributes")]
    fn set_cookie(
        &self,
        name: &str,
        value: &str,
        max_age: Option<&Bound<'_, PyAny>>,
        path: Option<&str>,
        domain: Option<&str>,
        secure: bool,
        httponly: bool,
        samesite: Option<&str>,
        expires: Option<&Bound<'_, PyAny>>,
        partitioned: bool,
        http_only: Option<bool>,
        same_site: Option<&str>,
    ) -> PyResult<()> {
        self.add_cookie(&Cookie {
            name,
            value,
            max_age_s: max_age.map(|value| cookie::max_age_s(name, value)).transpose()?,
            expires: expires.map(|value| cookie::expires(name, value)).transpose()?,
            path,
            domain,
            secure,
            httponly: http_only.unwrap_or(httponly),
            samesite: same_site.or(samesite),
            partitioned,
        })
    }

    /// Has the client forget a cookie: `path`, `domain` and `partitioned` must be those it was set with.
    ///
    /// Errors: as `set_cookie` has.
    #[pyo3(signature = (
        name, path = Some("/"), domain = None, secure = false, httponly = false, samesite = Some("lax"),
        partitioned = false, *, http_only = None, same_site = None
    ), text_signature = "(self, name, path='/', domain=None, secure=False, httponly=False, samesite='lax', \
        partitioned=False, *, http_only=None, same_site=None)")]
    #[expect(clippy::too_many_arguments, reason = "a cookie has as many attributes")]
    fn delete_cookie(
        &self,
        name: &str,
        path: Option<&str>,
        domain: Option<&str>,
        secure: bool,
        httponly: bool,
        samesite: Option<&str>,
        partitioned: bool,
        http_only: Option<bool>,
        same_site: Option<&str>,
    ) -> PyResult<()> {
        self.add_cookie(&Cookie {
            name,
            value: "",
            max_age_s: Some(0),
            expires: Some(UNIX_EPOCH),
            path,
            domain,
            secure,
            httponly: http_only.unwrap_or(httponly),
            samesite: same_site.or(samesite),
            partitioned,
        })
    }

    fn __repr__(&self) -> String {
        let parts = self.lock();
        let status = parts.head.status.as_u16();
        match parts.payload.length_bytes() {
            Some(length) => format!("<Response {status}, {length} bytes>"),
            None => format!("<Response {status}, a stream>"),
        }
    }
}
