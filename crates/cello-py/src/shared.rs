//! What applications keep in the arena: counters, limits, and numbers by key. Nothing here is locked, or waits.

use cello_kernel::shared::{
    self, CellId, Cells, ExpiringMap, FixedWindow, Key, LimitError, MOST, Numbers, SlidingWindow, Step, TokenBucket,
};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rustix::time::{ClockId, clock_gettime};

use crate::arena::{Arena, refused};

const NS_PER_S: u64 = 1_000_000_000;

/// A counter of the cells: its name, labels and value.
type Counted = (String, Vec<(String, String)>, u64);

/// The clock that all processes of a machine read: `time.monotonic_ns()`'s.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * NS_PER_S + now.tv_nsec as u64
}

fn bad(error: LimitError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What a key is, text as UTF-8.
///
/// # Errors
/// TypeError for what is neither text nor bytes.
fn key_of(key: &Bound<'_, PyAny>, hash: impl Fn(&[u8]) -> Key) -> PyResult<Key> {
    if let Ok(text) = key.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(hash(text.as_bytes())),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(key.py()) => {
                let bytes = key.call_method1("encode", ("utf-8", "surrogatepass"))?;
                Ok(hash(bytes.cast::<PyBytes>()?.as_bytes()))
            }
            Err(error) => Err(error),
        };
    }
    match key.cast::<PyBytes>() {
        Ok(bytes) => Ok(hash(bytes.as_bytes())),
        Err(_) => Err(PyTypeError::new_err(format!("a key is a str or bytes, not {}", key.get_type().name()?))),
    }
}

/// The counters of a name, each with labels.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct SharedCells {
    cells: Cells,
}

#[pymethods]
impl SharedCells {
    /// Those of the arena, with room for so many bytes of names and labels.
    ///
    /// Errors: OSError where they are there with another room, or do not fit.
    #[new]
    fn new(arena: &Bound<'_, Arena>, name: &str, room_bytes: usize) -> PyResult<Self> {
        Ok(Self { cells: Cells::open(&arena.get().arena, name, room_bytes).map_err(refused)? })
    }

    /// The cell of a name and labels, and whether these have one of their own: labels without room share that of "other".
    /// None where there is no room for the name.
    fn cell(
        &self,
        name: &str,
        labels: Vec<(Bound<'_, PyString>, Bound<'_, PyString>)>,
    ) -> PyResult<Option<(SharedCell, bool)>> {
        let texts: Vec<_> =
            labels.iter().map(|(label, value)| (label.to_string_lossy(), value.to_string_lossy())).collect();
        let labels: Vec<_> = texts.iter().map(|(label, value)| (label.as_ref(), value.as_ref())).collect();
        let others: Vec<_> = labels.iter().map(|&(label, _)| (label, shared::OTHER)).collect();
        let (Ok(cell), Ok(other)) = (self.cells.register(name, &labels), self.cells.register(name, &others)) else {
            return Ok(None);
        };
        Ok(Some((SharedCell { cells: self.cells.clone(), cell }, cell != other || labels == others)))
    }

    /// All of them, in no order that means anything.
    fn readings(&self) -> Vec<Counted> {
        self.cells.list().into_iter().map(|cell| (cell.name, cell.labels, cell.value)).collect()
    }

    /// How many sets of labels have found no room; 1024 stands for that many or more.
    fn dropped(&self) -> usize {
        self.cells.dropped()
    }
}

/// What a counter adds.
struct Count(u64);

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(count: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match count.extract() {
            Ok(count) => Ok(Self(count)),
            Err(error) if error.is_instance_of::<PyTypeError>(count.py()) => Err(error),
            Err(_) => Err(PyValueError::new_err(format!("a counter adds 0 to 2^64 - 1, not {}", count.repr()?))),
        }
    }
}

/// One counter.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct SharedCell {
    cells: Cells,
    cell: CellId,
}

#[pymethods]
impl SharedCell {
    /// Add to it.
    ///
    /// Errors: ValueError for what is negative or over 64 bits.
    fn add(&self, count: Count) {
        self.cells.add(self.cell, count.0);
    }

    /// What all processes have added, modulo 2^64.
    fn read(&self) -> u64 {
        self.cells.read(self.cell)
    }
}

#[derive(Clone, Copy)]
enum Algorithm {
    TokenBucket(TokenBucket),
    FixedWindow(FixedWindow),
    SlidingWindow(SlidingWindow),
}

