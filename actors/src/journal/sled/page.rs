//! Reading a stream: which records, from the state and the index; then the records, from the log.

use std::sync::RwLock;

use super::read;
use super::segment::{Reader, Slot};
use super::state::State;
use super::store::{Fault, Store};
use super::{index, names};
use crate::journal::{Position, Record, Stream};

/// The `seq` of a stream's last record; 0 if it has none.
pub(super) fn head(state: &RwLock<State>, store: &Store, stream: Stream) -> Result<u64, Fault> {
    {
        let state = read(state);
        if state.is_deleted(stream.place) {
            return Ok(0);
        }
        if let Some(tail) = state.tail(stream) {
            return Ok(tail.head());
        }
    }
    match index::head(store, stream)? {
        // It begins where its first record will be.
        0 => Ok(first(state, store, stream)?.saturating_sub(1)),
        head => Ok(head),
    }
}

/// The `seq` of the first record that a stream has or will have.
pub(super) fn first(state: &RwLock<State>, store: &Store, stream: Stream) -> Result<u64, Fault> {
    {
        let state = read(state);
        if state.is_deleted(stream.place) {
            return Ok(1);
        }
        if let Some(first) = state.first(stream) {
            return Ok(first);
        }
    }
    index::first(store, stream)
}

/// Records with a `seq` above `after`, oldest first.
///
/// Records may be swept away under this. They were trimmed before, or their place deleted, so what seems to be damage
/// is none where that has happened since the read began.
pub(super) fn read_after(
    state: &RwLock<State>,
    store: &Store,
    stream: Stream,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let Some(wanted) = after.checked_add(1) else { return Ok(Vec::new()) };
    loop {
        let from = first(state, store, stream)?.max(wanted);
        let fault = match read_from(state, store, stream, from, limit) {
            Err(fault @ Fault::Damaged(_)) => fault,
            read => return read,
        };
        if names::name(state, store, stream.place)?.is_none() {
            return Ok(Vec::new());
        }
        if first(state, store, stream)? <= from {
            return Err(fault);
        }
    }
}

fn read_from(
    state: &RwLock<State>,
    store: &Store,
    stream: Stream,
    from: u64,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let slots = slots(state, store, stream, from, limit)?;
    let mut reader = Reader::new(store);
    // The slots first: where there are none, `from` may be the last number there is, and has no next.
    slots.into_iter().zip(from..).map(|(slot, seq)| reader.record(slot, Position { stream, seq })).collect()
}

/// The last records with a `seq` below `before`, oldest first.
pub(super) fn read_before(
    state: &RwLock<State>,
    store: &Store,
    stream: Stream,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let head = head(state, store, stream)?;
    let last = before.map_or(head, |before| head.min(before.saturating_sub(1)));
    let below = first(state, store, stream)?.saturating_sub(1);
    let after = last.saturating_sub(limit as u64).max(below.min(last));
    let count = usize::try_from(last - after).unwrap_or(usize::MAX);
    let mut records = read_after(state, store, stream, after, count)?;
    // The stream may have been trimmed meanwhile, and the page begun behind where it was to begin.
    records.retain(|record| record.seq <= last);
    Ok(records)
}

/// The slots of the records of a stream from `from` on, at most `limit` of them.
///
/// The head is looked up first: whatever happens meanwhile, every record up to it must be found, in the index or in the
/// tail, unless the place is deleted.
fn slots(state: &RwLock<State>, store: &Store, stream: Stream, from: u64, limit: usize) -> Result<Vec<Slot>, Fault> {
    let head = head(state, store, stream)?;
    let wanted = limit.min(usize::try_from((head + 1).saturating_sub(from)).unwrap_or(usize::MAX));
    let (first, fresh) = match read(state).tail(stream) {
        Some(tail) => (tail.first, tail.slots_from(from, wanted).to_vec()),
        None => (u64::MAX, Vec::new()),
    };
    if first <= from {
        return Ok(fresh);
    }
    let before = wanted.min(usize::try_from(first - from).unwrap_or(usize::MAX));
    let mut slots = index::slots_from(store, stream, from, before)?;
    if slots.len() == before {
        slots.extend(fresh.into_iter().take(wanted - before));
    }
    if slots.len() == wanted {
        return Ok(slots);
    }
    match names::name(state, store, stream.place)? {
        Some(_) => Err(index::damaged(stream)),
        None => Ok(Vec::new()),
    }
}
