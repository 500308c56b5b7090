//! Conversations: the one writer of each, from whom everybody hears of it in the same order.
//!
//! A conversation appends to the journal first and tells of it afterwards. What agents do for it comes back as reports;
//! which socket is behind a member it does not know.
//!
//! `asking` takes requests for agents, `running` minds their runs, `passing` hands them from agent to agent, `writing`
//! appends and tells, `manners` is the rest: joining, handing over, typing. `waiting`, `deciding` and `restoring`
//! are about runs that wait for approval. `record` and `taped` are the durable form.

mod asking;
mod deciding;
mod ending;
pub mod inquiry;
mod listed;
pub mod loading;
pub mod manners;
mod members;
mod passing;
pub mod record;
mod restoring;
mod running;
pub mod taped;
mod waiting;
mod writing;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use self::inquiry::Inquiry;
use self::loading::Loaded;
use self::members::Members;
use self::record::StateRecord;
use self::writing::Write;
use crate::agent::DeathWatch;
use crate::agent::assignment::Report;
use crate::horizon::Horizon;
use crate::house::House;
use crate::journal::{Kind, Place, PlaceName};
use crate::metrics::Living;
use crate::place::{Committed, FORWARDING, Stage};
use crate::protocol::{Code, Command, ConversationId, Error, Event, Message, Principal, Typist};
use crate::request::Request;
use crate::tenant::Tenant;

/// Messages kept at hand: a page for who joins, and what agents are told of the past.
const RECENT: usize = 50;

/// Requests and reports that may wait for a conversation. Runs are bounded elsewhere; this bounds what sessions send.
const MAILBOX: usize = 1024;

/// One conversation in use.
pub struct Conversation {
    tenant: Arc<Tenant>,
    id: ConversationId,
    log: Log,
    /// Committed messages, oldest first, at most `RECENT`.
    recent: VecDeque<Arc<Message>>,
    members: Members,
    /// Requests that have not had their last answer, by the place of the message that asked.
    inquiries: HashMap<u64, Inquiry>,
    /// Serial inquiries in their order; the first is the one that may run.
    serial: VecDeque<u64>,
    /// Who types, with the timer that ends it.
    typists: HashMap<Typist, SpawnHandle>,
    /// What was handed to the journal and has not come back, in order.
    writes: VecDeque<Write>,
    used: Instant,
    stage: Stage,
    watch: Option<DeathWatch>,
    _living: Living,
}

/// Where the conversation stands in the journal. Heads count what was handed over, committed or not.
#[derive(Debug)]
struct Log {
    /// Its place, and what of its messages is still kept.
    horizon: Horizon,
    /// `None` until it is made.
    state: Option<StateRecord>,
    messages: u64,
    states: u64,
    failures: u64,
    tapes: u64,
    /// Set when an append failed: nothing is appended until the heads have been read again.
    broken: bool,
}

impl Log {
    /// That of a conversation that has not been made.
    fn fresh(house: &House) -> Self {
        Self {
            horizon: house.horizons.fresh(&*house.journal),
            state: None,
            messages: 0,
            states: 0,
            failures: 0,
            tapes: 0,
            broken: false,
        }
    }

    fn place(&self) -> Place {
        self.horizon.place()
    }
}

impl Conversation {
    /// The conversation of that id; it reads what the journal knows of it before it takes anything.
    pub fn new(tenant: Arc<Tenant>, id: ConversationId) -> Self {
        let log = Log::fresh(&tenant.house);
        Self {
            tenant,
            id,
            log,
            recent: VecDeque::new(),
            members: Members::default(),
            inquiries: HashMap::new(),
            serial: VecDeque::new(),
            typists: HashMap::new(),
            writes: VecDeque::new(),
            used: Instant::now(),
            stage: Stage::Live,
            watch: None,
            _living: Living::new("conversation"),
        }
    }

    fn name(&self) -> PlaceName {
        PlaceName { tenant: self.tenant.id.clone(), kind: Kind::Conversation, id: self.id.to_string() }
    }

    /// Reads heads, state and latest messages; nothing else is handled meanwhile.
    fn load(&mut self, ctx: &mut Context<Self>) {
        let (house, name, id) = (self.tenant.house.clone(), self.name(), self.id.clone());
        let read = crate::house::off_arbiter(move || loading::load(&house, &name, &id));
        ctx.wait(read.into_actor(self).map(|loaded, conversation, ctx| match loaded {
            Ok(loaded) => conversation.take_up(loaded, ctx),
            Err(error) => {
                log::error!("conversation {} cannot be read: {error}", conversation.id);
                conversation.retire(ctx);
                conversation.stage = Stage::Unreadable(error);
            }
        }));
    }

