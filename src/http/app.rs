//! What every request handler may use.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use metrics_exporter_prometheus::PrometheusHandle;

use callboard_actors::memory::Memory;
use callboard_actors::outbox::{Relay, Relayed};
use callboard_actors::protocol::SessionId;
use callboard_actors::runtime::Runtime;

use super::door::Door;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::dialect::Bounds;
use crate::mcp::Servers;
use crate::ws::deflate::Compression;
use crate::ws::gate::Queue;
use crate::ws::session::Manners;
use crate::ws::{Reaper, Terms};

/// What every request handler may use; one a server.
pub struct App {
    /// What the operator has set.
    pub config: Config,
    /// The runtime.
    pub runtime: Arc<Runtime>,
    /// What agents remember.
    pub memory: Arc<Memory>,
    /// Who is asking.
    pub auth: Authenticator,
    /// The watch over all sessions.
    pub reaper: Arc<Reaper>,
    /// How many come from one client.
    pub door: Door,
    /// Where metrics are read.
    pub metrics: PrometheusHandle,
    /// The servers of tools.
    pub tools: Arc<Servers>,
    ready: AtomicBool,
    session_ids: AtomicU64,
}

impl App {
    /// What handlers use, of a server that is not ready yet.
    pub fn new(
        config: Config,
        runtime: Arc<Runtime>,
        memory: Arc<Memory>,
        auth: Authenticator,
        reaper: Arc<Reaper>,
        metrics: PrometheusHandle,
        tools: Arc<Servers>,
    ) -> Self {
        let door = Door::new(&config.server);
        let (ready, session_ids) = (AtomicBool::new(false), AtomicU64::new(1));
        Self { config, runtime, memory, auth, reaper, door, metrics, tools, ready, session_ids }
    }

    /// Whether requests are taken: not before everything stands, and not while draining.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Sets whether requests are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// A number for the next session.
    pub fn next_session(&self) -> SessionId {
        SessionId(self.session_ids.fetch_add(1, Ordering::Relaxed))
    }

    /// What holds for the connections of sessions.
    pub fn terms(&self) -> Terms {
        let limits = &self.config.limits;
        let queue =
            Queue { frames: u32::try_from(limits.queue_frames).unwrap_or(u32::MAX), bytes: limits.queue_bytes as u64 };
        let compression = &self.config.compression;
        let deflate = compression
            .enabled
            .then_some(Compression { floor: compression.floor, takeover: compression.context_takeover });
        Terms { frame_limit: limits.frame, queue, deflate }
    }

    /// What holds for sessions; those of document 003 may send faster.
    pub fn manners(&self, channels: bool) -> Manners {
        let (limits, rate) = (&self.config.limits, &self.config.rate);
        let (frames_per_second, burst) = if channels {
            (rate.channel_frames_per_second, rate.channel_frames_burst)
        } else {
            (rate.frames_per_second, rate.frames_burst)
        };
        Manners {
            bounds: Bounds { content: limits.content, batch: limits.batch },
            frames_per_second,
            burst,
            patience: rate.close_after,
            runs: limits.runs_in_flight,
            subscriptions: limits.subscriptions,
            idle_ping: self.config.heartbeat.idle_ping,
            beat: self.config.heartbeat.ping,
        }
    }

    /// How long a handler waits for an actor.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// The relay of a worker thread, started when its first session begins.
#[derive(Default)]
pub struct WorkerRelay(OnceCell<Recipient<Relayed>>);

impl WorkerRelay {
    /// The relay of this thread.
    pub fn recipient(&self) -> Recipient<Relayed> {
        self.0.get_or_init(|| Relay::default().start().recipient()).clone()
    }
}
