//! HTTP: resources to read and the endpoints at which sockets begin.
//!
//! [`routes`] lists every route on one page; each resource is a file. What a request means is the runtime's matter, who
//! makes it that of [`caller`], and what an error looks like that of [`error`].
//!
//! On its way to a resource every request passes, from the outside in: [`trace`] (an id, a line in the log), [`headers`]
//! (what browsers are told), [`shape`] (errors are JSON), [`openai`] (its clients read errors in its shape), [`rate`] and [`body`] (what is too much).

pub mod address;
pub mod agent_run;
pub mod agents;
pub mod app;
pub mod ask;
pub mod asset;
pub mod asyncapi;
pub mod body;
pub mod caller;
pub mod channels;
pub mod console;
pub mod conversations;
pub mod crowd;
pub mod described;
pub mod docs;
pub mod door;
pub mod error;
pub mod headers;
pub mod health;
pub mod history;
pub mod mcp;
pub mod memory;
pub mod metrics;
pub mod openai;
pub mod pulse;
pub mod query;
pub mod rate;
pub mod resource;
pub mod routes;
pub mod runs;
pub mod sessions;
pub mod settings;
pub mod shape;
pub mod sockets;
pub mod status;
mod talk;
pub mod trace;
pub mod v1;
