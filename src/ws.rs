//! The WebSocket transport: from the bytes of a socket to whole messages of a session actor, and back.
//!
//! A session is an actor of `actix-web-actors`. Three parts stand around it, all on the session's thread:
//! [`intake`] reads what the client sends before the codec does, the actor's own [`Wire`] joins fragments and keeps
//! the manners of the protocol, [`outflow`] writes what leaves. What other threads may touch is the [`Gate`] (how much
//! waits for the client) and the [`Cord`] (a hold on the TCP socket), both watched by the [`Reaper`].
//!
//! What the messages say belongs to `dialect`, what they do to the session and the runtime.

pub mod assembly;
pub mod close;
pub mod cord;
pub mod deflate;
pub mod echo;
pub mod frame;
pub mod gate;
pub mod handshake;
pub mod intake;
pub mod ledger;
mod line;
pub mod outflow;
pub mod pace;
pub mod reaper;
pub mod session;
pub mod wire;

pub use assembly::Incoming;
pub use close::{CloseCode, CloseReason, Fault};
pub use cord::Cord;
pub use frame::Frame;
pub use gate::{Gate, Overflow, Queue, Ticket};
pub use handshake::{Refusal, Terms, upgrade};
pub use reaper::{Nudge, Reaper, Rules};
pub use wire::Wire;
