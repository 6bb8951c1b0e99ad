//! An executor inside a loop of somebody else's: tasks are polled in turns that the loop is asked for.
//!
//! One table owns the futures, and wakers know places in it. So a future is dropped in a turn, or by
//! [`Guest::close`], whichever thread had the last waker.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake};

use slab::Slab;

use crate::complaint::complain;
use crate::service::panic_words;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of a server that is a guest of another loop.
pub struct Guest {
    /// Asks the loop for a turn, from any thread and without waiting.
    ask: Box<dyn Fn() + Send + Sync>,
    /// A turn was asked for, or is under way.
    is_asked: AtomicBool,
    tasks: Mutex<Tasks>,
    woken: Mutex<VecDeque<Arc<GuestTask>>>,
}

#[derive(Default)]
struct Tasks {
    slots: Slab<Slot>,
    is_closed: bool,
}

struct Slot {
    task: Arc<GuestTask>,
    /// None while it is polled.
    future: Option<Job>,
    /// A turn within a turn, as loops that can be nested have, found it woken and being polled.
    is_due: bool,
}

/// A task's place, and what wakes it.
#[derive(Debug)]
pub struct GuestTask {
    guest: Weak<Guest>,
    place: usize,
    is_woken: AtomicBool,
    is_aborted: AtomicBool,
}

impl GuestTask {
    /// Has the next turn drop the task.
    pub(crate) fn abort(self: &Arc<Self>) {
        self.is_aborted.store(true, Ordering::Relaxed);
        self.wake_by_ref();
    }
}

impl Wake for GuestTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::SeqCst)
            && let Some(guest) = self.guest.upgrade()
        {
            guest.lock_woken().push_back(self.clone());
            guest.ask();
        }
    }
}

impl Guest {
    /// An executor that calls `ask` when it has something to do: the loop is to call [`Guest::turn`] soon.
    pub fn new(ask: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let (is_asked, tasks, woken) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        Arc::new(Self { ask: Box::new(ask), is_asked, tasks, woken })
    }

    /// Asks for a turn, unless one was asked for, or is under way.
    pub fn ask(&self) {
        if !self.is_asked.swap(true, Ordering::SeqCst) {
            (self.ask)();
        }
    }

    /// Polls the tasks that are woken by now, and tells whether there were any. It is to be called on one thread.
    pub fn turn(self: &Arc<Self>) -> bool {
        let woken = std::mem::take(&mut *self.lock_woken());
        let had_any = !woken.is_empty();
        woken.iter().for_each(|task| self.poll(task));
        had_any
    }

    /// Ends a turn; where tasks are woken, or `has_more` says so, it asks for another.
    pub fn rest(&self, has_more: impl FnOnce() -> bool) {
        self.is_asked.store(false, Ordering::SeqCst);
        let is_woken = !self.lock_woken().is_empty();
        if is_woken || has_more() {
            self.ask();
        }
    }

    /// Drops every task, and each that is still to come.
    pub fn close(&self) {
        let slots = {
            let mut tasks = self.lock_tasks();
            tasks.is_closed = true;
            std::mem::take(&mut tasks.slots)
        };
        drop(slots);
        let woken = std::mem::take(&mut *self.lock_woken());
        drop(woken);
    }

    pub(crate) fn spawn(self: &Arc<Self>, future: Job) -> Arc<GuestTask> {
        let mut tasks = self.lock_tasks();
        let is_closed = tasks.is_closed;
        let entry = tasks.slots.vacant_entry();
        let task = Arc::new(GuestTask {
            guest: Arc::downgrade(self),
            place: entry.key(),
            is_woken: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
        });
        if is_closed {
            drop(tasks);
            drop(future);
            return task;
        }
        entry.insert(Slot { task: task.clone(), future: Some(future), is_due: false });
        drop(tasks);
        task.wake_by_ref();
        task
    }

