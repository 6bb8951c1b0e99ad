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

    /// The response, whose fields go into `map` where the answer has none of its own.
    pub(crate) fn into_response(self, map: HeaderMap) -> Response<Content> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let nothing = std::mem::replace(response.headers_mut(), self.fields.map_or(map, |fields| *fields));
        std::mem::forget(nothing); // it has no memory: to find that out is not free
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        }
        if let Some(phrase) = renamed(self.status) {
            response.extensions_mut().insert(ReasonPhrase::from_static(phrase.as_bytes()));
        }
        response
    }
}
