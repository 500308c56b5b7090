//! What a conversation writes of the tapes of its runs: the durable form, and how it is found again.
//!
//! A run that waits leaves its tape, in pieces, and behind them what is needed to go on; that last record stays
//! unfinished until somebody has decided, and so a start finds it. A run that ends leaves its whole tape in the batch of
//! its end, with the same moment, by which it is found again.

use serde::{Deserialize, Serialize};

use crate::agent::assignment::Told;
use crate::journal::format::{decode, encode};
use crate::journal::{Journal, Place, Stream};
use crate::protocol::{AskedCall, Error, Priority, RunId, Step, Subject, Timestamp};
use crate::tape::{Known, Opening, Reading};

/// Lane of the tapes.
pub const TAPES: u8 = 3;

/// A piece ends when it holds this much, in bytes: with the largest take still below what a record may hold.
const PIECE: usize = 256 << 10;

/// The longest record that is handed to the journal, in bytes; it takes 1 MiB.
const MAX_RECORD: usize = 1_000_000;

/// Something of a run's tape.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TapeRecord {
    /// The run.
    pub run: RunId,
    /// When: for pieces the moment of the wait or of the end that they belong to.
    pub at: Timestamp,
    /// What.
    pub what: Taped,
}

/// What is written of tapes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Taped {
    /// A piece of a tape; all of it stand one behind the other.
    Piece(Piece),
    /// The run waits; its tape stands before this.
    Waits(Box<WaitRecord>),
    /// Somebody decided about it.
    Decided {
        /// Whether it may do what it waited for.
        approved: bool,
        /// Who.
        by: Subject,
        /// Why; may be empty.
        reason: String,
    },
}

/// A piece of a tape.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Piece {
    /// From 0.
    pub index: u16,
    /// How many there are.
    pub of: u16,
    /// In the first piece: what the agent knew when it began, as JSON.
    pub opening: Option<String>,
    /// In the first piece: facts that had to do with what was asked, as JSON.
    pub known: Option<String>,
    /// Takes, as JSON.
    pub takes: Vec<String>,
    /// Whether the tape holds all that came.
    pub complete: bool,
}

/// What is needed to go on with a run that waits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WaitRecord {
    /// The place of the message that asked for the run.
    pub asked_at: u64,
    /// Which answer to it the run is, from 1.
    pub turn: u16,
    /// What it waits for.
    pub calls: Vec<AskedCall>,
    /// What the agent has done by then.
    pub steps: Vec<Step>,
    /// Steps of these that the agent will report again.
    pub told_steps: u32,
    /// Bytes of the answer that it will report again.
    pub told_bytes: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends if nobody decides.
    pub expires_at: Timestamp,
    /// Its place in the agent's queue.
    pub priority: Priority,
    /// Whether the answer is wanted piece by piece.
    pub stream: bool,
    /// Whether it waited for earlier requests of its conversation, and later ones wait for it.
    pub serial: bool,
    /// Pieces of its tape, right before this.
    pub pieces: u16,
}

impl WaitRecord {
    /// What was told of it before.
    pub fn told(&self) -> Told {
        Told { steps: self.told_steps, bytes: usize::try_from(self.told_bytes).unwrap_or(usize::MAX) }
    }
}

/// The durable form of a record; an error if it is longer than the journal takes.
pub fn written(record: &TapeRecord) -> Result<Vec<u8>, Error> {
    let bytes = encode(record)?;
    if bytes.len() > MAX_RECORD { Err(Error::internal("What the run did is too long to be kept")) } else { Ok(bytes) }
}

