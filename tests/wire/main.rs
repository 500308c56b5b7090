//! Everything that is promised on the wire, over real sockets, against the program as it ships.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/harness.rs"]
mod harness;

mod across;
mod cancel;
mod channels;
mod chats;
mod compression;
mod credentials;
mod documents;
mod drain;
mod heartbeat;
mod hostile;
mod isolation;
mod kills;
mod malformed;
mod mcp;
mod models;
mod openai;
mod order;
mod presence;
mod project;
mod runs;
mod secrets;
mod slow_reader;
mod streams;
mod survival;
mod tls;
mod traces;
mod transcripts;
mod walls;
