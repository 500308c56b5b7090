//! The router of a tenant: brings conversations, channels and inboxes into use, and minds the agents.
//!
//! It stands in nobody's way: whoever needs a place starts its actor by [`Doors`] on the spot and sends straight to it,
//! so that what one session sends to one place arrives in the order sent.

use std::sync::{Arc, Weak};

use actix::prelude::*;

use crate::agent::card::AgentCard;
use crate::agent::persona::Persona;
use crate::agent::{Agent, AgentParts, DeathWatch};
use crate::brain::Brain;
use crate::channel::{Channel, Nature};
use crate::conversation::Conversation;
use crate::directory::Listing;
use crate::protocol::AgentName;
use crate::request::Request;
use crate::tenant::{Opener, Room, Tenant};

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

/// Starts the actors of a tenant's places.
#[derive(Debug)]
struct Doors(Weak<Tenant>);

impl Opener for Doors {
    fn start(&self, room: &Room) -> Option<Recipient<Request>> {
        let tenant = self.0.upgrade()?;
        let house = tenant.house.clone();
        let channel = |nature| {
            let tenant = tenant.clone();
            Channel::start_in_arbiter(house.arbiter(), move |_| Channel::new(tenant, nature)).recipient()
        };
        Some(match room {
            Room::Channel(id) => channel(Nature::Channel(id.clone())),
            Room::Inbox(agent) => channel(Nature::Inbox(agent.clone())),
            Room::Conversation(id) => {
                let (tenant, id) = (tenant.clone(), id.clone());
                Conversation::start_in_arbiter(house.arbiter(), move |_| Conversation::new(tenant, id)).recipient()
            }
        })
    }
}

/// Opens a tenant: starts its router and its agents.
pub fn open(tenant: &Arc<Tenant>, cast: Arc<[Cast]>) {
    let router = Router { tenant: tenant.clone(), cast: cast.clone() };
    let router = Router::start_in_arbiter(tenant.house.arbiter(), move |_| router);
    tenant.set_opener(Box::new(Doors(Arc::downgrade(tenant))));
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

impl Actor for Router {
    type Context = Context<Self>;
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
