//! A commit in the making: checks each batch against everything before it, the batches of the same commit included,
//! and packs what holds into segments. A batch that does not hold leaves no trace.

use std::collections::HashMap;

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

/// What is known so far, where it differs from the state.
#[derive(Debug, Default)]
struct Known {
    heads: HashMap<Stream, u64>,
    named: HashMap<Vec<u8>, Option<Place>>,
    places: HashMap<Place, Option<PlaceName>>,
}

impl Known {
    fn take_in(&mut self, later: Self) {
        self.heads.extend(later.heads);
        self.named.extend(later.named);
        self.places.extend(later.places);
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
        let mut names = Vec::with_capacity(batch.len());
        for entry in &batch {
            names.push(self.check(entry, &mut later).map_err(refusal)?);
        }
        self.known.take_in(later);
        for (entry, name) in batch.into_iter().zip(names) {
            let effect = pack(&mut self.builder, entry, name).map_err(|error| Error::internal(error.to_string()))?;
            self.effects.push(effect);
        }
        Ok(())
    }

    /// The commit.
    pub fn finish(self) -> Commit {
        Commit { segments: self.builder.finish(), effects: self.effects }
    }

    /// Checks an entry and notes what it changes; answers the name of a place that it deletes.
    fn check(&mut self, entry: &Entry, later: &mut Known) -> Result<Option<PlaceName>, Refusal> {
        match entry {
            Entry::Create { place, name } => self.check_create(*place, name, later).map(|()| None),
            Entry::Append { at, bytes, .. } => self.check_append(*at, bytes.len(), later).map(|()| None),
            Entry::Close { .. } => Ok(None),
            Entry::Delete { place } => {
                let name = self.place(later, *place)?;
                if let Some(name) = &name {
                    later.named.insert(key::name(name), None);
                }
                later.places.insert(*place, None);
                Ok(name)
            }
        }
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

fn pack(builder: &mut Builder, entry: Entry, name: Option<PlaceName>) -> Result<Effect, postcard::Error> {
    let head = Head::of(&entry);
    let bytes = if let Entry::Append { bytes, .. } = &entry { bytes.as_slice() } else { &[] };
    let slot = builder.push(&head, bytes)?;
    Ok(effect(entry, slot, name))
}

fn effect(entry: Entry, slot: Slot, name: Option<PlaceName>) -> Effect {
    match entry {
        Entry::Create { place, name } => Effect::Created(place, name),
        Entry::Append { at, opens, closes, .. } => Effect::Appended { at, slot, opens, closes },
        Entry::Close { positions } => Effect::Closed(positions),
        Entry::Delete { place } => Effect::Deleted(place, name),
    }
}
