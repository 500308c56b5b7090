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

/// Writing took long: a hundred sessions or more.
const LONG: Duration = Duration::from_micros(500);

/// For so long at most more is waited for when writing took long. Somebody who hears of a thing so much later does not
/// notice.
const LINGER: Duration = Duration::from_millis(2);

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
        room && self.to == to && size <= LARGE && self.bytes > 0 && self.bytes / self.envelopes.len() <= LARGE
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
/// each envelope anew would be dear, waits as long again for more to come.
async fn written() {
    let begun = Instant::now();
    to_the_back().await;
    let took = begun.elapsed();
    if took >= LONG {
        actix::clock::sleep(took.min(LINGER)).await;
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
