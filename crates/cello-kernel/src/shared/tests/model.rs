//! A checker for the tests: it runs small processes in every order in which their steps can come, and kills them.
//!
//! Each use of a [`Word`](super::super::word::Word) that others may change is a step. What runs is the code that ships.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a process may be interrupted by.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How often one process is stopped in favour of another before it has ended.
    pub(crate) switches: usize,
    /// How many processes are killed.
    pub(crate) kills: usize,
}

/// A process that is killed unwinds with this.
struct Killed;

/// Steps after which a schedule is taken for one that never ends.
const ENDLESS: usize = 20_000;

struct State {
    turn: usize,
    alive: Vec<bool>,
    left: Bounds,
    steps: usize,
    /// What was chosen, of how many: first what is prescribed, then the first of all.
    choices: Vec<(usize, usize)>,
    next: usize,
    /// The processes did not do again what they had done under the same schedule.
    has_diverged: bool,
}

impl State {
    fn choose(&mut self, options: usize) -> usize {
        if self.next == self.choices.len() {
            self.choices.push((0, options));
        }
        let (taken, of) = self.choices[self.next];
        self.next += 1;
        self.has_diverged |= of != options;
        if taken < options { taken } else { 0 }
    }

    fn others(&self, process: usize) -> Vec<usize> {
        (0..self.alive.len()).filter(|&other| other != process && self.alive[other]).collect()
    }

    /// A process is gone: another has the turn.
    fn pass_on(&mut self, process: usize) {
        self.alive[process] = false;
        let others = self.others(process);
        if !others.is_empty() {
            self.turn = others[self.choose(others.len())];
        }
    }
}

struct Run {
    state: Mutex<State>,
    turned: Condvar,
}

impl Run {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_turn(&self, process: usize) {
        let mut state = self.lock();
        while state.turn != process {
            state = self.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<(Arc<Run>, usize)>> = const { RefCell::new(None) };
}

/// Goes on, lets another process go first, or ends this one, as the schedule says.
pub(crate) fn step() {
    let Some((run, process)) = CURRENT.with_borrow(Clone::clone) else { return };
    let mut state = run.lock();
    state.steps += 1;
    assert!(state.steps < ENDLESS, "the processes keep each other from ending");
    let others = state.others(process);
    let switches = if state.left.switches > 0 { others.len() } else { 0 };
    let kills = usize::from(state.left.kills > 0);
    if switches + kills == 0 {
        return;
    }
    match state.choose(1 + switches + kills) {
        0 => {}
        chosen if chosen <= switches => {
            state.left.switches -= 1;
            state.turn = others[chosen - 1];
            drop(state);
            run.turned.notify_all();
            run.wait_for_turn(process);
        }
        _ => {
            state.left.kills -= 1;
            drop(state);
            resume_unwind(Box::new(Killed));
        }
    }
}

/// Runs the processes in every order within the bounds, each time on what `begin` makes, and has `check` look at it and
/// at what each gave, none where it was killed. Gives the number of schedules.
pub(crate) fn explore<S: Sync, R: Send>(
    bounds: Bounds,
    begin: impl Fn() -> S,
    processes: &[&(dyn Fn(&S) -> R + Sync)],
    check: impl Fn(&S, &[Option<R>]),
) -> usize {
    let mut choices: Vec<(usize, usize)> = Vec::new();
    let mut schedules = 0;
    loop {
        let shared = begin();
        let (results, made) = follow(bounds, &shared, processes, choices);
        schedules += 1;
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| check(&shared, &results))) {
            eprintln!("after the schedule {made:?}");
            resume_unwind(failure);
        }
        choices = made;
        // The last choice that has another option takes it, and what followed is chosen anew.
        while choices.last().is_some_and(|&(taken, of)| taken + 1 == of) {
            choices.pop();
        }
        let Some(last) = choices.last_mut() else { return schedules };
        last.0 += 1;
    }
}

type Choices = Vec<(usize, usize)>;

fn follow<S: Sync, R: Send>(
    bounds: Bounds,
    shared: &S,
    processes: &[&(dyn Fn(&S) -> R + Sync)],
    choices: Choices,
) -> (Vec<Option<R>>, Choices) {
    let alive = vec![true; processes.len()];
    let mut state = State { turn: 0, alive, left: bounds, steps: 0, choices, next: 0, has_diverged: false };
    state.turn = state.choose(processes.len());
    let run = Arc::new(Run { state: Mutex::new(state), turned: Condvar::new() });
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = processes
            .iter()
            .enumerate()
            .map(|(process, body)| {
                let run = Arc::clone(&run);
                scope.spawn(move || {
                    CURRENT.set(Some((Arc::clone(&run), process)));
                    run.wait_for_turn(process);
                    let end = catch_unwind(AssertUnwindSafe(|| body(shared)));
                    run.lock().pass_on(process);
                    run.turned.notify_all();
                    end
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(Err)).collect()
    });
    let made = std::mem::take(&mut run.lock().choices);
    assert!(!run.lock().has_diverged, "the same schedule gave other steps");
    let results = ends.into_iter().map(|end| match end {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<Killed>() => None,
        Err(failure) => {
            eprintln!("in the schedule {made:?}");
            resume_unwind(failure)
        }
    });
    let results = results.collect();
    (results, made)
}
