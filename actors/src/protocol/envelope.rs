//! Events on their way to sessions.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use super::event::Event;
use super::id::Token;
use super::time::Timestamp;

/// Why a session gets an event; it decides how the event is put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// It asked: this is the reply to that request, or on the way to it.
    Requester(Token),
    /// It is a member of the conversation, or attached to the channel.
    Member,
    /// It has a subscription that matches.
    Subscriber,
}

/// How many forms of an event an envelope can keep: one each for members and for subscribers of four endpoints.
pub const FORMS: usize = 8;

/// Places for what each endpoint makes of something, so that it is made once.
#[derive(Debug, Default)]
struct Forms([OnceLock<Box<dyn Any + Send + Sync>>; FORMS]);

impl Forms {
    fn get<T: Any + Send + Sync>(&self, form: usize, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get(form)?.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

/// An event on its way to any number of sessions, with places for what each endpoint makes of it, so that it is made once.
#[derive(Debug)]
pub struct Envelope {
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
    forms: Forms,
}

impl Envelope {
    /// Seals an event that happened now.
    pub fn new(event: Event) -> Arc<Self> {
        Arc::new(Self { event, at: Timestamp::now(), forms: Forms::default() })
    }

    /// The form number `form` (below `FORMS`) of the event, made by `make` the first time. `None` if that number is out
    /// of bounds or in use for another type.
    pub fn form<T: Any + Send + Sync>(&self, form: usize, make: impl FnOnce() -> T) -> Option<&T> {
        self.forms.get(form, make)
    }

    /// About how many bytes the event takes on a wire; what a session's gate charges for it.
    pub fn size(&self) -> usize {
        const FRAME: usize = 256;
        FRAME
            + match &self.event {
                Event::RunAccepted { question, .. } => question.text().len(),
                Event::RunStep { step, .. } => step.content.len(),
                Event::RunDelta { delta, .. } => delta.len(),
                Event::ApprovalRequested { approval, .. } => {
                    approval.calls.iter().map(|call| FRAME + call.arguments.len() + call.intent.len()).sum()
                }
                Event::RunAnswered { answer, .. } => answer.text().len(),
                Event::MessageAdded { message } => message.text().len(),
                Event::Published { publication } | Event::DirectMessage { publication } => {
                    publication.content.len() + publication.metadata.as_ref().map_or(0, String::len)
                }
                Event::Joined { messages, .. } | Event::History { messages, .. } => {
                    messages.iter().map(|message| FRAME + message.text().len()).sum()
                }
                _ => 0,
            }
    }
}

/// An event for one session.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Why it gets it.
    pub to: To,
    /// What happened.
    pub envelope: Arc<Envelope>,
}

/// Several events for the same sessions, in their order: one step for each session instead of one for each event.
#[derive(Debug)]
pub struct Bundle {
    /// Why the sessions get them.
    pub to: To,
    envelopes: Vec<Arc<Envelope>>,
    size: usize,
    forms: Forms,
}

impl Bundle {
    /// Ties envelopes together.
    pub fn new(to: To, envelopes: Vec<Arc<Envelope>>) -> Arc<Self> {
        let size = envelopes.iter().map(|envelope| envelope.size()).sum();
        Arc::new(Self { to, envelopes, size, forms: Forms::default() })
    }

    /// What happened.
    pub fn envelopes(&self) -> &[Arc<Envelope>] {
        &self.envelopes
    }

    /// About how many bytes the events take on a wire; see [`Envelope::size`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// The form number `form` of all of it; see [`Envelope::form`].
    pub fn form<T: Any + Send + Sync>(&self, form: usize, make: impl FnOnce() -> T) -> Option<&T> {
        self.forms.get(form, make)
    }
}
