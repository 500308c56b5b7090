//! The log: the entries of a commit, packed into segments.
//!
//! A commit is one or several segments, numbered on without holes and written in one batch of sled; the last carries
//! [`LAST`]. A segment begins with flags (1 byte), parts (2), the count of its slots (2) and the end of each slot (2
//! each), all little-endian, so that a slot is reached without reading the others. A slot is an entry: its head in
//! postcard, then the record's bytes. An entry too long for a segment has one of its own and as many behind it as
//! `parts` says, less one, which carry [`MORE`] and nothing but the bytes that follow.

use std::borrow::Cow;

use ::sled::IVec;
use serde::{Deserialize, Serialize};

use super::key;
use super::store::{Fault, Store, VALUE};
use crate::journal::{Entry, Kind, Place, PlaceName, Position, Record, Stream};
use crate::protocol::TenantId;

/// The last segment of its commit.
const LAST: u8 = 1;

/// Goes on with the entry that the segment before began.
const MORE: u8 = 2;

const FLAGS: usize = 1;
const HEADER: usize = 5;

/// What fits into a segment: a value, less its seal.
const SEGMENT: usize = VALUE - 4;

/// Where an entry is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    /// The segment.
    pub segment: u64,
    /// Which of its slots.
    pub slot: u16,
}

/// A position as it stands in the log: place, lane, seq.
pub(super) type Mark = (u64, u8, u64);

/// The mark of a position.
pub(super) fn mark(at: &Position) -> Mark {
    (at.stream.place.0, at.stream.lane, at.seq)
}

/// The position of a mark.
pub(super) fn position((place, lane, seq): Mark) -> Position {
    Position { stream: Stream { place: Place(place), lane }, seq }
}

/// An entry, without its record's bytes. Its variants are numbered in the log: add at the end, never change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Head {
    Append { at: Mark, opens: bool, closes: Vec<Mark> },
    Create { place: u64, tenant: String, kind: u8, id: String },
    Close { positions: Vec<Mark> },
    Delete { place: u64 },
    Trim { place: u64, lane: u8, first: u64 },
}

impl Head {
    /// The head of an entry.
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Append { at, opens, closes, .. } => {
                Self::Append { at: mark(at), opens: *opens, closes: closes.iter().map(mark).collect() }
            }
            Entry::Create { place, name } => Self::Create {
                place: place.0,
                tenant: name.tenant.as_str().to_owned(),
                kind: name.kind as u8,
                id: name.id.clone(),
            },
            Entry::Close { positions } => Self::Close { positions: positions.iter().map(mark).collect() },
            Entry::Delete { place } => Self::Delete { place: place.0 },
            Entry::Trim { stream, first } => Self::Trim { place: stream.place.0, lane: stream.lane, first: *first },
        }
    }
}

/// The name that a [`Head::Create`] gives.
pub(super) fn place_name(tenant: String, kind: u8, id: String) -> Option<PlaceName> {
    let kinds = [Kind::Conversation, Kind::Channel, Kind::Inbox, Kind::Memory, Kind::Ledger];
    let kind = kinds.into_iter().find(|known| *known as u8 == kind)?;
    Some(PlaceName { tenant: TenantId::trusted(tenant), kind, id })
}

/// Packs entries into segments.
#[derive(Debug)]
pub(super) struct Builder {
    next: u64,
    sealed: Vec<Vec<u8>>,
    ends: Vec<u16>,
    bodies: Vec<u8>,
}

impl Builder {
    /// A commit whose first segment is `next`.
    pub fn new(next: u64) -> Self {
        Self { next, sealed: Vec::new(), ends: Vec::new(), bodies: Vec::with_capacity(SEGMENT) }
    }

