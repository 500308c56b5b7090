//! The way to one session: how events leave the runtime.

mod relay;

use std::sync::Arc;

use actix::prelude::*;

use crate::protocol::{Bundle, Delivery, Envelope, Event, SessionId, To, Token};

pub use self::relay::{Relay, Relayed};

/// Whether a session could take a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivered {
    /// It has it in its queue.
    Yes,
    /// It has ended or is being closed: take it off every list.
    Gone,
}

/// A session's end of its outbox. Never blocks; a session that cannot keep up closes itself and is `Gone`.
pub trait Outlet: Send + Sync {
    /// Queues a delivery.
    fn deliver(&self, delivery: Delivery) -> Delivered;

    /// Queues several at once, in their order.
    fn deliver_bundle(&self, bundle: &Arc<Bundle>) -> Delivered {
        let mut deliveries =
            bundle.envelopes().iter().map(|envelope| Delivery { to: bundle.to, envelope: envelope.clone() });
        if deliveries.all(|delivery| self.deliver(delivery) == Delivered::Yes) {
            Delivered::Yes
        } else {
            Delivered::Gone
        }
    }
}

/// The end of the way to nobody.
struct Nobody;

impl Outlet for Nobody {
    fn deliver(&self, _: Delivery) -> Delivered {
        Delivered::Gone
    }
}

/// The way to one session.
#[derive(Clone)]
pub struct Outbox {
    /// Whose it is.
    pub session: SessionId,
    outlet: Arc<dyn Outlet>,
    relay: Option<Recipient<Relayed>>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.session).finish()
    }
}

impl Outbox {
    /// The way to `session`; `relay` is the relay of the thread it lives on.
    pub fn new(session: SessionId, outlet: Arc<dyn Outlet>, relay: Option<Recipient<Relayed>>) -> Self {
        Self { session, outlet, relay }
    }

    /// The way to nobody: whoever asked is gone.
    pub fn nobody() -> Self {
        Self::new(SessionId(0), Arc::new(Nobody), None)
    }

    /// Sends an event that others get as well.
    pub fn deliver(&self, to: To, envelope: &Arc<Envelope>) -> Delivered {
        self.outlet.deliver(Delivery { to, envelope: envelope.clone() })
    }

    /// Sends the reply to a request.
    pub fn reply(&self, token: Token, event: Event) -> Delivered {
        self.deliver(To::Requester(token), &Envelope::new(event))
    }
}

/// The listeners of a channel, grouped by the thread they live on. What one session is sent keeps its order: while
/// something is under way through a relay, nothing goes past it.
#[derive(Debug, Default)]
pub struct Audience {
    /// `None`: made anew at the next delivery, somebody came or went.
    groups: Option<Vec<Group>>,
    /// What is under way to each relay, beyond the life of a group.
    under_way: Vec<(Recipient<Relayed>, Arc<()>)>,
}

#[derive(Debug)]
struct Group {
    relay: Option<(Recipient<Relayed>, Arc<()>)>,
    outboxes: Arc<[Outbox]>,
}

impl Audience {
    /// Below this many sessions on a thread a relay costs more than it saves.
    const WORTH_A_RELAY: usize = 4;

    /// So many envelopes under way to one thread are what the queue of each of its sessions holds, and more would only
    /// be memory: whoever delivers waits until there are fewer.
    const MOST_UNDER_WAY: usize = 1024;

    /// Somebody came or went.
    pub fn changed(&mut self) {
        self.groups = None;
    }

