//! The remote brain: an agent that joined from another process thinks, at the other end of one of its sockets.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pieces::pieces;
use super::{Brain, Brief, Placement, Sink};
use crate::protocol::{
    Answer, Code, Envelope, Error, Event, Message, MessageId, Publication, Step, StepKind, Subject, Timestamp,
};
use crate::serving::{Desk, Handed};

/// How much of the past goes along with a run, in bytes of text: what is said in a few exchanges, and a small part of
/// what a session's queue holds. The latest messages are kept.
const HISTORY_BYTES: usize = 128 * 1024;

/// Who sends what the server asks of an agent on behalf of others.
const SENDER: &str = "callboard";

/// Asks whoever serves the agent.
#[derive(Debug)]
pub struct Remote {
    desk: Arc<Desk>,
}

impl Remote {
    /// The brain of the agent that is served at `desk`.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self { desk }
    }
}

#[async_trait]
impl Brain for Remote {
    fn placement(&self) -> Placement {
        Placement::Inline
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error> {
        let publication = Arc::new(work(brief));
        let handed = self.desk.hand_out(&brief.run.id, &Envelope::new(Event::DirectMessage { publication }))?;
        let answer = listen(handed, &**sink).await;
        let answer = answer.ok_or_else(|| {
            Error::new(Code::AgentFailed, format!("{} disconnected before it answered", brief.run.agent))
        })?;
        sink.step(Step::now(StepKind::Answer, answer.text.clone(), 1.0));
        if brief.stream {
            pieces(&answer.text).for_each(|piece| sink.delta(piece));
        }
        Ok(answer)
    }
}

/// Passes steps on until the answer is there; `None` if the socket has gone.
async fn listen(mut handed: Handed, sink: &dyn Sink) -> Option<Answer> {
    let answer = loop {
        tokio::select! {
            biased;
            Some(step) = handed.steps.recv() => sink.step(step),
            answer = &mut handed.answer => break answer.ok()?,
        }
    };
    while let Ok(step) = handed.steps.try_recv() {
        sink.step(step);
    }
    Some(answer)
}

/// A run as the message that asks the agent. It stands in no mailbox, so it has no place there.
fn work(brief: &Brief) -> Publication {
    let run = &brief.run;
    let mut metadata = json!({
        "run_id": run.id, "conversation_id": run.conversation, "kind": run.kind.as_str(),
        "history": history(&brief.history),
    });
    if let Some(place) = brief.trace.passed_on() {
        metadata["traceparent"] = place.to_string().into();
    }
    if !brief.parameters.is_null() {
        metadata["parameters"] = brief.parameters.clone();
    }
    Publication {
        id: MessageId::trusted(run.id.as_str()),
        tenant: brief.tenant.clone(),
        channel: None,
        seq: 0,
        agent: None,
        subject: Subject::trusted(SENDER),
        kind: "message".to_owned(),
        content: Value::from(brief.content.as_str()).to_string(),
        metadata: Some(metadata.to_string()),
        reply_to: None,
        created_at: Timestamp::now(),
    }
}

fn history(messages: &[Arc<Message>]) -> Vec<Value> {
    let mut left = HISTORY_BYTES;
    let mut kept: Vec<Value> = Vec::new();
    for message in messages.iter().rev() {
        let content = message.text();
        let Some(rest) = left.checked_sub(content.len()) else { break };
        left = rest;
        let mut said = json!({
            "id": message.id, "role": message.role.as_str(), "content": content,
            "created_at": message.created_at.to_string(),
        });
        if let Some(agent) = &message.agent {
            said["agent"] = agent.as_str().into();
        }
        kept.push(said);
    }
    kept.reverse();
    kept
}
