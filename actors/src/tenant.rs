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
    /// Runs that have not ended.
    pub runs: LiveRuns,
    /// Conversations in use. Whoever finds one here need not ask the router.
    pub conversations: DashMap<ConversationId, Recipient<Request>>,
    /// Channels in use.
    pub channels: DashMap<ChannelId, Recipient<Request>>,
    /// Inboxes in use.
    pub inboxes: DashMap<AgentName, Recipient<Request>>,
    /// Sessions. Bounded by the server's limit of sessions.
    pub sessions: DashMap<SessionId, SessionCard>,
    router: std::sync::OnceLock<Recipient<Request>>,
    subscription_ids: AtomicU64,
}

impl Tenant {
    /// A tenant without agents; its router must be named before anything is sent to it.
    pub fn new(id: TenantId, house: Arc<House>) -> Self {
        Self {
            id,
            house,
            directory: Arc::default(),
            subscriptions: Arc::default(),
            presence: Presence::default(),
            runs: LiveRuns::default(),
            conversations: DashMap::new(),
            channels: DashMap::new(),
            inboxes: DashMap::new(),
            sessions: DashMap::new(),
            router: std::sync::OnceLock::new(),
            subscription_ids: AtomicU64::new(1),
        }
    }

    /// Names the router. Once.
    pub(crate) fn set_router(&self, router: Recipient<Request>) {
        let _ = self.router.set(router);
    }

    /// A number for the next subscription.
    pub(crate) fn next_subscription(&self) -> u64 {
        self.subscription_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request to a conversation: straight there if it is in use, else by way of the router.
    pub fn to_conversation(&self, id: &ConversationId, request: Request) {
        let known = self.conversations.get(id).map(|address| address.clone());
        self.send(known, request);
    }

    /// Sends a request to a channel in the same way.
    pub fn to_channel(&self, id: &ChannelId, request: Request) {
        let known = self.channels.get(id).map(|address| address.clone());
        self.send(known, request);
    }

    /// Sends a request to an agent's inbox in the same way.
    pub fn to_inbox(&self, agent: &AgentName, request: Request) {
        let known = self.inboxes.get(agent).map(|address| address.clone());
        self.send(known, request);
    }

    fn send(&self, known: Option<Recipient<Request>>, request: Request) {
        let refused = match known {
            Some(address) => match address.try_send(request) {
                Ok(()) => return,
                Err(SendError::Closed(request)) => self.to_router(request),
                Err(SendError::Full(request)) => Some(request),
            },
            None => self.to_router(request),
        };
        if let Some(request) = refused {
            request.refuse(Error::new(Code::QueueFull, "Too much is waiting there; try again after a while"));
        }
    }

    fn to_router(&self, request: Request) -> Option<Request> {
        let Some(router) = self.router.get() else { return Some(request) };
        match router.try_send(request) {
            Ok(()) => None,
            Err(SendError::Closed(request) | SendError::Full(request)) => Some(request),
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
