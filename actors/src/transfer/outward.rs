//! A journal as lines. Nobody may write to it meanwhile, or the lines are not of one moment.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::record::{LANES, seen, word, written};
use super::{Line, Moved, VERSION};
use crate::journal::{Journal, Kind, Place, PlaceName, Position, Record, Stream};
use crate::protocol::Error;

/// Places named at a time.
const PLACES: usize = 256;

/// Records read at a time: with the longest there are, 32 MiB.
const PAGE: usize = 32;

/// Writes the journal as lines; `told` hears how many records so far. Blocks.
///
/// # Errors
/// What kept the journal from being read or the lines from being written.
pub fn export(journal: &dyn Journal, to: &mut dyn Write, told: &dyn Fn(u64)) -> io::Result<Moved> {
    let open = journal.unfinished().into_iter().collect();
    let mut out = Outward { journal, to, open, told, moved: Moved::default() };
    out.line(&Line::Callboard { version: VERSION })?;
    let mut after = Place(0);
    loop {
        let places = journal.places(after, PLACES).map_err(broken)?;
        let Some((last, _)) = places.last() else { break };
        after = *last;
        for (place, name) in places {
            out.place(place, &name)?;
        }
    }
    let Moved { places, records } = out.moved;
    out.line(&Line::End { places, records })?;
    out.to.flush()?;
    Ok(out.moved)
}

struct Outward<'a> {
    journal: &'a dyn Journal,
    to: &'a mut dyn Write,
    open: BTreeSet<Position>,
    told: &'a dyn Fn(u64),
    moved: Moved,
}

impl Outward<'_> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut *self.to, line)?;
        self.to.write_all(b"\n")
    }

    fn place(&mut self, place: Place, name: &PlaceName) -> io::Result<()> {
        let mut trimmed = Vec::new();
        for lane in 0..LANES {
            let first = self.journal.first(Stream { place, lane }).map_err(broken)?;
            trimmed.extend((first > 1).then_some((lane, first)));
        }
        let (tenant, id) = (name.tenant.to_string(), name.id.clone());
        self.line(&Line::Place { number: place.0, tenant, kind: word(name.kind).to_owned(), id, trimmed })?;
        self.moved.places += 1;
        for lane in 0..LANES {
            self.lane(name.kind, Stream { place, lane })?;
        }
        Ok(())
    }

    fn lane(&mut self, kind: Kind, stream: Stream) -> io::Result<()> {
        let mut after = 0;
        loop {
            let records = self.journal.read_after(stream, after, PAGE).map_err(broken)?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.seq;
            for record in &records {
                let open = self.open.contains(&Position { stream, seq: record.seq });
                self.line(&line(kind, stream.lane, record, open))?;
                self.moved.records += 1;
            }
            (self.told)(self.moved.records);
        }
    }
}

fn line(kind: Kind, lane: u8, record: &Record, open: bool) -> Line {
    let value = seen(kind, lane, record).ok().flatten();
    let value = value.filter(|value| written(kind, lane, value.clone()).is_ok_and(|bytes| bytes == record.bytes));
    let bytes = value.is_none().then(|| record.bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    Line::Record { lane, seq: record.seq, open, value, bytes }
}

fn broken(error: Error) -> io::Error {
    io::Error::other(error)
}
