//! Asking an actor from a request handler: one request, the first reply.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use callboard_actors::outbox::{Delivered, Outbox, Outlet};
use callboard_actors::protocol::{
    Code, Command, Delivery, Envelope, Error, Event, Interest, Principal, SessionId, Token,
};
use callboard_actors::request::Request;

use super::error::HttpError;

/// The number under which handlers are known to actors: none of a session.
const NO_SESSION: SessionId = SessionId(0);

/// Takes the first reply that ends the request.
struct FirstReply(Mutex<Option<oneshot::Sender<Arc<Envelope>>>>);

impl Outlet for FirstReply {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        if !delivery.envelope.event.ends_request() {
            return Delivered::Yes;
        }
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(reply) => match reply.send(delivery.envelope) {
                Ok(()) => Delivered::Yes,
                Err(_) => Delivered::Gone,
            },
            None => Delivered::Gone,
        }
    }
}

/// Sends a command by way of `send` and waits for its reply, for `patience` at most. A refusal is an error.
pub async fn ask(
    principal: Arc<Principal>,
    command: Command,
    patience: Duration,
    send: impl FnOnce(Request),
) -> Result<Arc<Envelope>, HttpError> {
    let (reply, replied) = oneshot::channel();
    let outlet = Arc::new(FirstReply(Mutex::new(Some(reply))));
    let outbox = Outbox::new(NO_SESSION, outlet, None);
    send(Request { token: Token(1), principal, outbox, interest: Interest::NOTHING, command });
    let envelope = match tokio::time::timeout(patience, replied).await {
        Ok(Ok(envelope)) => envelope,
        _ => return Err(Error::new(Code::Timeout, "There was no answer in time").into()),
    };
    match &envelope.event {
        Event::Refused { error } => Err(error.clone().into()),
        _ => Ok(envelope),
    }
}
