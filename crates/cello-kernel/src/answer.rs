//! What the application says to a request.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use crate::content::Content;
use crate::problem::renamed;

/// A response while it is passed on: small, since its header map is made by the last that has it.
#[derive(Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The media type of the body, where `fields` do not tell it.
    pub content_type: Option<&'static HeaderValue>,
    /// All other header fields.
    pub fields: Option<Box<HeaderMap>>,
    /// The body.
    pub body: Content,
}

impl Answer {
    pub(crate) fn fields_mut(&mut self) -> &mut HeaderMap {
        self.fields.get_or_insert_default()
    }
}

impl From<Answer> for Response<Content> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        if let Some(fields) = answer.fields {
            *response.headers_mut() = *fields;
        }
        if let Some(content_type) = answer.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        }
        if let Some(phrase) = renamed(answer.status) {
            response.extensions_mut().insert(ReasonPhrase::from_static(phrase.as_bytes()));
        }
        response
    }
}
