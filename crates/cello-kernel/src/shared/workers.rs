//! What the workers of a server tell of themselves: what each slot has done, who has it, and that it goes on.
//!
//! A slot is the place of one worker after the other: its counts are cells, which go on with the next one. A seat is a
//! process's own for as long as it lives, since a worker that leaves and its successor have one slot at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::arena::{Arena, Segment};
use super::cells::{CellId, Cells, CellsFull};
use super::error::ArenaError;
use super::word::Word;

const CELLS: &str = "worker counts";
/// Room for three cells of each of a thousand slots.
const CELLS_BYTES: usize = 256 << 10;
const REQUESTS: &str = "requests";
const CONNECTIONS: &str = "connections";
const STARTS: &str = "starts";
const SLOT_LABEL: &str = "slot";

const SEATS: &str = "worker seats";
const SEATS_LAYOUT: u32 = 1;
/// So many processes of a server have a seat at the same time.
const SEAT_COUNT: usize = 2048;

/// A seat: slot and process, when that began to serve, its last sign. It is a cache line, so that no two contend for one.
const SEAT: usize = 8;
const HOLDER: usize = 0;
const STARTED: usize = 1;
const SIGN: usize = 2;

/// The sign of a process that waits for something to do.
const AT_REST: u64 = 0;

/// The counts and seats of a server's workers.
#[derive(Clone, Debug)]
pub struct Workers {
    cells: Cells,
    seats: Segment,
}

/// One worker's: what it adds to, and where it shows itself.
#[derive(Debug)]
pub struct Seat {
    workers: Workers,
    slot: u32,
    first: usize,
    requests: CellId,
    connections: CellId,
    starts: CellId,
}

/// A slot as it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotReading {
    /// Its number, from 0.
    pub slot: u32,
    /// The requests that its workers have answered.
    pub requests: u64,
    /// The connections they have taken.
    pub connections: u64,
    /// How many of them have begun to serve.
    pub starts: u64,
    /// The process that began last, and when that was, since the epoch of Unix; none where it has left. One that was
    /// killed could not say so.
    pub holder: Option<(u32, Duration)>,
}

impl Workers {
    /// Those of an arena.
    ///
    /// # Errors
    /// As for [`Arena::segment`].
    pub fn open(arena: &Arena) -> Result<Self, ArenaError> {
        let cells = Cells::open(arena, CELLS, CELLS_BYTES)?;
        let seats = arena.segment(SEATS, SEATS_LAYOUT, SEAT_COUNT * SEAT * size_of::<Word>())?;
        Ok(Self { cells, seats })
    }

    /// Takes a seat that no living process has, for a worker of `slot`.
    ///
    /// # Errors
    /// [`ArenaError::Full`] for a seat or a slot that is beyond what there is room for.
    pub fn sit(&self, slot: u32, seat: usize) -> Result<Seat, ArenaError> {
        let full = |CellsFull| ArenaError::Full { name: SEATS.to_owned(), bytes: SEAT * size_of::<Word>(), left: 0 };
        if seat >= SEAT_COUNT {
            return Err(full(CellsFull));
        }
        let name = slot.to_string();
        let register = |count| self.cells.register(count, &[(SLOT_LABEL, &name)]).map_err(full);
        let [requests, connections, starts] = [register(REQUESTS)?, register(CONNECTIONS)?, register(STARTS)?];
        let seat = Seat { workers: self.clone(), slot, first: seat * SEAT, requests, connections, starts };
        seat.word(HOLDER).set(0);
        seat.rest();
        Ok(seat)
    }

    /// What the process in a seat has last [shown](Seat::show); none while it waits for something to do.
    pub fn sign(&self, seat: usize) -> Option<u64> {
        let sign = self.seats.words().get(seat * SEAT + SIGN)?.load();
        (sign != AT_REST).then_some(sign)
    }

