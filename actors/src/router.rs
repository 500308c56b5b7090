//! The router of a tenant: brings conversations, channels and inboxes into use, and minds the agents.
//!
//! It is met once a place: who finds an address in the tenant's maps need not ask. It never does I/O, so a slow disk
//! delays the place that reads from it and nobody else.

use std::sync::Arc;

use actix::prelude::*;

use crate::agent::card::AgentCard;
use crate::agent::persona::Persona;
use crate::agent::{Agent, AgentParts, DeathWatch};
use crate::brain::Brain;
use crate::channel::{Channel, Nature};
use crate::conversation::Conversation;
use crate::directory::Listing;
use crate::protocol::{AgentName, ChannelId, Command, ConversationId, Error};
use crate::request::Request;
use crate::tenant::Tenant;

/// Requests for places not in use that may wait. Bringing one into use takes microseconds.
const MAILBOX: usize = 4096;

/// An agent as the configuration has it.
#[derive(Clone)]
pub struct Cast {
    /// Who it is.
    pub persona: Arc<Persona>,
    /// What makes its answers.
    pub brain: Arc<dyn Brain>,
}

/// The router of a tenant.
pub struct Router {
    tenant: Arc<Tenant>,
    cast: Arc<[Cast]>,
}

/// An agent of the configuration is gone.
#[derive(Message)]
#[rtype(result = "()")]
struct AgentGone(AgentName);

impl Router {
    fn place(&self, request: Request) {
        match place_of(&request.command, request.principal.agent.as_ref()) {
            Some(Destination::Conversation(id)) => self.conversation(&id).do_send_or_refuse(request),
            Some(Destination::Channel(nature)) => self.channel(nature).do_send_or_refuse(request),
            None => request.refuse(Error::internal("This request concerns no place")),
        }
    }

    fn conversation(&self, id: &ConversationId) -> Recipient<Request> {
        let start = || {
            let (tenant, id) = (self.tenant.clone(), id.clone());
            let arbiter = self.tenant.house.arbiter();
            Conversation::start_in_arbiter(arbiter, move |_| Conversation::new(tenant, id)).recipient()
        };
        self.tenant.conversations.entry(id.clone()).or_insert_with(start).clone()
    }

    fn channel(&self, nature: Nature) -> Recipient<Request> {
        let start = || {
            let (tenant, nature) = (self.tenant.clone(), nature.clone());
            let arbiter = self.tenant.house.arbiter();
            Channel::start_in_arbiter(arbiter, move |_| Channel::new(tenant, nature)).recipient()
        };
        match &nature {
            Nature::Channel(id) => self.tenant.channels.entry(id.clone()).or_insert_with(start).clone(),
            Nature::Inbox(agent) => self.tenant.inboxes.entry(agent.clone()).or_insert_with(start).clone(),
        }
    }
}

/// Opens a tenant: starts its router and its agents.
pub fn open(tenant: &Arc<Tenant>, cast: Arc<[Cast]>) {
    let router = Router { tenant: tenant.clone(), cast: cast.clone() };
    let router = Router::start_in_arbiter(tenant.house.arbiter(), move |_| router);
    tenant.set_router(router.clone().recipient());
    for cast in &*cast {
        let card = Arc::new(AgentCard::new(&tenant.id, cast.persona.clone(), false));
        employ(tenant, cast, card, minded(cast, router.clone().recipient()));
    }
}

/// Starts an agent and lists it.
fn employ(tenant: &Arc<Tenant>, cast: &Cast, card: Arc<AgentCard>, watch: DeathWatch) {
    let parts = AgentParts {
        tenant: tenant.id.clone(),
        card: card.clone(),
        brain: cast.brain.clone(),
        subscriptions: tenant.subscriptions.clone(),
        directory: tenant.directory.clone(),
        aging: tenant.house.settings.aging,
    };
    let agent = Agent::start_in_arbiter(tenant.house.arbiter(), move |_| Agent::new(parts, watch));
    tenant.directory.put(Listing { card, assign: agent.recipient() });
}

/// Should the agent ever be gone, its router is told.
fn minded(cast: &Cast, router: Recipient<AgentGone>) -> DeathWatch {
    let name = cast.persona.name.clone();
    // Past a full mailbox: there is one of these for each death of an agent.
    DeathWatch::new(move || router.do_send(AgentGone(name)))
}

/// Where a request goes.
enum Destination {
    Conversation(ConversationId),
    Channel(Nature),
}

fn place_of(command: &Command, own: Option<&AgentName>) -> Option<Destination> {
    let channel = |channel: &Option<ChannelId>| {
        let nature = match channel {
            Some(id) => Nature::Channel(id.clone()),
            None => Nature::Inbox(own?.clone()),
        };
        Some(Destination::Channel(nature))
    };
    match command {
        Command::Ask(ask) => Some(Destination::Conversation(ask.conversation.clone())),
        Command::Join { conversation, .. }
        | Command::Watch { conversation }
        | Command::Leave { conversation }
        | Command::History { conversation, .. }
        | Command::Open { conversation, .. }
        | Command::Delete { conversation }
        | Command::Handoff { conversation, .. }
        | Command::Typing { conversation, .. } => Some(Destination::Conversation(conversation.clone())),
        Command::Publish(publish) => channel(&publish.channel),
        Command::Attach { channel: id, .. } | Command::Detach { channel: id } | Command::Replay { channel: id, .. } => {
            channel(id)
        }
        Command::Describe { channel, .. } | Command::Remove { channel } => {
            Some(Destination::Channel(Nature::Channel(channel.clone())))
        }
        Command::Direct { to, .. } => Some(Destination::Channel(Nature::Inbox(to.clone()))),
        Command::Cancel { .. } | Command::Status { .. } | Command::Subscribe { .. } | Command::Unsubscribe { .. } => {
            None
        }
    }
}

trait SendOrRefuse {
    /// Sends, and tells the asker if that is not possible.
    fn do_send_or_refuse(&self, request: Request);
}

impl SendOrRefuse for Recipient<Request> {
    fn do_send_or_refuse(&self, request: Request) {
        if let Err(SendError::Full(request) | SendError::Closed(request)) = self.try_send(request) {
            request.refuse(Error::new(
                crate::protocol::Code::QueueFull,
                "Too much is waiting there; try again after a while",
            ));
        }
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Request> for Router {
    type Result = ();

    fn handle(&mut self, request: Request, _: &mut Self::Context) {
        self.place(request);
    }
}

impl Handler<AgentGone> for Router {
    type Result = ();

    fn handle(&mut self, AgentGone(name): AgentGone, ctx: &mut Self::Context) {
        let cast = self.cast.clone();
        let listing = self.tenant.directory.find(name.as_str());
        if let (Some(cast), Some(listing)) = (cast.iter().find(|cast| cast.persona.name == name), listing) {
            log::error!("agent {name} was lost and is started again");
            employ(&self.tenant, cast, listing.card.renewed(), minded(cast, ctx.address().recipient()));
        }
    }
}
