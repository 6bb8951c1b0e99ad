//! Counters with names and labels that all processes add to.
//!
//! A record holds a cell's value and its text. It is prepared where nothing leads to, and one compare-and-swap of an
//! index's slot makes it a cell, for ever. The index is probed from the text's hash on, to the first free slot, so that two
//! processes that register the same text contend for the same slot.

use super::arena::{Arena, Segment};
use super::error::ArenaError;
use super::word::{Word, give_back, prepare_bytes, settled_bytes, take, words_of};

const LAYOUT: u32 = 1;

/// What labels become that there is no room for.
pub const OTHER: &str = "other";

/// The header: the end of the records, then a line for itself.
const RECORDS_END: usize = 0;
const HEADER: usize = 8;
/// The hashes of the label sets that found no room, each once.
const DROPPED: usize = 1024;

/// A record: lengths of the name and of the labels, value, text. It begins a cache line, so that no two values share one.
const LINE: usize = 8;
const LENGTHS: usize = 0;
const VALUE: usize = 1;
const TEXT: usize = 2;
/// The longest text a cell has, name and labels together.
const TEXT_BYTES: usize = 4096;

/// A cell of a [`Cells`]: the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellId(u32);

/// A cell as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The name it was registered with.
    pub name: String,
    /// Its labels and their values, in the order of the labels.
    pub labels: Vec<(String, String)>,
    /// What all processes have added, modulo 2^64.
    pub value: u64,
}

/// A name for which there is no room left, or that is over 4096 bytes with its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellsFull;

impl std::fmt::Display for CellsFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no room for another name")
    }
}

impl std::error::Error for CellsFull {}

/// Counters of a name and labels each. They are made on demand, and never go.
///
/// A total is exact but for the one addition at which a process is killed: it is made, or it is not.
#[derive(Clone, Debug)]
pub struct Cells {
    segment: Segment,
    slots: usize,
    end: usize,
    /// Where the records end that have labels of their own. The last eighth is for names, and for `other`.
    labelled_end: usize,
}

impl Cells {
    /// The cells of this name, with room for so many bytes of records; 64 bytes and more each.
    ///
    /// # Errors
    /// As for [`Arena::segment`].
    pub fn open(arena: &Arena, name: &str, room_bytes: usize) -> Result<Self, ArenaError> {
        let records = words_of(room_bytes).next_multiple_of(LINE).max(2 * LINE);
        // Were all records the shortest, half of the slots would be free yet.
        let slots = (2 * records / LINE).next_power_of_two();
        let count = HEADER + DROPPED + slots + records;
        if u32::try_from(count).is_err() {
            return Err(ArenaError::Full { name: name.to_owned(), bytes: room_bytes, left: u32::MAX as usize });
        }
        let segment = arena.segment(name, LAYOUT, count * size_of::<Word>())?;
        let first = HEADER + DROPPED + slots;
        segment.words()[RECORDS_END].replace(0, first as u64);
        let labelled_end = first + (records - records / 8) / LINE * LINE;
        Ok(Self { segment, slots, end: first + records, labelled_end })
    }

    /// The cell of a name and labels, made unless it is there, whoever asks first. The order of the labels does not matter.
    ///
    /// Labels for which there is no room share the name's cell whose labels all say `other`.
    ///
    /// # Errors
    /// There is no room for the name itself. What is there can be added to as before.
    pub fn register(&self, name: &str, labels: &[(&str, &str)]) -> Result<CellId, CellsFull> {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        let own = Text::of(name, &labels);
        if labels.is_empty() {
            return self.find(&own, Some(self.end)).ok_or(CellsFull);
        }
        if let Some(cell) = self.find(&own, None) {
            return Ok(cell);
        }
        // It comes first, so that whoever has labels of its own has left room for those who have not.
        let others: Vec<_> = labels.iter().map(|&(label, _)| (label, OTHER)).collect();
        let other = self.find(&Text::of(name, &others), Some(self.end)).ok_or(CellsFull)?;
        Ok(self.find(&own, Some(self.labelled_end)).unwrap_or_else(|| {
            self.note_dropped(&own);
            other
        }))
    }

    /// Adds to a cell.
    ///
    /// # Panics
    /// The cell is of other cells, and lies outside of these.
    #[inline]
    pub fn add(&self, cell: CellId, count: u64) {
        self.segment.words()[cell.0 as usize].add(count);
    }

    /// What all processes have added to a cell, modulo 2^64.
    ///
    /// # Panics
    /// As for [`Cells::add`].
    pub fn read(&self, cell: CellId) -> u64 {
        self.segment.words()[cell.0 as usize].load()
    }

    /// All cells, in the order in which their records were begun.
    pub fn list(&self) -> Vec<Reading> {
        let mut records: Vec<_> = self.index().iter().map(Word::load).filter(|&at| at != 0).collect();
        records.sort_unstable();
        records.into_iter().map(|at| self.reading(at as usize)).collect()
    }

    /// How many label sets have found no room: exact up to 1024, which stands for that many or more.
    pub fn dropped(&self) -> usize {
        self.hashes_dropped().iter().filter(|slot| slot.load() != 0).count()
    }

