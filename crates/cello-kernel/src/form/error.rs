//! Why a form was not taken.

use std::borrow::Cow;
use std::{fmt, io};

use http::StatusCode;

/// Why a form was not taken.
#[derive(Debug)]
pub enum FormError {
    /// The client's fault: what is wrong, and at which byte of the body. 400.
    Malformed(String),
    /// More than a limit allows: which. 413.
    TooLarge(String),
    /// The server's fault: a part could not be kept in a temporary file. 507 where there is no room, else 500.
    Storage(io::Error),
}

impl FormError {
    pub(crate) fn malformed(detail: &str, at: u64) -> Self {
        Self::Malformed(format!("{detail}, at byte {at}"))
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Storage(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// What the client may know: nothing of the server's disks.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Malformed(detail) => format!("The form cannot be read: {detail}.").into(),
            Self::TooLarge(detail) => format!("The form is refused: {detail}.").into(),
            Self::Storage(_) => "The server could not store what was uploaded.".into(),
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) | Self::TooLarge(detail) => f.write_str(detail),
            Self::Storage(error) => write!(f, "an uploaded file could not be kept in a temporary file: {error}"),
        }
    }
}

impl std::error::Error for FormError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
