//! Channels: durable publish/subscribe logs, one writer each. An agent's inbox is a channel that only the agent reads.
//!
//! A publication is appended, acknowledged to its publisher and then sent to everybody who listens, in the order of
//! `seq`. Somebody who wants what came before reads it page by page from the journal and goes live when nothing is
//! missing, inside one handler, so that there is neither hole nor double.

pub mod known;
mod listeners;
mod publishing;
pub mod reading;
pub mod record;
mod replaying;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use self::known::Known;
use self::listeners::Listeners;
use self::publishing::Write;
use self::reading::{Loaded, Wanted};
use self::record::StateRecord;
use crate::agent::DeathWatch;
use crate::horizon::Horizon;
use crate::house::House;
use crate::journal::{Kind, Place, PlaceName};
use crate::metrics::Living;
use crate::place::{Committed, FORWARDING, Stage};
use crate::protocol::{AgentName, ChannelId, Command, Error, Event, Publication};
use crate::request::Request;
use crate::tenant::Tenant;

/// Requests that may wait for a channel; a publisher over this is told `QUEUE_FULL`.
const MAILBOX: usize = 4096;

/// What a channel is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Nature {
    /// Everybody of the tenant may publish and listen.
    Channel(ChannelId),
    /// Direct messages to one agent.
    Inbox(AgentName),
}

/// One channel in use.
pub struct Channel {
    tenant: Arc<Tenant>,
    nature: Nature,
    log: Log,
    /// The latest committed publications, oldest first, without a hole up to the last.
    recent: Recent,
    known: Known,
    listeners: Listeners,
    /// What was handed to the journal and has not come back, in order.
    writes: VecDeque<Write>,
    /// In an inbox: up to where it has been handed to a socket, noted in the journal or about to be.
    delivered: u64,
    used: Instant,
    stage: Stage,
    watch: Option<DeathWatch>,
    _living: Living,
}

/// Where the channel stands in the journal. Heads count what was handed over, committed or not.
#[derive(Debug)]
struct Log {
    /// Its place, and what of its publications is still kept.
    horizon: Horizon,
    /// `None` until it is made.
    state: Option<StateRecord>,
    publications: u64,
    states: u64,
    broken: bool,
}

impl Log {
    /// That of a channel that has not been made.
    fn fresh(house: &House) -> Self {
        let horizon = house.horizons.fresh(&*house.journal);
        Self { horizon, state: None, publications: 0, states: 0, broken: false }
    }

    fn place(&self) -> Place {
        self.horizon.place()
    }
}

/// The latest publications, kept so that a reader who is nearly up to date needs no disk.
#[derive(Debug, Default)]
struct Recent {
    list: VecDeque<Arc<Publication>>,
    bytes: usize,
}

impl Recent {
    /// At most this many, and at most this many bytes: a quarter of what a session's queue may hold, so that going
    /// live never overflows a reader that was keeping up.
    const COUNT: usize = 256;
    const BYTES: usize = 256 * 1024;