    /// Sends an envelope to everybody. `members`: who that is, asked for after a change.
    pub fn deliver<M: Iterator<Item = Outbox>>(
        &mut self,
        to: To,
        envelope: &Arc<Envelope>,
        members: impl FnOnce() -> M,
    ) {
        let Self { groups, under_way } = self;
        for Group { relay, outboxes } in groups.get_or_insert_with(|| group(members(), under_way)) {
            match relay {
                Some((relay, under_way))
                    if outboxes.len() >= Self::WORTH_A_RELAY || Arc::strong_count(under_way) > IDLE_GROUPED =>
                {
                    let (envelope, outboxes) = (envelope.clone(), outboxes.clone());
                    // Past a full mailbox: how many are under way is bounded by `MOST_UNDER_WAY`.
                    relay.do_send(Relayed { envelope, to, outboxes, under_way: under_way.clone() });
                }
                Some(_) | None => {
                    for outbox in &**outboxes {
                        outbox.deliver(to, envelope);
                    }
                }
            }
        }
    }

    /// Whether a thread is so far behind that nothing more should be delivered for now.
    pub fn is_behind(&self) -> bool {
        self.under_way.iter().any(|(_, held)| Arc::strong_count(held) > Self::MOST_UNDER_WAY)
    }
}

/// How often the count of a relay is held while nothing is under way: by the audience and by a group.
const IDLE_GROUPED: usize = 2;

/// Groups the outboxes by their relay.
fn group(outboxes: impl Iterator<Item = Outbox>, under_way: &mut Vec<(Recipient<Relayed>, Arc<()>)>) -> Vec<Group> {
    let mut groups: Vec<(Option<Recipient<Relayed>>, Vec<Outbox>)> = Vec::new();
    for outbox in outboxes {
        match groups.iter_mut().find(|(relay, _)| *relay == outbox.relay) {
            Some((_, group)) => group.push(outbox),
            None => groups.push((outbox.relay.clone(), vec![outbox])),
        }
    }
    // A count is kept as long as it counts something, also for a thread that nobody listens on now.
    under_way.retain(|(relay, held)| {
        Arc::strong_count(held) > 1 || groups.iter().any(|(other, _)| other.as_ref() == Some(relay))
    });
    let mut count = |relay: Recipient<Relayed>| {
        let known = under_way.iter().find(|(known, _)| *known == relay).map(|(_, held)| held.clone());
        let held = known.unwrap_or_else(|| {
            let fresh = Arc::new(());
            under_way.push((relay.clone(), fresh.clone()));
            fresh
        });
        (relay, held)
    };
    let groups = groups.into_iter();
    groups.map(|(relay, outboxes)| Group { relay: relay.map(&mut count), outboxes: outboxes.into() }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes the `retry_after` of what it is told: a number to tell envelopes apart by.
    #[derive(Default)]
    struct Notes(Mutex<Vec<u32>>);

    impl Outlet for Notes {
        fn deliver(&self, delivery: Delivery) -> Delivered {
            if let Event::Refused { error } = &delivery.envelope.event {
                self.0.lock().unwrap().push(error.retry_after.unwrap());
            }
            Delivered::Yes
        }
    }

    #[actix::test]
    async fn nothing_goes_past_a_relay_that_has_something_under_way() {
        let relay = Relay::default().start().recipient();
        let notes: Vec<Arc<Notes>> = (0..5).map(|_| Arc::default()).collect();
        let outboxes: Vec<Outbox> = notes
            .iter()
            .zip(1..)
            .map(|(notes, number)| Outbox::new(SessionId(number), notes.clone(), Some(relay.clone())))
            .collect();
        let mut audience = Audience::default();
        // Sometimes enough sessions for a relay, sometimes too few; the first two are always among them.
        for (round, members) in (0..40).zip([5, 2, 4, 3].into_iter().cycle()) {
            let mut error = crate::protocol::Error::internal("round");
            error.retry_after = Some(round);
            audience.changed();
            audience.deliver(To::Member, &Envelope::new(Event::Refused { error }), || {
                outboxes.iter().take(members).cloned()
            });
        }
        while audience.under_way.iter().any(|(_, held)| Arc::strong_count(held) > IDLE_GROUPED) {
            tokio::task::yield_now().await;
        }
        for notes in &notes[..2] {
            assert_eq!(*notes.0.lock().unwrap(), (0..40).collect::<Vec<_>>());
        }
    }
}
