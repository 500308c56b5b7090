//! Sweeping: takes out of the log what nothing refers to any more, so that sled uses its room again.
//!
//! A checkpoint writes down where dead records are. A step takes some of these from the list and makes their slots
//! hollow, in place: a slot keeps its number, so no index changes. A segment in which no record lives is removed. Each
//! step is one batch of sled, and doing it twice does no harm; so nothing of it waits for the disk.

use std::collections::BTreeMap;

use ::sled::Batch;

use super::index::Piece;
use super::key;
use super::segment::{self, Slot};
use super::store::{Fault, Store, seal};

/// Slots that a step takes from the list: at most as many segments, each read and written once, some 10 ms.
const SLOTS: usize = 256;

/// Does some of what there is to sweep. Answers whether there may be more.
pub(super) fn step(store: &Store) -> Result<bool, Fault> {
    let Some(key) = next(store)? else { return Ok(false) };
    let mut batch = Batch::default();
    batch.remove(key.as_slice());
    match read(store, &key) {
        Ok(Some((stream, mut piece))) => {
            let rest = piece.slots.split_off(piece.slots.len().min(SLOTS));
            let first = piece.first + piece.slots.len() as u64;
            hollow(&mut batch, store, &piece.slots)?;
            for (first, value) in (Piece { first, slots: rest }).encode().map_err(std::io::Error::other)? {
                batch.insert(key::dead(stream, first), seal(&value));
            }
        }
        Ok(None) => {}
        // What it spoke of stays in the log for ever; that is no reason to stop.
        Err(Fault::Damaged(what)) => log::error!("{what} is damaged; the room it speaks of is not used again"),
        Err(fault) => return Err(fault),
    }
    store.apply(batch)?;
    Ok(true)
}

fn next(store: &Store) -> Result<Option<Vec<u8>>, Fault> {
    let mut first = None;
    store.each_key(b"x", |key| {
        first = Some(key.to_vec());
        false
    })?;
    Ok(first)
}

fn read(store: &Store, key: &[u8]) -> Result<Option<(crate::journal::Stream, Piece)>, Fault> {
    let damaged = || Fault::Damaged("A list of what is to be swept".to_owned());
    let Some(value) = store.get(key)? else { return Ok(None) };
    let (stream, first) = key::piece(key).ok_or_else(damaged)?;
    Ok(Some((stream, Piece::decode(first, &value).ok_or_else(damaged)?)))
}

fn hollow(batch: &mut Batch, store: &Store, slots: &[Slot]) -> Result<(), Fault> {
    let mut segments: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    for slot in slots {
        segments.entry(slot.segment).or_default().push(slot.slot);
    }
    for (number, slots) in segments {
        let parts = match segment::hollowed(store, number, &slots) {
            Ok(segment::Hollowed::Some(value)) => {
                batch.insert(key::segment(number), seal(&value));
                continue;
            }
            Ok(segment::Hollowed::All { parts }) => u64::from(parts),
            Ok(segment::Hollowed::Gone) => continue,
            Err(Fault::Damaged(what)) => {
                log::error!("{what} is damaged; its room is not used again");
                continue;
            }
            Err(fault) => return Err(fault),
        };
        (number..number + parts).for_each(|number| batch.remove(key::segment(number)));
    }
    Ok(())
}
