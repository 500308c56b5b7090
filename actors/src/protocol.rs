//! The ground floor: what every other part of the runtime speaks of, as plain data.
//!
//! Nothing here knows actix, a socket, JSON on a wire, or a disk. A type belongs here when two rooms must agree on it.

pub mod command;
pub mod error;
pub mod event;
pub mod id;
pub mod message;
pub mod mood;
pub mod principal;
pub mod publication;
pub mod run;
pub mod status;
pub mod time;

pub use command::{Ask, CancelTarget, Command, Flow, MAX_PAGE, Mode, Pattern, Publish, Topic};
pub use error::{Code, Error, Result};
pub use event::{Answer, Delivery, Envelope, Event, FORMS, Interest, To, Typist};
pub use id::{
    AgentId, AgentName, ChannelId, ConversationId, MessageId, RunId, SessionId, Subject, SubscriptionId, TenantId,
    Token,
};
pub use message::{Message, Part, Role};
pub use mood::{Emotion, Mood};
pub use principal::{Principal, Scope, Scopes};
pub use publication::Publication;
pub use run::{Priority, Run, RunKind, RunStatus, Step, StepKind, ToolCall, Turn};
pub use status::{AgentState, AgentStatus, HouseStatus};
pub use time::Timestamp;
