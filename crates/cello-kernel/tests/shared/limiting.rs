//! Processes that decide by the same states.

use std::io::Read;

use cello_kernel::shared::{Arena, Cells, ExpiringMap, FixedWindow, Limit, SlidingWindow, Step, TokenBucket};

use super::{KILLS, MANY_KILLS, Player};

const MS: u64 = 1_000_000;
const KEYS: usize = 5;
const NAMES: [&str; 3] = ["bucket", "sliding", "fixed"];

fn limits() -> (TokenBucket, SlidingWindow, FixedWindow) {
    let window_ns = 1000 * MS;
    (
        TokenBucket::new(20, window_ns).expect("a limit"),
        SlidingWindow::new(20, window_ns).expect("a limit"),
        FixedWindow::new(20, window_ns).expect("a limit"),
    )
}

/// Reads a time in milliseconds and how many requests come then for each key, and tells how many each limit allowed.
pub(super) fn limit(arena: &Arena) {
    let (bucket, sliding, fixed) = limits();
    let maps = NAMES.map(|name| ExpiringMap::open(arena, name, 64).expect("room"));
    for order in std::io::stdin().lines() {
        let order = order.expect("text");
        let (now, requests) = order.split_once(' ').expect("two numbers");
        let now = now.parse::<u64>().expect("a number") * MS;
        let mut allowed = [0; NAMES.len() * KEYS];
        for _ in 0..requests.parse().expect("a number") {
            for key in 0..KEYS {
                let decisions = [
                    maps[0].decide(&bucket, maps[0].key(&[key as u8]), now, 1),
                    maps[1].decide(&sliding, maps[1].key(&[key as u8]), now, 1),
                    maps[2].decide(&fixed, maps[2].key(&[key as u8]), now, 1),
                ];
                for (limit, decision) in decisions.iter().enumerate() {
                    allowed[limit * KEYS + key] += u64::from(decision.answer.is_allowed);
                }
            }
        }
        println!("{}", allowed.map(|count| count.to_string()).join(" "));
    }
}

/// How many of so many requests are allowed at a time.
fn allowed(limit: &impl Limit, state: &mut (Option<u64>, u64), requests: usize, now: u64) -> u64 {
    let decide = |_| {
        let step = limit.decide(state.0.filter(|_| state.1 > now), now, 1);
        *state = (Some(step.state), state.1.max(step.expires_at));
        u64::from(step.answer.is_allowed)
    };
    (0..requests).map(decide).sum()
}

#[test]
fn processes_decide_as_one_does_by_the_same_clock() {
    let arena = Arena::create(1 << 20).expect("an arena");
    let mut players: Vec<_> = (0..4).map(|_| Player::start(&arena, "limiter")).collect();
    let (bucket, sliding, fixed) = limits();
    let mut states = [(None, 0); NAMES.len()];
    let mut now = 12_345;
    let mut seed: usize = 1;
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now += (seed >> 40) as u64 % 300;
        let requests = (seed >> 20) % 5;
        for player in &mut players {
            player.order(&format!("{now} {requests}"));
        }
        let mut sums = [0; NAMES.len() * KEYS];
        for player in &mut players {
            for (sum, count) in sums.iter_mut().zip(player.line().split(' ')) {
                *sum += count.parse::<u64>().expect("a number");
            }
        }
        let all = requests * players.len();
        let expected = [
            allowed(&bucket, &mut states[0], all, now * MS),
            allowed(&sliding, &mut states[1], all, now * MS),
            allowed(&fixed, &mut states[2], all, now * MS),
        ];
        for (limit, expected) in expected.into_iter().enumerate() {
            assert_eq!(sums[limit * KEYS..][..KEYS], [expected; KEYS], "{} at {now}", NAMES[limit]);
        }
    }
    players.into_iter().for_each(Player::dismiss);
}

const LIMIT: u64 = 5;
const WINDOW: u64 = 4;
/// More keys than slots, so that they come, expire, make room for each other and share.
const CHURNED: u64 = 96;

fn churned(arena: &Arena) -> ExpiringMap {
    ExpiringMap::open(arena, "churned", 16).expect("room")
}

/// Asks for many keys by the clock that a cell is, until it is dismissed, and notes each request that was allowed by the key and its window.
pub(super) fn churn(arena: &Arena) {
    let map = churned(arena);
    let cells = Cells::open(arena, "cells", 8 << 20).expect("room");
    let clock = cells.register("clock", &[]).expect("room");
    let end = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut seed = u64::from(std::process::id());
    for round in 0_u64.. {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = (seed >> 33) % CHURNED;
        let now = cells.read(clock);
        let updated = map.update(map.key(&name.to_le_bytes()), now, |state| {
            let (start, count) = match state {
                Some(state) if (state >> 16) + WINDOW > now => (state >> 16, state & 0xffff),
                _ => (now, 0),
            };
            let is_allowed = count < LIMIT;
            let state = start << 16 | (count + u64::from(is_allowed));
            Step { state, expires_at: start + WINDOW, answer: (is_allowed, start) }
        });
        if updated.answer.0 {
            let labels = [("key", &*name.to_string()), ("start", &*updated.answer.1.to_string())];
            cells.add(cells.register("allowed", &labels).expect("room"), 1);
        }
        if round == 1000 {
            println!("churning");
        }
        if round % 1000 == 0 && end.is_finished() {
            break;
        }
    }
}

fn start_churning(arena: &Arena) -> Player {
    let mut player = Player::start(arena, "churner");
    assert_eq!(player.line(), "churning");
    player
}

fn limits_hold(kills: usize) {
    let arena = Arena::create(64 << 20).expect("an arena");
    let cells = Cells::open(&arena, "cells", 8 << 20).expect("room");
    let clock = cells.register("clock", &[]).expect("room");
    cells.add(clock, 1);
    let others: Vec<_> = (1..4).map(|_| start_churning(&arena)).collect();
    for _ in 0..kills {
        start_churning(&arena).kill();
        cells.add(clock, 1);
    }
    others.into_iter().for_each(Player::dismiss);
    let allowed: Vec<_> = cells.list().into_iter().filter(|cell| cell.name == "allowed").collect();
    assert!(allowed.len() > kills && churned(&arena).shared_updates() > 0 && cells.dropped() == 0);
    assert!(allowed.iter().any(|cell| cell.value == LIMIT));
    for cell in allowed {
        assert!(cell.value <= LIMIT, "{cell:?}");
    }
}

#[test]
fn no_limit_is_exceeded_while_processes_are_killed() {
    limits_hold(KILLS);
}

#[test]
#[ignore = "it takes two minutes"]
fn no_limit_is_exceeded_by_a_thousand_kills() {
    limits_hold(MANY_KILLS);
}
