//! Walking a store: whether everything that was written is there, whole, and in its place. May be done while the store
//! is in use; what is written or goes meanwhile is looked at or not, and never taken for damage.

use std::sync::Arc;

use super::hold::Hold;
use super::segment::{Segment, damaged};
use super::store::Fault;
use super::{LANES, Shared, key, names, page, read};
use crate::journal::{Place, PlaceName, Record, Stream};

/// Records read at a time.
const PAGE: usize = 256;

/// Places named at a time.
const PLACES: usize = 256;

/// Findings told in full; a store with more is beyond finding them one by one.
const MOST: usize = 1000;

/// What a walk found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Places walked.
    pub places: u64,
    /// Streams with records.
    pub streams: u64,
    /// Records read.
    pub records: u64,
    /// Segments of the log read.
    pub segments: u64,
    /// What is wrong, a sentence each, at most a thousand.
    pub findings: Vec<String>,
}

/// Looks at a record beyond what the journal knows of it.
pub type Look<'a> = &'a dyn Fn(&PlaceName, Stream, &Record) -> Result<(), String>;

/// Walks the store. `look` sees each record; `told` hears how many records were read so far.
pub(super) fn walk(shared: &Arc<Shared>, look: Look<'_>, told: &dyn Fn(u64)) -> Result<Verified, Fault> {
    let mut walk = Walk { shared, look, told, seen: Verified::default() };
    walk.segments()?;
    let mut after = Place(0);
    loop {
        let places = names::places(&shared.state, &shared.store, after, PLACES)?;
        let Some((last, _)) = places.last() else { break };
        after = *last;
        for (place, name) in places {
            walk.place(place, &name)?;
        }
    }
    walk.unfinished()?;
    Ok(walk.seen)
}

struct Walk<'a> {
    shared: &'a Arc<Shared>,
    look: Look<'a>,
    told: &'a dyn Fn(u64),
    seen: Verified,
}

impl Walk<'_> {
    fn find(&mut self, what: String) {
        if self.seen.findings.len() < MOST {
            self.seen.findings.push(what);
        }
    }

    /// Damage is what is looked for; every other fault ends the walk.
    fn checked<T>(&mut self, of: &str, result: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(fault @ Fault::Damaged(_)) => {
                self.find(format!("{of}: {fault}"));
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Checksums of the whole log, and that nothing is missing in the part that a start would read.
    fn segments(&mut self) -> Result<(), Fault> {
        let _hold = Hold::new(self.shared);
        let (checkpoint, end) = {
            let state = read(&self.shared.state);
            (state.checkpoint, state.next_segment)
        };
        let mut keys = Vec::new();
        self.shared.store.each_key(b"s", b"s", |key| {
            keys.extend(key::segment_number(key).filter(|number| *number < end));
            true
        })?;
        for number in &keys {
            let value = self.shared.store.get(&key::segment(*number));
            if let Some(Some(value)) = self.checked("The log", value)? {
                self.seen.segments += 1;
                if !Segment::from(value).is_sound() {
                    self.find(format!("The log: {}", damaged(*number)));
                }
            }
        }
        let fresh = keys.iter().filter(|number| **number >= checkpoint).count() as u64;
        if fresh != end - checkpoint {
            self.find(format!("The log: {} of {} segments behind the checkpoint", fresh, end - checkpoint));
        }
        Ok(())
    }

    fn place(&mut self, place: Place, name: &PlaceName) -> Result<(), Fault> {
        let of = format!("{:?} {} of tenant {}", name.kind, name.id, name.tenant);
        let found = names::find(&self.shared.state, &self.shared.store, name);
        if self.checked(&of, found)?.is_some_and(|found| found != Some(place)) {
            // Deleted meanwhile, or made anew; then its number has no name any more.
            if names::name(&self.shared.state, &self.shared.store, place)?.is_some() {
                self.find(format!("{of}: its name leads elsewhere"));
            }
            return Ok(());
        }
        self.seen.places += 1;
        for lane in 0..LANES {
            self.stream(Stream { place, lane }, name, &format!("{of}, lane {lane}"))?;
        }
        Ok(())
    }

    fn stream(&mut self, stream: Stream, name: &PlaceName, of: &str) -> Result<(), Fault> {
        let (state, store) = (&self.shared.state, &self.shared.store);
        let head = page::head(state, store, stream);
        let Some(head) = self.checked(of, head)? else { return Ok(()) };
        if head == 0 {
            return Ok(());
        }
        self.seen.streams += 1;
        let (mut after, mut begun) = (0, false);
        while after < head {
            let records = page::read_after(state, store, stream, after, PAGE);
            let Some(records) = self.checked(of, records)? else { return self.singly(stream, name, of, after, head) };
            let Some(first) = records.first().map(|record| record.seq) else { break };
            // The first page may begin anywhere; after it, a gap is what was trimmed under the walk, or a hole.
            if begun && first != after + 1 && page::first(state, store, stream)? < first {
                self.find(format!("{of}: a hole between {after} and {first}"));
            }
            begun = true;
            for record in &records {
                self.record(stream, name, of, record);
                after = record.seq;
            }
            (self.told)(self.seen.records);
        }
        Ok(())
    }

    /// A page has damage: record by record, so that each is told and the others are looked at.
    fn singly(&mut self, stream: Stream, name: &PlaceName, of: &str, after: u64, head: u64) -> Result<(), Fault> {
        let (state, store) = (&self.shared.state, &self.shared.store);
        for seq in after.max(page::first(state, store, stream).unwrap_or(1) - 1) + 1..=head {
            let read = page::read_after(state, store, stream, seq - 1, 1);
            if let Some(records) = self.checked(&format!("{of}, record {seq}"), read)? {
                records.iter().for_each(|record| self.record(stream, name, of, record));
            }
        }
        Ok(())
    }

    fn record(&mut self, stream: Stream, name: &PlaceName, of: &str, record: &Record) {
        self.seen.records += 1;
        if let Err(what) = (self.look)(name, stream, record) {
            self.find(format!("{of}, record {}: {what}", record.seq));
        }
    }

    /// What is said to be open must be there.
    fn unfinished(&mut self) -> Result<(), Fault> {
        let (state, store) = (&self.shared.state, &self.shared.store);
        let positions = read(state).unfinished();
        for at in positions {
            let head = page::head(state, store, at.stream)?;
            let still = read(state).unfinished().contains(&at);
            if still && (at.seq > head || at.seq < page::first(state, store, at.stream)?) {
                self.find(format!(
                    "Place {}, lane {}: the open record {} is not there",
                    at.stream.place.0, at.stream.lane, at.seq
                ));
            }
        }
        Ok(())
    }
}
