//! A session's stay in the runtime: what it may do, where its commands go, and tidying up after it.

mod rights;
mod subscribing;
mod working;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::rights::channel_of;
use crate::outbox::Outbox;
use crate::protocol::{
    AgentName, CancelTarget, ChannelId, Code, Command, ConversationId, Error, Event, Interest, Pattern, Principal,
    Publish, RunId, SubscriptionId, Token,
};
use crate::request::Request;
use crate::router;
use crate::serving::unknown;
use crate::tenant::{SessionCard, Tenant};

/// A session's stay in the runtime. Dropping it takes the session off every list.
#[derive(Debug)]
pub struct Visit {
    tenant: Arc<Tenant>,
    principal: Arc<Principal>,
    outbox: Outbox,
    max_subscriptions: usize,
    subscriptions: BTreeMap<SubscriptionId, Pattern>,
    /// Conversations it is a member of. Bounded by `MAX_PLACES`.
    joined: BTreeSet<ConversationId>,
    /// Channels it listens to as a member, `None` being its inbox.
    attached: BTreeSet<Option<ChannelId>>,
    /// The agent it is present as.
    present: Option<AgentName>,
}

/// Conversations a session may be a member of at a time: more than any front end shows, little enough to leave at once.
const MAX_PLACES: usize = 1024;

impl Visit {
    /// Begins a stay.
    pub fn new(
        tenant: Arc<Tenant>,
        principal: Arc<Principal>,
        outbox: Outbox,
        card: SessionCard,
        max_subscriptions: usize,
    ) -> Self {
        tenant.sessions.insert(outbox.session, card);
        Self {
            tenant,
            principal,
            outbox,
            max_subscriptions,
            subscriptions: BTreeMap::new(),
            joined: BTreeSet::new(),
            attached: BTreeSet::new(),
            present: None,
        }
    }

    /// Who the session acts for.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The tenant it belongs to.
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// Carries out a command, or sends it on its way. An event returned is the reply; otherwise replies come through
    /// the outbox.
    pub fn handle(&mut self, token: Token, interest: Interest, command: Command) -> Option<Event> {
        match self.carry_out(token, interest, command) {
            Ok(reply) => reply,
            Err(error) => Some(Event::Refused { error }),
        }
    }

    fn carry_out(&mut self, token: Token, interest: Interest, command: Command) -> Result<Option<Event>, Error> {
        if let Some(run) = working::answered(&command) {
            self.answer(token, run, command)?;
            return Ok(None);
        }
        self.check(&command)?;
        match command {
            Command::Attend => {
                self.attend()?;
                return Ok(Some(Event::Noted));
            }
            Command::Report { of, step } => {
                self.desk().ok_or_else(|| unknown(&of))?.step(&of, step)?;
                return Ok(Some(Event::Noted));
            }
            Command::Status { agent: None } => {
                return Ok(Some(Event::HouseReport { status: Box::new(self.tenant.status()) }));
            }
            Command::Status { agent: Some(agent) } => {
                let status = Box::new(self.tenant.directory.known(agent.as_str(), |listing| listing.card.status())?);
                return Ok(Some(Event::AgentReport { status }));
            }
            Command::Subscribe { patterns } => return self.subscribe(patterns).map(Some),
            Command::Unsubscribe { patterns, ids } => return Ok(Some(self.unsubscribe(&patterns, &ids))),
            Command::Cancel { target } => self.cancel(token, interest, target)?,
            Command::Decide { ref run, .. } => {
                let conversation = self.place_of(run)?;
                self.tenant.to_conversation(&conversation, self.request(token, interest, command));
            }
            Command::Publish(Publish { channel: None, .. }) => {
                return Err(Error::missing("channel", "the id of a channel"));
            }
            command => self.send(token, interest, command)?,
        }
        Ok(None)
    }

    fn request(&self, token: Token, interest: Interest, command: Command) -> Request {
        Request { token, principal: self.principal.clone(), outbox: self.outbox.clone(), interest, command }
    }

