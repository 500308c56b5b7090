//! The leader's heartbeat, over core NATS: how those that stand by know that it lives, and how one that was asleep hears
//! that another leads. Hints for liveness alone; who may write is settled in the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Beats in the time after which a silent leader counts as gone.
const BEATS: u32 = 5;

/// The longest time between two beats: whoever begins to stand by learns within it who leads.
const RARELY: Duration = Duration::from_secs(1);

/// A heartbeat on the wire: JSON, for people who listen in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Beat {
    /// What the leader is called.
    pub node: String,
    /// Its term.
    pub term: u64,
}

/// What is known of the leader.
#[derive(Debug)]
pub(super) struct Pulse {
    client: Client,
    subject: String,
    node: String,
    silence: Duration,
    heard: Mutex<Heard>,
    /// Who leads in this server's stead, once another does.
    deposed: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Heard {
    /// The last sign of life, or the last time that this server began to be able to hear one.
    at: Instant,
    /// The term in which this server leads.
    leading: Option<u64>,
    /// Who was heard.
    leader: Option<String>,
}

impl Pulse {
    /// Listens for the beats on `subject`, and beats while this server leads.
    pub async fn start(
        client: Client,
        subject: String,
        node: String,
        silence: Duration,
    ) -> Result<Arc<Self>, async_nats::SubscribeError> {
        let mut beats = client.subscribe(subject.clone()).await?;
        let heard = Mutex::new(Heard { at: Instant::now(), leading: None, leader: None });
        let pulse = Self { client, subject, node, silence, heard, deposed: watch::Sender::new(None) };
        let pulse = Arc::new(pulse);
        let (listener, beater) = (Arc::downgrade(&pulse), Arc::downgrade(&pulse));
        tokio::spawn(async move {
            while let Some(message) = beats.next().await {
                let Some(pulse) = listener.upgrade() else { return };
                if let Ok(beat) = serde_json::from_slice(&message.payload) {
                    pulse.hear(beat);
                }
            }
        });
        tokio::spawn(async move {
            let mut beat = tokio::time::interval((silence / BEATS).min(RARELY));
            loop {
                beat.tick().await;
                let Some(pulse) = beater.upgrade() else { return };
                pulse.beat().await;
            }
        });
        Ok(pulse)
    }

    /// This server leads in `term`.
    pub fn lead(&self, term: Option<u64>) {
        self.lock().leading = term;
    }

    /// Another leads.
    pub fn depose(&self, by: &str) {
        self.lock().leading = None;
        self.deposed.send_if_modified(|deposed| deposed.is_none().then(|| *deposed = Some(by.to_owned())).is_some());
    }

    /// Who leads in this server's stead, once it led and another does.
    pub fn deposed(&self) -> watch::Receiver<Option<String>> {
        self.deposed.subscribe()
    }

    /// Whether a leader would have been heard, and was not. A server that hears nothing at all judges nobody.
    pub fn is_silent(&self) -> bool {
        self.is_connected() && self.lock().at.elapsed() >= self.silence
    }

    /// Who was last heard to lead.
    pub fn leader(&self) -> Option<String> {
        self.lock().leader.clone()
    }

    /// Whether NATS can be heard.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The connection was lost, or is there again: what was not heard meanwhile means nothing.
    pub fn wake(&self) {
        self.lock().at = Instant::now();
    }

    fn hear(&self, beat: Beat) {
        let mut heard = self.lock();
        heard.at = Instant::now();
        heard.leader = Some(beat.node.clone());
        let later = heard.leading.is_some_and(|term| term < beat.term);
        drop(heard);
        if later {
            self.depose(&beat.node);
        }
    }

    async fn beat(&self) {
        let Some(term) = self.lock().leading else { return };
        // What is said while NATS is away would be said later, and no longer be true.
        if !self.is_connected() {
            return;
        }
        let beat = serde_json::to_vec(&Beat { node: self.node.clone(), term }).unwrap_or_default();
        if let Err(error) = self.client.publish(self.subject.clone(), beat.into()).await {
            log::warn!("the heartbeat was not sent: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
