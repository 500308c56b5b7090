//! Several servers over one log in NATS: one leads, the others stand by. Processes of both kinds are killed and stalled
//! under load; what was acknowledged is there afterwards, in order and once.
//!
//! It needs what `tests/cluster/setup` installs; `tests/cluster/run` does both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/harness.rs"]
mod harness;

mod boards;
mod chaos;
mod contract;
mod kept;
mod load;
mod log;
mod nats;
mod patience;
mod takeover;
mod wire;
