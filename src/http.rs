//! HTTP: resources to read and the endpoints at which sockets begin.
//!
//! [`routes`] lists every route on one page; each resource is a file. What a request means is the runtime's matter, who
//! makes it that of [`caller`], and what an error looks like that of [`error`].

pub mod agent_run;
pub mod app;
pub mod ask;
pub mod caller;
pub mod error;
pub mod health;
pub mod history;
pub mod routes;
pub mod sockets;