impl shared::Limit for Algorithm {
    fn most(&self) -> u64 {
        match self {
            Self::TokenBucket(limit) => limit.most(),
            Self::FixedWindow(limit) => limit.most(),
            Self::SlidingWindow(limit) => limit.most(),
        }
    }

    fn decide(&self, state: Option<u64>, now_ns: u64, cost: u64) -> Step<shared::Decision> {
        match self {
            Self::TokenBucket(limit) => limit.decide(state, now_ns, cost),
            Self::FixedWindow(limit) => limit.decide(state, now_ns, cost),
            Self::SlidingWindow(limit) => limit.decide(state, now_ns, cost),
        }
    }
}

/// How many requests a key has in a time.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct Limit {
    algorithm: Algorithm,
}

#[pymethods]
impl Limit {
    /// One of the three kinds: "token bucket", "fixed window", "sliding window".
    ///
    /// Errors: ValueError for another kind, and for a limit that cannot be kept.
    #[new]
    fn new(kind: &str, requests: u64, time_ns: u64) -> PyResult<Self> {
        let algorithm = match kind {
            "token bucket" => TokenBucket::new(requests, time_ns).map(Algorithm::TokenBucket),
            "fixed window" => FixedWindow::new(requests, time_ns).map(Algorithm::FixedWindow),
            "sliding window" => SlidingWindow::new(requests, time_ns).map(Algorithm::SlidingWindow),
            _ => return Err(PyValueError::new_err(format!("there is no limit of the kind {kind:?}"))),
        };
        Ok(Self { algorithm: algorithm.map_err(bad)? })
    }
}

/// What was decided of a request. It is true where the request is allowed.
#[pyclass(frozen, eq, get_all, module = "cello._kernel")]
#[derive(PartialEq)]
pub(crate) struct Decision {
    /// Whether it is within the limit, and was counted.
    allowed: bool,
    /// How many more would be allowed now.
    remaining: u64,
    /// After how many seconds one of this cost is allowed again, if no other comes first; 0.0 while that many remain.
    retry_after_s: f64,
    /// After how many seconds the key is as if it had never come, if nothing else does.
    reset_after_s: f64,
    /// Whether there was no room for the key, so that it was one with all others that found none.
    is_shared: bool,
}

#[pymethods]
impl Decision {
    #[new]
    #[pyo3(signature = (*, allowed, remaining, retry_after_s, reset_after_s, is_shared = false))]
    fn new(allowed: bool, remaining: u64, retry_after_s: f64, reset_after_s: f64, is_shared: bool) -> Self {
        Self { allowed, remaining, retry_after_s, reset_after_s, is_shared }
    }

    fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        let Self { allowed, remaining, retry_after_s, reset_after_s, is_shared } = self;
        let [allowed, is_shared] = [allowed, is_shared].map(|&truth| if truth { "True" } else { "False" });
        format!(
            "Decision(allowed={allowed}, remaining={remaining}, retry_after_s={retry_after_s:?}, \
             reset_after_s={reset_after_s:?}, is_shared={is_shared})"
        )
    }
}

/// For how many requests one counts.
struct Cost(u64);

impl<'py> FromPyObject<'_, 'py> for Cost {
    type Error = PyErr;

    fn extract(cost: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match cost.extract() {
            Ok(cost @ 1..) => Ok(Self(cost)),
            Err(error) if error.is_instance_of::<PyTypeError>(cost.py()) => Err(error),
            _ => Err(PyValueError::new_err(format!("a request costs 1 or more, not {}", cost.repr()?))),
        }
    }
}

/// A limit, and the state of its keys.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct SharedLimit {
    map: ExpiringMap,
    algorithm: Algorithm,
}

#[pymethods]
impl SharedLimit {
    /// That of the arena, with room for so many keys.
    ///
    /// Errors: OSError where it is there with another room, or does not fit.
    #[new]
    fn new(arena: &Bound<'_, Arena>, name: &str, keys: usize, limit: &Bound<'_, Limit>) -> PyResult<Self> {
        let map = ExpiringMap::open(&arena.get().arena, name, keys).map_err(refused)?;
        Ok(Self { map, algorithm: limit.get().algorithm })
    }

