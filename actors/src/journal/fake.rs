//! A journal for unit tests of what stands on one: in memory, synchronous, strict about sequences.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Batch, Done, Entry, Health, Journal, Kind, Place, PlaceName, Position, Record, Size, Stream};
use crate::protocol::{Code, Error, TenantId};

/// Everything in memory.
#[derive(Debug, Default)]
pub(crate) struct Fake(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    fail: bool,
    names: HashMap<PlaceName, Place>,
    streams: HashMap<Stream, Vec<Vec<u8>>>,
    firsts: HashMap<Stream, u64>,
    unfinished: Vec<Position>,
}

impl Fake {
    /// Has the next append fail.
    pub(crate) fn fail_next(&self) {
        self.state().fail = true;
    }

    /// Nothing is read or written while what this gives lives.
    pub(crate) fn hold(&self) -> impl Drop {
        self.state()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, batch: Batch) -> Result<(), Error> {
        if std::mem::take(&mut self.fail) {
            return Err(Error::new(Code::StoreUnavailable, "told to fail"));
        }
        for entry in batch {
            match entry {
                Entry::Create { place, name } => {
                    assert!(self.names.insert(name, place).is_none(), "a place is made once");
                }
                Entry::Append { at, bytes, opens, closes } => {
                    self.unfinished.retain(|position| !closes.contains(position));
                    self.unfinished.extend(opens.then_some(at));
                    let stream = self.streams.entry(at.stream).or_default();
                    assert_eq!(at.seq, stream.len() as u64 + 1, "a stream has no holes");
                    stream.push(bytes);
                }
                Entry::Close { positions } => self.unfinished.retain(|position| !positions.contains(position)),
                Entry::Trim { stream, first } => {
                    assert!(
                        first <= self.streams.get(&stream).map_or(0, Vec::len) as u64 + 1,
                        "what is there is trimmed"
                    );
                    let known = self.firsts.entry(stream).or_insert(1);
                    *known = first.max(*known);
                }
                Entry::Delete { place } => {
                    self.names.retain(|_, named| *named != place);
                    self.streams.retain(|stream, _| stream.place != place);
                    self.unfinished.retain(|position| position.stream.place != place);
                }
            }
        }
        Ok(())
    }

    fn records(&self, stream: Stream) -> Vec<Record> {
        let records = self.streams.get(&stream).into_iter().flatten();
        let first = self.firsts.get(&stream).copied().unwrap_or(1);
        let records = records.zip(1..).map(|(bytes, seq)| Record { seq, bytes: bytes.clone() });
        records.filter(|record| record.seq >= first).collect()
    }
}

impl Journal for Fake {
    fn find(&self, name: &PlaceName) -> Result<Option<Place>, Error> {
        Ok(self.state().names.get(name).copied())
    }

    fn name(&self, place: Place) -> Result<Option<PlaceName>, Error> {
        Ok(self.state().names.iter().find(|(_, named)| **named == place).map(|(name, _)| name.clone()))
    }

    fn reserve(&self) -> Place {
        let mut state = self.state();
        state.next += 1;
        Place(state.next)
    }

    fn list(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Place)>, Error> {
        let state = self.state();
        let names = state.names.iter().filter(|(name, _)| name.tenant == *tenant && name.kind == kind);
        let mut names: Vec<_> = names.map(|(name, place)| (name.id.clone(), *place)).collect();
        names.retain(|(id, _)| after.is_none_or(|after| id.as_str() > after));
        names.sort();
        names.truncate(limit);
        Ok(names)
    }

    fn head(&self, stream: Stream) -> Result<u64, Error> {
        Ok(self.state().streams.get(&stream).map_or(0, |records| records.len() as u64))
    }

    fn first(&self, stream: Stream) -> Result<u64, Error> {
        Ok(self.state().firsts.get(&stream).copied().unwrap_or(1))
    }

    fn places(&self, after: Place, limit: usize) -> Result<Vec<(Place, PlaceName)>, Error> {
        let state = self.state();
        let mut places: Vec<_> = state.names.iter().map(|(name, place)| (*place, name.clone())).collect();
        places.retain(|(place, _)| *place > after);
        places.sort_by_key(|(place, _)| *place);
        places.truncate(limit);
        Ok(places)
    }

    fn append(&self, batch: Batch, done: Done) {
        let result = self.state().take(batch);
        done(result);
    }

    fn read_after(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(self.state().records(stream).into_iter().filter(|record| record.seq > after).take(limit).collect())
    }

    fn read_before(&self, stream: Stream, before: Option<u64>, limit: usize) -> Result<Vec<Record>, Error> {
        let mut records = self.state().records(stream);
        records.retain(|record| before.is_none_or(|before| record.seq < before));
        Ok(records.split_off(records.len().saturating_sub(limit)))
    }

    fn unfinished(&self) -> Vec<Position> {
        self.state().unfinished.clone()
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn size(&self) -> Size {
        Size::default()
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
