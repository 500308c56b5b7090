//! The ends of runs: each ends exactly once, by an answer, by a failure or because somebody cancels it.

use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Inquiry, OpenRun};
use super::record::{AnswerRecord, FailureRecord, MESSAGES, MessageRecord};
use super::taped::TAPES;
use super::writing::Write;
use crate::journal::{Batch, Entry};
use crate::metrics;
use crate::protocol::{
    Answer, CancelTarget, Code, Envelope, Error, Event, Interest, Message, Mood, Part, Role, Run, RunStatus, Timestamp,
    Turn,
};
use crate::request::Request;
use crate::runs::RunProgress;

impl Conversation {
    /// Writes an answer down.
    pub(super) fn answer(
        &mut self,
        run: &Arc<Run>,
        answer: Answer,
        mood: Mood,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let Some((batch, message)) = self.answer_entries(run, answer)? else { return Ok(()) };
        self.append(batch, Write::Answer { asked_at: run.asked_at, message, mood }, ctx);
        Ok(())
    }

    /// The entries that write an answer down, from which on the run is ending; `None` if it has ended already.
    pub(super) fn answer_entries(
        &mut self,
        run: &Arc<Run>,
        answer: Answer,
    ) -> Result<Option<(Batch, Arc<Message>)>, Error> {
        let Some(open) = self.inquiries.get_mut(&run.asked_at).and_then(|inquiry| inquiry.current.as_mut()) else {
            return Ok(None);
        };
        let live = open.live.share();
        let RunProgress { started_at, steps, .. } = live.take();
        let mut parts: Vec<Part> = steps.into_iter().map(Part::Step).collect();
        parts.push(Part::Text(answer.text));
        if !answer.data.is_null() {
            parts.push(Part::Data(answer.data.to_string()));
        }
        let record = MessageRecord {
            id: run.answer_id(),
            role: Role::Assistant,
            agent: Some(run.agent.clone()),
            parts,
            created_at: Timestamp::now(),
            asks: None,
            answers: Some(AnswerRecord { run: run.id.clone(), started_at: started_at.unwrap_or(run.created_at) }),
        };
        open.ending = true;
        let mut batch = self.last_of_tape(&live, record.created_at);
        let (mut entry, message) = self.message_entry(record)?;
        if let (true, Entry::Append { closes, .. }) = (run.turn.is_last(), &mut entry) {
            closes.push(self.position(MESSAGES, run.asked_at));
        }
        batch.push(entry);
        Ok(Some((batch, message)))
    }

    /// The answer is synced: tell of it, and go on with the next turn.
    pub(super) fn answered(&mut self, asked_at: u64, message: Arc<Message>, mood: Mood, ctx: &mut Context<Self>) {
        if self.tell_answer(asked_at, message, mood, None) {
            self.go_on(asked_at, ctx);
        }
    }