    fn take_up(&mut self, loaded: Option<Loaded>, ctx: &mut Context<Self>) {
        self.log.broken = false;
        match loaded {
            Some(loaded) => {
                self.log = loaded.log;
                self.recent = loaded.recent.into();
                self.restore(loaded.waiting, ctx);
            }
            // Its first write failed: it has never been made, whatever was on its way.
            None => {
                self.log = Log::fresh(&self.tenant.house);
                self.recent.clear();
            }
        }
    }

    /// The state, for those who may see it.
    fn visible(&self, principal: &Principal) -> Result<&StateRecord, Error> {
        let state = self.log.state.as_ref().filter(|state| is_visible(state, principal));
        state.ok_or_else(|| {
            Error::new(Code::ConversationNotFound, format!("Conversation not found: {}", self.id))
                .with_details("conversationId: expected an existing conversation")
        })
    }

    /// Refuses those who may not see it, if it exists; if not, it may be made.
    fn usable(&self, principal: &Principal) -> Result<(), Error> {
        if self.log.state.is_some() { self.visible(principal).map(|_| ()) } else { Ok(()) }
    }

    fn dispatch(&mut self, mut request: Request, ctx: &mut Context<Self>) -> Result<(), Error> {
        match request.take_command() {
            Command::Ask(ask) => self.ask(&request, ask, ctx),
            Command::Join { agents, mode, .. } => self.join(request, &agents, mode, ctx),
            Command::Watch { .. } => {
                self.watch(&request);
                Ok(())
            }
            Command::Leave { .. } => self.leave(&request),
            Command::History { limit, before, .. } => self.history(request, limit, before, ctx),
            Command::Open { after, .. } => self.open(request, after, ctx),
            Command::Delete { .. } => self.delete(request, ctx),
            Command::Handoff { from, to, reason, .. } => self.hand_off(request, &from, &to, reason, ctx),
            Command::Typing { user, typing, .. } => self.typing(&request, user, typing, ctx),
            Command::Cancel { target } => self.cancel(&request, &target, ctx),
            Command::Decide { run, approve, reason } => self.decide(request, &run, approve, reason, ctx),
            _ => Err(Error::internal("This request does not concern a conversation")),
        }
    }

    fn is_idle(&self) -> bool {
        self.inquiries.is_empty() && self.writes.is_empty() && self.members.is_empty()
    }

    /// Goes away: off the map first, so that whoever asks next gets a new one made from the journal. Only when nothing
    /// is being written, so that there are never two writers.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.stage = Stage::Retired;
        self.watch = None;
        self.log.horizon.leave();
        ctx.run_later(FORWARDING, |_, ctx| ctx.stop());
    }
}

/// Whether a principal may see a conversation of that state.
pub fn is_visible(state: &StateRecord, principal: &Principal) -> bool {
    state.owner.as_ref().is_none_or(|owner| *owner == principal.subject)
}

impl Actor for Conversation {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let (tenant, id, own) = (self.tenant.clone(), self.id.clone(), ctx.address().recipient());
        self.watch = Some(DeathWatch::new(move || {
            tenant.conversations.remove_if(&id, |_, address| *address == own);
        }));
        self.load(ctx);
        let interrupted = self.tenant.house.interrupted().clone().cancelled_owned();
        ctx.spawn(interrupted.into_actor(self).map(|(), conversation, ctx| conversation.let_go(ctx)));
        let idle = self.tenant.house.settings.idle;
        ctx.run_interval(idle / 4, move |conversation, ctx| {
            let due = conversation.used.elapsed() >= idle && conversation.stage == Stage::Live;
            if due && conversation.is_idle() {
                conversation.retire(ctx);
            }
        });
    }
}

impl Handler<Request> for Conversation {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        match &self.stage {
            Stage::Live => {}
            Stage::Retired => return self.tenant.to_conversation(&self.id, request),
            Stage::Unreadable(error) => return request.refuse(error.clone()),
        }
        self.used = Instant::now();
        let (token, outbox) = (request.token, request.outbox.clone());
        if let Err(error) = self.dispatch(request, ctx) {
            outbox.reply(token, Event::Refused { error });
        }
        if self.log.state.is_none() && self.is_idle() {
            self.retire(ctx);
        }
    }
}

impl Handler<Report> for Conversation {
    type Result = ();

    fn handle(&mut self, report: Report, ctx: &mut Self::Context) {
        self.report(report, ctx);
    }
}

impl Handler<Committed> for Conversation {
    type Result = ();

    fn handle(&mut self, Committed(result): Committed, ctx: &mut Self::Context) {
        self.committed(result, ctx);
    }
}
