//! The Callboard server: configuration, credentials, dialects, sockets and HTTP around the runtime of `callboard-actors`.

pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod dialect;
pub mod greeting;
pub mod http;
pub mod journal;
mod listening;
pub mod logging;
pub mod mcp;
pub mod metrics;
pub mod record;
pub mod replay;
pub mod server;
mod standby;
pub mod telemetry;
pub mod tls;
pub mod upkeep;
mod watched;
pub mod ws;
