//! Checkpoints: what the log since the last one says, written down as dictionary, index and list of unfinished records,
//! so that a start reads only the log behind it. What is gone since is written down as well, for `sweep`.

use std::collections::BTreeSet;
use std::ops::Range;

use ::sled::Batch;
use serde::{Deserialize, Serialize};

use super::index::Piece;
use super::segment::{Mark, Slot, mark, position};
use super::state::State;
use super::store::{Fault, Store, seal};
use super::{index, key, names};
use crate::journal::{Position, Stream};

/// Positions in one piece of the list of unfinished records: 21 bytes each at the most, below 6 KiB in all.
const PIECE: usize = 256;

/// The checkpoint as it stands in the store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The first segment that it does not speak of.
    pub next_segment: u64,
    /// Records appended before that.
    pub records: u64,
    /// A number that no place ever had, nor any above.
    pub next_place: u64,
    /// Pieces of the list of unfinished records.
    pub pieces: u64,
}

impl Checkpoint {
    /// The last one; that of an empty store if there is none.
    pub fn read(store: &Store) -> Result<Self, Fault> {
        let Some(value) = store.get(key::CHECKPOINT)? else { return Ok(Self::default()) };
        postcard::from_bytes(&value).map_err(|_| Fault::Damaged("The checkpoint".to_owned()))
    }

    /// The unfinished records as of this checkpoint.
    pub fn unfinished(&self, store: &Store) -> Result<BTreeSet<Position>, Fault> {
        let damaged = || Fault::Damaged("The list of unfinished records".to_owned());
        let mut positions = BTreeSet::new();
        for piece in 0..self.pieces {
            let value = store.get(&key::unfinished(piece))?.ok_or_else(damaged)?;
            let marks: Vec<Mark> = postcard::from_bytes(&value).map_err(|_| damaged())?;
            positions.extend(marks.into_iter().map(position));
        }
        Ok(positions)
    }
}

/// What a checkpoint of `state` writes.
pub(super) fn batch(store: &Store, state: &State, next_place: u64) -> Result<Batch, Fault> {
    let mut batch = Batch::default();
    put_names(&mut batch, state)?;
    put_indexes(&mut batch, store, state)?;
    put_firsts(&mut batch, store, state)?;
    bury(&mut batch, store, state)?;
    state.empty.iter().for_each(|number| batch.remove(key::segment(*number)));
    let pieces = put_unfinished(&mut batch, state)?;
    for stale in pieces..Checkpoint::read(store)?.pieces {
        batch.remove(key::unfinished(stale));
    }
    let checkpoint = Checkpoint { next_segment: state.next_segment, records: state.records, next_place, pieces };
    batch.insert(key::CHECKPOINT, encode(&checkpoint)?);
    Ok(batch)
}

fn put_names(batch: &mut Batch, state: &State) -> Result<(), Fault> {
    for (key, place) in state.all_named() {
        match place {
            Some(place) => batch.insert(key, seal(&names::encode_place(place))),
            None => batch.remove(key),
        }
    }
    for (place, name) in state.all_places() {
        match name {
            Some(name) => batch.insert(key::place(place), seal(&names::encode_name(name).map_err(unwritable)?)),
            None => batch.remove(key::place(place)),
        }
    }
    Ok(())
}

fn put_indexes(batch: &mut Batch, store: &Store, state: &State) -> Result<(), Fault> {
    for (stream, tail) in state.tails() {
        let begins = state.first(stream).map_or_else(|| index::first(store, stream), Ok)?;
        let piece = match index::joined(store, stream, tail, begins) {
            // Its older records cannot be reached any more; that is no reason to stop writing for everybody else.
            Err(Fault::Damaged(what)) => {
                log::error!("{what} is damaged");
                tail.clone()
            }
            joined => joined?,
        };
        for (first, value) in piece.encode().map_err(unwritable)? {
            batch.insert(key::index(stream, first), seal(&value));
        }
    }
    Ok(())
}

/// Notes the first records of trimmed streams, and where those before them are.
fn put_firsts(batch: &mut Batch, store: &Store, state: &State) -> Result<(), Fault> {
    for (stream, first) in state.firsts() {
        let known = index::first(store, stream)?;
        if first <= known {
            continue;
        }
        let dead = Piece { first: known, slots: dead_slots(store, state, stream, known..first)? };
        put_dead(batch, stream, &dead)?;
        batch.insert(key::first(stream), seal(&first.to_be_bytes()));
        // The last piece stays: it says where the stream's head is.
        let prefix = key::indexes_of(stream);
        let keys = store.keys(&prefix, &prefix)?;
        let whole = keys.windows(2).take_while(|pair| {
            pair.last().and_then(|next| key::index_first(stream, next)).is_some_and(|next| next <= first)
        });
        for key in whole.filter_map(|pair| pair.first()) {
            batch.remove(key);
        }
    }
    Ok(())
}

/// Where records are that are about to be forgotten: in the index, in the tail, or some in each.
fn dead_slots(store: &Store, state: &State, stream: Stream, seqs: Range<u64>) -> Result<Vec<Slot>, Fault> {
    let count = usize::try_from(seqs.end - seqs.start).unwrap_or(usize::MAX);
    let Some(tail) = state.tail(stream) else { return index::slots_from(store, stream, seqs.start, count) };
    let indexed = usize::try_from(tail.first.saturating_sub(seqs.start)).unwrap_or(usize::MAX).min(count);
    let mut slots = index::slots_from(store, stream, seqs.start, indexed)?;
    slots.extend_from_slice(tail.slots_from(seqs.start.max(tail.first), count - indexed));
    Ok(slots)
}

/// Moves the indexes of deleted places to what is to be swept.
fn bury(batch: &mut Batch, store: &Store, state: &State) -> Result<(), Fault> {
    for (place, _) in state.all_places().filter(|(_, name)| name.is_none()) {
        let prefix = key::indexes(place);
        for key in store.keys(&prefix, &prefix)? {
            let Some((stream, first)) = key::piece(&key) else { continue };
            // A piece that cannot be read leaves its records unswept, which harms nobody.
            if let Ok(Some(value)) = store.get(&key) {
                batch.insert(key::dead(stream, first), seal(&value));
            }
            batch.remove(key);
        }
        for key in store.keys(&key::firsts(place), &key::firsts(place))? {
            batch.remove(key);
        }
    }
    for (stream, piece) in state.buried() {
        put_dead(batch, stream, piece)?;
    }
    Ok(())
}

fn put_dead(batch: &mut Batch, stream: Stream, piece: &Piece) -> Result<(), Fault> {
    for (first, value) in piece.encode().map_err(unwritable)? {
        batch.insert(key::dead(stream, first), seal(&value));
    }
    Ok(())
}

fn put_unfinished(batch: &mut Batch, state: &State) -> Result<u64, Fault> {
    let marks: Vec<Mark> = state.unfinished().iter().map(mark).collect();
    let mut pieces = 0;
    for piece in marks.chunks(PIECE) {
        batch.insert(key::unfinished(pieces), encode(&piece)?);
        pieces += 1;
    }
    Ok(pieces)
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    Ok(seal(&postcard::to_allocvec(value).map_err(unwritable)?))
}

fn unwritable(error: postcard::Error) -> Fault {
    Fault::Io(std::io::Error::other(error))
}
