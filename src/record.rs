//! The record of a run as JSON: what `GET /runs/{id}/record` gives and `callboard replay` takes.
//!
//! A file of it is kept for as long as somebody wants to play it again, so fields are added and never change their
//! meaning.

use callboard_actors::archive::RunRecord;
use callboard_actors::protocol::{Code, Error, Message, Part, RunKind, RunStatus, Timestamp, Tokens, Turn};
use callboard_actors::tape::{Known, Opening, Take, moment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The only version so far.
pub const VERSION: u32 = 1;

/// All that is known of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunRecord")]
pub struct Record {
    /// The version of this form.
    pub version: u32,
    /// The version of the server that wrote it.
    pub callboard: String,
    /// The run.
    pub run: RunPart,
    /// What its agent knew when it began; null before that, and where nothing was kept.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub opening: Option<Opening>,
    /// What it was told of the past, oldest first.
    pub messages: Vec<Said>,
    /// The message that asked for it.
    pub question: Option<Said>,
    /// Facts that had to do with what was asked.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub known: Vec<Known>,
    /// What came to it from outside: plans, prompts and replies, uses of tools, waits and decisions, in their order.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub takes: Vec<Take>,
    /// Whether `takes` are all there were; without, it cannot be played again.
    pub complete: bool,
    /// What people were shown of it.
    pub steps: Vec<StepPart>,
    /// How it ended.
    pub outcome: OutcomePart,
    /// What models read and wrote for it, in all.
    #[schemars(with = "TokensPart")]
    pub tokens: Tokens,
    /// Where its time went.
    pub timings: Timings,
}

/// The run that a record is about.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RecordedRun")]
pub struct RunPart {
    /// Its id.
    pub id: String,
    /// What was asked for.
    #[schemars(with = "String")]
    pub kind: RunKind,
    /// Who did it.
    pub agent: String,
    /// Where.
    pub conversation_id: String,
    /// The id that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Which of several answers it is.
    #[schemars(with = "TurnPart")]
    pub turn: Turn,
    /// When it was accepted.
    #[serde(with = "moment")]
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// A message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RecordedMessage")]
pub struct Said {
    /// Its id.
    pub id: String,
    /// Its place.
    pub seq: u64,
    /// Who speaks: `user`, `assistant`, `system`.
    #[schemars(with = "String")]
    pub role: callboard_actors::protocol::Role,
    /// The agent that speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What is said.
    pub content: String,
    /// When.
    #[serde(with = "moment")]
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// A step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RecordedStep")]
pub struct StepPart {
    /// `planning`, `action` or `answer`.
    pub kind: String,
    /// What people read.
    pub content: String,
    /// When it was taken.
    #[serde(with = "moment")]
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RecordedOutcome")]
pub struct OutcomePart {
    /// Where it stands.
    #[schemars(with = "String")]
    pub status: RunStatus,
    /// What people read of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What programs read of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Map<String, Value>>")]
    pub error: Option<Error>,
}

/// Where the time of a run went, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunTimings")]
pub struct Timings {
    /// From accepted to begun.
    pub queue_ms: u64,
    /// Waiting for models.
    pub model_ms: u64,
    /// Using tools.
    pub tool_ms: u64,
    /// Waiting for approval.
    pub approval_ms: u64,
    /// From accepted to the end; 0 before that.
    pub total_ms: u64,
}

/// What models read and wrote.
#[derive(JsonSchema)]
#[schemars(rename = "Tokens")]
#[allow(dead_code, reason = "describes the runtime's own type")]
pub struct TokensPart {
    input: u64,
    output: u64,
}

/// Which of several answers it is, from 1.
#[derive(JsonSchema)]
#[schemars(rename = "Turn")]
#[allow(dead_code, reason = "describes the runtime's own type")]
pub struct TurnPart {
    index: u32,
    of: u32,
}

impl Record {
    /// The record as it is shown.
    ///
    /// # Errors
    /// A take that does not read.
    pub fn of(record: &RunRecord) -> Result<Self, Error> {
        let (report, tape) = (&record.report, record.tape.clone().unwrap_or_default());
        let unreadable = |_| Error::internal("A take on a tape cannot be read");
        let takes = tape.takes.iter().map(|json| serde_json::from_str(json).map_err(unreadable));
        let takes: Vec<Take> = takes.collect::<Result<_, _>>()?;
        let steps = report.steps.iter().map(|step| StepPart {
            kind: step.kind.as_str().to_owned(),
            content: step.content.clone(),
            at: step.at,
        });
        Ok(Self {
            version: VERSION,
            callboard: env!("CARGO_PKG_VERSION").to_owned(),
            run: RunPart::of(report),
            opening: tape.opening,
            messages: record.history.iter().map(|message| Said::of(message)).collect(),
            question: record.question.as_deref().map(Said::of),
            known: tape.known,
            complete: record.tape.is_some() && tape.complete,
            steps: steps.collect(),
            outcome: OutcomePart::of(record),
            tokens: tokens(&takes),
            timings: Timings::of(record, &takes),
            takes,
        })
    }

    /// A record as it stands in a file.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        let version = serde_json::from_str::<Value>(text).map_err(|error| format!("it is not JSON: {error}"))?;
        match version.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(newer) => return Err(format!("it is of version {newer}; this program reads version {VERSION}")),
            None => return Err("it is not the record of a run: it has no version".to_owned()),
        }
        serde_json::from_str(text).map_err(|error| format!("it is not the record of a run: {error}"))
    }
}

impl RunPart {
    fn of(report: &callboard_actors::runs::RunReport) -> Self {
        let run = &report.run;
        Self {
            id: run.id.to_string(),
            kind: run.kind,
            agent: run.agent.to_string(),
            conversation_id: run.conversation.to_string(),
            request_id: run.request_id.clone(),
            turn: run.turn,
            created_at: run.created_at,
        }
    }
}

impl Said {
    fn of(message: &Message) -> Self {
        Self {
            id: message.id.to_string(),
            seq: message.seq,
            role: message.role,
            agent: message.agent.as_ref().map(ToString::to_string),
            content: message.text().into_owned(),
            created_at: message.created_at,
        }
    }
}

impl OutcomePart {
    fn of(record: &RunRecord) -> Self {
        let answer = record.answer.as_deref();
        let data = answer.and_then(|answer| {
            answer.parts.iter().find_map(|part| match part {
                Part::Data(json) => serde_json::from_str(json).ok(),
                Part::Text(_) | Part::Step(_) => None,
            })
        });
        Self {
            status: record.report.status,
            answer: answer.map(|answer| answer.text().into_owned()),
            data: data.unwrap_or_default(),
            error: record.report.error.clone(),
        }
    }

    /// Whether it came from outside, and not from what the agent did: that it had to end, or has not ended.
    pub fn is_foreign(&self) -> bool {
        let foreign = [Code::Cancelled, Code::Timeout, Code::Interrupted];
        let ended = matches!(self.status, RunStatus::Completed | RunStatus::Failed);
        !ended || self.error.as_ref().is_some_and(|error| foreign.contains(&error.code))
    }
}

fn tokens(takes: &[Take]) -> Tokens {
    let mut sum = Tokens::default();
    for take in takes {
        if let Take::Model(exchange) = take
            && let callboard_actors::tape::Outcome::Result(reply) = &exchange.outcome
        {
            sum += reply.tokens;
        }
    }
    sum
}

impl Timings {
    fn of(record: &RunRecord, takes: &[Take]) -> Self {
        let report = &record.report;
        let created = report.run.created_at;
        let mut timings = Self {
            queue_ms: report.started_at.map_or(0, |at| at.since(created)),
            total_ms: report.ended_at.map_or(0, |at| at.since(created)),
            ..Self::default()
        };
        let mut waits = None;
        for take in takes {
            match take {
                Take::Model(exchange) => timings.model_ms += exchange.ms,
                Take::Tool(used) => timings.tool_ms += used.ms,
                Take::Waited(waited) => waits = Some(waited.at),
                Take::Decided(decision) => {
                    timings.approval_ms += waits.take().map_or(0, |since| decision.at.since(since));
                }
                Take::Plan(_) | Take::Context(_) => {}
            }
        }
        timings
    }
}
