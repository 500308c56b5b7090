//! How the runtime's deliveries reach a session, from whatever thread.

use std::sync::Arc;

use actix::prelude::*;

use callboard_actors::outbox::{Delivered, Outlet};
use callboard_actors::protocol::Delivery;

use super::Session;
use crate::ws::gate::{Gate, Ticket};

/// A delivery that has been charged to the gate.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(super) struct Handed(pub Delivery, pub Ticket);

/// The session's end of its outbox: charges the gate, then the mailbox.
pub(super) struct SessionOutlet {
    pub gate: Arc<Gate>,
    pub session: Addr<Session>,
}

impl Outlet for SessionOutlet {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let Ok(ticket) = self.gate.charge(delivery.envelope.size()) else { return Delivered::Gone };
        match self.session.try_send(Handed(delivery, ticket)) {
            Ok(()) => Delivered::Yes,
            Err(_) => Delivered::Gone,
        }
    }
}
