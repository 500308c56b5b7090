//! What a conversation writes: the durable form of its messages, its state and its runs without an answer.
//!
//! The encoding is `journal::format`.

mod parts;

use serde::{Deserialize, Serialize};

use crate::journal::{Place, Position, Stream};
use crate::protocol::{
    AgentName, ConversationId, Error, Message, MessageId, Mode, Part, Role, RunId, RunKind, RunStatus, Step, Subject,
    Timestamp,
};

/// Lane of the messages; a message's `seq` is its record's.
pub const MESSAGES: u8 = 0;
/// Lane of the states; the last one holds.
pub const STATES: u8 = 1;
/// Lane of the runs that ended without an answer.
pub const FAILURES: u8 = 2;

/// A message, with what it asked for or answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MessageRecord {
    /// The message's id.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// The agent that speaks.
    pub agent: Option<AgentName>,
    /// What is said and how it came about.
    #[serde(with = "parts")]
    pub parts: Vec<Part>,
    /// When it was written.
    pub created_at: Timestamp,
    /// The runs it asked for, in their order.
    pub asks: Option<AskRecord>,
    /// The run it answers.
    pub answers: Option<AnswerRecord>,
}

/// What a message asked for: one run each of these agents, one after another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AskRecord {
    /// The agents, in the order they answer.
    pub agents: Vec<AgentName>,
    /// What kind of work.
    pub kind: RunKind,
    /// The id that the client gave its request.
    pub request_id: Option<String>,
}

/// The run that a message answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The run.
    pub run: RunId,
    /// When the agent began.
    pub started_at: Timestamp,
}

/// What holds of a conversation from here on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateRecord {
    /// The only subject that may see it; `None`: everybody of the tenant.
    pub owner: Option<Subject>,
    /// Its agents, in the order they joined.
    pub agents: Vec<AgentName>,
    /// Who leads.
    pub lead: AgentName,
    /// Who answers where nobody is named.
    pub mode: Mode,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A run that ended without an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The run.
    pub run: RunId,
    /// The place of the message that asked for it.
    pub asked_at: u64,
    /// `Failed`, `Cancelled` or `Timeout`.
    pub status: RunStatus,
    /// Why.
    pub error: Error,
    /// What the agent had done by then.
    pub steps: Vec<Step>,
    /// When the agent began, if it did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
}

impl MessageRecord {
    /// The message in its place.
    pub fn into_message(self, conversation: &ConversationId, seq: u64) -> Message {
        Message {
            id: self.id,
            conversation: conversation.clone(),
            seq,
            role: self.role,
            agent: self.agent,
            parts: self.parts,
            created_at: self.created_at,
            run: self.answers.map(|answers| answers.run),
        }
    }
}

/// The id of a run: where its request stands and which answer to it this is. So a run is found without an index.
pub fn run_id(place: Place, asked_at: u64, turn: u16) -> RunId {
    RunId::trusted(format!("run-{:x}-{asked_at:x}-{turn}", place.0))
}

/// Where the request of a run stands, and which answer to it the run is.
pub fn parse_run_id(id: &RunId) -> Option<(Position, u16)> {
    let mut parts = id.as_str().strip_prefix("run-")?.split('-');
    let place = Place(u64::from_str_radix(parts.next()?, 16).ok()?);
    let seq = u64::from_str_radix(parts.next()?, 16).ok()?;
    let turn = parts.next()?.parse().ok()?;
    let position = Position { stream: Stream { place, lane: MESSAGES }, seq };
    (parts.next().is_none() && run_id(place, seq, turn) == *id).then_some((position, turn))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::Record;
    use crate::journal::format::{decode, encode};

    #[test]
    fn a_message_survives_being_written() {
        let record = MessageRecord {
            id: MessageId::random(),
            role: Role::Assistant,
            agent: Some(AgentName::trusted("nyx")),
            parts: vec![Part::Text("7 × 8 = 56".into()), Part::Data("{\"result\":\"56\"}".into())],
            created_at: Timestamp(1_700_000_000_000),
            asks: None,
            answers: Some(AnswerRecord { run: run_id(Place(3), 9, 1), started_at: Timestamp(1) }),
        };
        let read: MessageRecord = decode(&Record { seq: 1, bytes: encode(&record).unwrap() }).unwrap();
        assert_eq!(read, record);
    }

    #[test]
    fn a_run_id_says_where_its_request_stands() {
        let id = run_id(Place(31), 4096, 2);
        let (position, turn) = parse_run_id(&id).unwrap();
        assert_eq!((position.stream.place, position.seq, turn), (Place(31), 4096, 2));
        for foreign in ["run-1-2", "run-1-2-3-4", "run-01-2-3", "cmd_456", "run--1-1"] {
            assert_eq!(parse_run_id(&RunId::trusted(foreign)), None, "{foreign}");
        }
    }
}
