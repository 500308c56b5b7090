//! Sweeping: takes out of the log what nothing refers to any more, so that sled uses its room again.
//!
//! A checkpoint writes down where dead records are, in a list a stream. A round gathers many of these lists and sorts what
//! they speak of by segments: what is trimmed of many small streams at about the same time stands side by side in the
//! log, and each segment is read and written once for all of it. Then slots are made hollow, in place: a slot keeps its
//! number, so no index changes. A segment in which no record lives is removed. At the end of the round the lists go. Each
//! step is one batch of sled, and doing it twice does no harm; so nothing of it waits for the disk, and a round that is
//! lost begins anew.

use std::collections::BTreeMap;

use ::sled::Batch;

use super::index::Piece;
use super::key;
use super::segment;
use super::store::{Fault, Store, seal};

/// Lists that a step gathers, or removes at the end: a millisecond or two, as most are small.
const LISTS: usize = 256;

/// Slots of a round, which ends with the list that makes them so many: some ten seconds of a busy server, 200 KB.
const SLOTS: usize = 16_384;

/// Segments that a step makes hollow, each read and written once: some 0.5 ms. A commit, behind which a step comes,
/// makes one or two.
const SEGMENTS: usize = 16;

/// A round.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The keys of the lists that were gathered, in their order.
    lists: Vec<Vec<u8>>,
    /// What they speak of: slots by their segments.
    dead: BTreeMap<u64, Vec<u16>>,
    /// How many these were at first.
    slots: usize,
    gathered: bool,
}

impl Sweep {
    /// Does some of what there is to sweep. Answers whether there may be more.
    pub fn step(&mut self, store: &Store) -> Result<bool, Fault> {
        let swept = if self.gathered { self.hollow(store).map(|()| true) } else { self.gather(store) };
        if swept.is_err() {
            // What was done may be gone when the store is opened again.
            *self = Self::default();
        }
        swept
    }

    fn gather(&mut self, store: &Store) -> Result<bool, Fault> {
        // The keys behind the last one begin with it and a zero at the least.
        let from = self.lists.last().map_or_else(|| b"x".to_vec(), |last| [last, &[0][..]].concat());
        let mut lists = Vec::new();
        store.each_key(b"x", &from, |key| {
            lists.push(key.to_vec());
            lists.len() < LISTS
        })?;
        self.gathered = lists.len() < LISTS;
        for key in lists {
            match read(store, &key) {
                Ok(piece) => self.note(&piece),
                // What it spoke of stays in the log for ever; that is no reason to stop.
                Err(Fault::Damaged(what)) => log::error!("{what} is damaged; the room it speaks of is not used again"),
                Err(fault) => return Err(fault),
            }
            self.lists.push(key);
            if self.slots >= SLOTS {
                self.gathered = true;
                break;
            }
        }
        let any = !self.lists.is_empty();
        self.gathered &= any;
        Ok(any)
    }

    fn note(&mut self, piece: &Piece) {
        self.slots += piece.slots.len();
        for slot in &piece.slots {
            self.dead.entry(slot.segment).or_default().push(slot.slot);
        }
    }

    fn hollow(&mut self, store: &Store) -> Result<(), Fault> {
        let mut batch = Batch::default();
        for _ in 0..SEGMENTS {
            let Some((number, slots)) = self.dead.pop_first() else { break };
            hollow(&mut batch, store, number, &slots)?;
        }
        if self.dead.is_empty() {
            let left = self.lists.len().saturating_sub(LISTS);
            self.lists.drain(left..).for_each(|key| batch.remove(key));
        }
        store.apply(batch)?;
        if self.lists.is_empty() {
            *self = Self::default();
        }
        Ok(())
    }
}

fn read(store: &Store, key: &[u8]) -> Result<Piece, Fault> {
    let damaged = || Fault::Damaged("A list of what is to be swept".to_owned());
    let value = store.get(key)?.ok_or_else(damaged)?;
    let (_, first) = key::piece(key).ok_or_else(damaged)?;
    Piece::decode(first, &value).ok_or_else(damaged)
}

fn hollow(batch: &mut Batch, store: &Store, number: u64, slots: &[u16]) -> Result<(), Fault> {
    match segment::hollowed(store, number, slots) {
        Ok(segment::Hollowed::Some(value)) => batch.insert(key::segment(number), seal(&value)),
        Ok(segment::Hollowed::All { parts }) => {
            (number..number + u64::from(parts)).for_each(|number| batch.remove(key::segment(number)));
        }
        Ok(segment::Hollowed::Gone) => {}
        Err(Fault::Damaged(what)) => log::error!("{what} is damaged; its room is not used again"),
        Err(fault) => return Err(fault),
    }
    Ok(())
}
