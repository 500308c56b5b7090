//! Who of a tenant watches what.
//!
//! Emitters look here themselves, on whatever thread they are, so that no actor stands between an event and its
//! subscribers; while nobody watches a topic, an event of it costs one atomic load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::outbox::Outbox;
use crate::protocol::{
    AgentName, Envelope, Event, Flow, Pattern, SessionId, StepKind, Subject, SubscriptionId, To, Topic,
};

/// One subscription of one session to topics or flows. (Channels keep their own lists.)
#[derive(Clone, Debug)]
struct Watch {
    id: SubscriptionId,
    pattern: Pattern,
    subject: Subject,
    outbox: Outbox,
}

/// Who of a tenant watches what. Bounded by sessions times subscriptions a session.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// In the order of their sessions, so that a session with several matching subscriptions is easily served once.
    watches: RwLock<Arc<Vec<Watch>>>,
    topics: AtomicUsize,
    flows: AtomicUsize,
    tokens: AtomicUsize,
}

impl Subscriptions {
    /// Adds a subscription to a topic or a flow.
    pub fn add(&self, id: SubscriptionId, pattern: Pattern, subject: Subject, outbox: Outbox) {
        self.count(&pattern, true);
        self.change(|watches| {
            let behind = watches.partition_point(|watch| watch.outbox.session <= outbox.session);
            watches.insert(behind, Watch { id, pattern, subject, outbox });
        });
    }

    /// Ends one subscription of a session.
    pub fn remove(&self, session: SessionId, id: &SubscriptionId) {
        self.drop_where(|watch| watch.outbox.session == session && watch.id == *id);
    }

    /// Ends all subscriptions of a session.
    pub fn remove_session(&self, session: SessionId) {
        self.drop_where(|watch| watch.outbox.session == session);
    }

    /// Whether anybody watches answers as they are made.
    pub fn wants_tokens(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) > 0
    }

    /// Whether an event of this kind would reach anybody; ask before making one.
    pub fn wants_topics(&self) -> bool {
        self.topics.load(Ordering::Relaxed) > 0
    }

    /// Whether a step would reach anybody; ask before making an envelope for it.
    pub fn wants_flows(&self) -> bool {
        self.flows.load(Ordering::Relaxed) > 0
    }

    /// Sends an event to those who watch for it, once a session. `owner`: only subscribers of that subject may see it.
    pub fn emit(&self, envelope: &Arc<Envelope>, owner: Option<&Subject>) {
        if !self.wants_topics() && !self.wants_flows() {
            return;
        }
        let watches = self.watches.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut served = None;
        for watch in watches.iter() {
            let session = watch.outbox.session;
            let visible = owner.is_none_or(|owner| *owner == watch.subject);
            if visible && served != Some(session) && matches(&watch.pattern, &envelope.event) {
                served = Some(session);
                watch.outbox.deliver(To::Subscriber, envelope);
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Watch>)) {
        let mut watches = self.watches.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut watches));
    }

    fn drop_where(&self, gone: impl Fn(&Watch) -> bool) {
        self.change(|watches| {
            watches.retain(|watch| {
                let keep = !gone(watch);
                if !keep {
                    self.count(&watch.pattern, false);
                }
                keep
            });
        });
    }

    fn count(&self, pattern: &Pattern, more: bool) {
        let count = |counter: &AtomicUsize| {
            if more {
                counter.fetch_add(1, Ordering::Relaxed)
            } else {
                counter.fetch_sub(1, Ordering::Relaxed)
            };
        };
        match pattern {
            Pattern::Topic(_) => count(&self.topics),
            Pattern::Flow { flow: Flow::Tokens, .. } => {
                count(&self.flows);
                count(&self.tokens);
            }
            Pattern::Flow { .. } => count(&self.flows),
            Pattern::Channel { .. } => {}
        }
    }
}

/// Whether a subscription with `pattern` gets `event`.
fn matches(pattern: &Pattern, event: &Event) -> bool {
    match pattern {
        Pattern::Topic(None) => topic(event).is_some(),
        Pattern::Topic(Some(wanted)) => topic(event) == Some(*wanted),
        Pattern::Flow { flow, agent, min_importance } => {
            let of = |name: &AgentName| agent.as_ref().is_none_or(|agent| agent == name);
            match event {
                Event::RunStep { run, step } => {
                    *flow == flow_of(step.kind) && of(&run.agent) && step.importance >= *min_importance
                }
                Event::RunDelta { run, .. } => *flow == Flow::Tokens && of(&run.agent),
                _ => false,
            }
        }
        Pattern::Channel { .. } => false,
    }
}

/// The flow that steps of a kind are part of.
pub fn flow_of(kind: StepKind) -> Flow {
    match kind {
        StepKind::Planning | StepKind::Answer => Flow::Thoughts,
        StepKind::Action => Flow::Actions,
    }
}

/// The topic an event belongs to; replies, steps and publications belong to none.
pub fn topic(event: &Event) -> Option<Topic> {
    match event {
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunWaits { .. }
        | Event::RunAnswered { .. }
        | Event::RunFailed { .. } => Some(Topic::RunStatus),
        Event::ApprovalRequested { .. } | Event::ApprovalDecided { .. } => Some(Topic::ApprovalRequest),
        Event::MessageAdded { .. } => Some(Topic::ConversationMessage),
        Event::Typing { .. } => Some(Topic::Typing),
        Event::HandedOff { .. } => Some(Topic::AgentHandoff),
        Event::AgentChanged { .. } => Some(Topic::AgentStatus),
        Event::MoodChanged { .. } => Some(Topic::EmotionChange),
        Event::MemoryChanged { .. } => Some(Topic::MemoryUpdate),
        Event::Presence { .. } => Some(Topic::Presence),
        _ => None,
    }
}
