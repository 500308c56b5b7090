//! Deciding about runs that wait for approval: a decision is durable before anybody hears of it, and then the run goes on or
//! ends.

use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::loading;
use super::record::FailureRecord;
use super::taped::{TAPES, Taped};
use super::writing::Write;
use crate::agent::assignment::Told;
use crate::journal::{Batch, Entry};
use crate::protocol::{Code, Envelope, Error, Event, Interest, Run, RunId, RunStatus, Timestamp, To};
use crate::request::Request;
use crate::runs::RunProgress;
use crate::tape::Decision;

/// What is to follow a decision once it is durable.
pub(super) enum Verdict {
    /// The run goes on.
    GoOn,
    /// It ends.
    End(Box<FailureRecord>),
}

impl Conversation {
    /// Writes down what somebody decided about a run that waits.
    pub(super) fn decide(
        &mut self,
        request: Request,
        run: &RunId,
        approved: bool,
        reason: String,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.visible(&request.principal)?;
        self.tenant.house.check_open()?;
        let waiting = self.waiting(run).filter(|waiting| !waiting.deciding);
        let seq = waiting
            .map(|waiting| waiting.seq)
            .ok_or_else(|| Error::new(Code::RunNotFound, format!("There is no run {run} that waits for approval")))?;
        let Some(run) = self.run_that_waits(run) else { return Ok(()) };
        let decision = Decision { approved, by: request.principal.subject.clone(), reason, at: Timestamp::now() };
        // A brain that hears refusals goes on without what it may not do, unless its agent has no room for it.
        let goes_on = match approved {
            true => self.seat(&run).map(|()| true)?,
            false => self.hears_refusals(&run) && self.seat(&run).is_ok(),
        };
        let taped = Taped::Decided { approved, by: decision.by.clone(), reason: decision.reason.clone() };
        let mut batch = self.tape_entries(&run.id, decision.at, vec![taped])?;
        if let Some(Entry::Append { closes, .. }) = batch.first_mut() {
            closes.push(self.position(TAPES, seq));
        }
        if let Some(waiting) = self.waiting(&run.id) {
            waiting.deciding = true;
        }
        let verdict = if goes_on { Verdict::GoOn } else { self.turn_down(&run, &decision, &mut batch)? };
        let write = Write::Decision { asked_at: run.asked_at, request: Box::new(request), decision, verdict };
        self.append(batch, write, ctx);
        Ok(())
    }

    fn run_that_waits(&self, id: &RunId) -> Option<Arc<Run>> {
        let mut open = self.inquiries.values().filter_map(|inquiry| inquiry.current.as_ref());
        open.find(|open| open.live.run.id == *id).map(|open| open.live.run.clone())
    }

    fn hears_refusals(&self, run: &Run) -> bool {
        let agent = self.tenant.directory.find(run.agent.as_str());
        agent.is_some_and(|agent| agent.card.persona.hears_refusals())
    }

    /// Takes a place in the agent's queue for a run that is to go on.
    fn seat(&mut self, run: &Run) -> Result<(), Error> {
        let agent = self.tenant.directory.get(run.agent.as_str())?;
        let place = agent.card.reserve()?;
        let open = self.inquiries.get_mut(&run.asked_at).and_then(|inquiry| inquiry.current.as_mut());
        if let Some(open) = open {
            (open.agent, open.place) = (Some(agent), Some(place));
        }
        Ok(())
    }

    /// The end of a run that may not do what it waited for, in the batch of the decision.
    fn turn_down(&mut self, run: &Arc<Run>, decision: &Decision, batch: &mut Batch) -> Result<Verdict, Error> {
        let missing = || Error::internal("The run is not under way");
        let inquiry = self.inquiries.get_mut(&run.asked_at).ok_or_else(missing)?;
        let open = inquiry.current.as_mut().ok_or_else(missing)?;
        open.ending = true;
        open.live.tape.decide(decision.clone());
        let live = open.live.share();
        let RunProgress { started_at, steps, .. } = live.progress();
        let said = format!("{} did not approve what {} wanted to do", decision.by, run.agent);
        let failure = FailureRecord {
            run: run.id.clone(),
            asked_at: run.asked_at,
            status: RunStatus::of(Code::Rejected),
            error: Error::new(Code::Rejected, said).with_details(decision.reason.clone()),
            steps,
            started_at,
            ended_at: decision.at,
        };
        batch.extend(self.last_of_tape(&live, decision.at));
        batch.push(self.failure_entry(&failure, run.turn.is_last())?);
        Ok(Verdict::End(Box::new(failure)))
    }

