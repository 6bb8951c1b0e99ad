//! The identity of a request in logs and in error bodies.

use std::sync::OnceLock;

use uuid::Uuid;

/// A UUIDv7 (RFC 9562 §5.7), made when somebody first asks for it.
#[derive(Clone, Debug, Default)]
pub struct RequestId(OnceLock<Uuid>);

impl RequestId {
    /// The identifier; the same at every call.
    pub fn get(&self) -> Uuid {
        *self.0.get_or_init(Uuid::now_v7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_seven_and_stays_the_same() {
        let id = RequestId::default();
        assert_eq!(id.get().get_version_num(), 7);
        assert_eq!(id.get(), id.get());
        assert_ne!(id.get(), RequestId::default().get());
    }
}