    /// Adds an entry; answers where it will be. Fails for an entry longer than 65,535 segments, of which
    /// the queue takes none.
    pub fn push(&mut self, head: &Head, bytes: &[u8]) -> Result<Slot, postcard::Error> {
        let mut body = postcard::to_allocvec(head)?;
        body.extend_from_slice(bytes);
        if !self.fits(body.len()) {
            self.seal(0, 1);
        }
        if !self.fits(body.len()) {
            return self.push_long(&body);
        }
        let slot = Slot { segment: self.next, slot: u16::try_from(self.ends.len()).unwrap_or(u16::MAX) };
        self.add(&body);
        Ok(slot)
    }

    /// The segments, from the first on.
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        self.seal(0, 1);
        if let Some(flags) = self.sealed.last_mut().and_then(|segment| segment.first_mut()) {
            *flags |= LAST;
        }
        self.sealed
    }

    fn fits(&self, body: usize) -> bool {
        HEADER + 2 * (self.ends.len() + 1) + self.bodies.len() + body <= SEGMENT
    }

    /// What is added is below [`SEGMENT`] in all, so that ends fit into 16 bits.
    fn add(&mut self, body: &[u8]) {
        self.bodies.extend_from_slice(body);
        self.ends.push(u16::try_from(self.bodies.len()).unwrap_or(u16::MAX));
    }

    fn push_long(&mut self, body: &[u8]) -> Result<Slot, postcard::Error> {
        let slot = Slot { segment: self.next, slot: 0 };
        let (first, rest) = body.split_at(SEGMENT - HEADER - 2);
        let rest = rest.chunks(SEGMENT - HEADER);
        let parts = u16::try_from(rest.len() + 1).map_err(|_| postcard::Error::SerializeBufferFull)?;
        self.add(first);
        self.seal(0, parts);
        for part in rest {
            self.bodies.extend_from_slice(part);
            self.seal(MORE, 1);
        }
        Ok(slot)
    }

    fn seal(&mut self, flags: u8, parts: u16) {
        if self.bodies.is_empty() {
            return;
        }
        self.sealed.push(assembled(flags, parts, &self.ends, &self.bodies));
        self.ends.clear();
        self.bodies.clear();
        self.next += 1;
    }
}

/// A segment as read.
#[derive(Clone, Debug)]
pub(super) struct Segment(IVec);

impl Segment {
    /// Whether it is the last of its commit.
    pub fn is_last(&self) -> bool {
        self.flags() & LAST != 0
    }

    /// Whether it goes on with an entry of the segment before.
    pub fn is_more(&self) -> bool {
        self.flags() & MORE != 0
    }

    /// How many slots it has.
    pub fn count(&self) -> u16 {
        self.number(FLAGS + 2).unwrap_or(0)
    }

    /// Whether each of its slots is there.
    pub fn is_sound(&self) -> bool {
        self.0.len() >= HEADER && (0..self.count()).all(|slot| self.slot(slot).is_some())
    }

    fn flags(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    /// How many segments its last slot takes, itself counted.
    pub fn parts(&self) -> u16 {
        self.number(FLAGS).unwrap_or(1)
    }

    fn number(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.0.get(at..at + 2)?.try_into().ok()?))
    }

    fn slot(&self, slot: u16) -> Option<&[u8]> {
        if slot >= self.count() {
            return None;
        }
        let bodies = self.0.get(HEADER + 2 * usize::from(self.count())..)?;
        let end = |slot: u16| self.number(HEADER + 2 * usize::from(slot)).map(usize::from);
        let from = if slot == 0 { 0 } else { end(slot - 1)? };
        bodies.get(from..end(slot)?)
    }
}

impl From<IVec> for Segment {
    fn from(value: IVec) -> Self {
        Self(value)
    }
}

/// A segment without some of its records.
pub(super) enum Hollowed {
    /// Others live in it; what is left of it.
    Some(Vec<u8>),
    /// None lives in it; it and those that go on with it may be removed, so many in all.
    All { parts: u16 },
    /// It was removed before.
    Gone,
}