    /// The decision is synced: tell of it, and do what follows.
    pub(super) fn decided(
        &mut self,
        asked_at: u64,
        request: &Request,
        decision: Decision,
        verdict: Verdict,
        ctx: &mut Context<Self>,
    ) {
        let open = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.as_mut());
        let Some(open) = open else {
            return request.refuse(Error::new(Code::RunNotFound, "The run has ended meanwhile"));
        };
        if let Some(timer) = open.waiting.as_mut().and_then(|waiting| waiting.timer.take()) {
            ctx.cancel_future(timer);
        }
        let run = open.live.run.clone();
        let told = match &verdict {
            Verdict::GoOn if !open.ending => Some(self.stand_up(&run, &decision)),
            _ => None,
        };
        let Decision { approved, by, reason, .. } = decision;
        let envelope = Envelope::new(Event::ApprovalDecided { run: run.clone(), approved, by, reason });
        request.outbox.deliver(To::Requester(request.token), &envelope);
        self.members.deliver(Interest::MANNERS, Some(request.outbox.session), &envelope);
        self.emit(&envelope);
        match verdict {
            Verdict::End(failure) => self.failed(asked_at, *failure, ctx),
            // Unless it was ended while the decision was written.
            Verdict::GoOn => {
                if let Some(told) = told {
                    self.take_up_again(&run, told, ctx);
                }
            }
        }
    }

    /// The run waits no longer; what was told of it before it did.
    fn stand_up(&mut self, run: &Run, decision: &Decision) -> Told {
        let Some(inquiry) = self.inquiries.get_mut(&run.asked_at) else { return Told::default() };
        inquiry.rest(false);
        let Some(open) = &mut inquiry.current else { return Told::default() };
        open.live.tape.decide(decision.clone());
        open.live.waits(None);
        open.parked = None;
        open.waiting.take().map(|waiting| waiting.told).unwrap_or_default()
    }

    /// Gives the run to its agent again.
    fn take_up_again(&mut self, run: &Arc<Run>, told: Told, ctx: &mut Context<Self>) {
        let open = self.inquiries.get(&run.asked_at).and_then(|inquiry| inquiry.current.as_ref());
        let Some(open) = open else { return };
        let seqs = open.live.tape.opening().map(|opening| opening.history).unwrap_or_default();
        // What it was told of the past the first time, whatever has been said since.
        let (Some(first), Some(last)) = (seqs.first().copied(), seqs.last().copied()) else {
            return self.assign(run, Vec::new(), told, ctx);
        };
        let (journal, place, id) = (self.tenant.house.journal.clone(), self.log.place(), self.id.clone());
        let count = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        let read = crate::house::off_arbiter(move || loading::page_after(&*journal, place, &id, first - 1, count));
        let run = run.clone();
        ctx.spawn(read.into_actor(self).map(move |page, conversation, ctx| match page {
            Ok(mut messages) => {
                messages.retain(|message| seqs.contains(&message.seq));
                conversation.assign(&run, messages, told, ctx);
            }
            Err(error) => conversation.fail(run.asked_at, error, ctx),
        }));
    }

    /// The decision could not be written, so there is none.
    pub(super) fn undecided(&mut self, asked_at: u64) {
        let open = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.as_mut());
        if let Some(open) = open {
            open.ending = false;
            if let Some(waiting) = &mut open.waiting {
                waiting.deciding = false;
            }
        }
    }

    /// A run that begins needs a place in the queue of its agent; after a restart it has none yet.
    pub(super) fn seated(&mut self, run: &Run) -> Result<(), Error> {
        let open = self.inquiries.get(&run.asked_at).and_then(|inquiry| inquiry.current.as_ref());
        if open.is_some_and(|open| open.agent.is_some()) { Ok(()) } else { self.seat(run) }
    }
}