    fn send(&mut self, token: Token, interest: Interest, command: Command) -> Result<(), Error> {
        match &command {
            Command::Join { conversation, .. }
            | Command::Watch { conversation }
            | Command::Open { conversation, .. } => {
                if self.joined.len() >= MAX_PLACES && !self.joined.contains(conversation) {
                    let expected = format!("at most {MAX_PLACES} conversations a session; leave some first");
                    return Err(Error::invalid("conversationId", &expected));
                }
                self.joined.insert(conversation.clone());
            }
            Command::Leave { conversation } => drop(self.joined.remove(conversation)),
            Command::Attach { channel, .. } => {
                channel.iter().for_each(|channel| self.tenant.presence.enter(channel, self.outbox.session));
                self.attached.insert(channel.clone());
            }
            Command::Detach { channel } => {
                channel.iter().for_each(|channel| self.tenant.presence.exit(channel, self.outbox.session));
                self.attached.remove(channel);
            }
            _ => {}
        }
        self.forward(token, interest, command)
    }

    fn forward(&self, token: Token, interest: Interest, command: Command) -> Result<(), Error> {
        let request = self.request(token, interest, command);
        match &request.command {
            Command::Ask(ask) => self.tenant.to_conversation(&ask.conversation.clone(), request),
            Command::Join { conversation, .. }
            | Command::Watch { conversation }
            | Command::Leave { conversation }
            | Command::History { conversation, .. }
            | Command::Open { conversation, .. }
            | Command::Delete { conversation }
            | Command::Handoff { conversation, .. }
            | Command::Typing { conversation, .. } => self.tenant.to_conversation(&conversation.clone(), request),
            Command::Direct { to, .. } => self.tenant.to_inbox(&self.addressee(to)?, request),
            command => match channel_of(command).cloned() {
                Some(channel) => self.tenant.to_channel(&channel, request),
                None => self.to_own_inbox(request)?,
            },
        }
        Ok(())
    }

    /// Whose inbox a direct message goes to: that of any agent that connects, whether it ever has or not.
    fn addressee(&self, to: &AgentName) -> Result<AgentName, Error> {
        match self.tenant.directory.find(to.as_str()) {
            Some(listing) if listing.card.remote => Ok(listing.card.name().clone()),
            Some(listing) => {
                let name = listing.card.name();
                Err(Error::new(Code::InvalidMessage, format!("{name} is an agent of the server and has no inbox"))
                    .with_details(format!("target: expected an agent that connects; ask {name} in a conversation")))
            }
            None => Ok(to.clone()),
        }
    }

    fn to_own_inbox(&self, request: Request) -> Result<(), Error> {
        self.tenant.to_inbox(&self.own_agent()?, request);
        Ok(())
    }

    fn cancel(&mut self, token: Token, interest: Interest, target: CancelTarget) -> Result<(), Error> {
        let conversation = match &target {
            CancelTarget::Request { conversation, .. } => conversation.clone(),
            CancelTarget::Named(id) => self.place_of(&RunId::trusted(id.as_str()))?,
        };
        let request = self.request(token, interest, Command::Cancel { target });
        self.tenant.to_conversation(&conversation, request);
        Ok(())
    }
}

impl Visit {
    /// Where a run that has not ended was asked for.
    fn place_of(&self, run: &RunId) -> Result<ConversationId, Error> {
        let live = self.tenant.runs.get(run);
        let seen = live.filter(|live| live.is_visible_to(&self.principal.subject));
        seen.map(|live| live.run.conversation.clone()).ok_or_else(|| {
            Error::new(Code::RunNotFound, format!("There is no run or request {run} that has not ended"))
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.tenant.subscriptions.remove_session(self.outbox.session);
        for pattern in std::mem::take(&mut self.subscriptions).into_values() {
            if let Pattern::Channel { channel, .. } = pattern {
                self.attached.insert(Some(channel));
            }
        }
        // Only places in use are told; the others have no list that the session could be on.
        for channel in std::mem::take(&mut self.attached) {
            channel.iter().for_each(|channel| self.tenant.presence.exit(channel, self.outbox.session));
            let in_use = channel.as_ref().is_none_or(|channel| self.tenant.channels.contains_key(channel));
            if in_use {
                let _ = self.forward(Token::NONE, Interest::NOTHING, Command::Detach { channel });
            }
        }
        for conversation in std::mem::take(&mut self.joined) {
            if self.tenant.conversations.contains_key(&conversation) {
                let _ = self.forward(Token::NONE, Interest::NOTHING, Command::Leave { conversation });
            }
        }
        if let Some(agent) = self.present.take() {
            router::leave(&self.tenant, &agent, self.outbox.session);
            self.tenant.presence.depart(&agent, &self.tenant.subscriptions);
        }
        self.tenant.sessions.remove(&self.outbox.session);
    }
}
