//! The ground floor: what every other part of the runtime speaks of, as plain data.
//!
//! Nothing here knows actix, a socket, JSON on a wire, or a disk. A type belongs here when two rooms must agree on it.

pub mod answer;
pub mod approval;
pub mod command;
pub mod envelope;
pub mod error;
pub mod event;
pub mod id;
pub mod interest;
pub mod message;
pub mod mood;
pub mod pattern;
pub mod principal;
pub mod publication;
pub mod run;
pub mod status;
pub mod time;
pub mod trace;
pub mod trail;

pub use answer::{Answer, Handoff};
pub use approval::{Approval, AskedCall};
pub use command::{Ask, CancelTarget, Command, MAX_PAGE, Mode, Publish};
pub use envelope::{Bundle, Delivery, Envelope, FORMS, To};
pub use error::{Code, Error, Result};
pub use event::{Event, Typist};
pub use id::{
    AgentId, AgentName, ChannelId, ConversationId, MessageId, RunId, SessionId, Subject, SubscriptionId, TenantId,
    Token,
};
pub use interest::Interest;
pub use message::{Message, Part, Role};
pub use mood::{Emotion, Mood};
pub use pattern::{Flow, Pattern, Topic};
pub use principal::{Principal, Scope, Scopes};
pub use publication::Publication;
pub use run::{Priority, Run, RunKind, RunStatus, Step, StepKind, Tokens, ToolCall, Turn};
pub use status::{AgentState, AgentStatus, HouseStatus};
pub use time::Timestamp;
pub use trace::TraceParent;
pub use trail::Trail;