/// A tape in pieces, at least one.
pub fn pieces(reading: Reading) -> Result<Vec<Piece>, Error> {
    let unwritable = |_| Error::internal("What the run did could not be written");
    let opening = reading.opening.as_ref().map(serde_json::to_string).transpose().map_err(unwritable)?;
    let known = (!reading.known.is_empty()).then(|| serde_json::to_string(&reading.known));
    let complete = reading.complete;
    let mut pieces =
        vec![Piece { opening, known: known.transpose().map_err(unwritable)?, complete, ..Piece::default() }];
    let mut bytes = 0;
    for take in reading.takes {
        bytes += take.len();
        if bytes > PIECE
            && let Some(last) = pieces.last()
            && !last.takes.is_empty()
        {
            bytes = take.len();
            pieces.push(Piece { complete, ..Piece::default() });
        }
        if let Some(last) = pieces.last_mut() {
            last.takes.push(take);
        }
    }
    let of = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
    for (index, piece) in (0..).zip(&mut pieces) {
        (piece.index, piece.of) = (index, of);
    }
    Ok(pieces)
}

/// The tape whose pieces these are.
pub fn joined(pieces: impl IntoIterator<Item = Piece>) -> Result<Reading, Error> {
    let unreadable = |_| Error::internal("A tape in the store cannot be read");
    let mut reading = Reading { complete: true, ..Reading::default() };
    for piece in pieces {
        if let Some(opening) = &piece.opening {
            reading.opening = Some(serde_json::from_str::<Opening>(opening).map_err(unreadable)?);
        }
        if let Some(known) = &piece.known {
            reading.known = serde_json::from_str::<Vec<Known>>(known).map_err(unreadable)?;
        }
        reading.takes.extend(piece.takes);
        reading.complete &= piece.complete;
    }
    Ok(reading)
}

/// The wait at a place of the lane, with the tape before it. Blocks.
pub fn wait(journal: &dyn Journal, place: Place, seq: u64) -> Result<Option<(TapeRecord, WaitRecord, Reading)>, Error> {
    let Some(record) = one(journal, place, seq)? else { return Ok(None) };
    let Taped::Waits(wait) = record.what.clone() else { return Ok(None) };
    let lane = Stream { place, lane: TAPES };
    let first = seq.saturating_sub(u64::from(wait.pieces));
    let records = journal.read_after(lane, first.saturating_sub(1), usize::from(wait.pieces))?;
    let pieces = records.iter().map(|record| match decode::<TapeRecord>(record)?.what {
        Taped::Piece(piece) => Ok(piece),
        _ => Err(Error::internal("A tape in the store has a hole")),
    });
    let reading = joined(pieces.collect::<Result<Vec<_>, Error>>()?)?;
    Ok(Some((record, *wait, reading)))
}

/// The tape that a run left when it ended at that moment, if it left one. Blocks.
///
/// Records stand in the order of their moments, unless the clock was set back; then all of them are looked at.
pub fn ended(journal: &dyn Journal, place: Place, run: &RunId, at: Timestamp) -> Result<Option<Reading>, Error> {
    let head = journal.head(Stream { place, lane: TAPES })?;
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match one(journal, place, middle)? {
            Some(record) if record.at < at => low = middle + 1,
            _ => high = middle,
        }
    }
    match collect(journal, place, low, head, run, at)? {
        None => collect(journal, place, 1, head, run, at),
        found => Ok(found),
    }
}

/// The pieces of a run's end from `from` on. The search is over with the first later moment, but for a whole pass.
fn collect(
    journal: &dyn Journal,
    place: Place,
    from: u64,
    head: u64,
    run: &RunId,
    at: Timestamp,
) -> Result<Option<Reading>, Error> {
    let mut pieces = Vec::new();
    for seq in from..=head {
        let Some(record) = one(journal, place, seq)? else { break };
        if record.at > at && from > 1 {
            break;
        }
        if record.run != *run || record.at != at {
            continue;
        }
        if let Taped::Piece(piece) = record.what {
            let all = piece.index + 1 == piece.of;
            pieces.push(piece);
            if all {
                return joined(pieces).map(Some);
            }
        }
    }
    Ok(None)
}

fn one(journal: &dyn Journal, place: Place, seq: u64) -> Result<Option<TapeRecord>, Error> {
    let records = journal.read_after(Stream { place, lane: TAPES }, seq.saturating_sub(1), 1)?;
    records.first().filter(|record| record.seq == seq).map(decode).transpose()
}
