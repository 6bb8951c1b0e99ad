//! What a request has its task do when it has been answered.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cello_kernel::Answer;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use crate::dispatch::{Handlers, Job};

/// Functions to be called, in the order they were given.
#[derive(Default)]
pub(crate) struct Later {
    has_any: AtomicBool,
    /// Somebody waits for the end of the answer, though nothing may be left to be called.
    is_followed: AtomicBool,
    /// There will be no answer, or nobody takes it.
    is_given_up: AtomicBool,
    lists: Mutex<Lists>,
    /// Of the answer, once it is on its way and somebody is to know of its end.
    sent: Mutex<Option<Arc<AtomicBool>>>,
}

/// What is to be called, and in what order, is the business of `on_end`.
#[derive(Default)]
pub(crate) struct Lists {
    /// `(exception or None) -> awaitable or None`
    pub(crate) endings: Vec<Py<PyAny>>,
    /// `() -> awaitable or None`
    pub(crate) background: Vec<Py<PyAny>>,
}

impl Later {
    pub(crate) fn add_ending(&self, function: Py<PyAny>) {
        self.lock().endings.push(function);
        self.has_any.store(true, Relaxed);
    }

    pub(crate) fn add_background(&self, function: Py<PyAny>) {
        self.lock().background.push(function);
        self.has_any.store(true, Relaxed);
    }

    pub(crate) fn has_any(&self) -> bool {
        self.has_any.load(Relaxed)
    }

    pub(crate) fn follow(&self) {
        self.is_followed.store(true, Relaxed);
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.is_followed.load(Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.is_given_up.store(true, Relaxed);
    }

    /// The request's task is over: what it has not answered it will not answer.
    pub(crate) fn finish(&self) {
        if self.lock_sent().is_none() {
            self.give_up();
        }
    }

    /// What was given since it was last asked for.
    pub(crate) fn take(&self) -> Lists {
        self.has_any.store(false, Relaxed);
        std::mem::take(&mut *self.lock())
    }

    /// The answer, which is known to be sent once the connection has taken the last of it.
    pub(crate) fn watch(&self, answer: Answer, handlers: &Arc<Handlers>, ticket: u64) -> Answer {
        let is_sent = Arc::new(AtomicBool::new(false));
        *self.lock_sent() = Some(is_sent.clone());
        let handlers = handlers.clone();
        let body = answer.body.then(move || {
            is_sent.store(true, Relaxed);
            handlers.shared.push_job(Job::Wake { handlers: handlers.clone(), ticket });
        });
        Answer { body, ..answer }
    }

    /// Whether nothing of the answer is still on its way, nor will be if it is followed.
    pub(crate) fn is_sent(&self) -> bool {
        if self.is_given_up.load(Relaxed) {
            return true;
        }
        self.lock_sent().as_ref().map_or(!self.is_followed(), |is_sent| is_sent.load(Relaxed))
    }

    fn lock_sent(&self) -> MutexGuard<'_, Option<Arc<AtomicBool>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(lists) = self.lists.try_lock() else { return Ok(()) };
        lists.endings.iter().chain(&lists.background).try_for_each(|function| visit.call(function))
    }
}
