//! What a session is made with.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use callboard_actors::outbox::Relayed;
use callboard_actors::protocol::{Command, Principal, SessionId};
use callboard_actors::runtime::Runtime;

use crate::dialect::{Bounds, Dialect};

/// What holds for the sessions of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// What is bounded in a frame.
    pub bounds: Bounds,
    /// Frames a second.
    pub frames_per_second: usize,
    /// Frames at once after a pause.
    pub burst: usize,
    /// How long a session may stay over its rate.
    pub patience: Duration,
    /// Runs in flight.
    pub runs: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// After how long without a frame the dialect's own ping is sent.
    pub idle_ping: Duration,
    /// How often the session is looked after: the time between two heartbeats.
    pub beat: Duration,
}

/// What a session is made with.
pub struct Setup {
    /// Its number.
    pub id: SessionId,
    /// Who is behind it.
    pub principal: Arc<Principal>,
    /// What it speaks.
    pub dialect: Box<dyn Dialect>,
    /// What it asks for itself when it begins: to be attached to a channel, for example.
    pub opening: Vec<Command>,
    /// What it enters.
    pub runtime: Arc<Runtime>,
    /// The relay of its thread.
    pub relay: Option<Recipient<Relayed>>,
    /// What holds for it.
    pub manners: Manners,
    /// What others keep for it as long as it stays.
    pub stays: Box<dyn Any>,
}
