//! The relay of a thread: one message there instead of one for each of its sessions, and what waits goes out together.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::Outbox;
use crate::protocol::{Bundle, Delivery, Envelope, To};

/// What goes out together at most: envelopes, and about how many bytes they take. Twice what a socket is written at a
/// time, so that more would not save anything.
const MOST_BUNDLED: usize = 128;
const MOST_BYTES: usize = 64 * 1024;

/// Larger ones go alone: copying them together would cost more than it saves.
const LARGE: usize = 8 * 1024;

/// Writing took long: ten sessions or more.
const LONG: Duration = Duration::from_micros(100);

/// For so long at most more is waited for when writing took long: much less than such a round takes under load, and
/// nobody notices.
const LINGER: Duration = Duration::from_millis(10);

/// An envelope for several sessions of one thread.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Relayed {
    /// What happened.
    pub envelope: Arc<Envelope>,
    /// Why these sessions get it.
    pub to: To,
    /// Who gets it.
    pub outboxes: Arc<[Outbox]>,
    /// Held until it has been spread.
    pub(super) under_way: Arc<()>,
}

/// Spreads envelopes among the sessions of its own thread. The server starts one on each of its workers.
///
/// What comes while the sessions still write what they were given last is gathered and goes out together afterwards: one
/// message and one write a session for all of it. What comes alone goes out at once.
#[derive(Debug, Default)]
pub struct Relay {
    /// What is to go out next, in the order it came. Bounded by what audiences let be under way.
    waiting: Vec<Batch>,
    /// Whether spreading goes on.
    spreading: bool,
}

/// Envelopes that came one after the other for the same sessions.
#[derive(Debug)]
struct Batch {
    to: To,
    outboxes: Arc<[Outbox]>,
    envelopes: Vec<Arc<Envelope>>,
    bytes: usize,
    /// Held until they have been spread.
    under_way: Vec<Arc<()>>,
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Relayed> for Relay {
    type Result = ();

    fn handle(&mut self, relayed: Relayed, ctx: &mut Self::Context) {
        self.gather(relayed);
        if !std::mem::replace(&mut self.spreading, true) {
            // Polled once the mailbox is empty.
            ctx.spawn(std::future::ready(()).into_actor(self).map(|(), relay, ctx| relay.spread(ctx)));
        }
    }
}

impl Relay {
    /// Puts an envelope to the others for the same sessions. Each audience of a channel has a list of its own, so what
    /// comes for one list may go before what came earlier for another.
    fn gather(&mut self, relayed: Relayed) {
        let Relayed { envelope, to, outboxes, under_way } = relayed;
        let size = envelope.size();
        let last = self.waiting.iter_mut().rev().find(|batch| Arc::ptr_eq(&batch.outboxes, &outboxes));
        match last {
            Some(batch) if batch.takes(to, size) => {
                batch.envelopes.push(envelope);
                batch.under_way.push(under_way);
                batch.bytes += size;
            }
            Some(_) | None => {
                let (envelopes, under_way) = (vec![envelope], vec![under_way]);
                self.waiting.push(Batch { to, outboxes, envelopes, bytes: size, under_way });
            }
        }
    }

    /// Spreads what waits, and again when the sessions have written it, until nothing has come meanwhile.
    fn spread(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            self.spreading = false;
            return;
        }
        self.waiting.drain(..).for_each(Batch::spread);
        ctx.spawn(written().into_actor(self).map(|(), relay, ctx| relay.spread(ctx)));
    }
}

impl Batch {
    fn takes(&self, to: To, size: usize) -> bool {
        let room = self.envelopes.len() < MOST_BUNDLED && self.bytes + size <= MOST_BYTES;
        // What is large stands alone, so it is the first of its batch.
        let large = size > LARGE || self.envelopes.first().is_some_and(|first| first.size() > LARGE);
        room && !large && self.to == to
    }