/// What is left of a segment, written down by a checkpoint, without the records in `dead`. Only records outlive the
/// checkpoint: the other entries go too.
pub(super) fn hollowed(store: &Store, number: u64, dead: &[u16]) -> Result<Hollowed, Fault> {
    let Some(segment) = store.get(&key::segment(number))?.map(Segment) else { return Ok(Hollowed::Gone) };
    let parts = segment.parts().max(1);
    let (mut left, mut ends, mut bodies) = (false, Vec::new(), Vec::new());
    for slot in 0..segment.count() {
        let body = segment.slot(slot).ok_or_else(|| damaged(number))?;
        // A long record's head is whole in its first part.
        let head = postcard::take_from_bytes::<Head>(body).map(|(head, _)| head);
        if !body.is_empty() && !dead.contains(&slot) && matches!(head, Ok(Head::Append { .. })) {
            left = true;
            bodies.extend_from_slice(body);
        }
        ends.push(u16::try_from(bodies.len()).unwrap_or(u16::MAX));
    }
    if left {
        Ok(Hollowed::Some(assembled(segment.flags(), parts, &ends, &bodies)))
    } else {
        Ok(Hollowed::All { parts })
    }
}

/// The bytes of a segment.
fn assembled(flags: u8, parts: u16, ends: &[u16], bodies: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(HEADER + 2 * ends.len() + bodies.len());
    segment.push(flags);
    segment.extend_from_slice(&parts.to_le_bytes());
    segment.extend_from_slice(&u16::try_from(ends.len()).unwrap_or(u16::MAX).to_le_bytes());
    segment.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
    segment.extend_from_slice(bodies);
    segment
}

/// Reads entries; keeps the last segment, since neighbours of a stream are often in one.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    store: &'a Store,
    last: Option<(u64, Segment)>,
}

impl<'a> Reader<'a> {
    /// A reader of the log in `store`.
    pub fn new(store: &'a Store) -> Self {
        Self { store, last: None }
    }

    /// The entry at `at`: its head and its record's bytes.
    pub fn entry(&mut self, at: Slot) -> Result<(Head, Vec<u8>), Fault> {
        let segment = self.segment(at.segment)?;
        let body = body(self.store, at, &segment)?;
        let (head, bytes) = postcard::take_from_bytes(&body).map_err(|_| damaged(at.segment))?;
        Ok((head, bytes.to_vec()))
    }

    /// The record of `position`, which the index says is at `at`.
    pub fn record(&mut self, at: Slot, position: Position) -> Result<Record, Fault> {
        match self.entry(at)? {
            (Head::Append { at: found, .. }, bytes) if found == mark(&position) => {
                Ok(Record { seq: position.seq, bytes })
            }
            _ => Err(damaged(at.segment)),
        }
    }

    fn segment(&mut self, number: u64) -> Result<Segment, Fault> {
        if let Some((last, segment)) = &self.last
            && *last == number
        {
            return Ok(segment.clone());
        }
        let segment = fetch(self.store, number)?;
        self.last = Some((number, segment.clone()));
        Ok(segment)
    }
}

/// The error for a segment that is not as it was written.
pub(super) fn damaged(number: u64) -> Fault {
    Fault::Damaged(format!("Segment {number}"))
}

fn fetch(store: &Store, number: u64) -> Result<Segment, Fault> {
    store.get(&key::segment(number))?.map(Segment).ok_or_else(|| damaged(number))
}

fn body<'s>(store: &Store, at: Slot, segment: &'s Segment) -> Result<Cow<'s, [u8]>, Fault> {
    let first = segment.slot(at.slot).ok_or_else(|| damaged(at.segment))?;
    if segment.parts() <= 1 {
        return Ok(Cow::Borrowed(first));
    }
    let mut body = first.to_vec();
    for number in (at.segment + 1..).take(usize::from(segment.parts() - 1)) {
        let part = fetch(store, number)?;
        if !part.is_more() {
            return Err(damaged(number));
        }
        body.extend_from_slice(part.0.get(HEADER..).unwrap_or_default());
    }
    Ok(Cow::Owned(body))
}
