//! Processes that add to the same cells.

use std::io::Read;

use cello_kernel::shared::{Arena, Cells};

use super::{KILLS, MANY_KILLS, Player};

const ROOM_BYTES: usize = 64 << 10;

/// Adds to the total of all and to the two cells of its own, until it is dismissed: what differs was in flight when it was
/// killed.
pub(super) fn count(arena: &Arena) {
    let cells = Cells::open(arena, "cells", ROOM_BYTES).expect("room");
    let total = cells.register("total", &[]).expect("room");
    let mut orders = std::io::stdin().lock();
    let mut who = [0];
    orders.read_exact(&mut who).expect("a name");
    let who = String::from_utf8_lossy(&who).into_owned();
    let [before, after] = ["before", "after"].map(|name| cells.register(name, &[("who", &who)]).expect("room"));
    println!("adding");
    let end = std::thread::spawn(move || std::io::stdin().read_to_end(&mut Vec::new()));
    drop(orders);
    while !end.is_finished() {
        for _ in 0..1000 {
            cells.add(before, 1);
            cells.add(total, 1);
            cells.add(after, 1);
        }
    }
}

fn start(arena: &Arena, who: usize) -> Player {
    let mut player = Player::start(arena, "counter");
    player.order(&who.to_string());
    assert_eq!(player.line(), "adding");
    player
}

fn totals_are_exact(kills: usize) {
    let arena = Arena::create(1 << 20).expect("an arena");
    let cells = Cells::open(&arena, "cells", ROOM_BYTES).expect("room");
    let read = |name: &str, who: &str| {
        let labels = [("who", who)];
        cells.read(cells.register(name, if who.is_empty() { &[] } else { &labels }).expect("room"))
    };
    let others: Vec<_> = (1..4).map(|who| start(&arena, who)).collect();
    let mut in_flight = 0;
    let mut victim = start(&arena, 0);
    for _ in 0..kills {
        let seen = read("after", "0");
        victim.kill();
        let missing = read("before", "0") - read("after", "0");
        assert!(missing == in_flight || missing == in_flight + 1, "{missing} after {in_flight}");
        assert!(read("after", "0") >= seen, "a successor adds to the same cells");
        in_flight = missing;
        victim = start(&arena, 0);
    }
    victim.dismiss();
    others.into_iter().for_each(Player::dismiss);
    let sum = |name: &str| (0..4).map(|who| read(name, &who.to_string())).sum::<u64>();
    let total = read("total", "");
    assert_eq!(sum("before") - sum("after"), in_flight);
    assert!((sum("after")..=sum("before")).contains(&total) && sum("after") > 0);
    for who in 1..4 {
        assert_eq!(read("before", &who.to_string()), read("after", &who.to_string()));
    }
    assert_eq!(cells.list().len(), 1 + 2 * 5, "two names of four and `other`, and the total");
}

#[test]
fn totals_are_exact_but_for_what_was_in_flight_when_a_process_was_killed() {
    totals_are_exact(KILLS);
}

#[test]
#[ignore = "it takes two minutes"]
fn totals_are_exact_after_a_thousand_kills() {
    totals_are_exact(MANY_KILLS);
}
