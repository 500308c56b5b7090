//! The router of a tenant: brings conversations, channels and inboxes into use, and minds the agents.
//!
//! It stands in nobody's way: whoever needs a place starts its actor by [`Doors`] on the spot and sends straight to it,
//! so that what one session sends to one place arrives in the order sent.

use std::sync::{Arc, PoisonError, Weak};

use actix::prelude::*;

use crate::agent::card::AgentCard;
use crate::agent::persona::{Limits, Persona};
use crate::agent::{Agent, AgentParts, DeathWatch};
use crate::brain::Brain;
use crate::brain::remote::Remote;
use crate::channel::{Channel, Nature};
use crate::conversation::Conversation;
use crate::directory::Listing;
use crate::floor::Floor;
use crate::outbox::Outbox;
use crate::protocol::{AgentName, Code, Error, SessionId};
use crate::request::Request;
use crate::serving::Desk;
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

/// Runs that an agent of another process is given at a time, over all of its sockets: enough to keep a few workers
/// busy, few enough that one which is stuck holds little.
pub const REMOTE_CONCURRENCY: usize = 8;

/// Has a socket serve an agent of another process; with its first socket the agent is listed.
///
/// # Errors
/// `UNAUTHORIZED` if an agent of the configuration has that name.
pub fn serve(tenant: &Arc<Tenant>, name: &AgentName, outbox: Outbox) -> Result<(), Error> {
    // Held until the agent is listed, so that coming and going do not cross.
    let mut desks = tenant.desks.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(desk) = desks.get(name) {
        desk.join(outbox);
        return Ok(());
    }
    if tenant.directory.find(name.as_str()).is_some() {
        let taken = format!("{name} is an agent of the server; connect under another name");
        return Err(Error::new(Code::Unauthorized, taken));
    }
    let desk = Arc::new(Desk::default());
    desk.join(outbox);
    desks.insert(name.clone(), desk.clone());
    let persona = Arc::new(remote_persona(name));
    let card = Arc::new(AgentCard::new(&tenant.id, persona.clone(), true));
    let cast = Cast { persona, brain: Arc::new(Remote::new(desk)) };
    employ(tenant, &cast, card, DeathWatch::new(|| ()));
    Ok(())
}

/// A socket serves an agent no longer; with its last socket the agent is struck off the list.
pub fn leave(tenant: &Arc<Tenant>, name: &AgentName, session: SessionId) {
    let mut desks = tenant.desks.lock().unwrap_or_else(PoisonError::into_inner);
    if desks.get(name).is_some_and(|desk| desk.leave(session)) {
        desks.remove(name);
        tenant.directory.remove(name);
    }
}

fn remote_persona(name: &AgentName) -> Persona {
    Persona {
        name: name.clone(),
        title: "agent of another process".to_owned(),
        description: format!("I am {name}, and I work in another process."),
        specialities: Vec::new(),
        greeting: format!("This is {name}. What can I do for you?"),
        tools: Vec::new(),
        mcp: Vec::new(),
        approval: Vec::new(),
        brain: "remote".to_owned(),
        model: None,
        limits: Limits { concurrency: REMOTE_CONCURRENCY, ..Limits::default() },
    }
}

/// Starts an agent and lists it.
fn employ(tenant: &Arc<Tenant>, cast: &Cast, card: Arc<AgentCard>, watch: DeathWatch) {
    let parts = AgentParts {
        tenant: tenant.id.clone(),
        card: card.clone(),
        brain: cast.brain.clone(),
        company: Arc::new(Floor::new(tenant)),
        subscriptions: tenant.subscriptions.clone(),
        directory: tenant.directory.clone(),
        aging: tenant.house.settings.aging,
        threads: tenant.house.threads().clone(),
        interrupted: tenant.house.interrupted().clone(),
        spans: tenant.house.settings.spans.clone(),
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
