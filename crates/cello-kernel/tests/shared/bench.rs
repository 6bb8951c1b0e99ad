//! What an addition and a decision cost, beside what memory costs that is used as randomly:
//! `taskset -c 0 cargo test --release -p cello-kernel --test shared -- --ignored bench --nocapture`.
//!
//! Rounds of all that is measured follow on each other, so that what else the machine does meets all of it. Of each the
//! median is told, the least and the most.

use std::cell::Cell;
use std::hint::black_box;
use std::io::Read;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use cello_kernel::shared::{Arena, Cells, ExpiringMap, TokenBucket};

use super::Player;

const ROUNDS: usize = 9;
const TIMES: u32 = 500_000;
const KEYS: usize = 65_536;
/// A slot of the map is a cache line, and there are twice as many as keys.
const LINE_WORDS: usize = 8;
const LINES: usize = 2 * KEYS;

/// Something that is done over and over, and how long it took in each round.
struct Measured<'a> {
    what: &'static str,
    run: Box<dyn Fn() + 'a>,
    took_ns: Vec<f64>,
}

fn measured<'a>(what: &'static str, body: impl Fn(u32) + 'a) -> Measured<'a> {
    Measured { what, run: Box::new(move || (0..TIMES).for_each(&body)), took_ns: Vec::new() }
}

fn report(mut all: Vec<Measured>) {
    for _ in 0..ROUNDS {
        for one in &mut all {
            let began = Instant::now();
            (one.run)();
            one.took_ns.push(began.elapsed().as_nanos() as f64 / f64::from(TIMES));
        }
    }
    for Measured { what, mut took_ns, .. } in all {
        took_ns.sort_by(f64::total_cmp);
        println!("{what}: {:.1} ns ({:.1} to {:.1})", took_ns[ROUNDS / 2], took_ns[0], took_ns[ROUNDS - 1]);
    }
}

fn until_dismissed(body: impl Fn()) {
    let end = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    while !end.is_finished() {
        (0..1000).for_each(|_| body());
    }
}

pub(super) fn add(arena: &Arena) {
    let cells = Cells::open(arena, "cells", 4096).expect("room");
    let cell = cells.register("total", &[]).expect("room");
    until_dismissed(|| cells.add(cell, 1));
}

pub(super) fn decide(arena: &Arena) {
    let map = ExpiringMap::open(arena, "limits", KEYS).expect("room");
    let limit = TokenBucket::new(1 << 40, 1 << 60).expect("a limit");
    until_dismissed(|| {
        map.decide(&limit, map.key(b"key"), 1, 1);
    });
}

/// Where the line of a key would be that has one to itself, as words of the memory.
fn word_of(key: u64) -> usize {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 32) as usize % LINES * LINE_WORDS
}

#[test]
#[ignore = "it measures"]
fn bench() {
    let arena = Arena::create(64 << 20).expect("an arena");
    let cells = Cells::open(&arena, "cells", 4096).expect("room");
    let cell = cells.register("total", &[]).expect("room");
    let map = ExpiringMap::open(&arena, "limits", KEYS).expect("room");
    let limit = TokenBucket::new(1 << 40, 1 << 60).expect("a limit");
    let keys: Vec<_> = (0..KEYS as u32).map(|name| name.to_le_bytes()).collect();
    let nth = |n: u32| n.wrapping_mul(40_503) as usize % KEYS;
    let key_of = |n: u32| map.key(&keys[nth(n)]);
    let last = Cell::new(0);
    let memory: Vec<_> = (0..LINES * LINE_WORDS).map(|_| AtomicU64::new(0)).collect();

    let began = Instant::now();
    (0..KEYS as u32).for_each(|n| {
        map.decide(&limit, key_of(n), 1, 1);
    });
    println!("a decision, a new key: {:.1} ns", began.elapsed().as_nanos() as f64 / KEYS as f64);

    let one_key = |_| {
        black_box(map.decide(&limit, map.key(b"key"), 1, 1));
    };
    let many_keys = |n| {
        black_box(map.decide(&limit, key_of(n), 1, 1));
    };
    report(vec![
        measured("a cell", |_| cells.add(cell, 1)),
        measured("hashing a key", |n| {
            black_box(key_of(n));
        }),
        measured("a decision, one key", one_key),
        measured("a decision, 65,536 keys", many_keys),
        // Each key depends on what was found before, as if there were only one request at a time.
        measured("a decision, 65,536 keys, one after the other", |n| {
            let decided = map.decide(&limit, key_of(n.wrapping_add(last.get())), 1, 1);
            last.set(u32::from(!decided.answer.is_allowed));
        }),
        measured("one read of as much memory, one after the other", |n| {
            let found = memory[word_of(u64::from(last.get()) + nth(n) as u64)].load(SeqCst);
            last.set((found >> 63) as u32);
        }),
        measured("one read-modify-write of as much memory, one after the other", |n| {
            let found = memory[word_of(u64::from(last.get()) + nth(n) as u64)].fetch_add(1, SeqCst);
            last.set((found >> 63) as u32);
        }),
    ]);

    let other = Player::start(&arena, "adder");
    report(vec![measured("a cell that another process adds to", |_| cells.add(cell, 1))]);
    other.dismiss();
    let other = Player::start(&arena, "decider");
    report(vec![
        measured("a decision, one key that another process decides on", one_key),
        measured("a decision, 65,536 keys beside another process", many_keys),
    ]);
    other.dismiss();
    assert_eq!(map.shared_updates(), 0);
}
