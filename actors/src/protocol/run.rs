//! Runs: one piece of work that an agent does for somebody, and the steps it takes.

use serde::{Deserialize, Serialize};

mod form;

use super::error::Code;
use super::id::{AgentId, AgentName, ConversationId, MessageId, RunId};
use super::time::Timestamp;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// A turn of a conversation.
    Chat,
    /// A task of document 000.
    Task,
    /// A command of document 002.
    Command,
}

impl RunKind {
    /// The kind as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Task => "task",
            Self::Command => "command",
        }
    }
}

/// Where a run stands. From `Completed` to `Timeout` these are ends. New ones go last: the journal counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted and durable, waiting for its agent.
    Pending,
    /// The agent is at it.
    Processing,
    /// Ended with an answer.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
    /// Ended because it took too long.
    Timeout,
    /// Not ended: it waits until somebody approves what its agent wants to do, or does not.
    InputRequired,
}

impl RunStatus {
    /// How a run ends that has this error instead of an answer.
    pub fn of(code: Code) -> Self {
        match code {
            Code::Cancelled => Self::Cancelled,
            Code::Timeout => Self::Timeout,
            _ => Self::Failed,
        }
    }

    /// The status as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::InputRequired => "input_required",
        }
    }
}

/// How urgent a request is. Ordered: `Urgent` comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Ahead of everything that waits.
    Urgent,
    /// Ahead of what is normal.
    High,
    /// Where nothing is said.
    #[default]
    Normal,
    /// After everything else.
    Low,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The priority of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "urgent" => Self::Urgent,
            "high" => Self::High,
            "normal" => Self::Normal,
            "low" => Self::Low,
            _ => return None,
        })
    }
}

/// Which answer of a request this is, where several agents answer in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Turn {
    /// From 1.
    pub index: u16,
    /// How many agents answer.
    pub of: u16,
}

impl Turn {
    /// The only answer of its request.
    pub const ONLY: Self = Self { index: 1, of: 1 };

    /// Whether no other answer follows.
    pub fn is_last(self) -> bool {
        self.index >= self.of
    }
}

/// A run as everybody who hears of it sees it. Fixed once the run is accepted.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Found at `GET /runs/{id}`.
    pub id: RunId,
    /// What was asked for.
    pub kind: RunKind,
    /// Who does it.
    pub agent: AgentName,
    /// The same agent's id.
    pub agent_id: AgentId,
    /// Where the request and its answer are written.
    pub conversation: ConversationId,
    /// The message that asked.
    pub asked_by: MessageId,
    /// That message's place in the conversation, from 1; 0 for an errand, which no message asked for.
    pub asked_at: u64,
    /// The id that the client gave its request, if it gave one.
    pub request_id: Option<String>,
    /// Which of several answers this is.
    pub turn: Turn,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Run {
    /// Whether it was asked for outside any conversation: no message stands at place 0.
    pub fn is_errand(&self) -> bool {
        self.asked_at == 0
    }

    /// The id of the message that will answer it. It follows from the run's, so that pieces of an answer can carry it
    /// before the answer is written.
    pub fn answer_id(&self) -> MessageId {
        let id = self.id.as_str();
        MessageId::trusted(format!("msg-{}", id.strip_prefix("run-").unwrap_or(id)))
    }
}

/// What kind of step an agent took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// What the agent is about to do, and why. Stream `thoughts`.
    Planning,
    /// What it did: a tool, its arguments, what came out. Stream `actions`.
    Action,
    /// Its conclusion. Stream `thoughts`; 001's `FinalAnswerStep`.
    Answer,
}

impl StepKind {
    /// The stage as it stands in `stream_data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Action => "action",
            Self::Answer => "answer",
        }
    }
}

/// A use of a tool.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ToolCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
    /// Whether the tool did what was asked.
    pub ok: bool,
    /// What the model calls this use; empty where no model asked for it.
    pub id: String,
    /// What came out, as it was given to the model; bounded by whoever made the step. Empty where the step's content
    /// says it.
    pub result: String,
}

/// What a model was given and gave, in tokens as its server counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
}

impl Tokens {
    /// Both together: what budgets count.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
    }
}

/// One step of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "form::Form", into = "form::Form")]
pub struct Step {
    /// What kind of step.
    pub kind: StepKind,
    /// What people read.
    pub content: String,
    /// From 0 (noise) to 1 (must be seen); filters of subscribers go by it.
    pub importance: f32,
    /// When it was taken.
    pub at: Timestamp,
    /// The tool used, for an action.
    pub call: Option<ToolCall>,
    /// What the model read and wrote for it, if a model took it.
    pub tokens: Option<Tokens>,
}

impl Step {
    /// A step without a tool, taken now.
    pub fn now(kind: StepKind, content: impl Into<String>, importance: f32) -> Self {
        Self { kind, content: content.into(), importance, at: Timestamp::now(), call: None, tokens: None }
    }
}