    fn poll(&self, task: &Arc<GuestTask>) {
        task.is_woken.store(false, Ordering::SeqCst);
        let mut tasks = self.lock_tasks();
        let Some(slot) = self.slot(&mut tasks, task) else { return };
        let Some(mut future) = slot.future.take() else {
            slot.is_due = true;
            return;
        };
        drop(tasks);
        if !task.is_aborted.load(Ordering::Relaxed) {
            let waker = task.clone().into();
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
            match polled {
                Ok(Poll::Pending) => {
                    let mut tasks = self.lock_tasks();
                    if let Some(slot) = self.slot(&mut tasks, task) {
                        slot.future = Some(future);
                        let is_due = std::mem::take(&mut slot.is_due);
                        drop(tasks);
                        if is_due {
                            task.wake_by_ref();
                        }
                        return;
                    }
                    drop(tasks); // closed meanwhile
                }
                Ok(Poll::Ready(())) => {}
                Err(panic) => complain(format_args!("panic in a native task: {}", panic_words(&*panic))),
            }
        }
        drop(future);
        let mut tasks = self.lock_tasks();
        let slot = self.slot(&mut tasks, task).is_some().then(|| tasks.slots.remove(task.place));
        drop(tasks);
        drop(slot);
    }

    /// The task's slot, if it is still the task's.
    fn slot<'a>(&self, tasks: &'a mut Tasks, task: &Arc<GuestTask>) -> Option<&'a mut Slot> {
        tasks.slots.get_mut(task.place).filter(|slot| Arc::ptr_eq(&slot.task, task))
    }

    fn lock_tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_woken(&self) -> MutexGuard<'_, VecDeque<Arc<GuestTask>>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("is_asked", &self.is_asked).finish_non_exhaustive()
    }
}

/// The loop is asked for a turn.
impl Wake for Guest {
    fn wake(self: Arc<Self>) {
        self.ask();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::oneshot;

    fn guest() -> (Arc<Guest>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        (Guest::new(move || _ = counted.fetch_add(1, Ordering::SeqCst)), asked)
    }

    fn turn(guest: &Arc<Guest>) -> bool {
        let had_any = guest.turn();
        guest.rest(|| false);
        had_any
    }

    #[test]
    fn a_turn_is_asked_for_once_however_often_something_is_woken() {
        let (guest, asked) = guest();
        let (sender, receiver) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        guest.spawn(Box::pin(async move { drop(receiver.await.map(|()| done.send(7))) }));
        guest.spawn(Box::pin(async {}));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(turn(&guest));
        sender.send(()).expect("a task that waits");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(turn(&guest));
        assert_eq!(is_done.blocking_recv(), Ok(7));
        assert!(!turn(&guest));
        assert!(guest.lock_tasks().slots.is_empty());
    }

    #[test]
    fn what_is_woken_in_a_turn_has_the_next_one() {
        let (guest, asked) = guest();
        guest.spawn(Box::pin(tokio::task::yield_now()));
        turn(&guest);
        turn(&guest);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(guest.lock_tasks().slots.is_empty());
    }

    #[test]
    fn a_task_that_is_aborted_is_dropped_in_a_turn_and_one_that_panics_ends_alone() {
        let (guest, _) = guest();
        let (held, is_dropped) = oneshot::channel::<()>();
        let task = guest.spawn(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(held);
        }));
        guest.spawn(Box::pin(async { panic!("as the test wants it") }));
        turn(&guest);
        task.abort();
        assert_eq!(guest.lock_tasks().slots.len(), 1);
        turn(&guest);
        assert!(is_dropped.blocking_recv().is_err());
        assert!(guest.lock_tasks().slots.is_empty());
    }

    #[test]
    fn what_is_woken_in_a_turn_within_its_turn_is_polled_again() {
        let (guest, _) = guest();
        let (inner, mut polls) = (guest.clone(), 0);
        guest.spawn(Box::pin(std::future::poll_fn(move |context| {
            polls += 1;
            if polls == 1 {
                context.waker().wake_by_ref();
                inner.turn();
                return Poll::Pending;
            }
            Poll::Ready(())
        })));
        turn(&guest);
        turn(&guest);
        assert!(guest.lock_tasks().slots.is_empty());
    }

    #[test]
    fn closing_drops_every_task_and_those_that_come_later() {
        let (guest, _) = guest();
        for _ in 0..2 {
            let (held, is_dropped) = oneshot::channel::<()>();
            guest.spawn(Box::pin(async move {
                std::future::pending::<()>().await;
                drop(held);
            }));
            guest.close();
            assert!(is_dropped.blocking_recv().is_err());
        }
    }
}
