//! A commit in the making: checks each batch against everything before it, the batches of the same commit included,
//! and packs what holds into segments. A batch that does not hold leaves no trace.

use std::collections::HashMap;

use super::LANES;
use super::heads::Heads;
use super::segment::{Builder, Head, Slot};
use super::state::{Effect, State};
use super::store::{Fault, Store};
use super::{key, names, page};
use crate::journal::{Batch, Entry, Place, PlaceName, Position, Stream};
use crate::protocol::Error;
use std::sync::RwLock;

/// The longest record: 1 MiB, as the trait promises.
const RECORD: usize = 1 << 20;

/// The longest id of a place: eight times what a client may choose; a name must fit into a value.
const ID: usize = 1024;

/// What an entry takes away.
#[derive(Debug, Default)]
struct Gone {
    /// The name of a place that it deletes.
    name: Option<PlaceName>,
    /// Records, about.
    records: u64,
}

/// What is known so far, where it differs from the state.
#[derive(Debug, Default)]
struct Known {
    heads: HashMap<Stream, u64>,
    named: HashMap<Vec<u8>, Option<Place>>,
    places: HashMap<Place, Option<PlaceName>>,
    firsts: HashMap<Stream, u64>,
}

impl Known {
    fn take_in(&mut self, later: Self) {
        self.heads.extend(later.heads);
        self.named.extend(later.named);
        self.places.extend(later.places);
        self.firsts.extend(later.firsts);
    }
}

/// A commit in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    state: &'a RwLock<State>,
    store: &'a Store,
    heads: &'a mut Heads,
    known: Known,
    builder: Builder,
    effects: Vec<Effect>,
}

/// What a commit writes, and what it changes.
#[derive(Debug)]
pub(super) struct Commit {
    /// The segments, from the first on.
    pub segments: Vec<Vec<u8>>,
    /// The changes, in order.
    pub effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    /// A commit whose first segment is `next`.
    pub fn new(state: &'a RwLock<State>, store: &'a Store, heads: &'a mut Heads, next: u64) -> Self {
        Self { state, store, heads, known: Known::default(), builder: Builder::new(next), effects: Vec::new() }
    }

    /// Adds a batch, or says why it does not hold.
    pub fn add(&mut self, batch: Batch) -> Result<(), Error> {
        let mut later = Known::default();
        let mut gone = Vec::with_capacity(batch.len());
        for entry in &batch {
            gone.push(self.check(entry, &mut later).map_err(refusal)?);
        }
        self.known.take_in(later);
        for (entry, gone) in batch.into_iter().zip(gone) {
            let effect = pack(&mut self.builder, entry, gone).map_err(|error| Error::internal(error.to_string()))?;
            self.effects.push(effect);
        }
        Ok(())
    }

    /// The commit.
    pub fn finish(self) -> Commit {
        Commit { segments: self.builder.finish(), effects: self.effects }
    }

    /// Checks an entry and notes what it changes; answers what of it is gone for ever.
    fn check(&mut self, entry: &Entry, later: &mut Known) -> Result<Gone, Refusal> {
        match entry {
            Entry::Create { place, name } => self.check_create(*place, name, later).map(|()| Gone::default()),
            Entry::Append { at, bytes, .. } => self.check_append(*at, bytes.len(), later).map(|()| Gone::default()),
            Entry::Close { .. } => Ok(Gone::default()),
            Entry::Delete { place } => self.check_delete(*place, later),
            Entry::Trim { stream, first } => self.check_trim(*stream, *first, later),
        }
    }

    fn check_delete(&mut self, place: Place, later: &mut Known) -> Result<Gone, Refusal> {
        let name = self.place(later, place)?;
        let mut records = 0;
        if let Some(name) = &name {
            later.named.insert(key::name(name), None);
            // The lanes in use are the lowest ones; it is an estimate of what there is to sweep.
            for lane in 0..LANES {
                let stream = Stream { place, lane };
                records += (self.head(later, stream)? + 1).saturating_sub(self.first(later, stream)?);
            }
        }
        later.places.insert(place, None);
        Ok(Gone { name, records })
    }

