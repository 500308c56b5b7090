//! The index of a stream: where each of its records is in the log.
//!
//! Under a key with the `seq` of its first record stand as many slots as fit into one value, each as the distance of
//! its segment from the one before (the first: from 0) and the number of its slot, in postcard. A stream's keys follow
//! on each other without a hole; what came after the last checkpoint is in the memory of `state`.

use super::key;
use super::segment::Slot;
use super::store::{Fault, Store, VALUE};
use crate::journal::Stream;

/// Below this many bytes, the last piece of an index is written again with what is new, rather than left as it is: a
/// stream with few records a checkpoint would otherwise have a key for each handful.
const SMALL: usize = 1024;

/// The longest slot: 10 bytes for the distance, 3 for the slot, 4 for the seal of the value.
const SPARE: usize = 17;

/// A run of slots of one stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Piece {
    /// The `seq` of the first.
    pub first: u64,
    /// The slots of that record and those after it.
    pub slots: Vec<Slot>,
}

impl Piece {
    /// The `seq` of the last record; that before the first if there is none.
    pub fn head(&self) -> u64 {
        (self.first + self.slots.len() as u64).saturating_sub(1)
    }

    /// The slots of the records from `from` on, at most `limit` of them.
    pub fn slots_from(&self, from: u64, limit: usize) -> &[Slot] {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let slots = self.slots.get(skip..).unwrap_or_default();
        slots.get(..limit).unwrap_or(slots)
    }

    /// The values that the piece is written as, each with its first `seq`.
    pub fn encode(&self) -> Result<Vec<(u64, Vec<u8>)>, postcard::Error> {
        let mut values = Vec::new();
        let (mut value, mut first, mut before) = (Vec::new(), self.first, 0);
        for (seq, slot) in (self.first..).zip(&self.slots) {
            if value.len() + SPARE > VALUE {
                values.push((first, std::mem::take(&mut value)));
                (first, before) = (seq, 0);
            }
            value = postcard::to_extend(&(slot.segment - before, slot.slot), value)?;
            before = slot.segment;
        }
        if !value.is_empty() {
            values.push((first, value));
        }
        Ok(values)
    }

    /// The piece that a value says, unless it is torn.
    pub fn decode(first: u64, mut value: &[u8]) -> Option<Self> {
        let (mut slots, mut segment) = (Vec::new(), 0_u64);
        while !value.is_empty() {
            let ((distance, slot), rest) = postcard::take_from_bytes::<(u64, u16)>(value).ok()?;
            segment = segment.checked_add(distance)?;
            slots.push(Slot { segment, slot });
            value = rest;
        }
        Some(Self { first, slots })
    }
}

/// The piece that has the record `seq`, or the last before it.
fn piece_at(store: &Store, stream: Stream, seq: u64) -> Result<Option<(Piece, usize)>, Fault> {
    let Some((key, value)) = store.at_or_below(&key::index(stream, seq))? else { return Ok(None) };
    let Some(first) = key::index_first(stream, &key) else { return Ok(None) };
    let piece = Piece::decode(first, &value).ok_or_else(|| damaged(stream))?;
    Ok(Some((piece, value.len())))
}

/// The `seq` of the last record of `stream` that the index knows; 0 if there is none.
pub(super) fn head(store: &Store, stream: Stream) -> Result<u64, Fault> {
    Ok(piece_at(store, stream, u64::MAX)?.map_or(0, |(piece, _)| piece.head()))
}

/// The slots of records of `stream` that the index knows, those from `from` on, at most `limit` of them.
pub(super) fn slots_from(store: &Store, stream: Stream, from: u64, limit: usize) -> Result<Vec<Slot>, Fault> {
    let mut slots = Vec::new();
    let mut next = from;
    while slots.len() < limit {
        let Some((piece, _)) = piece_at(store, stream, next)? else { break };
        let found = piece.slots_from(next, limit - slots.len());
        if found.is_empty() {
            break;
        }
        slots.extend_from_slice(found);
        next += found.len() as u64;
    }
    Ok(slots)
}

/// The `seq` of the first record of `stream` as of the last checkpoint; 1 if it was never trimmed.
pub(super) fn first(store: &Store, stream: Stream) -> Result<u64, Fault> {
    let Some(value) = store.get(&key::first(stream))? else { return Ok(1) };
    value.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| damaged(stream))
}

/// `tail`, put together with the last piece of the index if that is small: what a checkpoint writes. `begins` is the
/// first record of the stream.
pub(super) fn joined(store: &Store, stream: Stream, tail: &Piece, begins: u64) -> Result<Piece, Fault> {
    if tail.first <= 1 {
        return Ok(tail.clone());
    }
    let Some((mut piece, bytes)) = piece_at(store, stream, tail.first - 1)? else {
        // A stream may begin anywhere; then nothing of it stands before.
        return if begins >= tail.first { Ok(tail.clone()) } else { Err(damaged(stream)) };
    };
    if piece.head() + 1 != tail.first {
        return Err(damaged(stream));
    }
    if bytes >= SMALL {
        return Ok(tail.clone());
    }
    piece.slots.extend_from_slice(&tail.slots);
    Ok(piece)
}

/// The error for an index that is not as it was written.
pub(super) fn damaged(stream: Stream) -> Fault {
    Fault::Damaged(format!("The index of place {}, lane {}", stream.place.0, stream.lane))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_as_written_whatever_its_length() {
        for length in [1, 2, 5000_u64] {
            let slots: Vec<_> = (0..length).map(|n| Slot { segment: n * n * 999, slot: (n % 700) as u16 }).collect();
            let piece = Piece { first: 8, slots };
            let values = piece.encode().unwrap();
            let mut next = 8;
            let mut read = Vec::new();
            for (first, value) in &values {
                assert_eq!(*first, next);
                assert!(value.len() <= VALUE - 4);
                let part = Piece::decode(*first, value).unwrap();
                next += part.slots.len() as u64;
                read.extend(part.slots);
            }
            assert_eq!(read, piece.slots);
            assert_eq!(values.len() > 1, length == 5000);
        }
    }

    #[test]
    fn a_torn_piece_is_refused() {
        let (_, value) = Piece { first: 1, slots: vec![Slot { segment: 300, slot: 2 }; 3] }.encode().unwrap().remove(0);
        assert_eq!(Piece::decode(1, &value[..value.len() - 1]), None);
    }
}