    fn index(&self) -> &[Word] {
        &self.segment.words()[HEADER + DROPPED..HEADER + DROPPED + self.slots]
    }

    fn hashes_dropped(&self) -> &[Word] {
        &self.segment.words()[HEADER..HEADER + DROPPED]
    }

    /// The cell of a text. Where it is not there, it is made if its record fits before `limit`; without a limit it is not.
    fn find(&self, text: &Text, limit: Option<usize>) -> Option<CellId> {
        let words = self.segment.words();
        let index = self.index();
        let (hash, _) = self.segment.hash(&text.bytes);
        let length = text.record_words();
        let mut prepared = None;
        for step in 0..index.len() {
            let slot = &index[(hash as usize).wrapping_add(step) & (index.len() - 1)];
            let mut at = slot.load();
            if at == 0 {
                let own = match prepared {
                    Some(own) => own,
                    None => self.prepare(text, limit?)?,
                };
                if slot.replace(0, own as u64) {
                    return Some(id_of(own));
                }
                prepared = Some(own);
                at = slot.load();
            }
            let at = at as usize;
            if text.is_at(words, at) {
                if let Some(own) = prepared {
                    give_back(&words[RECORDS_END], own, length);
                }
                return Some(id_of(at));
            }
        }
        None
    }

    /// Prepares a record that nothing leads to.
    fn prepare(&self, text: &Text, limit: usize) -> Option<usize> {
        if text.bytes.len() > TEXT_BYTES {
            return None;
        }
        let words = self.segment.words();
        let at = take(&words[RECORDS_END], text.record_words(), limit)?;
        words[at + LENGTHS].prepare(text.lengths());
        // A record that was given back may have been here.
        words[at + VALUE].prepare(0);
        prepare_bytes(&words[at + TEXT..], &text.bytes);
        Some(at)
    }

    /// Remembers labels that found no room. The count is that of what is remembered, so that no one is counted twice.
    fn note_dropped(&self, text: &Text) {
        let (hash, _) = self.segment.hash(&text.bytes);
        let hash = hash.max(1);
        let slots = self.hashes_dropped();
        for step in 0..slots.len() {
            let slot = &slots[(hash as usize).wrapping_add(step) & (slots.len() - 1)];
            if slot.load() == 0 && slot.replace(0, hash) || slot.load() == hash {
                return;
            }
        }
    }

    fn reading(&self, at: usize) -> Reading {
        let record = &self.segment.words()[at..];
        let (name_length, labels_length) = halves(record[LENGTHS].settled());
        let text = settled_bytes(&record[TEXT..], name_length + labels_length);
        let (name, mut rest) = text.split_at(name_length);
        let mut labels = Vec::new();
        while let Some((label, after)) = Text::piece(rest)
            && let Some((value, after)) = Text::piece(after)
        {
            labels.push((label, value));
            rest = after;
        }
        Reading { name: String::from_utf8_lossy(name).into_owned(), labels, value: record[VALUE].load() }
    }
}

/// What tells one cell from another, as it is kept: the name, then each label and its value after their length.
struct Text {
    bytes: Vec<u8>,
    name_length: usize,
}

impl Text {
    fn of(name: &str, labels: &[(&str, &str)]) -> Self {
        let mut bytes = name.as_bytes().to_vec();
        for piece in labels.iter().flat_map(|&(label, value)| [label, value]) {
            // Text that is longer than a length can say is too long to be kept.
            bytes.extend((piece.len() as u16).to_le_bytes());
            bytes.extend(piece.as_bytes());
        }
        Self { bytes, name_length: name.len() }
    }

