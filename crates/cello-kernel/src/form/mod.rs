//! Forms: the parts of a `multipart/form-data` body, and the pairs of a urlencoded one, collected.

mod collector;
mod error;
mod limits;
mod media_type;
mod part;
mod pieces;
mod spill;

use bytes::Bytes;

pub use collector::Collector;
pub use error::FormError;
pub use limits::FormLimits;
pub use part::{Part, PartContent};
pub use pieces::Pieces;

use crate::multipart::Boundary;

/// How a body writes a form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FormEncoding {
    /// `multipart/form-data`.
    Multipart(Boundary),
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
}

impl FormEncoding {
    /// The encoding that a `Content-Type` names; `None` where it is no form.
    ///
    /// # Errors
    /// Malformed where it is `multipart/form-data` without a boundary that can be one.
    pub fn of(content_type: &str) -> Result<Option<Self>, FormError> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Some(Self::UrlEncoded));
        }
        Ok(Boundary::of(content_type)?.map(Self::Multipart))
    }
}

/// A form, its parts in the order they were sent.
#[derive(Debug, Default)]
pub struct Form {
    /// Fields and files.
    pub parts: Vec<Part>,
}

impl Form {
    /// Reads a whole body; what is large goes to temporary files, written on this thread.
    ///
    /// # Errors
    /// Malformed, too large, or a temporary file that cannot be written.
    pub fn parse(encoding: &FormEncoding, body: Bytes, limits: &FormLimits) -> Result<Self, FormError> {
        match encoding {
            FormEncoding::UrlEncoded => Self::from_urlencoded(&body, limits),
            FormEncoding::Multipart(boundary) => {
                let mut collector = Collector::new(boundary, limits);
                collector.receive_in_place(body)?;
                collector.finish()
            }
        }
    }

    /// Reads the pairs of an `application/x-www-form-urlencoded` body. What is no UTF-8 is replaced.
    ///
    /// # Errors
    /// Too large where there are more pairs than a form may have parts.
    ///
    /// Source: the URL standard, "application/x-www-form-urlencoded parsing".
    pub fn from_urlencoded(body: &[u8], limits: &FormLimits) -> Result<Self, FormError> {
        let mut parts = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            if parts.len() == limits.parts {
                return Err(FormError::TooLarge(format!("the form has more than {} fields", limits.parts)));
            }
            parts.push(Part::field(name.into_owned(), None, Bytes::from(value.into_owned()).into()));
        }
        Ok(Self { parts })
    }

    /// Bytes of memory that the parts hold, those on disk left out.
    pub fn held_bytes(&self) -> usize {
        self.parts.iter().map(Part::held_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(body: &[u8]) -> Vec<(String, String)> {
        let form = Form::from_urlencoded(body, &FormLimits::default()).expect("a form");
        form.parts.into_iter().map(|part| (part.name.clone(), part.text().into_owned())).collect()
    }

    #[test]
    fn a_urlencoded_body_is_read_as_the_url_standard_says() {
        let found = pairs(b"a=1&a=2&&b+c=%C3%BC%2B+&d&=e&%ff=%zz");
        let expected = [("a", "1"), ("a", "2"), ("b c", "ü+ "), ("d", ""), ("", "e"), ("\u{fffd}", "%zz")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs(b""), []);
    }

    #[test]
    fn a_urlencoded_body_has_only_so_many_pairs() {
        let limits = FormLimits { parts: 2, ..FormLimits::default() };
        assert!(Form::from_urlencoded(b"a&b&&", &limits).is_ok());
        assert!(matches!(Form::from_urlencoded(b"a&b&c", &limits), Err(FormError::TooLarge(_))));
    }

    #[test]
    fn the_content_type_names_the_encoding() {
        let encoding = |content_type| FormEncoding::of(content_type).expect("a content type");
        assert_eq!(encoding("Application/X-WWW-Form-Urlencoded; charset=utf-8"), Some(FormEncoding::UrlEncoded));
        assert!(matches!(encoding("multipart/form-data; boundary=a"), Some(FormEncoding::Multipart(_))));
        assert_eq!(encoding("application/json"), None);
        assert!(FormEncoding::of("multipart/form-data").is_err());
    }
}
