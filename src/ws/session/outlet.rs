//! How the runtime's deliveries reach a session, from whatever thread.

use std::sync::Arc;

use actix::prelude::*;

use callboard_actors::outbox::{Delivered, Outlet};
use callboard_actors::protocol::{Bundle, Delivery};

use super::Session;
use crate::ws::gate::{Gate, Ticket};

/// What was delivered and has been charged to the gate.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Handed(pub Parcel, pub Ticket);

/// What is delivered at a time.
pub(super) enum Parcel {
    One(Delivery),
    Several(Arc<Bundle>),
}

/// The session's end of its outbox: charges the gate, then the mailbox.
pub(super) struct SessionOutlet {
    pub gate: Arc<Gate>,
    pub session: Addr<Session>,
}

impl SessionOutlet {
    fn hand(&self, parcel: Parcel, frames: usize, bytes: usize) -> Delivered {
        let Ok(ticket) = self.gate.charge_all(frames, bytes) else { return Delivered::Gone };
        match self.session.try_send(Handed(parcel, ticket)) {
            Ok(()) => Delivered::Yes,
            Err(_) => Delivered::Gone,
        }
    }
}

impl Outlet for SessionOutlet {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let size = delivery.envelope.size();
        self.hand(Parcel::One(delivery), 1, size)
    }

    fn deliver_bundle(&self, bundle: &Arc<Bundle>) -> Delivered {
        self.hand(Parcel::Several(bundle.clone()), bundle.envelopes().len(), bundle.size())
    }
}
