//! A session's stay in the runtime: what it may do, where its commands go, and tidying up after it.

mod working;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::outbox::Outbox;
use crate::protocol::{
    AgentName, CancelTarget, ChannelId, Code, Command, ConversationId, Error, Event, Interest, Pattern, Principal,
    Publish, RunId, RunKind, Scope, SubscriptionId, Token,
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
    subscriptions: HashMap<SubscriptionId, Pattern>,
    /// Conversations it is a member of. Bounded by `MAX_PLACES`.
    joined: HashSet<ConversationId>,
    /// Channels it listens to as a member, `None` being its inbox.
    attached: HashSet<Option<ChannelId>>,
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
            subscriptions: HashMap::new(),
            joined: HashSet::new(),
            attached: HashSet::new(),
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
                let status = Box::new(self.tenant.directory.get(agent.as_str())?.card.status());
                return Ok(Some(Event::AgentReport { status }));
            }
            Command::Subscribe { patterns } => return self.subscribe(patterns).map(Some),
            Command::Unsubscribe { patterns, ids } => return Ok(Some(self.unsubscribe(&patterns, &ids))),
            Command::Cancel { target } => self.cancel(token, interest, target)?,
            Command::Publish(Publish { channel: None, .. }) => {
                return Err(Error::missing("channel", "the id of a channel"));
            }
            command => self.send(token, interest, command)?,
        }
        Ok(None)
    }

    /// Refuses what the principal may not do.
    fn check(&self, command: &Command) -> Result<(), Error> {
        let principal = &self.principal;
        match command {
            Command::Ask(ask) if ask.kind == RunKind::Chat => principal.require(Scope::Chat),
            Command::Ask(_) => principal.require(Scope::Command),
            Command::Publish(_) | Command::Direct { .. } | Command::Describe { .. } | Command::Remove { .. } => {
                principal.require(Scope::ChannelPublish)
            }
            Command::Attach { channel: Some(_), .. } | Command::Replay { channel: Some(_), .. } => {
                principal.require(Scope::ChannelSubscribe)
            }
            // An agent may always read what is sent to it alone.
            Command::Attach { channel: None, .. } | Command::Replay { channel: None, .. } => Ok(()),
            Command::Join { .. }
            | Command::Watch { .. }
            | Command::Leave { .. }
            | Command::History { .. }
            | Command::Open { .. }
            | Command::Delete { .. }
            | Command::Handoff { .. }
            | Command::Typing { .. }
            | Command::Cancel { .. } => principal.require(Scope::Chat),
            Command::Status { .. }
            | Command::Subscribe { .. }
            | Command::Unsubscribe { .. }
            | Command::Attend
            | Command::Report { .. }
            | Command::Detach { .. } => Ok(()),
        }?;
        match channel_of(command) {
            Some(channel) => self.check_channel(channel),
            None => Ok(()),
        }
    }

    fn check_channel(&self, channel: &ChannelId) -> Result<(), Error> {
        if self.principal.may_use(channel) {
            return Ok(());
        }
        Err(Error::new(Code::Unauthorized, format!("These credentials do not cover the channel {channel}")))
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
            Command::Attach { channel, .. } => drop(self.attached.insert(channel.clone())),
            Command::Detach { channel } => drop(self.attached.remove(channel)),
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
            CancelTarget::Named(id) => {
                let run = self.tenant.runs.get(&RunId::trusted(id.as_str())).map(|live| live.run.conversation.clone());
                run.ok_or_else(|| {
                    Error::new(Code::RunNotFound, format!("There is no run or request {id} that has not ended"))
                })?
            }
        };
        let request = self.request(token, interest, Command::Cancel { target });
        self.tenant.to_conversation(&conversation, request);
        Ok(())
    }

    fn subscribe(&mut self, patterns: Vec<Pattern>) -> Result<Event, Error> {
        if self.subscriptions.len() + patterns.len() > self.max_subscriptions {
            let expected = format!("at most {} subscriptions a session", self.max_subscriptions);
            return Err(Error::invalid("data", &expected));
        }
        for pattern in &patterns {
            if let Pattern::Channel { channel, .. } = pattern {
                self.principal.require(Scope::ChannelSubscribe)?;
                self.check_channel(channel)?;
            }
            if let Pattern::Flow { agent: Some(agent), .. } = pattern {
                self.tenant.directory.get(agent.as_str())?;
            }
        }
        let subscriptions = patterns.into_iter().map(|pattern| self.subscribe_one(pattern)).collect();
        Ok(Event::Subscribed { subscriptions })
    }

    fn subscribe_one(&mut self, pattern: Pattern) -> (SubscriptionId, String) {
        let known = self.subscriptions.iter().find(|(_, known)| **known == pattern).map(|(id, _)| id.clone());
        let text = pattern.to_string();
        if let Some(id) = known {
            return (id, text);
        }
        let id = SubscriptionId::trusted(format!("sub-{}", self.tenant.next_subscription()));
        match &pattern {
            Pattern::Channel { channel, since } => {
                let attach = Command::Attach { channel: Some(channel.clone()), since: *since, member: false };
                let request = self.request(Token::NONE, Interest::NOTHING, attach);
                self.tenant.to_channel(channel, request);
            }
            Pattern::Topic(_) | Pattern::Flow { .. } => {
                let subject = self.principal.subject.clone();
                self.tenant.subscriptions.add(id.clone(), self.resolved(&pattern), subject, self.outbox.clone());
            }
        }
        self.subscriptions.insert(id.clone(), pattern);
        (id, text)
    }

    /// The pattern with its agent by name: a client may have given the id.
    fn resolved(&self, pattern: &Pattern) -> Pattern {
        let mut pattern = pattern.clone();
        if let Pattern::Flow { agent: Some(agent), .. } = &mut pattern
            && let Some(listing) = self.tenant.directory.find(agent.as_str())
        {
            *agent = listing.card.name().clone();
        }
        pattern
    }

    fn unsubscribe(&mut self, patterns: &[Pattern], ids: &[SubscriptionId]) -> Event {
        let wanted = |id: &SubscriptionId, pattern: &Pattern| {
            ids.contains(id) || patterns.iter().any(|given| given.to_string() == pattern.to_string())
        };
        let ended: Vec<(SubscriptionId, Pattern)> = self
            .subscriptions
            .iter()
            .filter(|(id, pattern)| wanted(id, pattern))
            .map(|(i, p)| (i.clone(), p.clone()))
            .collect();
        let subscriptions = ended.into_iter().map(|(id, pattern)| {
            self.subscriptions.remove(&id);
            self.end_subscription(&id, &pattern);
            (id, pattern.to_string())
        });
        Event::Unsubscribed { subscriptions: subscriptions.collect() }
    }

    fn end_subscription(&self, id: &SubscriptionId, pattern: &Pattern) {
        match pattern {
            Pattern::Channel { channel, .. } => {
                let detach = Command::Detach { channel: Some(channel.clone()) };
                self.tenant.to_channel(channel, self.request(Token::NONE, Interest::NOTHING, detach));
            }
            Pattern::Topic(_) | Pattern::Flow { .. } => self.tenant.subscriptions.remove(self.outbox.session, id),
        }
    }
}

/// The channel that a command is about, if it is about one.
fn channel_of(command: &Command) -> Option<&ChannelId> {
    match command {
        Command::Publish(publish) => publish.channel.as_ref(),
        Command::Attach { channel, .. } | Command::Detach { channel } | Command::Replay { channel, .. } => {
            channel.as_ref()
        }
        Command::Describe { channel, .. } | Command::Remove { channel } => Some(channel),
        _ => None,
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
