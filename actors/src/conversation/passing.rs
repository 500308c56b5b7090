//! Handing a request from one agent to another, because the first says so.
//!
//! What the first says, the note that it hands over, and the change of who leads are written together. The note is what
//! asks the taker: its run is found, recovered and shown like any other, and whoever asked hears of both.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Ahead, Inquiry};
use super::record::{AskRecord, MessageRecord};
use super::writing::Write;
use crate::journal::Entry;
use crate::protocol::{
    AgentName, Answer, Code, Envelope, Error, Event, Handoff, Interest, Message, MessageId, Mode, Mood, Part, Role,
    Run, Timestamp, To, Turn,
};

/// A handoff that was handed to the journal.
#[derive(Debug)]
pub(super) struct Passed {
    /// The request it ends.
    pub(super) asked_at: u64,
    /// What the agent that hands over says.
    message: Arc<Message>,
    mood: Mood,
    /// The note that asks the taker.
    note: Arc<Message>,
    from: AgentName,
    handoff: Handoff,
    taker: Ahead,
}

impl Conversation {
    /// Writes down that an agent hands its request over. An error if nobody of that name can take it now.
    pub(super) fn pass_on(
        &mut self,
        run: &Arc<Run>,
        answer: Answer,
        handoff: Handoff,
        mood: Mood,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let Some(inquiry) = self.inquiries.get(&run.asked_at) else { return Ok(()) };
        if run.turn.of > 1 {
            return Err(Error::new(Code::AgentFailed, "Several agents answer this; it cannot be handed over"));
        }
        let (kind, request_id) = (inquiry.kind, inquiry.request_id.clone());
        let agent = self.tenant.directory.get(handoff.to.as_str())?;
        let place = agent.card.reserve()?;
        let Some(mut state) = self.log.state.clone() else { return Ok(()) };
        if !state.agents.contains(&handoff.to) {
            state.agents.push(handoff.to.clone());
        }
        state.lead = handoff.to.clone();
        state.mode = Mode::Lead;

        let Some((mut batch, message)) = self.answer_entries(run, answer)? else { return Ok(()) };
        batch.extend(self.state_entries(state)?);
        let (mut entry, note) = self.message_entry(note(run, &handoff))?;
        if let Entry::Append { opens, .. } = &mut entry {
            *opens = true;
        }
        batch.push(entry);
        let next = self.run_of(&note, handoff.to.clone(), Turn::ONLY, kind, request_id);
        let taker = Ahead { live: self.list(next, Some(&agent)), seat: Some((agent, place)) };
        let from = run.agent.clone();
        let passed = Passed { asked_at: run.asked_at, message, mood, note, from, handoff, taker };
        self.append(batch, Write::Passed(Box::new(passed)), ctx);
        Ok(())
    }

    /// The handoff is synced: tell of it, and have the taker begin.
    pub(super) fn passed(&mut self, passed: Passed, ctx: &mut Context<Self>) {
        let Passed { asked_at, message, mood, note, from, handoff, taker } = passed;
        // To whoever asked this is the first answer of two: what they asked is not over.
        if !self.tell_answer(asked_at, message, mood, Some(Turn { index: 1, of: 2 })) {
            return;
        }
        self.added(&note, None);
        self.tell_handoff(asked_at, from, handoff);
        self.take_over(asked_at, note, taker, ctx);
    }

    fn tell_handoff(&mut self, asked_at: u64, from: AgentName, Handoff { to, reason }: Handoff) {
        let envelope = Envelope::new(Event::HandedOff { conversation: self.id.clone(), from, to, reason });
        let asker = self.inquiries.get(&asked_at).map(|inquiry| &inquiry.asker);
        // As to a member: it is no reply, and ends nothing.
        let told = asker.map(|asker| {
            asker.outbox.deliver(To::Member, &envelope);
            asker.session()
        });
        self.members.deliver(Interest::MANNERS, told, &envelope);
        self.emit(&envelope);
    }

    /// The note takes the place of the message that asked, and the taker that of the agent.
    fn take_over(&mut self, asked_at: u64, note: Arc<Message>, taker: Ahead, ctx: &mut Context<Self>) {
        let Some(inquiry) = self.inquiries.remove(&asked_at) else { return };
        let next = note.seq;
        // It keeps its turn among those that wait for each other.
        if let Some(waiting) = self.serial.iter_mut().find(|waiting| **waiting == asked_at) {
            *waiting = next;
        }
        let ahead = VecDeque::from([taker]);
        self.inquiries.insert(next, Inquiry { question: note, ahead, current: None, turns: 1, ..inquiry });
        self.begin_next(next, ctx);
    }
}

/// The note that says who hands over to whom, and asks the taker.
fn note(run: &Run, handoff: &Handoff) -> MessageRecord {
    let Handoff { to, reason } = handoff;
    let colon = if reason.is_empty() { "" } else { ": " };
    MessageRecord {
        id: MessageId::random(),
        role: Role::System,
        agent: None,
        parts: vec![Part::Text(format!("{} handed the conversation over to {to}{colon}{reason}", run.agent))],
        created_at: Timestamp::now(),
        asks: Some(AskRecord { agents: vec![to.clone()], kind: run.kind, request_id: run.request_id.clone() }),
        answers: None,
    }
}
