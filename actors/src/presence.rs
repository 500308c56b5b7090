//! Who is there: agents in other processes, and since when; sessions in each channel.

use std::collections::HashSet;
use std::sync::Arc;

use dashmap::DashMap;

use crate::protocol::{AgentName, ChannelId, Envelope, Event, SessionId, Timestamp};
use crate::subscriptions::Subscriptions;

/// How present an agent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attendance {
    /// Its open sockets.
    pub sockets: usize,
    /// When it last came or went.
    pub changed_at: Timestamp,
}

/// Agents of one tenant that are or were connected, and who listens where.
#[derive(Debug, Default)]
pub struct Presence {
    /// Bounded by `MAX_KNOWN`.
    agents: DashMap<AgentName, Attendance>,
    /// The sessions in each channel. Bounded by the sessions there are and what each of them may subscribe to; a channel
    /// without any is not listed.
    channels: DashMap<ChannelId, HashSet<SessionId>>,
}

/// Agents that are remembered after they went. More than that have hardly one owner; the oldest absent one is forgotten.
const MAX_KNOWN: usize = 10_000;

impl Presence {
    /// Notes one more socket of an agent; the first one is told to subscribers.
    pub fn arrive(&self, agent: &AgentName, subscriptions: &Arc<Subscriptions>) {
        if self.agents.len() >= MAX_KNOWN && !self.agents.contains_key(agent) {
            self.forget_one();
        }
        let first = {
            let absent = Attendance { sockets: 0, changed_at: Timestamp::now() };
            let mut attendance = self.agents.entry(agent.clone()).or_insert(absent);
            attendance.sockets += 1;
            if attendance.sockets == 1 {
                attendance.changed_at = Timestamp::now();
            }
            attendance.sockets == 1
        };
        if first {
            subscriptions.emit(&Envelope::new(Event::Presence { agent: agent.clone(), online: true }), None);
        }
    }

    /// Notes one socket less; the last one is told to subscribers.
    pub fn depart(&self, agent: &AgentName, subscriptions: &Arc<Subscriptions>) {
        let last = self.agents.get_mut(agent).is_some_and(|mut attendance| {
            attendance.sockets = attendance.sockets.saturating_sub(1);
            attendance.changed_at = Timestamp::now();
            attendance.sockets == 0
        });
        if last {
            subscriptions.emit(&Envelope::new(Event::Presence { agent: agent.clone(), online: false }), None);
        }
    }

    /// How present an agent is, if it is known.
    pub fn of(&self, agent: &AgentName) -> Option<Attendance> {
        self.agents.get(agent).map(|attendance| *attendance)
    }

    /// Every known agent, by name.
    pub fn all(&self) -> Vec<(AgentName, Attendance)> {
        let mut all: Vec<_> = self.agents.iter().map(|entry| (entry.key().clone(), *entry.value())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Notes that a session listens to a channel.
    pub(crate) fn enter(&self, channel: &ChannelId, session: SessionId) {
        self.channels.entry(channel.clone()).or_default().insert(session);
    }

    /// Notes that it no longer does.
    pub(crate) fn exit(&self, channel: &ChannelId, session: SessionId) {
        self.channels.remove_if_mut(channel, |_, sessions| {
            sessions.remove(&session);
            sessions.is_empty()
        });
    }

    /// The sessions that listen to a channel, whether it has been made or not; in no order.
    pub fn within(&self, channel: &ChannelId) -> Vec<SessionId> {
        self.channels.get(channel).map(|sessions| sessions.iter().copied().collect()).unwrap_or_default()
    }

    fn forget_one(&self) {
        let absent = self.agents.iter().filter(|entry| entry.sockets == 0);
        let oldest = absent.min_by_key(|entry| entry.changed_at).map(|entry| entry.key().clone());
        if let Some(agent) = oldest {
            self.agents.remove(&agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_knows_who_listens_and_forgets_those_who_go() {
        let (presence, news) = (Presence::default(), ChannelId::trusted("news"));
        for session in [1, 2, 2] {
            presence.enter(&news, SessionId(session));
        }
        presence.enter(&ChannelId::trusted("other"), SessionId(3));
        assert_eq!(presence.within(&news).len(), 2);
        presence.exit(&news, SessionId(2));
        assert_eq!(presence.within(&news), [SessionId(1)]);
        presence.exit(&news, SessionId(1));
        presence.exit(&news, SessionId(1));
        assert_eq!((presence.within(&news).len(), presence.channels.len()), (0, 1));
    }
}
