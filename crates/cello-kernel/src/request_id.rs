//! The identity of a request in logs and in error bodies.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// The most characters that one may have.
const MOST_CHARACTERS: usize = 128;

/// A UUIDv7 (RFC 9562 §5.7), made when somebody first asks for it, or what the application gave in its place.
///
/// It is visible ASCII without quotes and backslashes: nothing of it is escaped in a header field, in JSON or in a line of
/// a log.
#[derive(Debug, Default)]
pub struct RequestId(Mutex<Option<Identity>>);

#[derive(Clone, Debug)]
enum Identity {
    Made(Uuid),
    Given(Arc<str>),
}

impl RequestId {
    /// Puts a text in place of what it was; the last one counts.
    ///
    /// # Errors
    /// The words say what of the text cannot be: it has 1 to 128 characters of visible ASCII, none of them a quote or a
    /// backslash.
    pub fn set(&self, text: &str) -> Result<(), String> {
        let count = text.chars().count();
        if !(1..=MOST_CHARACTERS).contains(&count) {
            return Err(format!("a request id has 1 to {MOST_CHARACTERS} characters, this has {count}"));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if let Some((place, odd)) = text.chars().enumerate().find(|(_, c)| !is_plain(*c)) {
            return Err(format!(
                "a request id is visible ASCII without quotes and backslashes, this has {odd:?} at index {place}"
            ));
        }
        let before = self.lock().replace(Identity::Given(text.into()));
        drop(before);
        Ok(())
    }

    fn get(&self) -> Identity {
        self.lock().get_or_insert_with(|| Identity::Made(Uuid::now_v7())).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Identity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for RequestId {
    /// Writes the identifier; the same at every call, until another is given.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Identity::Made(uuid) => uuid.fmt(formatter),
            Identity::Given(text) => text.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_seven_and_stays_the_same() {
        let id = RequestId::default();
        let uuid = Uuid::parse_str(&id.to_string()).expect("a UUID");
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(id.to_string(), uuid.to_string());
        assert_ne!(id.to_string(), RequestId::default().to_string());
    }

    #[test]
    fn the_last_one_that_was_given_counts() {
        let id = RequestId::default();
        let made = id.to_string();
        for text in ["a", "00-4bf92f3577b34da6-01", &"x".repeat(128), "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"] {
            id.set(text).expect("an id");
            assert_eq!(id.to_string(), text);
        }
        assert_ne!(id.to_string(), made);
    }

    #[test]
    fn what_would_have_to_be_escaped_is_refused_and_changes_nothing() {
        let id = RequestId::default();
        id.set("before").expect("an id");
        for (text, words) in [
            ("", "1 to 128 characters, this has 0"),
            (&*"é".repeat(129), "1 to 128 characters, this has 129"),
            ("a b", "this has ' ' at index 1"),
            ("\"", "this has '\"' at index 0"),
            ("a\\", "this has '\\\\' at index 1"),
            ("a\r\nb", "this has '\\r' at index 1"),
            ("\u{7f}", "this has '\\u{7f}' at index 0"),
            ("éa", "this has 'é' at index 0"),
        ] {
            let error = id.set(text).expect_err("no id");
            assert!(error.ends_with(words), "{error}");
        }
        assert_eq!(id.to_string(), "before");
    }
}
