//! The boundary between the parts of a body, from its `Content-Type`.

use super::parameters;
use crate::form::FormError;

/// The longest boundary there may be (RFC 2046 §5.1.1).
const MAX_BYTES: usize = 70;

/// What stands between the parts of one `multipart/form-data` body, without the two dashes before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary that a `Content-Type` names; `None` where it is another type than `multipart/form-data`.
    ///
    /// More characters are taken than RFC 2046 has for it, all that ASCII can print, since clients use them.
    ///
    /// # Errors
    /// Malformed where the boundary is missing, given twice, empty, longer than 70 bytes, or has other characters.
    pub fn of(content_type: &str) -> Result<Option<Self>, FormError> {
        let (media_type, parameters) = parameters::split(content_type);
        if !media_type.eq_ignore_ascii_case("multipart/form-data") {
            return Ok(None);
        }
        let mut boundary = None;
        for parameter in parameters {
            let (name, value) = parameter.map_err(|detail| malformed(&format!("has {detail}")))?;
            if name.eq_ignore_ascii_case("boundary") && boundary.replace(value).is_some() {
                return Err(malformed("has two boundaries"));
            }
        }
        match boundary {
            None => Err(malformed("has no boundary parameter")),
            Some(value) if value.is_empty() => Err(malformed("has an empty boundary")),
            Some(value) if value.len() > MAX_BYTES => Err(malformed("has a boundary of more than 70 bytes")),
            Some(value) if value.ends_with(' ') || !value.bytes().all(|byte| matches!(byte, 0x20..0x7f)) => {
                Err(malformed("has a boundary with a character it cannot have"))
            }
            Some(value) => Ok(Some(Self(value.into_owned()))),
        }
    }

    /// The boundary itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn malformed(detail: &str) -> FormError {
    FormError::Malformed(format!("the Content-Type of the form {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(content_type: &str) -> Option<String> {
        Boundary::of(content_type).expect("a content type").map(|boundary| boundary.0)
    }

    #[test]
    fn a_boundary_is_a_token_or_a_quoted_string() {
        assert_eq!(boundary("multipart/form-data; boundary=XbX").as_deref(), Some("XbX"));
        assert_eq!(boundary("Multipart/Form-Data;charset=utf-8 ;BOUNDARY=\"XbX\" ;").as_deref(), Some("XbX"));
        let odd = "multipart/form-data; boundary=\"a'()+_,-./:=?\"";
        assert_eq!(boundary(odd).as_deref(), Some("a'()+_,-./:=?"));
        assert_eq!(boundary("multipart/form-data; boundary=----=_Part_1.2").as_deref(), Some("----=_Part_1.2"));
        assert_eq!(boundary("multipart/form-data; boundary=*****").as_deref(), Some("*****"));
    }

    #[test]
    fn another_type_has_no_boundary_and_its_parameters_are_not_read() {
        assert_eq!(boundary("application/json"), None);
        assert_eq!(boundary("multipart/mixed; boundary=a"), None);
        assert_eq!(boundary("application/x-www-form-urlencoded; !=\"\\\\\\"), None);
        assert_eq!(boundary(""), None);
    }

    #[test]
    fn a_boundary_is_there_once_and_has_1_to_70_printable_bytes() {
        let long = format!("; boundary={}", "a".repeat(71));
        let wrong = ["", "; boundary", "; boundary=", "; boundary=\"\"", "; boundary=\"a", &long, "; boundary=\"a \""];
        for parameters in wrong.into_iter().chain(["; boundary=ü", "; boundary=a; boundary=a", "; boundary=\"a\"b"]) {
            let content_type = format!("multipart/form-data{parameters}");
            assert!(matches!(Boundary::of(&content_type), Err(FormError::Malformed(_))), "{parameters}");
        }
        assert!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(70))).is_some());
    }
}
