//! What an addition and a decision cost: `cargo test --release -p cello-kernel --test shared -- --ignored bench --nocapture`.

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use cello_kernel::shared::{Arena, Cells, ExpiringMap, TokenBucket};

use super::Player;

const ROUNDS: u32 = 2_000_000;

fn report(what: &str, rounds: u32, body: impl Fn(u32)) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        (0..rounds).for_each(&body);
        best = best.min(began.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    println!("{what}: {best:.1} ns");
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
    let map = ExpiringMap::open(arena, "limits", 65_536).expect("room");
    let limit = TokenBucket::new(1 << 40, 1 << 60).expect("a limit");
    until_dismissed(|| {
        map.decide(&limit, map.key(b"key"), 1);
    });
}

#[test]
#[ignore = "it measures"]
fn bench() {
    let arena = Arena::create(64 << 20).expect("an arena");
    let cells = Cells::open(&arena, "cells", 4096).expect("room");
    let cell = cells.register("total", &[]).expect("room");
    let map = ExpiringMap::open(&arena, "limits", 65_536).expect("room");
    let limit = TokenBucket::new(1 << 40, 1 << 60).expect("a limit");
    let keys: Vec<_> = (0..65_536_u32).map(|name| name.to_le_bytes()).collect();
    let key_of = |n: u32| map.key(&keys[n.wrapping_mul(40_503) as usize % keys.len()]);

    report("a cell", ROUNDS, |_| cells.add(cell, 1));
    report("hashing a key", ROUNDS, |n| {
        black_box(key_of(n));
    });
    report("a decision, one key", ROUNDS, |_| {
        black_box(map.decide(&limit, map.key(b"key"), 1));
    });
    let began = Instant::now();
    (0..65_536).for_each(|n| {
        map.decide(&limit, key_of(n), 1);
    });
    println!("a decision, a new key: {:.1} ns", began.elapsed().as_nanos() as f64 / 65_536.0);
    report("a decision, 65,536 keys", ROUNDS, |n| {
        black_box(map.decide(&limit, key_of(n), 1));
    });

    let other = Player::start(&arena, "adder");
    report("a cell that another process adds to", ROUNDS, |_| cells.add(cell, 1));
    other.dismiss();
    let other = Player::start(&arena, "decider");
    report("a decision, one key that another process decides on", ROUNDS, |_| {
        black_box(map.decide(&limit, map.key(b"key"), 1));
    });
    report("a decision, 65,536 keys beside another process", ROUNDS, |n| {
        black_box(map.decide(&limit, key_of(n), 1));
    });
    other.dismiss();
    assert_eq!(map.shared_updates(), 0);
}
