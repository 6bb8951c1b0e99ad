//! What a request knows beyond what was sent: who serves it, and which proxies stand between it and the client.

use std::sync::Arc;

use cello_kernel::{Exchange, Origin, RouteId};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::{Request, TrustedProxies};
use crate::dispatch::Handlers;

/// Who serves a request.
pub(super) enum Server {
    Running(Arc<Handlers>),
    /// Nobody: the request is made by hand.
    None(Box<Surroundings>),
}

/// What a request that is made by hand is given in place of a server.
pub(super) struct Surroundings {
    app: Option<Py<PyAny>>,
    proxies: Option<Arc<cello_kernel::TrustedProxies>>,
}

impl Server {
    /// No server, but perhaps an application, and the proxies that it trusts.
    pub(super) fn none(py: Python<'_>, app: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let proxies = match &app {
            Some(app) => app.getattr_opt(intern!(py, "_trusted_proxies"))?,
            None => None,
        };
        let proxies = proxies.and_then(|proxies| Some(proxies.cast::<TrustedProxies>().ok()?.get().shared()));
        Ok(Self::None(Box::new(Surroundings { app: app.map(Bound::unbind), proxies })))
    }

    pub(super) fn handlers(&self) -> Option<Arc<Handlers>> {
        match self {
            Self::Running(handlers) => Some(handlers.clone()),
            Self::None(_) => None,
        }
    }

    pub(super) fn app(&self, py: Python<'_>, exchange: &Exchange) -> Option<Py<PyAny>> {
        match self {
            Self::Running(handlers) => Some(handlers.app(py, exchange)),
            Self::None(surroundings) => surroundings.app.as_ref().map(|app| app.clone_ref(py)),
        }
    }

    pub(super) fn endpoint(&self, py: Python<'_>, exchange: &Exchange) -> Option<Py<PyAny>> {
        match self {
            Self::Running(handlers) => Some(handlers.endpoint(py, exchange)),
            Self::None(_) => None,
        }
    }

    /// The path of a route, as it was registered.
    pub(super) fn path(&self, route: RouteId) -> Option<&Py<PyString>> {
        match self {
            Self::Running(handlers) => handlers.plans.get(route)?.path.as_ref(),
            Self::None(_) => None,
        }
    }

    /// The names of the parameters of a route's path.
    pub(super) fn names(&self, route: RouteId) -> &[Py<PyString>] {
        match self {
            Self::Running(handlers) => handlers.names(route),
            Self::None(_) => &[],
        }
    }

    /// Host and port that are listened on; None where nothing listens.
    pub(super) fn address<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        match self {
            Self::Running(handlers) => handlers.address.as_ref().map(|address| address.bind(py).clone()),
            Self::None(_) => None,
        }
    }

    fn proxies(&self) -> Option<&cello_kernel::TrustedProxies> {
        match self {
            Self::Running(handlers) => handlers.proxies.as_deref(),
            Self::None(surroundings) => surroundings.proxies.as_deref(),
        }
    }
}

impl Request {
    /// What trusted proxies tell of the request; None where there is none between, or none that is trusted.
    pub(super) fn origin(&self) -> Option<&Origin> {
        let proxies = self.server.proxies()?;
        self.made().origin.get_or_init(|| proxies.told(&self.exchange)).as_ref()
    }

    pub(super) fn is_through_proxy(&self) -> bool {
        self.server.proxies().is_some_and(|proxies| proxies.trusts_peer(&self.exchange))
    }

    pub(super) fn is_over_tls(&self) -> bool {
        self.origin().map_or(self.exchange.is_secure, |origin| origin.is_secure)
    }

    pub(super) fn host_name(&self) -> Option<&str> {
        match self.origin() {
            Some(origin) => origin.host.as_deref(),
            None => cello_kernel::host(&self.exchange.head),
        }
    }
}
