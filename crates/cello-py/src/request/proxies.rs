//! The proxies that an application trusts, checked when it names them.

use std::sync::Arc;

use cello_kernel::ForwardedBy;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Proxies whose word is taken for who the client is.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct TrustedProxies(Arc<cello_kernel::TrustedProxies>);

impl TrustedProxies {
    pub(crate) fn shared(&self) -> Arc<cello_kernel::TrustedProxies> {
        self.0.clone()
    }
}

#[pymethods]
impl TrustedProxies {
    /// Trust addresses, networks such as "10.0.0.0/8", and with "unix" whoever connects over a Unix socket.
    ///
    /// Shape: `fields` are those they write; None takes "x-forwarded" where one of these is there, else "forwarded".
    /// Errors: ValueError that names the entry and says why it is none, or for another word for the fields.
    #[new]
    fn new(entries: Vec<String>, trust_x_real_ip: bool, fields: Option<&str>) -> PyResult<Self> {
        let mut proxies = cello_kernel::TrustedProxies::default();
        proxies.has_real_ip = trust_x_real_ip;
        for (index, entry) in entries.iter().enumerate() {
            proxies.add(entry).map_err(|reason| {
                PyValueError::new_err(format!(
                    "entry {index} of the trusted proxies is {entry:?}: {reason}. Give an address, a network such as \
                     10.0.0.0/8, or unix"
                ))
            })?;
        }
        proxies.forwarded_by = match fields {
            None => ForwardedBy::Either,
            Some("x-forwarded") => ForwardedBy::XForwarded,
            Some("forwarded") => ForwardedBy::Forwarded,
            Some(other) => {
                return Err(PyValueError::new_err(format!(
                    "there are no fields {other:?} of proxies: use \"x-forwarded\" or \"forwarded\""
                )));
            }
        };
        Ok(Self(Arc::new(proxies)))
    }
}