    fn check_trim(&mut self, stream: Stream, first: u64, later: &mut Known) -> Result<Gone, Refusal> {
        if self.place(later, stream.place)?.is_none() {
            return Err(Refusal::Batch("There is no such place".to_owned()));
        }
        let head = self.head(later, stream)?;
        if first > head + 1 && head > 0 {
            return Err(Refusal::Batch(format!("The first record to keep is {first}, and the last is {head}")));
        }
        let known = self.first(later, stream)?;
        later.firsts.insert(stream, first.max(known));
        if head < first {
            later.heads.insert(stream, first.max(known) - 1);
        }
        Ok(Gone { name: None, records: (head + 1).min(first).saturating_sub(known) })
    }

    fn check_create(&self, place: Place, name: &PlaceName, later: &mut Known) -> Result<(), Refusal> {
        let key = key::name(name);
        if name.id.len() > ID || name.tenant.as_str().len() > ID {
            return Err(Refusal::Batch(format!("A place's name has at most {ID} bytes")));
        }
        let known = later.named.get(&key).or_else(|| self.known.named.get(&key)).copied();
        let taken = match known {
            Some(known) => known,
            None => names::find(self.state, self.store, name)?,
        };
        if taken.is_some() {
            return Err(Refusal::Batch("The name of a new place is in use".to_owned()));
        }
        if self.place(later, place)?.is_some() {
            return Err(Refusal::Batch("The number of a new place is in use".to_owned()));
        }
        later.named.insert(key, Some(place));
        later.places.insert(place, Some(name.clone()));
        Ok(())
    }

    fn check_append(&mut self, at: Position, length: usize, later: &mut Known) -> Result<(), Refusal> {
        if length > RECORD {
            return Err(Refusal::Batch(format!("A record has at most {RECORD} bytes, this one {length}")));
        }
        let head = self.head(later, at.stream)?;
        if at.seq != head + 1 {
            return Err(Refusal::Batch(format!("The next record of this stream is {}, not {}", head + 1, at.seq)));
        }
        if head == 0 && self.place(later, at.stream.place)?.is_none() {
            return Err(Refusal::Batch("There is no such place".to_owned()));
        }
        later.heads.insert(at.stream, at.seq);
        Ok(())
    }

    /// The name of a place, as of the batches so far.
    fn place(&self, later: &Known, place: Place) -> Result<Option<PlaceName>, Refusal> {
        match later.places.get(&place).or_else(|| self.known.places.get(&place)) {
            Some(known) => Ok(known.clone()),
            None => Ok(names::name(self.state, self.store, place)?),
        }
    }

    /// The first record of a stream, as of the batches so far.
    fn first(&self, later: &Known, stream: Stream) -> Result<u64, Refusal> {
        match later.firsts.get(&stream).or_else(|| self.known.firsts.get(&stream)) {
            Some(first) => Ok(*first),
            None => Ok(page::first(self.state, self.store, stream)?),
        }
    }

    /// The head of a stream, as of the batches so far.
    fn head(&mut self, later: &Known, stream: Stream) -> Result<u64, Refusal> {
        let place = later.places.get(&stream.place).or_else(|| self.known.places.get(&stream.place));
        if matches!(place, Some(None)) {
            return Err(Refusal::Batch("There is no such place".to_owned()));
        }
        if let Some(head) = later.heads.get(&stream).or_else(|| self.known.heads.get(&stream)) {
            return Ok(*head);
        }
        if let Some(head) = self.heads.get(stream) {
            return Ok(head);
        }
        let head = page::head(self.state, self.store, stream)?;
        self.heads.put(stream, head);
        Ok(head)
    }
}

enum Refusal {
    Batch(String),
    Store(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

fn refusal(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Batch(why) => Error::internal(why),
        Refusal::Store(fault) => fault.into(),
    }
}

fn pack(builder: &mut Builder, entry: Entry, gone: Gone) -> Result<Effect, postcard::Error> {
    let head = Head::of(&entry);
    let bytes = if let Entry::Append { bytes, .. } = &entry { bytes.as_slice() } else { &[] };
    let slot = builder.push(&head, bytes)?;
    Ok(effect(entry, slot, gone))
}

fn effect(entry: Entry, slot: Slot, gone: Gone) -> Effect {
    match entry {
        Entry::Create { place, name } => Effect::Created(place, name),
        Entry::Append { at, opens, closes, .. } => Effect::Appended { at, slot, opens, closes },
        Entry::Close { positions } => Effect::Closed(positions),
        Entry::Delete { place } => Effect::Deleted { place, name: gone.name, records: gone.records },
        Entry::Trim { stream, first } => Effect::Trimmed { stream, first, records: gone.records },
    }
}
