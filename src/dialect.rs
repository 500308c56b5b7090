//! Dialects: the five documented client protocols as pure codecs, frame ↔ command and event.
//!
//! A dialect knows no actor, no socket and no clock; what it needs of its session (a chat id, a channel) it is built
//! with. `decode` checks the shape of everything that enters, so that nothing malformed goes further; `encode` says of
//! every event how it is put on the wire, or that it is not: no wildcard arms there.

pub mod agents;
pub mod channels;
pub mod fields;
pub mod frames;
pub mod steps;
pub mod symindx;
pub mod task;
pub mod threads;
pub mod view;

use self::frames::Frames;
use callboard_actors::protocol::{Command, ConversationId, Error, Event, Interest, RunKind, Timestamp};

/// What is bounded in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest content, in bytes of text.
    pub content: usize,
    /// The most items in a batch.
    pub batch: usize,
}

/// What a client's frame comes to.
#[derive(Debug, PartialEq)]
// Taken apart as soon as it is made, a frame at a time: a box for each request would only cost.
#[allow(clippy::large_enum_variant)]
pub enum Inbound {
    /// Nothing to do, nothing to say.
    Silence,
    /// An answer that needs nobody.
    Answer(Frames),
    /// A request.
    Call(Call),
    /// Several requests with one summary at the end.
    Batch {
        /// The batch's id.
        id: String,
        /// The requests; an item that was malformed has its error here.
        items: Vec<Result<Call, (Option<String>, Error)>>,
    },
}

/// One request, with what its replies need.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The id that the client gave it.
    pub id: Option<String>,
    /// What is asked.
    pub command: Command,
    /// What the client is to hear of on the way.
    pub interest: Interest,
}

/// What is remembered of a request until its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The id that the client gave it.
    pub id: Option<String>,
    /// The kind of run it asked for, if it did.
    pub kind: Option<RunKind>,
    /// Where it asked.
    pub conversation: Option<ConversationId>,
    /// Whether it asked for the answer piece by piece.
    pub stream: bool,
}

impl Call {
    /// What is remembered of the request.
    pub fn asked(&self) -> Asked {
        match &self.command {
            Command::Ask(ask) => Asked {
                id: self.id.clone(),
                kind: Some(ask.kind),
                conversation: Some(ask.conversation.clone()),
                stream: ask.stream,
            },
            _ => Asked { id: self.id.clone(), ..Asked::default() },
        }
    }
}

/// Why a session is told of an event.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// It asked.
    Requester(&'a Asked),
    /// It is a member of the conversation, or attached to the channel.
    Member,
    /// It has a subscription that matches.
    Subscriber,
}

/// One of the documented client protocols, as one session speaks it.
pub trait Dialect: Send + Sync {
    /// Its name, for people and metrics.
    fn name(&self) -> &'static str;

    /// Its number among the endpoints, from 0 to 3: an envelope keeps one encoding for the members and one for the
    /// subscribers of each.
    fn slot(&self) -> usize;

    /// What a text frame comes to. An error costs nobody but its sender a thing; with it the id that the frame had, if
    /// it was readable.
    fn decode(&self, text: &str, bounds: &Bounds) -> Result<Inbound, (Option<String>, Error)>;

    /// The id of a frame that is refused unread, if it can be found: whoever sent it can then tell which it was.
    fn id_of(&self, text: &str) -> Option<String> {
        let _ = text;
        None
    }

    /// How an event of `at` is put on the wire.
    fn encode(&self, event: &Event, at: Timestamp, to: Audience<'_>) -> Frames;

    /// How the end of a batch is put on the wire: each item's index, id, and code of its error if it had one.
    fn batch_end(&self, id: &str, items: &[BatchItem], at: Timestamp) -> Frames {
        let _ = (id, items, at);
        Frames::None
    }

    /// What the server asks of a client that has been silent, besides the WebSocket Ping.
    fn idle_ping(&self) -> Frames {
        Frames::None
    }

    /// A short label for a frame's type in the metrics; a fixed set, so that clients cannot make new ones.
    fn label(&self, inbound: &Inbound) -> &'static str {
        match inbound {
            Inbound::Silence | Inbound::Answer(_) => "heartbeat",
            Inbound::Batch { .. } => "batch",
            Inbound::Call(call) => command_label(&call.command),
        }
    }
}

/// How one item of a batch ended.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchItem {
    /// The id of its replies.
    pub id: Option<String>,
    /// The code of its error, if it had one.
    pub code: Option<&'static str>,
}

fn command_label(command: &Command) -> &'static str {
    match command {
        Command::Ask(ask) => ask.kind.as_str(),
        Command::Join { .. } | Command::Watch { .. } => "join",
        Command::Leave { .. } => "leave",
        Command::History { .. } | Command::Open { .. } => "history",
        Command::Delete { .. } => "delete",
        Command::Handoff { .. } => "handoff",
        Command::Typing { .. } => "typing",
        Command::Status { .. } => "status",
        Command::Subscribe { .. } => "subscribe",
        Command::Unsubscribe { .. } => "unsubscribe",
        Command::Publish(_) => "publish",
        Command::Direct { .. } => "direct",
        Command::Attach { .. } | Command::Detach { .. } | Command::Replay { .. } => "attach",
        Command::Describe { .. } | Command::Remove { .. } => "channel",
        Command::Attend => "heartbeat",
        Command::Report { .. } => "step",
        Command::Cancel { .. } => "cancel",
        Command::Decide { .. } => "approval",
    }
}
