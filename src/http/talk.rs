//! A question to an agent and what comes of it, for a handler that stays with it to the end.
//!
//! Whoever drops it before the end has gone: the run is cancelled, for nobody will read the answer.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use callboard_actors::outbox::{Delivered, Outbox, Outlet};
use callboard_actors::protocol::{
    AgentName, Ask, CancelTarget, Command, ConversationId, Delivery, Envelope, Error, Event, Interest, Message,
    Principal, Priority, Run, RunKind, Scope, SessionId, Step, Token, TraceParent,
};
use callboard_actors::request::Request;
use callboard_actors::runtime::Runtime;
use callboard_actors::tenant::Tenant;
use serde_json::Value;

/// The number under which handlers are known to actors: none of a session.
const NO_SESSION: SessionId = SessionId(0);

/// What is asked.
#[derive(Debug)]
pub struct Question {
    pub agent: AgentName,
    /// Where it is written; `None`: in a conversation of its own.
    pub conversation: Option<ConversationId>,
    pub content: String,
    /// What was said before, where the client keeps it.
    pub context: Vec<Arc<Message>>,
    pub stream: bool,
    /// Whether the steps on the way are wanted as well.
    pub steps: bool,
    pub trace: Option<TraceParent>,
}

/// A question that was accepted.
pub struct Talk {
    tenant: Arc<Tenant>,
    principal: Arc<Principal>,
    run: Arc<Run>,
    /// Everything is taken: a run reports a bounded number of pieces, and they are the answer.
    events: UnboundedReceiver<Arc<Envelope>>,
    ended: bool,
    /// Whether nothing of it is to stay.
    passing: bool,
}

/// What comes next of an answer.
pub enum Next {
    /// A piece of it.
    Piece(String),
    /// What the agent did on the way.
    Step(Step),
    /// All of it, with the pieces joined or at once.
    Answer(Arc<Message>),
    /// There is none.
    Failed(Error),
}

struct Ear(UnboundedSender<Arc<Envelope>>);

impl Outlet for Ear {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        if self.0.send(delivery.envelope).is_ok() { Delivered::Yes } else { Delivered::Gone }
    }
}

impl Talk {
    /// Asks, and waits until the question is accepted, which is when it is durable.
    ///
    /// # Errors
    /// Whatever the conversation refuses.
    pub async fn begin(principal: &Arc<Principal>, runtime: &Runtime, question: Question) -> Result<Self, Error> {
        principal.require(Scope::Chat)?;
        let tenant = runtime.tenant(&principal.tenant);
        let mut interest = Interest::PROGRESS;
        for (wanted, what) in [(question.stream, Interest::DELTAS), (question.steps, Interest::STEPS)] {
            interest = if wanted { interest.and(what) } else { interest };
        }
        let conversation = question.conversation.unwrap_or_else(ConversationId::random);
        let ask = Ask {
            conversation: conversation.clone(),
            agent: Some(question.agent),
            content: question.content,
            parameters: Value::Null,
            kind: RunKind::Chat,
            priority: Priority::Normal,
            stream: question.stream,
            serial: true,
            request_id: None,
            // Everybody without credentials is the same subject, and what they say anybody may read.
            private: principal.authenticated,
            context: question.context,
            trace: question.trace,
        };
        let (tell, mut events) = unbounded_channel();
        let request = request(principal.clone(), Arc::new(Ear(tell)), interest, Command::Ask(ask));
        tenant.to_conversation(&conversation, request);
        loop {
            let envelope = events.recv().await;
            match envelope.as_deref().map(|envelope| &envelope.event) {
                Some(Event::RunAccepted { run, .. }) => {
                    let (run, principal) = (run.clone(), principal.clone());
                    return Ok(Self { tenant, principal, run, events, ended: false, passing: false });
                }
                Some(Event::Refused { error } | Event::RunFailed { error, .. }) => return Err(error.clone()),
                Some(_) => {}
                None => return Err(lost()),
            }
        }
    }

    /// Has the conversation deleted when this is dropped.
    pub fn forget(&mut self) {
        self.passing = true;
    }

    /// The run that answers.
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// What comes next; `None` after the end.
    pub async fn next(&mut self) -> Option<Next> {
        if self.ended {
            return None;
        }
        loop {
            let envelope = self.events.recv().await;
            let next = match envelope.as_deref().map(|envelope| &envelope.event) {
                Some(Event::RunDelta { delta, .. }) => return Some(Next::Piece(delta.clone())),
                Some(Event::RunStep { step, .. }) => return Some(Next::Step(step.clone())),
                Some(Event::RunAnswered { answer, .. }) => Next::Answer(answer.clone()),
                Some(Event::RunFailed { error, .. } | Event::Refused { error }) => Next::Failed(error.clone()),
                Some(_) => continue,
                None => Next::Failed(lost()),
            };
            self.ended = true;
            return Some(next);
        }
    }

    /// The answer, whole.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn answer(mut self) -> Result<(Arc<Run>, Arc<Message>), Error> {
        loop {
            match self.next().await {
                Some(Next::Answer(answer)) => return Ok((self.run.clone(), answer)),
                Some(Next::Failed(error)) => return Err(error),
                Some(Next::Piece(_) | Next::Step(_)) => {}
                None => return Err(lost()),
            }
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let command = match (self.passing, self.ended) {
            (false, true) => return,
            (false, false) => Command::Cancel { target: CancelTarget::Named(self.run.id.to_string()) },
            // Which ends what is under way there.
            (true, _) => Command::Delete { conversation: self.run.conversation.clone() },
        };
        let (nobody, _) = unbounded_channel();
        let request = request(self.principal.clone(), Arc::new(Ear(nobody)), Interest::NOTHING, command);
        self.tenant.to_conversation(&self.run.conversation, request);
    }
}

fn request(principal: Arc<Principal>, ear: Arc<Ear>, interest: Interest, command: Command) -> Request {
    Request { token: Token(1), principal, outbox: Outbox::new(NO_SESSION, ear, None), interest, command }
}

fn lost() -> Error {
    Error::internal("The request was lost before it ended")
}
