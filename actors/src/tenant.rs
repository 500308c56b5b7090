//! What the actors of one tenant share. Nothing here is reachable from another tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use dashmap::DashMap;

use crate::directory::Directory;
use crate::house::House;
use crate::presence::Presence;
use crate::protocol::{
    AgentName, ChannelId, Code, ConversationId, Error, HouseStatus, SessionId, Subject, TenantId, Timestamp,
};
use crate::request::Request;
use crate::runs::LiveRuns;
use crate::serving::Desks;
use crate::subscriptions::Subscriptions;

/// A session as shown to operators.
#[derive(Clone, Debug)]
pub struct SessionCard {
    /// The session.
    pub id: SessionId,
    /// The dialect it speaks.
    pub dialect: &'static str,
    /// Who is behind it.
    pub subject: Subject,
    /// The agent that is behind it, if one is.
    pub agent: Option<AgentName>,
    /// Since when.
    pub connected_at: Timestamp,
}

/// A place that requests are sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Room {
    /// A conversation.
    Conversation(ConversationId),
    /// A channel.
    Channel(ChannelId),
    /// The direct messages of an agent.
    Inbox(AgentName),
}

/// Starts the actor of a place. It neither blocks nor reads: the actor reads what it needs by itself.
pub trait Opener: Send + Sync + std::fmt::Debug {
    /// Starts it; what is sent to the address from here on is handled in the order it was sent.
    fn start(&self, room: &Room) -> Option<Recipient<Request>>;
}

/// What the actors of one tenant share.
#[derive(Debug)]
pub struct Tenant {
    /// Which tenant.
    pub id: TenantId,
    /// What all tenants share.
    pub house: Arc<House>,
    /// Its agents.
    pub directory: Arc<Directory>,
    /// Who watches what.
    pub subscriptions: Arc<Subscriptions>,
    /// Agents in other processes.
    pub presence: Presence,
    /// Those of them that take work.
    pub desks: Desks,
    /// Runs that have not ended.
    pub runs: LiveRuns,
    /// Conversations in use.
    pub conversations: DashMap<ConversationId, Recipient<Request>>,
    /// Channels in use.
    pub channels: DashMap<ChannelId, Recipient<Request>>,
    /// Inboxes in use.
    pub inboxes: DashMap<AgentName, Recipient<Request>>,
    /// Sessions. Bounded by the server's limit of sessions.
    pub sessions: DashMap<SessionId, SessionCard>,
    opener: std::sync::OnceLock<Box<dyn Opener>>,
    subscription_ids: AtomicU64,
}

impl Tenant {
    /// A tenant without agents; who starts its places must be named before anything is sent to it.
    pub fn new(id: TenantId, house: Arc<House>) -> Self {
        Self {
            id,
            house,
            directory: Arc::default(),
            subscriptions: Arc::default(),
            presence: Presence::default(),
            desks: Desks::default(),
            runs: LiveRuns::default(),
            conversations: DashMap::new(),
            channels: DashMap::new(),
            inboxes: DashMap::new(),
            sessions: DashMap::new(),
            opener: std::sync::OnceLock::new(),
            subscription_ids: AtomicU64::new(1),
        }
    }

    /// Names who starts the actors of places. Once.
    pub(crate) fn set_opener(&self, opener: Box<dyn Opener>) {
        let _ = self.opener.set(opener);
    }

    /// A number for the next subscription.
    pub(crate) fn next_subscription(&self) -> u64 {
        self.subscription_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request to a conversation, brought into use if it is not.
    pub fn to_conversation(&self, id: &ConversationId, request: Request) {
        self.send(&Room::Conversation(id.clone()), request);
    }

    /// Brings a conversation into use that is not.
    pub fn awaken(&self, id: &ConversationId) {
        let _ = self.address(&Room::Conversation(id.clone()));
    }

    /// Sends a request to a channel in the same way.
    pub fn to_channel(&self, id: &ChannelId, request: Request) {
        self.send(&Room::Channel(id.clone()), request);
    }

    /// Sends a request to an agent's inbox in the same way.
    pub fn to_inbox(&self, agent: &AgentName, request: Request) {
        self.send(&Room::Inbox(agent.clone()), request);
    }

    /// Straight into the mailbox of the place, whoever sends: were a place brought into use by way of somebody else, a
    /// second request of the same session could overtake the first.
    fn send(&self, room: &Room, request: Request) {
        let mut request = request;
        // The second time round a place that was lost is started again.
        for _ in 0..2 {
            let Some(address) = self.address(room) else { break };
            match address.try_send(request) {
                Ok(()) => return,
                Err(SendError::Full(full)) => {
                    request = full;
                    break;
                }
                Err(SendError::Closed(closed)) => {
                    request = closed;
                    self.forget(room, &address);
                }
            }
        }
        request.refuse(Error::new(Code::QueueFull, "Too much is waiting there; try again after a while"));
    }

    fn address(&self, room: &Room) -> Option<Recipient<Request>> {
        match room {
            Room::Conversation(id) => self.in_use(&self.conversations, id, room),
            Room::Channel(id) => self.in_use(&self.channels, id, room),
            Room::Inbox(agent) => self.in_use(&self.inboxes, agent, room),
        }
    }

    fn in_use<K: Eq + std::hash::Hash + Clone>(
        &self,
        map: &DashMap<K, Recipient<Request>>,
        key: &K,
        room: &Room,
    ) -> Option<Recipient<Request>> {
        if let Some(address) = map.get(key) {
            return Some(address.clone());
        }
        let opener = self.opener.get()?;
        map.entry(key.clone()).or_try_insert_with(|| opener.start(room).ok_or(())).ok().map(|address| address.clone())
    }

    /// Takes a place off the map, unless another has come into use in its stead.
    pub(crate) fn forget(&self, room: &Room, gone: &Recipient<Request>) {
        match room {
            Room::Conversation(id) => drop(self.conversations.remove_if(id, |_, address| address == gone)),
            Room::Channel(id) => drop(self.channels.remove_if(id, |_, address| address == gone)),
            Room::Inbox(agent) => drop(self.inboxes.remove_if(agent, |_, address| address == gone)),
        }
    }

    /// How the house is, as this tenant sees it.
    pub fn status(&self) -> HouseStatus {
        HouseStatus {
            agents: self.directory.all().iter().map(|listing| listing.card.status()).collect(),
            sessions: self.sessions.len(),
            conversations: self.conversations.len(),
            channels: self.channels.len(),
            uptime_ms: self.house.uptime_ms(),
        }
    }
}
