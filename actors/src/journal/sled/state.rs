//! What happened since the last checkpoint, in memory: what the log says that names and index do not say yet.
//!
//! Changed by the writer alone, after the commit that says so is synced, and by the replay of the log at the start.
//! Bounded by the checkpoints: the writer makes one before either of its bounds is passed by more than a commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::index::Piece;
use super::key;
use super::segment::Slot;
use crate::journal::{Place, PlaceName, Position, Stream};

/// Keys of one checkpoint: at about 10 µs each it holds the appends up for some 20 ms.
const KEYS: usize = 2048;

/// Records that went after which a checkpoint is due, so that their room is used again: a few hundred segments.
const GONE: u64 = 4096;

/// A change that is in the log.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Effect {
    /// A place has a name.
    Created(Place, PlaceName),
    /// A record was appended at this slot.
    Appended { at: Position, slot: Slot, opens: bool, closes: Vec<Position> },
    /// Records are no longer unfinished.
    Closed(Vec<Position>),
    /// A place is gone; the name it had, and about how many records.
    Deleted { place: Place, name: Option<PlaceName>, records: u64 },
    /// The records of a stream below `first` are gone; how many those are.
    Trimmed { stream: Stream, first: u64, records: u64 },
}

/// What happened since the last checkpoint, and the counters.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Where the records since the checkpoint are.
    tails: HashMap<Stream, Piece>,
    /// By the key of the name: the place it was given, or `None` where it was taken away.
    named: BTreeMap<Vec<u8>, Option<Place>>,
    /// The name a place was given, or `None` where it was deleted.
    places: HashMap<Place, Option<PlaceName>>,
    /// The first records of streams that were trimmed.
    firsts: HashMap<Stream, u64>,
    /// Where the records of deleted places are that no index speaks of.
    buried: Vec<(Stream, Piece)>,
    /// Every unfinished record, older ones too. As many as there are runs: the queues of the agents bound them.
    unfinished: BTreeSet<Position>,
    /// Segments since the checkpoint in which no record is: nothing outlives the next checkpoint in them.
    pub empty: Vec<u64>,
    /// The number of the next segment.
    pub next_segment: u64,
    /// The first segment that the checkpoint does not speak of.
    pub checkpoint: u64,
    /// Records ever appended.
    pub records: u64,
    /// Records appended since the checkpoint.
    pub fresh: usize,
    /// Records that went since the checkpoint, about: what there will be to sweep behind the next one.
    pub gone: u64,
}

impl State {
    /// The state right after a checkpoint.
    pub fn at_checkpoint(next_segment: u64, records: u64, unfinished: BTreeSet<Position>) -> Self {
        Self { next_segment, checkpoint: next_segment, records, unfinished, ..Self::default() }
    }

