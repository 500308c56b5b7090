//! What a session may ask of the runtime. Every dialect decodes into these and nothing else.

use std::sync::Arc;

use serde_json::Value;

use super::id::{AgentName, ChannelId, ConversationId, MessageId, RunId, SubscriptionId, Token};
use super::message::Message;
use super::pattern::Pattern;
use super::run::{Priority, RunKind, Step};
use super::trace::TraceParent;

/// The most messages that one page of history holds.
pub const MAX_PAGE: usize = 1000;

/// One request, already checked for shape; whether its names exist is for the runtime to find out.
///
/// Where a command names an agent, it is by name or by id: the directory of the tenant knows both.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Have one or several agents do something.
    Ask(Ask),
    /// Become a member of a conversation, bringing agents into it.
    Join {
        /// Made on first use.
        conversation: ConversationId,
        /// Joined in this order.
        agents: Vec<AgentName>,
        /// `None`: `All` if several agents join, else unchanged.
        mode: Option<Mode>,
    },
    /// Become a member of a conversation without bringing it into being, and be told of its runs: their steps, their
    /// ends.
    Watch {
        /// It need not exist. Where it exists and is another's, nothing happens and nothing is revealed.
        conversation: ConversationId,
    },
    /// Stop being a member of a conversation.
    Leave {
        /// It stays as it is.
        conversation: ConversationId,
    },
    /// Read a page of a conversation, newest page first.
    History {
        /// It must exist.
        conversation: ConversationId,
        /// How many messages at most, up to `MAX_PAGE`.
        limit: usize,
        /// Only messages with a smaller `seq`.
        before: Option<u64>,
    },
    /// Open a conversation as 004 does: become a member, read all of it, be greeted if it is new.
    Open {
        /// Made on first use, then owned by the subject.
        conversation: ConversationId,
        /// Messages after this `seq`; 0: all of them.
        after: u64,
    },
    /// Remove a conversation and everything in it.
    Delete {
        /// It must exist.
        conversation: ConversationId,
    },
    /// Give the lead of a conversation from one agent to another.
    Handoff {
        /// It must exist.
        conversation: ConversationId,
        /// It must be in the conversation.
        from: AgentName,
        /// Who takes over.
        to: AgentName,
        /// Shown to the agent that takes over.
        reason: String,
    },
    /// Say that somebody began or ceased to type.
    Typing {
        /// Whose members are told.
        conversation: ConversationId,
        /// As the client calls its user.
        user: Option<String>,
        /// Began, or ceased.
        typing: bool,
    },
    /// Ask how an agent is, or the whole house.
    Status {
        /// `None`: the house.
        agent: Option<AgentName>,
    },
    /// Be told of what matches.
    Subscribe {
        /// One subscription each.
        patterns: Vec<Pattern>,
    },
    /// No longer be told of what matches.
    Unsubscribe {
        /// Subscriptions with the same pattern end.
        patterns: Vec<Pattern>,
        /// Subscriptions with these ids end.
        ids: Vec<SubscriptionId>,
    },
    /// Put something into a channel.
    Publish(Publish),
    /// Send something to one agent of the tenant.
    Direct {
        /// Its sockets get it; kept for it while it is away.
        to: AgentName,
        /// What is sent.
        what: Publish,
    },
    /// Listen to a channel, or to the inbox of the principal's agent.
    Attach {
        /// The channel; `None`: the inbox.
        channel: Option<ChannelId>,
        /// Replay what came after this `seq` first. An inbox knows by itself.
        since: Option<u64>,
        /// Whether as a member, or for a subscription.
        member: bool,
    },
    /// Listen to a channel or the inbox no longer.
    Detach {
        /// The channel; `None`: the inbox.
        channel: Option<ChannelId>,
    },
    /// Make a channel, or describe it anew.
    Describe {
        /// The channel.
        channel: ChannelId,
        /// A name for people.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
    },
    /// Remove a channel and everything in it.
    Remove {
        /// The channel.
        channel: ChannelId,
    },
    /// Go on with a replay that waits for its reader.
    Replay {
        /// The channel; `None`: the inbox.
        channel: Option<ChannelId>,
        /// Publications after this `seq`.
        after: u64,
        /// Which time of listening the replay belongs to, as `Event::ReplayPaused` said.
        time: u64,
    },
    /// Be present as the principal's agent, and with the scope `agent:serve` take work for it. Said again it changes
    /// nothing: a heartbeat.
    Attend,
    /// Report a step of a run that was given to the principal's agent.
    Report {
        /// The message that asked.
        of: MessageId,
        /// What was done.
        step: Step,
    },
    /// Decide whether a run that waits may do what it waits for.
    Decide {
        /// The run.
        run: RunId,
        /// Whether it may. If not, it ends.
        approve: bool,
        /// Shown to whoever hears of the decision; may be empty.
        reason: String,
    },
    /// End a run, or all runs of a request, before their time.
    Cancel {
        /// Which.
        target: CancelTarget,
    },
}

/// What is to be cancelled.
#[derive(Clone, PartialEq, Debug)]
pub enum CancelTarget {
    /// An id as the client gave it: of one of its own requests, or of a run.
    Named(String),
    /// A request of the same session that asked in this conversation.
    Request {
        /// Its token.
        token: Token,
        /// Where it asked.
        conversation: ConversationId,
    },
}

/// Have one or several agents do something.
#[derive(Clone, PartialEq, Debug)]
pub struct Ask {
    /// Where it is written; made on first use.
    pub conversation: ConversationId,
    /// Who is asked; `None`: an `@name` at the beginning, else by the conversation's mode.
    pub agent: Option<AgentName>,
    /// What is asked.
    pub content: String,
    /// Arguments that the client spelled out: a JSON object, or null.
    pub parameters: Value,
    /// What kind of work it is.
    pub kind: RunKind,
    /// Its place in the agent's queue.
    pub priority: Priority,
    /// Whether the answer is wanted piece by piece.
    pub stream: bool,
    /// Whether it waits for earlier serial requests of the same conversation.
    pub serial: bool,
    /// The id that the client gave the request.
    pub request_id: Option<String>,
    /// Whether a conversation made by this request belongs to the asking subject alone.
    pub private: bool,
    /// What was said before, oldest first, where the client keeps the history itself. Agents are told of it ahead of
    /// what the conversation holds; it is not written. Bounded by the dialect.
    pub context: Vec<Arc<Message>>,
    /// Where the request stands in a trace that its client began.
    pub trace: Option<TraceParent>,
}

/// Put something into a channel, or send it to one agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Publish {
    /// The channel; `None` for a direct message.
    pub channel: Option<ChannelId>,
    /// Seen before within the window: acknowledged again, not published again.
    pub id: Option<MessageId>,
    /// The frame's type.
    pub kind: String,
    /// Any JSON value, as text.
    pub content: String,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
}

/// Who answers in a conversation where a request names nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The lead.
    #[default]
    Lead,
    /// Each agent once, in the order they joined.
    All,
    /// The agent whose specialities fit best.
    Auto,
}

impl Mode {
    /// The mode of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lead" => Self::Lead,
            "all" => Self::All,
            "auto" => Self::Auto,
            _ => return None,
        })
    }

    /// The mode as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::All => "all",
            Self::Auto => "auto",
        }
    }
}
