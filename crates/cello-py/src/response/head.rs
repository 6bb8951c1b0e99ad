//! The head of a response: status and header fields, no map of which is made until it is needed.

use cello_kernel::{Answer, Content};
use http::StatusCode;
use http::header::{CONTENT_TYPE, Entry, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::field::{field_value, fields, too_many};

/// Status and header fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// The media type, where `fields` do not tell it.
    pub(super) content_type: Option<&'static HeaderValue>,
    pub(super) fields: Option<Box<HeaderMap>>,
    /// Nothing is added to the fields: where they tell no content type, there is none.
    pub(super) is_final: bool,
}

impl Head {
    /// A head with the status 200.
    pub(super) fn of_type(content_type: &'static HeaderValue) -> Self {
        Self { content_type: Some(content_type), ..Self::default() }
    }

    /// Sets a field that has only one value.
    pub(super) fn set(&mut self, name: HeaderName, value: HeaderValue) -> PyResult<()> {
        if name == CONTENT_TYPE {
            self.content_type = None;
        }
        self.fields.get_or_insert_default().try_insert(name, value).map(drop).map_err(too_many)
    }

    /// Adds a field beside those of its name; of content types there is only one.
    pub(super) fn append(&mut self, name: HeaderName, value: HeaderValue) -> PyResult<()> {
        if name == CONTENT_TYPE {
            return self.set(name, value);
        }
        self.fields.get_or_insert_default().try_append(name, value).map(drop).map_err(too_many)
    }

    /// Sets the content type, where one is given.
    pub(super) fn set_content_type(&mut self, given: Option<&str>) -> PyResult<()> {
        given.map_or(Ok(()), |given| self.set(CONTENT_TYPE, field_value("content-type", given)?))
    }

    /// Sets fields: those given go in the place of all of their names, but cookies are added.
    pub(super) fn apply(&mut self, given: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        given.map_or(Ok(()), |given| self.put(fields(given)?))
    }

    /// Sets fields that were read, as `apply` does.
    pub(super) fn put(&mut self, fields: HeaderMap) -> PyResult<()> {
        let mut current = None;
        for (next, value) in fields {
            // A map names a field once, and gives its further values without a name.
            let is_first = next.is_some();
            current = next.or(current);
            let Some(name) = &current else { continue };
            if is_first && name != SET_COOKIE {
                self.set(name.clone(), value)?;
            } else {
                self.append(name.clone(), value)?;
            }
        }
        Ok(())
    }

    /// The fields, content type included.
    pub(super) fn all(&mut self) -> &mut HeaderMap {
        let fields = self.fields.get_or_insert_default();
        if let Some(content_type) = self.content_type.take()
            && let Ok(Entry::Vacant(place)) = fields.try_entry(CONTENT_TYPE)
        {
            place.insert(content_type.clone());
        }
        fields
    }

    pub(super) fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.or_else(|| self.fields.as_ref()?.get(CONTENT_TYPE))
    }

    /// Sets the status; some have no body.
    pub(super) fn set_status(&mut self, status: StatusCode, has_body: bool) -> PyResult<()> {
        if is_bodiless(status) {
            if has_body {
                return Err(PyValueError::new_err(format!(
                    "a response with the status {} has no body (RFC 9110 §15): leave the body out, or take another \
                     status",
                    status.as_u16()
                )));
            }
            self.content_type = None;
        }
        self.status = status;
        Ok(())
    }

    pub(super) fn into_answer(self, body: Content) -> Answer {
        Answer { status: self.status, content_type: self.content_type, fields: self.fields, body }
    }
}

/// Whether responses with a status have no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The status that a number says.
pub(super) fn status(number: i64) -> PyResult<StatusCode> {
    u16::try_from(number)
        .ok()
        .and_then(|number| StatusCode::from_u16(number).ok())
        .filter(|status| !status.is_informational())
        .ok_or_else(|| PyValueError::new_err(format!("{number} is no status of a response: use 200 to 999")))
}
