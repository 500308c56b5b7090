//! Records by what they mean: which type stands in which lane of which kind of place.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::channel;
use crate::conversation::record::{self as conversation, FailureRecord, MessageRecord, parse_run_id};
use crate::conversation::taped::{TAPES, TapeRecord};
use crate::journal::format::{decode, encode};
use crate::journal::{Kind, PlaceName, Record, Stream};
use crate::ledger;
use crate::memory;
use crate::protocol::{Error, RunId};

/// Lanes that any kind of place has.
pub(super) const LANES: u8 = 4;

/// The word for a kind.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Conversation => "conversation",
        Kind::Channel => "channel",
        Kind::Inbox => "inbox",
        Kind::Memory => "memory",
        Kind::Ledger => "ledger",
    }
}

/// The kind of a word.
pub(super) fn kind(word_: &str) -> Option<Kind> {
    let kinds = [Kind::Conversation, Kind::Channel, Kind::Inbox, Kind::Memory, Kind::Ledger];
    kinds.into_iter().find(|kind| word(*kind) == word_)
}

/// Whether a record is one of its lane, and speaks of what is there.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn inspect(name: &PlaceName, stream: Stream, record: &Record) -> Result<(), String> {
    if seen(name.kind, stream.lane, record).map_err(|error| error.to_string())?.is_none() {
        return Err("nothing is written in this lane".to_owned());
    }
    if name.kind != Kind::Conversation {
        return Ok(());
    }
    match stream.lane {
        conversation::MESSAGES => {
            let message: MessageRecord = decode(record).map_err(|error| error.to_string())?;
            message.answers.map_or(Ok(()), |answers| refers(&answers.run, stream, record.seq))
        }
        conversation::FAILURES => {
            let failure: FailureRecord = decode(record).map_err(|error| error.to_string())?;
            refers(&failure.run, stream, u64::MAX)
        }
        TAPES => {
            let taped: TapeRecord = decode(record).map_err(|error| error.to_string())?;
            refers(&taped.run, stream, u64::MAX)
        }
        _ => Ok(()),
    }
}

/// A run is of its conversation, and was asked for before `seq`.
fn refers(run: &RunId, stream: Stream, seq: u64) -> Result<(), String> {
    match parse_run_id(run) {
        Some((asked, _)) if asked.stream.place == stream.place && asked.seq < seq => Ok(()),
        _ => Err(format!("it speaks of the run {run}, which cannot be of this conversation")),
    }
}

/// A record as JSON; `None` if nothing is written in this lane.
pub(super) fn seen(kind: Kind, lane: u8, record: &Record) -> Result<Option<Value>, Error> {
    match (kind, lane) {
        (Kind::Conversation, conversation::MESSAGES) => value::<MessageRecord>(record),
        (Kind::Conversation, conversation::STATES) => value::<conversation::StateRecord>(record),
        (Kind::Conversation, conversation::FAILURES) => value::<FailureRecord>(record),
        (Kind::Conversation, TAPES) => value::<TapeRecord>(record),
        (Kind::Channel | Kind::Inbox, channel::record::PUBLICATIONS) => {
            value::<channel::record::PublicationRecord>(record)
        }
        (Kind::Channel | Kind::Inbox, channel::record::STATES) => value::<channel::record::StateRecord>(record),
        (Kind::Memory, 0) => json(&memory::record::Entry::decode(&record.bytes)?).map(Some),
        (Kind::Ledger, 0) => value::<ledger::Day>(record),
        _ => Ok(None),
    }
}

/// The bytes of a record from its JSON.
pub(super) fn written(kind: Kind, lane: u8, value: Value) -> Result<Vec<u8>, Error> {
    match (kind, lane) {
        (Kind::Conversation, conversation::MESSAGES) => encode(&parsed::<MessageRecord>(value)?),
        (Kind::Conversation, conversation::STATES) => encode(&parsed::<conversation::StateRecord>(value)?),
        (Kind::Conversation, conversation::FAILURES) => encode(&parsed::<FailureRecord>(value)?),
        (Kind::Conversation, TAPES) => encode(&parsed::<TapeRecord>(value)?),
        (Kind::Channel | Kind::Inbox, channel::record::PUBLICATIONS) => {
            encode(&parsed::<channel::record::PublicationRecord>(value)?)
        }
        (Kind::Channel | Kind::Inbox, channel::record::STATES) => {
            encode(&parsed::<channel::record::StateRecord>(value)?)
        }
        (Kind::Memory, 0) => parsed::<memory::record::Entry>(value)?.encode(),
        (Kind::Ledger, 0) => encode(&parsed::<ledger::Day>(value)?),
        _ => Err(Error::internal("Nothing is written in this lane")),
    }
}

fn value<T: Serialize + DeserializeOwned>(record: &Record) -> Result<Option<Value>, Error> {
    json(&decode::<T>(record)?).map(Some)
}

fn json(record: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(record).map_err(|error| Error::internal("A record is no JSON").with_details(error.to_string()))
}

fn parsed<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value)
        .map_err(|error| Error::internal("This is not the record of its lane").with_details(error.to_string()))
}
