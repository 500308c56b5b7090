//! The keys of the store, a letter each:
//!
//! | key | value |
//! |---|---|
//! | `f` place lane | the `seq` of the first record of a stream that was trimmed |
//! | `i` place lane first-seq | where the records of a stream are, from that one on (`index`) |
//! | `m` word | the format, the last checkpoint, the place in a log elsewhere |
//! | `n` tenant kind id | the place of that name |
//! | `p` place | the name of that place |
//! | `s` number | a segment: a piece of the log (`segment`) |
//! | `u` number | a piece of the list of unfinished records |
//! | `x` place lane first-seq | where records are that nothing refers to any more, to be swept (`sweep`) |
//!
//! Numbers are big-endian, so that the order of the keys is the order of the numbers. Only `s` is written by a commit,
//! and that place in a log elsewhere, where there is one; the other letters are written by checkpoints and say nothing
//! that the log before them does not say as well.

use crate::journal::{Kind, Place, PlaceName, Stream};
use crate::protocol::TenantId;

/// Where the number of the format stands: never sealed, so that any later format can be told apart.
pub(super) const FORMAT: &[u8] = b"mformat";

/// Where the last checkpoint stands.
pub(super) const CHECKPOINT: &[u8] = b"mcheckpoint";

/// Where the place in the log elsewhere stands, of which the store is a copy.
pub(super) const LOG: &[u8] = b"mlog";

/// A letter before a number.
fn numbered(letter: u8, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(9);
    key.push(letter);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// A segment of the log.
pub(super) fn segment(number: u64) -> Vec<u8> {
    numbered(b's', number)
}

/// The number of the segment under `key`, if it is one.
pub(super) fn segment_number(key: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(b"s")?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// The name of a place.
pub(super) fn place(place: Place) -> Vec<u8> {
    numbered(b'p', place.0)
}

/// A piece of the list of unfinished records.
pub(super) fn unfinished(piece: u64) -> Vec<u8> {
    numbered(b'u', piece)
}

/// The place whose name is under `key`, if it is one.
pub(super) fn place_number(key: &[u8]) -> Option<Place> {
    let number = key.strip_prefix(b"p")?;
    Some(Place(u64::from_be_bytes(number.try_into().ok()?)))
}

/// What the keys of the first records of all lanes of a place begin with.
pub(super) fn firsts(place: Place) -> Vec<u8> {
    numbered(b'f', place.0)
}

/// The first record of a stream.
pub(super) fn first(stream: Stream) -> Vec<u8> {
    let mut key = firsts(stream.place);
    key.push(stream.lane);
    key
}

/// Where dead records of a stream are, from `first` on.
pub(super) fn dead(stream: Stream, first: u64) -> Vec<u8> {
    let mut key = index(stream, first);
    if let Some(letter) = key.first_mut() {
        *letter = b'x';
    }
    key
}

/// The stream and the first `seq` of the piece under `key`, which is one of an index or of dead records.
pub(super) fn piece(key: &[u8]) -> Option<(Stream, u64)> {
    let (place, rest) = key.get(1..)?.split_first_chunk()?;
    let (lane, first) = rest.split_first()?;
    let stream = Stream { place: Place(u64::from_be_bytes(*place)), lane: *lane };
    Some((stream, u64::from_be_bytes(first.try_into().ok()?)))
}

/// What the index keys of all lanes of a place begin with.
pub(super) fn indexes(place: Place) -> Vec<u8> {
    numbered(b'i', place.0)
}

/// What the index keys of a stream begin with.
pub(super) fn indexes_of(stream: Stream) -> Vec<u8> {
    let mut key = indexes(stream.place);
    key.push(stream.lane);
    key
}

/// The index of a stream from `first` on.
pub(super) fn index(stream: Stream, first: u64) -> Vec<u8> {
    let mut key = indexes_of(stream);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// The first `seq` of the index under `key`, if it is one of `stream`.
pub(super) fn index_first(stream: Stream, key: &[u8]) -> Option<u64> {
    let first = key.strip_prefix(indexes_of(stream).as_slice())?;
    Some(u64::from_be_bytes(first.try_into().ok()?))
}

/// What the names of a tenant's places of one kind begin with; the id follows. The length of the tenant stands before
/// it, so that no tenant's names begin with another's.
pub(super) fn names(tenant: &TenantId, kind: Kind) -> Vec<u8> {
    let tenant = tenant.as_str().as_bytes();
    let mut key = vec![b'n'];
    key.extend_from_slice(&u32::try_from(tenant.len()).unwrap_or(u32::MAX).to_be_bytes());
    key.extend_from_slice(tenant);
    key.push(kind as u8);
    key
}

/// A name of a place.
pub(super) fn name(name: &PlaceName) -> Vec<u8> {
    let mut key = names(&name.tenant, name.kind);
    key.extend_from_slice(name.id.as_bytes());
    key
}
