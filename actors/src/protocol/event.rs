//! What happens in the runtime.

use std::sync::Arc;

use super::approval::Approval;
use super::command::Mode;
use super::error::Error;
use super::id::{AgentName, ChannelId, ConversationId, MessageId, Subject, SubscriptionId};
use super::message::Message;
use super::mood::Mood;
use super::publication::Publication;
use super::run::{Run, RunStatus, Step};
use super::status::{AgentStatus, HouseStatus};
use super::time::Timestamp;

/// Something that happened. Each dialect says how it is put on its wire, or that it is not.
#[derive(Debug)]
pub enum Event {
    // A run, in the order these come.
    /// The request is durable and waits for its agent.
    RunAccepted {
        /// The run.
        run: Arc<Run>,
        /// The message that asked.
        question: Arc<Message>,
    },
    /// The agent is at it.
    RunStarted {
        /// The run.
        run: Arc<Run>,
    },
    /// The agent took a step.
    RunStep {
        /// The run.
        run: Arc<Run>,
        /// The step.
        step: Step,
    },
    /// A piece of the answer.
    RunDelta {
        /// The run.
        run: Arc<Run>,
        /// From 0.
        index: u32,
        /// The pieces joined are the answer.
        delta: String,
    },
    /// The agent wants to do what somebody has to approve first; the run waits.
    RunWaits {
        /// The run.
        run: Arc<Run>,
    },
    /// What the run waits for.
    ApprovalRequested {
        /// The run.
        run: Arc<Run>,
        /// What is to be approved, or not.
        approval: Arc<Approval>,
    },
    /// Somebody has decided, durably: the run goes on, or ends.
    ApprovalDecided {
        /// The run.
        run: Arc<Run>,
        /// Whether it may do what it waited for.
        approved: bool,
        /// Who decided.
        by: Subject,
        /// Why; may be empty.
        reason: String,
    },
    /// The answer is durable. An end.
    RunAnswered {
        /// The run.
        run: Arc<Run>,
        /// The answer.
        answer: Arc<Message>,
        /// The agent's mood by now.
        mood: Mood,
        /// From accepted to answered, in milliseconds.
        duration_ms: u64,
    },
    /// There is no answer. An end.
    RunFailed {
        /// The run.
        run: Arc<Run>,
        /// `Failed`, `Cancelled` or `Timeout`.
        status: RunStatus,
        /// Why.
        error: Error,
        /// From accepted to failed, in milliseconds.
        duration_ms: u64,
    },

    // A conversation.
    /// A message was written.
    MessageAdded {
        /// The message.
        message: Arc<Message>,
    },
    /// Somebody began or ceased to type.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        who: Typist,
        /// Began, or ceased.
        typing: bool,
    },
    /// The lead went from one agent to another.
    HandedOff {
        /// Where.
        conversation: ConversationId,
        /// Who led.
        from: AgentName,
        /// Who leads now.
        to: AgentName,
        /// Why.
        reason: String,
    },
    /// A conversation was removed.
    Deleted {
        /// Which.
        conversation: ConversationId,
    },

    // Agents.
    /// An agent became active or idle, came or went.
    AgentChanged {
        /// How it is now.
        status: Box<AgentStatus>,
    },
    /// An agent's mood changed.
    MoodChanged {
        /// Which agent.
        agent: AgentName,
        /// Before.
        previous: Mood,
        /// Now.
        current: Mood,
    },
    /// An agent remembered or forgot something.
    MemoryChanged {
        /// Which agent.
        agent: AgentName,
        /// The memory's id.
        id: MessageId,
        /// What it remembers or remembered.
        content: String,
        /// Remembered, or forgotten.
        kept: bool,
    },
    /// An agent in another process came or went.
    Presence {
        /// Which agent.
        agent: AgentName,
        /// Came, or went.
        online: bool,
    },

    // Channels.
    /// Something was published in a channel.
    Published {
        /// What.
        publication: Arc<Publication>,
    },
    /// Something was sent to this agent alone.
    DirectMessage {
        /// What.
        publication: Arc<Publication>,
    },
    /// A replay has begun, or a page of it is through; the reader asks for the next with `Command::Replay`. Never on a
    /// wire.
    ReplayPaused {
        /// The channel; `None`: the inbox.
        channel: Option<ChannelId>,
        /// The last `seq` that was sent.
        after: u64,
        /// Which time of listening it belongs to: a session may have left and come again.
        time: u64,
    },

    // Replies.
    /// The session is a member now.
    Joined {
        /// Where.
        conversation: ConversationId,
        /// Its agents, in the order they joined.
        agents: Vec<AgentName>,
        /// Who answers.
        mode: Mode,
        /// Who leads.
        lead: AgentName,
        /// The latest messages, oldest first.
        messages: Vec<Arc<Message>>,
    },
    /// The session is no member any more.
    Left {
        /// Where.
        conversation: ConversationId,
    },
    /// A page of a conversation.
    History {
        /// Which.
        conversation: ConversationId,
        /// Oldest first.
        messages: Vec<Arc<Message>>,
        /// Where the next older page begins, if there is one.
        next_before: Option<u64>,
        /// Where the same reply goes on: the reader asks with `Command::Open` when it has this page.
        resume: Option<u64>,
    },
    /// The subscriptions that a request made.
    Subscribed {
        /// Each with its pattern as text.
        subscriptions: Vec<(SubscriptionId, String)>,
    },
    /// The subscriptions that a request ended.
    Unsubscribed {
        /// Each with its pattern as text.
        subscriptions: Vec<(SubscriptionId, String)>,
    },
    /// A publication is durable.
    PublishAcknowledged {
        /// The channel; `None` for a direct message.
        channel: Option<ChannelId>,
        /// The publication's id.
        id: MessageId,
        /// Its place.
        seq: u64,
        /// When the server took it.
        at: Timestamp,
    },
    /// How an agent is.
    AgentReport {
        /// Name, state, queue, mood.
        status: Box<AgentStatus>,
    },
    /// How the house is.
    HouseReport {
        /// Agents and counts.
        status: Box<HouseStatus>,
    },
    /// A channel is made or described.
    ChannelDescribed {
        /// The channel.
        channel: ChannelId,
        /// Whether it is new.
        created: bool,
    },
    /// The request was carried out and there is nothing to say. Never on a wire.
    Noted,
    /// A request was refused. An end.
    Refused {
        /// Why.
        error: Error,
    },
}

/// Who types.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Typist {
    /// A person, as the client calls it.
    User(String),
    /// An agent at work.
    Agent(AgentName),
}

impl Event {
    /// Whether a request that gets this as its reply is thereby over.
    pub fn ends_request(&self) -> bool {
        match self {
            Self::RunAnswered { run, .. } | Self::RunFailed { run, .. } => run.turn.is_last(),
            Self::RunAccepted { .. }
            | Self::RunStarted { .. }
            | Self::RunStep { .. }
            | Self::RunDelta { .. }
            | Self::RunWaits { .. }
            | Self::ApprovalRequested { .. } => false,
            Self::History { resume, .. } => resume.is_none(),
            _ => true,
        }
    }
}