    /// Tells of an answer that is synced, and answers whether there was a run that it ends. Its asker is told of `turn`
    /// where that is not the run's own.
    pub(super) fn tell_answer(&mut self, asked_at: u64, message: Arc<Message>, mood: Mood, turn: Option<Turn>) -> bool {
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return false };
        let Some(open) = inquiry.current.take() else { return false };
        let session = inquiry.asker.session();
        let duration_ms = message.created_at.since(open.live.run.created_at);
        open.live.settle(Ok(&message));
        let run = self.run_over(open, RunStatus::Completed, duration_ms);
        let run = turn.map_or(run.clone(), |turn| Arc::new(Run { turn, ..Run::clone(&run) }));
        self.added(&message, Some(session));
        self.tell_end(asked_at, Event::RunAnswered { run, answer: message, mood, duration_ms });
        true
    }

    /// Writes down that the current run of an inquiry ends without an answer, and has its agent stop.
    pub(super) fn fail(&mut self, asked_at: u64, error: Error, ctx: &mut Context<Self>) {
        let Some(open) = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.as_mut()) else { return };
        open.ending = true;
        open.cancel.cancel();
        if let Some(timer) = open.waiting.as_mut().and_then(|waiting| waiting.timer.take()) {
            ctx.cancel_future(timer);
        }
        let wait = open.waiting.as_ref().map(|waiting| waiting.seq);
        let live = open.live.share();
        let RunProgress { started_at, steps, .. } = live.take();
        let status = RunStatus::of(error.code);
        let (run, last) = (live.run.id.clone(), live.run.turn.is_last());
        let failure = FailureRecord { run, asked_at, status, error, steps, started_at, ended_at: Timestamp::now() };
        let mut batch = self.last_of_tape(&live, failure.ended_at);
        match self.failure_entry(&failure, last) {
            Ok(mut entry) => {
                if let (Some(seq), Entry::Append { closes, .. }) = (wait, &mut entry) {
                    closes.push(self.position(TAPES, seq));
                }
                batch.push(entry);
                self.append(batch, Write::Failure { asked_at, failure: Box::new(failure) }, ctx);
            }
            Err(error) => {
                if let Some(inquiry) = self.close(asked_at, ctx) {
                    inquiry.asker.end(Event::Refused { error });
                }
            }
        }
    }

    /// The failure is synced: tell of it, and go on with the next turn.
    pub(super) fn failed(&mut self, asked_at: u64, failure: FailureRecord, ctx: &mut Context<Self>) {
        let open = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.take());
        let Some(open) = open else { return };
        let duration_ms = failure.ended_at.since(open.live.run.created_at);
        open.live.settle(Err(failure.error.clone()));
        let run = self.run_over(open, failure.status, duration_ms);
        let FailureRecord { status, error, .. } = failure;
        self.tell_end(asked_at, Event::RunFailed { run, status, error, duration_ms });
        self.go_on(asked_at, ctx);
    }

    /// Takes a run off the list of those that have not ended.
    pub(super) fn run_over(&mut self, open: OpenRun, status: RunStatus, duration_ms: u64) -> Arc<Run> {
        let run = open.live.run.clone();
        metrics::ended(&self.tenant, &run, status, duration_ms);
        // One that waited was seen to have stopped.
        if open.waiting.is_none() && open.live.progress().started_at.is_some() {
            self.show_typing(&run, false);
        }
        run
    }

    /// Tells the asker, the members and the subscribers that a run is over.
    pub(super) fn tell_end(&mut self, asked_at: u64, event: Event) {
        let envelope = Envelope::new(event);
        let session = self.inquiries.get_mut(&asked_at).map(|inquiry| {
            inquiry.asker.tell(&envelope);
            inquiry.asker.session()
        });
        self.members.deliver(Interest::ENDS, session, &envelope);
        self.emit(&envelope);
    }

    /// Begins the next turn of an inquiry, or closes it and begins the next serial one.
    fn go_on(&mut self, asked_at: u64, ctx: &mut Context<Self>) {
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return };
        inquiry.rest(false);
        let more = !inquiry.ahead.is_empty();
        if more {
            return self.begin_next(asked_at, ctx);
        }
        self.close(asked_at, ctx);
    }

    /// Takes an inquiry off the books, and begins the next one if that waited for it.
    pub(super) fn close(&mut self, asked_at: u64, ctx: &mut Context<Self>) -> Option<Inquiry> {
        let inquiry = self.inquiries.remove(&asked_at)?;
        if let Some(open) = &inquiry.current {
            open.cancel.cancel();
        }
        let was_first = self.serial.front() == Some(&asked_at);
        self.serial.retain(|waiting| *waiting != asked_at);
        if let (true, Some(next)) = (was_first, self.serial.front().copied()) {
            self.begin_next(next, ctx);
        }
        Some(inquiry)
    }

    /// Ends the run that `target` means, for whom may see the conversation.
    pub(super) fn cancel(
        &mut self,
        request: &Request,
        target: &CancelTarget,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.visible(&request.principal)?;
        let of = |inquiry: &Inquiry| match target {
            CancelTarget::Request { token, .. } => {
                inquiry.asker.session() == request.outbox.session && inquiry.asker.token == *token
            }
            CancelTarget::Named(id) => inquiry.runs().any(|live| live.run.id.as_str() == id),
        };
        let found = self.inquiries.iter_mut().find(|(_, inquiry)| of(inquiry));
        let Some((&asked_at, inquiry)) = found else {
            return Err(Error::new(Code::RunNotFound, "There is no such run, or it has ended"));
        };
        inquiry.cancelled = true;
        let started = inquiry.current.as_ref().is_some_and(|open| !open.ending);
        let waiting = inquiry.durable && inquiry.current.is_none();
        request.reply(Event::Noted);
        if started {
            self.fail(asked_at, cancelled_error(), ctx);
        } else if waiting {
            // It waits for its turn among the serial ones; nothing is lost by ending it out of turn.
            self.serial.retain(|waiting| *waiting != asked_at);
            self.begin_next(asked_at, ctx);
        }
        Ok(())
    }
}

/// What a run that somebody cancelled ends with.
pub(super) fn cancelled_error() -> Error {
    Error::new(Code::Cancelled, "The run was cancelled")
}
