//! Routes asked which of them answers, and why, while nothing is served: for `cello routes` and `cello explain`.

use cello_kernel::{Found, RouteId, Router};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::server::add_route;

/// What of a route decides which requests come to it.
#[derive(FromPyObject)]
struct Written {
    method: String,
    path: String,
    constraints: Vec<(String, String)>,
}

/// Routes as a server has them, to be asked.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Routing(Router);

#[pymethods]
impl Routing {
    /// Errors: RouteError, as Server has.
    #[new]
    fn new(routes: Vec<Written>) -> PyResult<Self> {
        let mut router = Router::default();
        for (index, Written { method, path, constraints }) in routes.iter().enumerate() {
            add_route(&mut router, index, method, path, constraints)?;
        }
        Ok(Self(router))
    }

    /// The routes by number, the more exact of those that may match the same path before the others.
    fn order(&self) -> Vec<RouteId> {
        self.0.order()
    }

    /// The route that answers, and the value of `Allow` where none does for its method.
    ///
    /// Errors: ValueError for what is no method.
    fn find(&self, method: &str, path: &str) -> PyResult<(Option<RouteId>, Option<String>)> {
        let words = || PyValueError::new_err(format!("{method:?} is no HTTP method"));
        let method = method.parse().map_err(|_| words())?;
        Ok(match self.0.find(&method, path) {
            Found::Route(route, _) => (Some(route), None),
            Found::OtherMethods(allow) => (None, Some(String::from_utf8_lossy(allow.as_bytes()).into_owned())),
            Found::Nothing => (None, None),
        })
    }

    /// The routes whose paths match a raw path, in the order in which they are considered: number, values of the
    /// parameters, and which of these are not what they are constrained to be.
    fn candidates(&self, path: &str) -> Vec<(RouteId, Vec<String>, Vec<usize>)> {
        let candidates = self.0.candidates(path).into_iter();
        candidates.map(|candidate| (candidate.route, candidate.values, candidate.refused)).collect()
    }
}