    fn piece(bytes: &[u8]) -> Option<(String, &[u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (piece, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        Some((String::from_utf8_lossy(piece).into_owned(), rest))
    }

    fn lengths(&self) -> u64 {
        (self.name_length as u64) << 32 | (self.bytes.len() - self.name_length) as u64
    }

    fn record_words(&self) -> usize {
        (TEXT + words_of(self.bytes.len())).next_multiple_of(LINE)
    }

    fn is_at(&self, words: &[Word], at: usize) -> bool {
        words[at + LENGTHS].settled() == self.lengths()
            && settled_bytes(&words[at + TEXT..], self.bytes.len()) == self.bytes
    }
}

fn halves(word: u64) -> (usize, usize) {
    ((word >> 32) as usize, word as u32 as usize)
}

fn id_of(record: usize) -> CellId {
    // A segment of cells has fewer words than that.
    CellId(u32::try_from(record + VALUE).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::tests::model::{Bounds, explore};
    use super::*;

    fn cells(room_bytes: usize) -> Cells {
        let arena = Arena::with_secret(1 << 20, [7; 16]).expect("an arena");
        Cells::open(&arena, "metrics", room_bytes).expect("room")
    }

    #[test]
    fn a_name_with_the_same_labels_is_one_cell_in_any_order() {
        let cells = cells(64 << 10);
        let plain = cells.register("requests", &[]).expect("room");
        let one = cells.register("requests", &[("method", "GET"), ("path", "/")]).expect("room");
        let same = cells.register("requests", &[("path", "/"), ("method", "GET")]).expect("room");
        assert_eq!(one, same);
        assert_ne!(one, plain);
        cells.add(one, 2);
        cells.add(same, 3);
        cells.add(plain, 1);
        let listed: Vec<_> = cells.list().into_iter().map(|cell| (cell.labels.len(), cell.value)).collect();
        assert_eq!(listed, [(0, 1), (2, 0), (2, 5)]);
        let [plain, other, one] = &cells.list()[..] else { panic!("three cells") };
        assert_eq!((&plain.name[..], &one.name[..]), ("requests", "requests"));
        assert!(other.labels.iter().all(|(_, value)| value == "other"));
        assert_eq!(one.labels, [("method", "GET"), ("path", "/")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn labels_do_not_run_into_each_other() {
        let cells = cells(64 << 10);
        let mut ids = [
            cells.register("n", &[("a", "bc")]),
            cells.register("n", &[("ab", "c")]),
            cells.register("na", &[("b", "c")]),
            cells.register("n", &[("a", "b"), ("c", "")]),
        ]
        .map(|cell| cell.expect("room").0);
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn labels_without_room_share_other_and_are_counted_once_each() {
        let cells = cells(4096);
        let ids: Vec<_> =
            (0..200).map(|n| cells.register("hits", &[("user", &n.to_string())]).expect("room")).collect();
        for &id in &ids {
            cells.add(id, 1);
        }
        let listed = cells.list();
        assert_eq!(listed.iter().map(|cell| cell.value).sum::<u64>(), 200);
        let own = listed.len() - 1;
        assert!((50..60).contains(&own), "{own}");
        assert_eq!(listed[0].labels, [("user".to_owned(), "other".to_owned())]);
        assert_eq!(listed[0].value, 200 - own as u64);
        assert_eq!(cells.dropped(), 200 - own);
        for (n, &id) in ids.iter().enumerate() {
            assert_eq!(cells.register("hits", &[("user", &n.to_string())]), Ok(id));
        }
        assert_eq!(cells.dropped(), 200 - own);
    }

    #[test]
    fn names_find_room_after_labels_do_not_and_then_are_refused() {
        let cells = cells(4096);
        for n in 0..100 {
            cells.register("hits", &[("user", &n.to_string())]).expect("room");
        }
        let names = (0..100).map_while(|n| cells.register(&format!("name {n}"), &[]).ok()).count();
        assert_eq!(names, 8);
        assert_eq!(cells.register("one more", &[]), Err(CellsFull));
        assert_eq!(cells.register("one more", &[("a", "b")]), Err(CellsFull));
        cells.register("name 0", &[]).expect("it is there");
    }

    #[test]
    fn text_that_is_too_long_is_not_kept() {
        let cells = cells(64 << 10);
        let long = "x".repeat(70_000);
        assert_eq!(cells.register(&long, &[]), Err(CellsFull));
        let other = cells.register("hits", &[("path", "other")]).expect("room");
        assert_eq!(cells.register("hits", &[("path", &long)]), Ok(other));
        assert_eq!(cells.dropped(), 1);
    }

    #[test]
    fn what_is_dropped_beyond_what_is_remembered_is_still_taken() {
        let cells = cells(1024);
        for n in 0..2000 {
            cells.register("hits", &[("user", &n.to_string())]).expect("room");
        }
        assert_eq!(cells.dropped(), 1024);
    }

    #[test]
    fn however_two_processes_interleave_and_one_is_killed_a_text_is_one_cell() {
        let register = |cells: &Cells| {
            let cell = cells.register("n", &[]).expect("room");
            cells.add(cell, 1);
            cell
        };
        let found = explore(
            Bounds { switches: 3, kills: 1 },
            || cells(4096),
            &[&register, &register],
            |cells, results| {
                let listed = cells.list();
                let done = results.iter().flatten().count() as u64;
                assert!(listed.len() <= 1 && (done == 0 || listed.len() == 1));
                let total = listed.first().map_or(0, |cell| cell.value);
                assert!((done..=2).contains(&total));
                let cell = cells.register("n", &[]).expect("room");
                assert!(results.iter().flatten().all(|&found| found == cell));
            },
        );
        assert!(found > 100, "{found} schedules");
    }

    #[test]
    fn however_processes_interleave_the_last_room_is_used_once_and_nothing_is_lost() {
        let register = |value: &'static str| {
            move |cells: &Cells| {
                let cell = cells.register("n", &[("l", value)]).expect("room");
                cells.add(cell, 1);
            }
        };
        let (a, b) = (register("a"), register("b"));
        explore(
            Bounds { switches: 2, kills: 0 },
            || cells(128), // `other`, and one more
            &[&a, &b],
            |cells, _| {
                assert_eq!(cells.list().iter().map(|cell| cell.value).sum::<u64>(), 2);
                assert_eq!(cells.dropped() + cells.list().len(), 3);
            },
        );
    }
}