    /// Decide a request of a key that counts for `cost` of them, now unless another time is told, as time.monotonic_ns()
    /// has it.
    ///
    /// Errors: TypeError for a key that is neither str nor bytes; ValueError for a cost that is never allowed.
    #[pyo3(signature = (key, cost = Cost(1), now_ns = None), text_signature = "($self, key, cost=1, now_ns=None)")]
    fn decide(&self, key: &Bound<'_, PyAny>, cost: Cost, now_ns: Option<u64>) -> PyResult<Decision> {
        let key = key_of(key, |bytes| self.map.key(bytes))?;
        let (Cost(cost), most) = (cost, shared::Limit::most(&self.algorithm));
        if cost > most {
            return Err(PyValueError::new_err(format!("the limit never allows a cost of {cost}: {most} is the most")));
        }
        let updated = self.map.decide(&self.algorithm, key, now_ns.unwrap_or_else(self::now_ns), cost);
        let decision = updated.answer;
        Ok(Decision {
            allowed: decision.is_allowed,
            remaining: decision.remaining,
            retry_after_s: seconds(decision.retry_after_ns),
            reset_after_s: seconds(decision.reset_after_ns),
            is_shared: updated.is_shared,
        })
    }
}

fn seconds(time_ns: u64) -> f64 {
    time_ns as f64 / NS_PER_S as f64
}

/// A number of an expiring map.
struct Number(u32);

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    fn extract(number: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match number.extract() {
            Ok(number @ 0..=MOST) => Ok(Self(number)),
            Err(error) if error.is_instance_of::<PyTypeError>(number.py()) => Err(error),
            _ => Err(PyValueError::new_err(format!("a number of the map is 0 to {MOST}, not {}", number.repr()?))),
        }
    }
}

/// A number for each key, which expires.
#[pyclass(frozen, module = "cello._kernel")]
pub(crate) struct SharedNumbers {
    numbers: Numbers,
}

impl SharedNumbers {
    fn key(&self, key: &Bound<'_, PyAny>) -> PyResult<Key> {
        key_of(key, |bytes| self.numbers.key(bytes))
    }
}

#[pymethods]
impl SharedNumbers {
    /// Those of the arena, with room for so many keys; each lasts so long after it was last written.
    ///
    /// Errors: OSError where they are there with another room, or do not fit.
    #[new]
    fn new(arena: &Bound<'_, Arena>, name: &str, keys: usize, lifetime_ns: u64) -> PyResult<Self> {
        Ok(Self { numbers: Numbers::open(&arena.get().arena, name, keys, lifetime_ns).map_err(refused)? })
    }

    /// Whether numbers may last so long.
    ///
    /// Errors: ValueError where they may not.
    #[staticmethod]
    fn check_lifetime(lifetime_ns: u64) -> PyResult<()> {
        Numbers::check_lifetime(lifetime_ns).map_err(bad)
    }

    /// A key's number; None where it has none, or it has expired.
    #[pyo3(signature = (key, now_ns = None))]
    fn get(&self, key: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<Option<u32>> {
        Ok(self.numbers.get(self.key(key)?, now_ns.unwrap_or_else(self::now_ns)))
    }

    /// Add to a key's number, and give what it is then; None where the map is full.
    #[pyo3(signature = (key, count, now_ns = None))]
    fn add(&self, key: &Bound<'_, PyAny>, count: Number, now_ns: Option<u64>) -> PyResult<Option<u32>> {
        Ok(self.numbers.add(self.key(key)?, count.0, now_ns.unwrap_or_else(self::now_ns)).ok())
    }

    /// Write a key's number, or take it away, whatever it was; whether there was room for it.
    #[pyo3(signature = (key, number, now_ns = None))]
    fn set(&self, key: &Bound<'_, PyAny>, number: Option<Number>, now_ns: Option<u64>) -> PyResult<bool> {
        let number = number.map(|number| number.0);
        Ok(self.numbers.set(self.key(key)?, number, now_ns.unwrap_or_else(self::now_ns)).is_ok())
    }

    /// Write a key's number, or take it away, where it is `old`; whether it was, and None where the map is full.
    #[pyo3(signature = (key, old, new, now_ns = None))]
    fn replace(
        &self,
        key: &Bound<'_, PyAny>,
        old: Option<Number>,
        new: Option<Number>,
        now_ns: Option<u64>,
    ) -> PyResult<Option<bool>> {
        let [old, new] = [old, new].map(|number| number.map(|number| number.0));
        Ok(self.numbers.replace(self.key(key)?, old, new, now_ns.unwrap_or_else(self::now_ns)).ok())
    }
}
