//! Takes: the pieces that a tape is made of, as plain data. Their JSON is part of the record that is shown and kept, so
//! fields are added, never renamed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{AskedCall, Error, Subject, Timestamp, Tokens};

/// One thing that came to a run from outside its brain, or went out of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Take {
    /// The plan of a brain that plans by itself.
    Plan(Plan),
    /// How what is known was cut to the size of a model's context.
    Context(LeftOut),
    /// An exchange with a model.
    Model(Exchange),
    /// A use of a tool.
    Tool(Use),
    /// The run began to wait for approval.
    Waited(Waited),
    /// Somebody decided.
    Decided(Decision),
}

/// A use of a tool that is intended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// What it is to be used for, in the agent's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub intent: String,
    /// Whether the tool itself wants each use approved, whatever the agent's file says.
    #[serde(skip)]
    pub guarded: bool,
}

impl Call {
    /// The same for whoever is to approve it.
    pub fn asked(&self) -> AskedCall {
        AskedCall { tool: self.tool.clone(), arguments: self.arguments.to_string(), intent: self.intent.clone() }
    }

    /// Whether it is a use of the same tool with the same arguments; the words for it do not count.
    pub fn is_like(&self, tool: &str, arguments: &Value) -> bool {
        self.tool == tool && self.arguments == *arguments
    }
}

/// What a brain is going to do.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In this order.
    pub calls: Vec<Call>,
    /// Asked for as well, but for other agents to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Call>,
    /// How much more was asked for than fits into one plan.
    #[serde(default)]
    pub left_out: usize,
}

/// What a context left out of what is known, in messages, facts and estimated tokens.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// Messages that are in it word by word.
    pub messages: usize,
    /// Messages that are only in its summary.
    pub summarized: usize,
    /// Messages of the conversation that are not in it at all.
    pub left_out: u64,
    /// Messages of which only the beginning is in it.
    pub shortened: usize,
    /// Facts that are in it.
    pub facts: usize,
    /// Facts that fitted what is asked and are not in it.
    pub facts_left_out: usize,
    /// Its size.
    pub tokens: usize,
    /// The bound it was made for.
    pub most_tokens: usize,
}

/// What a model made of a request.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// All of it, in whatever shape the brain needs to go on: it gets the same back when the tape is played.
    pub response: Value,
    /// What it took.
    pub tokens: Tokens,
    /// Milliseconds until the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
}

/// An exchange with a model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// What it was asked: model, messages, tools, options, without secrets.
    pub request: Value,
    /// What came back, or why nothing did.
    #[serde(flatten)]
    pub outcome: Outcome<Reply>,
    /// When it was asked.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// What a tool brought.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Brought {
    /// For people.
    pub text: String,
    /// For programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// A use of a tool.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Use {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// What came out, or why nothing did.
    #[serde(flatten)]
    pub outcome: Outcome<Brought>,
    /// When it was used.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// How something ended that could fail.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// It did.
    Result(T),
    /// It failed.
    Error(Error),
}

impl<T> From<Result<T, Error>> for Outcome<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(done) => Self::Result(done),
            Err(error) => Self::Error(error),
        }
    }
}

impl<T> From<Outcome<T>> for Result<T, Error> {
    fn from(outcome: Outcome<T>) -> Self {
        match outcome {
            Outcome::Result(done) => Ok(done),
            Outcome::Error(error) => Err(error),
        }
    }
}

/// The run began to wait for approval.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Waited {
    /// What for.
    pub calls: Vec<Call>,
    /// Since when.
    #[serde(with = "moment")]
    pub at: Timestamp,
}

/// Somebody decided.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the run may do what it waited for.
    pub approved: bool,
    /// Who decided.
    pub by: Subject,
    /// Why; may be empty.
    #[serde(default)]
    pub reason: String,
    /// When.
    #[serde(with = "moment")]
    pub at: Timestamp,
}

/// Moments as people read them: RFC 3339 in UTC with milliseconds.
pub mod moment {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::protocol::Timestamp;

    /// Writes a moment.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    /// Reads a moment.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = chrono::DateTime::parse_from_rfc3339(&text);
        read.map(|at| Timestamp(at.timestamp_millis())).map_err(|_| D::Error::custom("expected a time in RFC 3339"))
    }
}