    /// All slots that ever had a worker, in their order.
    pub fn list(&self) -> Vec<SlotReading> {
        let mut slots: BTreeMap<u32, SlotReading> = BTreeMap::new();
        for cell in self.cells.list() {
            let Some(slot) = cell.labels.first().and_then(|(_, slot)| slot.parse().ok()) else { continue };
            let reading = slots.entry(slot).or_insert(SlotReading { slot, ..SlotReading::default() });
            match cell.name.as_str() {
                REQUESTS => reading.requests = cell.value,
                CONNECTIONS => reading.connections = cell.value,
                STARTS => reading.starts = cell.value,
                _ => {}
            }
        }
        for seat in self.seats.words().chunks_exact(SEAT) {
            let (slot, process) = halves(seat[HOLDER].load());
            let started = Duration::from_micros(seat[STARTED].load());
            if let Some(reading) = slots.get_mut(&slot)
                && process != 0
                && reading.holder.is_none_or(|(_, last)| last < started)
            {
                reading.holder = Some((process, started));
            }
        }
        slots.into_values().filter(|reading| reading.starts > 0).collect()
    }
}

impl Seat {
    /// Its process serves from now on: `now` is since the epoch of Unix.
    pub fn begin(&self, process: u32, now: Duration) {
        self.word(STARTED).set(u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
        self.word(HOLDER).set(self.holder(process));
        self.workers.cells.add(self.starts, 1);
    }

    /// Its process serves no more.
    pub fn leave(&self, process: u32) {
        self.word(HOLDER).replace(self.holder(process), 0);
    }

    /// Counts an answer.
    #[inline]
    pub fn note_answer(&self) {
        self.workers.cells.add(self.requests, 1);
    }

    /// Counts a connection.
    #[inline]
    pub fn note_connection(&self) {
        self.workers.cells.add(self.connections, 1);
    }

    /// Shows that the process goes on; the sign is a time, and never 0.
    #[inline]
    pub fn show(&self, sign: u64) {
        self.word(SIGN).set(sign.max(1));
    }

    /// Shows that the process waits for something to do.
    #[inline]
    pub fn rest(&self) {
        self.word(SIGN).set(AT_REST);
    }

    fn holder(&self, process: u32) -> u64 {
        u64::from(self.slot) << 32 | u64::from(process)
    }

    fn word(&self, word: usize) -> &Word {
        &self.workers.seats.words()[self.first + word]
    }
}

fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn workers() -> Workers {
        Workers::open(&Arena::create(1 << 20).expect("an arena")).expect("room")
    }

    #[test]
    fn the_counts_of_a_slot_go_on_with_the_next_worker() {
        let workers = workers();
        let first = workers.sit(3, 0).expect("a seat");
        first.begin(100, SECOND);
        first.note_connection();
        first.note_answer();
        let next = workers.sit(3, 1).expect("another seat");
        next.begin(101, 2 * SECOND);
        for seat in [&first, &next] {
            seat.note_answer();
        }
        let holder = Some((101, 2 * SECOND));
        let expected = SlotReading { slot: 3, requests: 3, connections: 1, starts: 2, holder };
        assert_eq!(workers.list(), [expected]);
        first.leave(100);
        assert_eq!(workers.list(), [expected]);
        next.leave(101);
        assert_eq!(workers.list(), [SlotReading { holder: None, ..expected }]);
    }

    #[test]
    fn a_slot_is_there_from_its_first_start_and_slots_are_in_their_order() {
        let workers = workers();
        let seats = [2, 10, 1].map(|slot| workers.sit(slot, slot as usize).expect("a seat"));
        assert_eq!(workers.list(), []);
        seats.iter().for_each(|seat| seat.begin(7, SECOND));
        assert_eq!(workers.list().iter().map(|reading| reading.slot).collect::<Vec<_>>(), [1, 2, 10]);
    }

    #[test]
    fn a_process_shows_that_it_goes_on_or_rests() {
        let workers = workers();
        let seat = workers.sit(0, 5).expect("a seat");
        assert_eq!(workers.sign(5), None);
        seat.show(17);
        assert_eq!(workers.sign(5), Some(17));
        seat.rest();
        assert_eq!(workers.sign(5), None);
        seat.show(17);
        workers.sit(1, 5).expect("the seat of a process that is gone");
        assert_eq!(workers.sign(5), None);
    }

    #[test]
    fn what_there_is_no_room_for_is_refused() {
        let workers = workers();
        assert!(matches!(workers.sit(0, SEAT_COUNT), Err(ArenaError::Full { .. })));
        assert_eq!(workers.sign(usize::MAX / SEAT), None);
    }
}