    /// Takes a change in.
    pub fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Created(place, name) => {
                self.named.insert(key::name(&name), Some(place));
                self.places.insert(place, Some(name));
            }
            Effect::Appended { at, slot, opens, closes } => {
                self.close(&closes);
                if opens {
                    self.unfinished.insert(at);
                }
                let tail = self.tails.entry(at.stream).or_insert_with(|| Piece { first: at.seq, slots: Vec::new() });
                tail.slots.push(slot);
                self.records += 1;
                self.fresh += 1;
            }
            Effect::Closed(positions) => self.close(&positions),
            Effect::Deleted { place, name, records } => {
                self.gone += records;
                self.delete(place, name);
            }
            Effect::Trimmed { stream, first, records } => {
                self.gone += records;
                let known = self.firsts.entry(stream).or_insert(first);
                *known = first.max(*known);
            }
        }
    }

    /// Forgets what the checkpoint just written says.
    pub fn settle(&mut self) {
        self.tails.clear();
        self.named.clear();
        self.places.clear();
        self.firsts.clear();
        self.buried.clear();
        self.empty.clear();
        self.gone = 0;
        self.checkpoint = self.next_segment;
        self.fresh = 0;
    }

    /// Whether a checkpoint is due, where one is to come after `every` records.
    pub fn is_due(&self, every: usize) -> bool {
        self.fresh >= every || self.keys() >= KEYS || self.gone >= GONE
    }

    /// How many keys a checkpoint would write.
    fn keys(&self) -> usize {
        self.tails.len() + self.named.len() + self.places.len() + self.firsts.len() + self.empty.len()
    }

    /// The place of the name under `key`: `None` if nothing is known here, `Some(None)` if it has none.
    pub fn named(&self, key: &[u8]) -> Option<Option<Place>> {
        self.named.get(key).copied()
    }

    /// The names that begin with `prefix`, those after `after` alone.
    pub fn names_after(&self, prefix: &[u8], after: &Bound<Vec<u8>>) -> BTreeMap<Vec<u8>, Option<Place>> {
        let range = self.named.range::<[u8], _>((after.as_ref().map(Vec::as_slice), Bound::Unbounded));
        range.take_while(|(key, _)| key.starts_with(prefix)).map(|(key, place)| (key.clone(), *place)).collect()
    }

    /// Every name given or taken away, by its key.
    pub fn all_named(&self) -> impl Iterator<Item = (&[u8], Option<Place>)> {
        self.named.iter().map(|(key, place)| (key.as_slice(), *place))
    }

    /// The name of a place: `None` if nothing is known here, `Some(None)` if it was deleted.
    pub fn place(&self, place: Place) -> Option<Option<&PlaceName>> {
        self.places.get(&place).map(Option::as_ref)
    }

    /// Every place made or deleted.
    pub fn all_places(&self) -> impl Iterator<Item = (Place, Option<&PlaceName>)> {
        self.places.iter().map(|(place, name)| (*place, name.as_ref()))
    }

    /// Where the records of `stream` since the checkpoint are.
    pub fn tail(&self, stream: Stream) -> Option<&Piece> {
        self.tails.get(&stream)
    }

    /// Where the records of every stream since the checkpoint are.
    pub fn tails(&self) -> impl Iterator<Item = (Stream, &Piece)> {
        self.tails.iter().map(|(stream, tail)| (*stream, tail))
    }

    /// The first record of `stream`, where it was trimmed since the checkpoint.
    pub fn first(&self, stream: Stream) -> Option<u64> {
        self.firsts.get(&stream).copied()
    }

    /// The first records of every stream that was trimmed since the checkpoint.
    pub fn firsts(&self) -> impl Iterator<Item = (Stream, u64)> {
        self.firsts.iter().map(|(stream, first)| (*stream, *first))
    }

    /// Where the records of deleted places are that no index speaks of.
    pub fn buried(&self) -> impl Iterator<Item = (Stream, &Piece)> {
        self.buried.iter().map(|(stream, piece)| (*stream, piece))
    }

    /// Whether the place was deleted since the checkpoint.
    pub fn is_deleted(&self, place: Place) -> bool {
        matches!(self.places.get(&place), Some(None))
    }

    /// The unfinished records, in the order of their positions.
    pub fn unfinished(&self) -> Vec<Position> {
        self.unfinished.iter().copied().collect()
    }

    fn close(&mut self, positions: &[Position]) {
        for position in positions {
            self.unfinished.remove(position);
        }
    }

    fn delete(&mut self, place: Place, name: Option<PlaceName>) {
        if let Some(name) = name {
            self.named.insert(key::name(&name), None);
        }
        self.places.insert(place, None);
        for lane in 0..=u8::MAX {
            let stream = Stream { place, lane };
            self.firsts.remove(&stream);
            self.buried.extend(self.tails.remove(&stream).map(|tail| (stream, tail)));
        }
        let at = |lane, seq| Position { stream: Stream { place, lane }, seq };
        let gone: Vec<_> = self.unfinished.range(at(0, 0)..=at(u8::MAX, u64::MAX)).copied().collect();
        self.close(&gone);
    }
}
