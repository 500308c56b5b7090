//! A journal from lines. The journal must be empty: what is in the lines keeps its numbers.

use std::io::{self, BufRead};
use std::sync::mpsc;

use super::record::{kind, written};
use super::{Line, Moved, VERSION};
use crate::journal::{Batch, Entry, Journal, Kind, Place, PlaceName, Position, Stream};
use crate::protocol::{Error, TenantId};

/// Entries written at a time, and bytes: a commit's worth.
const ENTRIES: usize = 256;
const BYTES: usize = 384 * 1024;

/// The longest line: a record of 1 MiB in hexadecimal or with every character escaped.
const LINE: u64 = 16 << 20;

/// Reads lines into an empty journal; `told` hears how many records so far. Blocks. Nothing is undone after an error:
/// the journal is to be thrown away then.
///
/// # Errors
/// The line at fault and what is wrong with it; or that the lines end too early, that the journal is not empty, or that
/// it cannot be written.
pub fn import(journal: &dyn Journal, from: &mut dyn BufRead, told: &dyn Fn(u64)) -> io::Result<Moved> {
    if !journal.places(Place(0), 1).map_err(io::Error::other)?.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the journal is not empty"));
    }
    let mut inward = Inward { journal, told, at: None, batch: Batch::new(), bytes: 0, moved: Moved::default() };
    let mut highest = 0;
    let mut number = 0;
    let ended = loop {
        let mut text = Vec::new();
        number += 1;
        if io::Read::take(&mut *from, LINE).read_until(b'\n', &mut text)? == 0 {
            break false;
        }
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {what}"));
        let line = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if number == 1 {
            begin(&line).map_err(wrong)?;
            continue;
        }
        if let Line::Place { number, .. } = &line {
            highest = highest.max(*number);
        }
        if inward.take(line).map_err(wrong)? {
            break true;
        }
    };
    if !ended {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last line is missing: the rest was cut off"));
    }
    // No place made later may have the number of one that was read.
    while highest > 0 && journal.reserve().0 < highest {}
    Ok(inward.moved)
}

fn begin(line: &Line) -> Result<(), String> {
    match line {
        Line::Callboard { version: VERSION } => Ok(()),
        Line::Callboard { version } => Err(format!("version {version}, and this program knows version {VERSION}")),
        _ => Err("this is no export: the first line does not say so".to_owned()),
    }
}

struct Inward<'a> {
    journal: &'a dyn Journal,
    told: &'a dyn Fn(u64),
    at: Option<(Place, Kind)>,
    batch: Batch,
    bytes: usize,
    moved: Moved,
}

impl Inward<'_> {
    /// Takes a line; answers whether it was the last.
    fn take(&mut self, line: Line) -> Result<bool, String> {
        match line {
            Line::Callboard { .. } => return Err("a second beginning".to_owned()),
            Line::Place { number, tenant, kind: word, id, trimmed } => {
                let place = Place(number);
                let kind = kind(&word).ok_or_else(|| format!("there is no kind {word}"))?;
                let tenant = TenantId::parse("tenant", &tenant).map_err(|error| error.to_string())?;
                self.at = Some((place, kind));
                self.batch.push(Entry::Create { place, name: PlaceName { tenant, kind, id } });
                let trims = trimmed.into_iter().map(|(lane, first)| (Stream { place, lane }, first));
                self.batch.extend(trims.map(|(stream, first)| Entry::Trim { stream, first }));
                self.moved.places += 1;
            }
            Line::Record { lane, seq, open, value, bytes } => {
                let (place, kind) = self.at.ok_or("a record before any place")?;
                let bytes = match (value, bytes) {
                    (Some(value), None) => written(kind, lane, value).map_err(|error| error.to_string())?,
                    (None, Some(bytes)) => unhex(&bytes).ok_or("bytes: expected pairs of hexadecimal digits")?,
                    _ => return Err("expected a value or bytes".to_owned()),
                };
                self.bytes += bytes.len();
                let at = Position { stream: Stream { place, lane }, seq };
                self.batch.push(Entry::Append { at, bytes, opens: open, closes: Vec::new() });
                self.moved.records += 1;
            }
            Line::End { places, records } => {
                self.write()?;
                if self.moved != (Moved { places, records }) {
                    return Err(format!("{records} records were written, and {} are here", self.moved.records));
                }
                return Ok(true);
            }
        }
        if self.batch.len() >= ENTRIES || self.bytes >= BYTES {
            self.write()?;
        }
        Ok(false)
    }

    fn write(&mut self) -> Result<(), String> {
        self.bytes = 0;
        let (done, outcome) = mpsc::sync_channel(1);
        self.journal.append(std::mem::take(&mut self.batch), Box::new(move |result| drop(done.send(result))));
        let ended = || Err(Error::internal("The journal ended before it had written"));
        outcome.recv().unwrap_or_else(|_| ended()).map_err(|error| error.to_string())?;
        (self.told)(self.moved.records);
        Ok(())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    };
    digits.chunks(2).map(byte).collect()
}