    fn spread(self) {
        let Self { to, outboxes, mut envelopes, under_way, .. } = self;
        match envelopes.pop() {
            Some(envelope) if envelopes.is_empty() => {
                for outbox in &*outboxes {
                    outbox.outlet.deliver(Delivery { to, envelope: envelope.clone() });
                }
            }
            Some(envelope) => {
                envelopes.push(envelope);
                let bundle = Bundle::new(to, envelopes);
                for outbox in &*outboxes {
                    outbox.outlet.deliver_bundle(&bundle);
                }
            }
            None => {}
        }
        // Only now may something go past the relay.
        drop(under_way);
    }
}

/// Waits until the sessions of this thread have written what they were handed. If that took long, so that writing for
/// each envelope anew would be dear, waits twice as long for more to come.
async fn written() {
    let begun = Instant::now();
    to_the_back().await;
    let took = begun.elapsed();
    if took >= LONG {
        actix::clock::sleep((2 * took).min(LINGER)).await;
    }
}

/// Waits until every task that is ready on this thread has run.
fn to_the_back() -> impl Future<Output = ()> {
    let mut waited = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::outbox::{Delivered, Outlet};
    use crate::protocol::{Error, Event, SessionId};

    /// Notes what it is handed at a time, by the `retry_after` of each event.
    #[derive(Default)]
    struct Notes(Mutex<Vec<Vec<u32>>>);

    fn number(envelope: &Envelope) -> u32 {
        let Event::Refused { error } = &envelope.event else { return u32::MAX };
        error.retry_after.unwrap()
    }

    impl Outlet for Notes {
        fn deliver(&self, delivery: Delivery) -> Delivered {
            self.0.lock().unwrap().push(vec![number(&delivery.envelope)]);
            Delivered::Yes
        }

        fn deliver_bundle(&self, bundle: &Arc<Bundle>) -> Delivered {
            self.0.lock().unwrap().push(bundle.envelopes().iter().map(|envelope| number(envelope)).collect());
            Delivered::Yes
        }
    }

    fn relayed(round: u32, outboxes: &Arc<[Outbox]>) -> Relayed {
        let mut error = Error::internal("round");
        error.retry_after = Some(round);
        let envelope = Envelope::new(Event::Refused { error });
        Relayed { envelope, to: To::Member, outboxes: outboxes.clone(), under_way: Arc::new(()) }
    }

    #[test]
    fn what_waits_for_the_same_sessions_is_bundled_in_its_order() {
        let (one, other): (Arc<Notes>, Arc<Notes>) = Default::default();
        let outboxes =
            |notes: &Arc<Notes>| -> Arc<[Outbox]> { [Outbox::new(SessionId(1), notes.clone(), None)].into() };
        let (ones, others) = (outboxes(&one), outboxes(&other));
        let mut relay = Relay::default();
        for round in 0..3 {
            relay.gather(relayed(round, &ones));
            relay.gather(relayed(10 + round, &others));
        }
        relay.waiting.drain(..).for_each(Batch::spread);
        assert_eq!(*one.0.lock().unwrap(), [[0, 1, 2]]);
        assert_eq!(*other.0.lock().unwrap(), [[10, 11, 12]]);
    }

    #[test]
    fn no_more_is_bundled_than_goes_out_together() {
        let notes: Arc<Notes> = Arc::default();
        let outboxes: Arc<[Outbox]> = [Outbox::new(SessionId(1), notes.clone(), None)].into();
        let mut relay = Relay::default();
        let rounds = MOST_BUNDLED as u32 + 1;
        (0..rounds).for_each(|round| relay.gather(relayed(round, &outboxes)));
        relay.waiting.drain(..).for_each(Batch::spread);
        let notes = notes.0.lock().unwrap();
        assert_eq!(notes.iter().map(Vec::len).collect::<Vec<_>>(), [MOST_BUNDLED, 1]);
        assert_eq!(notes.concat(), (0..rounds).collect::<Vec<_>>());
    }
}
