//! Processes that write the same numbers.

use std::collections::BTreeMap;
use std::io::Read;

use cello_kernel::shared::{Arena, Cells, Numbers};

use super::{KILLS, MANY_KILLS, Player};

const MS: u64 = 1_000_000;
/// How long a number lasts that is written once, in milliseconds of the clock that a cell is.
const LIFETIME: u64 = 4;
/// More keys than slots, so that they expire, make room for each other and find none.
const CLAIMED: u64 = 96;

fn claimed(arena: &Arena) -> Numbers {
    Numbers::open(arena, "claimed", 16, LIFETIME * MS).expect("room")
}

fn added(arena: &Arena) -> Numbers {
    Numbers::open(arena, "added", 16, 86_400_000 * MS).expect("room")
}

/// Claims many keys by the clock, until it is dismissed, and notes each that it was the first to claim, by the key and the
/// time; and adds to one number, and notes how often.
pub(super) fn number(arena: &Arena) {
    let (claimed, added) = (claimed(arena), added(arena));
    let cells = Cells::open(arena, "cells", 8 << 20).expect("room");
    let register = |name| cells.register(name, &[]).expect("room");
    let (clock, additions) = (register("clock"), register("additions"));
    let end = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut seed = u64::from(std::process::id());
    for round in 0_u64.. {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = (seed >> 33) % CLAIMED;
        let now = cells.read(clock);
        if claimed.replace(claimed.key(&name.to_le_bytes()), None, Some(1), now * MS) == Ok(true) {
            let labels = [("key", &*name.to_string()), ("at", &*now.to_string())];
            cells.add(cells.register("first", &labels).expect("room"), 1);
        }
        added.add(added.key(b"sum"), 1, now * MS).expect("room");
        cells.add(additions, 1);
        if round == 1000 {
            println!("numbering");
        }
        if round % 1000 == 0 && end.is_finished() {
            break;
        }
    }
}

fn start_numbering(arena: &Arena) -> Player {
    let mut player = Player::start(arena, "numberer");
    assert_eq!(player.line(), "numbering");
    player
}

fn numbers_hold(kills: usize) {
    let arena = Arena::create(64 << 20).expect("an arena");
    let cells = Cells::open(&arena, "cells", 8 << 20).expect("room");
    let clock = cells.register("clock", &[]).expect("room");
    cells.add(clock, 1);
    let others: Vec<_> = (1..4).map(|_| start_numbering(&arena)).collect();
    for _ in 0..kills {
        start_numbering(&arena).kill();
        cells.add(clock, 1);
    }
    others.into_iter().for_each(Player::dismiss);
    let mut firsts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for cell in cells.list().into_iter().filter(|cell| cell.name == "first") {
        let [(_, at), (_, key)] = &cell.labels[..] else { panic!("{cell:?}") };
        if key == "other" {
            continue;
        }
        assert!(cell.value <= 1, "{cell:?}");
        firsts.entry(key.clone()).or_default().push(at.parse().expect("a number"));
    }
    assert!(cells.dropped() == 0 && firsts.values().any(|times| times.len() > 1));
    for (key, times) in &mut firsts {
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] > LIFETIME), "{key}: {times:?}");
    }
    let added = added(&arena);
    let sum = u64::from(added.get(added.key(b"sum"), cells.read(clock) * MS).expect("it lasts"));
    let noted = cells.list().into_iter().find(|cell| cell.name == "additions").expect("it is there").value;
    assert!((noted..=noted + kills as u64).contains(&sum), "{noted} of {sum}");
}

#[test]
fn one_is_the_first_and_every_addition_is_made_while_processes_are_killed() {
    numbers_hold(KILLS);
}

#[test]
#[ignore = "it takes two minutes"]
fn one_is_the_first_and_every_addition_is_made_with_a_thousand_kills() {
    numbers_hold(MANY_KILLS);
}
