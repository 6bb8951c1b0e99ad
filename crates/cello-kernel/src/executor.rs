//! What runs the server's tasks: a tokio runtime, or a loop of somebody else's that the server is a guest of.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::guest::{Guest, GuestTask};

/// Runs the tasks of a server.
#[derive(Clone, Debug)]
pub enum Executor {
    /// A runtime of one thread.
    Runtime(Handle),
    /// The turns of another loop.
    Guest(Arc<Guest>),
}

impl Executor {
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        match self {
            Self::Runtime(runtime) => Task::Runtime(runtime.spawn(future).abort_handle()),
            Self::Guest(guest) => Task::Guest(guest.spawn(Box::pin(future))),
        }
    }
}

/// A task that can be ended from outside.
#[derive(Debug)]
pub(crate) enum Task {
    Runtime(AbortHandle),
    Guest(Arc<GuestTask>),
}

impl Task {
    /// Ends the task where it waits. It is dropped later, by whatever runs it.
    pub(crate) fn abort(&self) {
        match self {
            Self::Runtime(task) => task.abort(),
            Self::Guest(task) => task.abort(),
        }
    }
}
