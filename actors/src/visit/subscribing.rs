//! The subscriptions of a session.

use super::Visit;
use crate::protocol::{Command, Error, Event, Interest, Pattern, Scope, SubscriptionId, Token};

impl Visit {
    pub(super) fn subscribe(&mut self, patterns: Vec<Pattern>) -> Result<Event, Error> {
        if self.subscriptions.len() + patterns.len() > self.max_subscriptions {
            let expected = format!("at most {} subscriptions a session", self.max_subscriptions);
            return Err(Error::invalid("data", &expected));
        }
        for pattern in &patterns {
            match pattern {
                Pattern::Channel { channel, .. } => {
                    self.principal.require(Scope::ChannelSubscribe)?;
                    self.check_channel(channel)?;
                }
                // What is said and done in conversations is for those who may talk there.
                Pattern::Topic(_) | Pattern::Flow { .. } => self.principal.require(Scope::Chat)?,
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
                self.tenant.presence.enter(channel, self.outbox.session);
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

    pub(super) fn unsubscribe(&mut self, patterns: &[Pattern], ids: &[SubscriptionId]) -> Event {
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
                self.tenant.presence.exit(channel, self.outbox.session);
                let detach = Command::Detach { channel: Some(channel.clone()) };
                self.tenant.to_channel(channel, self.request(Token::NONE, Interest::NOTHING, detach));
            }
            Pattern::Topic(_) | Pattern::Flow { .. } => self.tenant.subscriptions.remove(self.outbox.session, id),
        }
    }
}
