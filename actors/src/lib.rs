//! The runtime of Callboard: agents, conversations and channels as actix actors over one journal.
//!
//! It knows no HTTP and no wire format; a server, or any other program, embeds it through [`protocol`].

pub mod agent;
pub mod brain;
pub mod journal;
pub mod memory;
pub mod protocol;
pub mod text;
pub mod tool;