    fn push(&mut self, publication: Arc<Publication>) {
        self.bytes += size(&publication);
        self.list.push_back(publication);
        // The last one stays however large it is: it says where the channel stands.
        while self.list.len() > 1 && (self.list.len() > Self::COUNT || self.bytes > Self::BYTES) {
            let Some(oldest) = self.list.pop_front() else { break };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(publication: &Publication) -> usize {
    publication.content.len() + publication.metadata.as_ref().map_or(0, String::len) + 256
}

impl Channel {
    /// The channel of that nature; it reads what the journal knows of it before it takes anything.
    pub fn new(tenant: Arc<Tenant>, nature: Nature) -> Self {
        let log = Log::fresh(&tenant.house);
        Self {
            known: Known::new(tenant.house.settings.dedup),
            tenant,
            nature,
            log,
            recent: Recent::default(),
            listeners: Listeners::default(),
            writes: VecDeque::new(),
            delivered: 0,
            used: Instant::now(),
            stage: Stage::Live,
            watch: None,
            _living: Living::new("channel"),
        }
    }

    fn name(&self) -> PlaceName {
        let (kind, id) = match &self.nature {
            Nature::Channel(id) => (Kind::Channel, id.to_string()),
            Nature::Inbox(agent) => (Kind::Inbox, agent.to_string()),
        };
        PlaceName { tenant: self.tenant.id.clone(), kind, id }
    }

    /// The channel's id; `None` for an inbox.
    fn id(&self) -> Option<&ChannelId> {
        match &self.nature {
            Nature::Channel(id) => Some(id),
            Nature::Inbox(_) => None,
        }
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let house = self.tenant.house.clone();
        let (name, channel) = (self.name(), self.id().cloned());
        let wanted = Wanted { window: self.tenant.house.settings.dedup, told: self.committed_head() };
        let read = crate::house::off_arbiter(move || reading::load(&house, &name, channel.as_ref(), wanted));
        ctx.wait(read.into_actor(self).map(|loaded, channel, ctx| match loaded {
            Ok(loaded) => channel.take_up(loaded),
            Err(error) => {
                log::error!("channel {:?} cannot be read: {error}", channel.nature);
                channel.retire(ctx);
                channel.stage = Stage::Unreadable(error);
            }
        }));
    }

    /// Begins, or begins anew after a failed write, from what the journal holds.
    fn take_up(&mut self, loaded: Option<Loaded>) {
        let told = self.committed_head();
        let fresh = || Loaded::none(Log::fresh(&self.tenant.house));
        let Loaded { log, known, recent } = loaded.unwrap_or_else(fresh);
        self.delivered = log.state.as_ref().map_or(0, |state| state.delivered);
        self.log = log;
        self.recent = Recent::default();
        self.known = Known::new(self.tenant.house.settings.dedup);
        for (id, seq, at) in known {
            self.known.remember(id, seq, at);
        }
        for publication in recent {
            self.recent.push(publication.clone());
            // A write that was told to have failed may stand all the same; then everybody hears of it.
            if publication.seq > told && !self.listeners.is_empty() {
                self.spread(publication);
            }
        }
    }

    fn dispatch(&mut self, mut request: Request, ctx: &mut Context<Self>) -> Result<(), Error> {
        match request.take_command() {
            Command::Publish(publish) | Command::Direct { what: publish, .. } => self.publish(request, publish, ctx),
            Command::Attach { since, member, .. } => {
                self.attach(&request, since, member);
                Ok(())
            }
            Command::Replay { after, time, .. } => self.replay(request, after, time, ctx),
            Command::Detach { .. } => self.detach(&request),
            Command::Describe { name, description, .. } => self.describe(request, name, description, ctx),
            Command::Remove { .. } => self.remove(request, ctx),
            _ => Err(Error::internal("This request does not concern a channel")),
        }
    }

    fn is_idle(&self) -> bool {
        self.writes.is_empty() && self.listeners.is_empty()
    }

    /// Goes away: off the map first. Only when nothing is being written, so that there are never two writers.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.stage = Stage::Retired;
        self.watch = None;
        self.log.horizon.leave();
        ctx.run_later(FORWARDING, |_, ctx| ctx.stop());
    }

    fn pass_on(&self, request: Request) {
        match &self.nature {
            Nature::Channel(id) => self.tenant.to_channel(id, request),
            Nature::Inbox(agent) => self.tenant.to_inbox(agent, request),
        }
    }
}

impl Actor for Channel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let (tenant, nature, own) = (self.tenant.clone(), self.nature.clone(), ctx.address().recipient());
        self.watch = Some(DeathWatch::new(move || {
            match &nature {
                Nature::Channel(id) => drop(tenant.channels.remove_if(id, |_, address| *address == own)),
                Nature::Inbox(agent) => drop(tenant.inboxes.remove_if(agent, |_, address| *address == own)),
            };
        }));
        self.load(ctx);
        let idle = self.tenant.house.settings.idle;
        ctx.run_interval(idle / 4, move |channel, ctx| {
            let due = channel.used.elapsed() >= idle && channel.stage == Stage::Live;
            if due && channel.is_idle() {
                channel.retire(ctx);
            }
        });
    }
}

impl Handler<Request> for Channel {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        match &self.stage {
            Stage::Live => {}
            Stage::Retired => return self.pass_on(request),
            Stage::Unreadable(error) => return request.refuse(error.clone()),
        }
        self.used = Instant::now();
        let (token, outbox) = (request.token, request.outbox.clone());
        if let Err(error) = self.dispatch(request, ctx) {
            outbox.reply(token, Event::Refused { error });
        }
    }
}

impl Handler<Committed> for Channel {
    type Result = ();

    fn handle(&mut self, Committed(result): Committed, ctx: &mut Self::Context) {
        self.committed(result, ctx);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
