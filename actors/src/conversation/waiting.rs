//! Runs that wait for approval: laying them down, deciding, taking them up again, also after a restart.
//!
//! A wait is durable before anybody hears of it, and so is a decision. Between the two nobody is at work, so the agent
//! goes on with other runs, and a server that stops does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Ahead, Asker, Inquiry, OpenRun, Waiting};
use super::listed::Listed;
use super::loading::{self, Restored};
use super::record::{AskRecord, FailureRecord};
use super::taped::{self, TAPES, TapeRecord, Taped, WaitRecord};
use super::writing::Write;
use crate::agent::assignment::Told;
use crate::journal::{Batch, Entry};
use crate::protocol::{
    AgentName, Approval, Code, Envelope, Error, Event, Interest, Message, Run, RunId, RunStatus, Step, StepKind,
    Timestamp, To, Trail, Turn,
};
use crate::request::Request;
use crate::runs::{LiveRun, RunProgress};
use crate::tape::{Decision, WAITS};
use crate::text::shortened;

/// Characters of a tool's arguments shown in the step that says what is waited for; the event has all of them.
const SHOWN: usize = 400;

/// How much the step that says so matters: a person has to see it.
const IMPORTANCE: f32 = 1.0;

/// What is to follow a decision once it is durable.
pub(super) enum Verdict {
    /// The run goes on.
    GoOn,
    /// It ends.
    End(Box<FailureRecord>),
}

impl Conversation {
    /// Writes down that a run waits. What keeps it from waiting ends it.
    pub(super) fn lay_down(&mut self, run: &Arc<Run>, told: Told, ctx: &mut Context<Self>) {
        let asked_at = run.asked_at;
        match self.wait_entries(run, told) {
            Ok(batch) => self.append(batch, Write::Wait { asked_at }, ctx),
            Err(error) => self.fail(asked_at, error, ctx),
        }
    }

    fn wait_entries(&mut self, run: &Arc<Run>, told: Told) -> Result<Batch, Error> {
        let now = Timestamp::now();
        let timeout = i64::try_from(self.tenant.house.settings.approval.as_millis()).unwrap_or(i64::MAX);
        let expires_at = Timestamp(now.0.saturating_add(timeout));
        let missing = || Error::internal("The run is not under way");
        let inquiry = self.inquiries.get_mut(&run.asked_at).ok_or_else(missing)?;
        let (priority, stream, serial) = (inquiry.priority, inquiry.stream, inquiry.serial);
        let open = inquiry.current.as_mut().ok_or_else(missing)?;
        let parked = open.agent.as_ref().map(|agent| agent.card.park()).transpose()?;
        let calls = open.live.tape.waits();
        open.live.tape.wait(now);
        let reading = open.live.tape.read();
        if !reading.complete {
            return Err(Error::new(Code::AgentFailed, format!("{} did too much to be able to wait", run.agent)));
        }
        open.live.step(waits(&calls));
        let RunProgress { started_at, steps, .. } = open.live.progress();
        let approval = Arc::new(Approval { calls: calls.clone(), asked_at: now, expires_at });
        let pieces = taped::pieces(reading)?;
        let wait = WaitRecord {
            asked_at: run.asked_at,
            turn: run.turn.index,
            calls,
            steps,
            told_steps: told.steps,
            told_bytes: told.bytes as u64,
            started_at: started_at.unwrap_or(now),
            expires_at,
            priority,
            stream,
            serial,
            pieces: u16::try_from(pieces.len()).unwrap_or(u16::MAX),
        };
        let mut records: Vec<Taped> = pieces.into_iter().map(Taped::Piece).collect();
        records.push(Taped::Waits(Box::new(wait)));
        let mut batch = self.tape_entries(&run.id, now, records)?;
        if let Some(Entry::Append { at, opens, .. }) = batch.last_mut() {
            *opens = true;
            let seq = at.seq;
            let open = self.inquiries.get_mut(&run.asked_at).and_then(|inquiry| inquiry.current.as_mut());
            if let Some(open) = open {
                open.waiting = Some(Waiting { approval, told, seq, durable: false, deciding: false, timer: None });
                open.parked = parked;
            }
        }
        Ok(batch)
    }

    /// Entries of the lane of tapes.
    pub(super) fn tape_entries(&mut self, run: &RunId, at: Timestamp, what: Vec<Taped>) -> Result<Batch, Error> {
        let bytes = what.into_iter().map(|what| taped::written(&TapeRecord { run: run.clone(), at, what }));
        let bytes = bytes.collect::<Result<Vec<_>, Error>>()?;
        let entries = bytes.into_iter().map(|bytes| {
            self.log.tapes += 1;
            self.entry(TAPES, self.log.tapes, bytes)
        });
        Ok(entries.collect())
    }

    /// What a run that ends leaves of its tape; nothing where nothing is kept, or cannot be.
    pub(super) fn last_of_tape(&mut self, live: &Arc<LiveRun>, ended_at: Timestamp) -> Batch {
        if !self.tenant.house.settings.records || !live.tape.is_kept() {
            return Batch::new();
        }
        let pieces = taped::pieces(live.tape.read());
        let written = pieces.and_then(|pieces| {
            self.tape_entries(&live.run.id, ended_at, pieces.into_iter().map(Taped::Piece).collect())
        });
        written.unwrap_or_else(|error| {
            log::warn!("the tape of {} is not kept: {error}", live.run.id);
            Batch::new()
        })
    }

    /// The wait is synced: tell of it.
    pub(super) fn laid_down(&mut self, asked_at: u64, ctx: &mut Context<Self>) {
        let timeout = self.tenant.house.settings.approval;
        let open = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.as_mut());
        let Some(open) = open.filter(|open| !open.ending) else { return };
        let Some(waiting) = &mut open.waiting else { return };
        waiting.durable = true;
        let approval = waiting.approval.clone();
        open.live.waits(Some(approval.clone()));
        let (run, step) = (open.live.run.clone(), open.live.progress().steps.pop());
        if let Some(inquiry) = self.inquiries.get_mut(&asked_at) {
            inquiry.rest(true);
        }
        if let Some(step) = step {
            self.stepped(run.clone(), step);
        }
        self.expire_after(&run, timeout, ctx);
        self.show_typing(&run, false);
        self.progress(asked_at, Interest::PROGRESS, || Event::RunWaits { run: run.clone() });
        let envelope = Envelope::new(Event::ApprovalRequested { run, approval });
        let session = self.inquiries.get_mut(&asked_at).map(|inquiry| {
            inquiry.asker.tell(&envelope);
            inquiry.asker.session()
        });
        self.members.deliver(Interest::MANNERS, session, &envelope);
        self.emit(&envelope);
    }

    /// No run goes on any more: the requests that stand behind one that waits are begun, and so told that they end.
    pub(super) fn let_go(&mut self, ctx: &mut Context<Self>) {
        let first = self.serial.front().and_then(|asked_at| self.inquiries.get(asked_at));
        let open = first.and_then(|inquiry| inquiry.current.as_ref());
        if open.is_some_and(|open| open.waiting.is_some()) {
            for behind in self.serial.drain(1..).collect::<Vec<_>>() {
                self.begin_next(behind, ctx);
            }
        }
    }

    fn expire_after(&mut self, run: &Arc<Run>, time: Duration, ctx: &mut Context<Self>) {
        let (asked_at, id) = (run.asked_at, run.id.clone());
        let timer = ctx.run_later(time, move |conversation, ctx| {
            let waits = conversation.waiting(&id).is_some_and(|waiting| !waiting.deciding);
            if waits {
                conversation.fail(asked_at, Error::new(Code::Timeout, "Nobody approved it in time"), ctx);
            }
        });
        if let Some(waiting) = self.waiting(&run.id) {
            waiting.timer = Some(timer);
        }
    }

    /// The wait of a run that has not ended and waits durably.
    fn waiting(&mut self, run: &RunId) -> Option<&mut Waiting> {
        let open = self.inquiries.values_mut().filter_map(|inquiry| inquiry.current.as_mut());
        let mut of_run = open.filter(|open| open.live.run.id == *run && !open.ending);
        of_run.next()?.waiting.as_mut().filter(|waiting| waiting.durable)
    }

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
        let (journal, place, id) = (self.tenant.house.journal.clone(), self.log.place, self.id.clone());
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

    /// Brings runs that wait back into being, as the journal has them.
    pub(super) fn restore(&mut self, restored: Vec<Restored>, ctx: &mut Context<Self>) {
        for waiting in restored {
            if !self.inquiries.contains_key(&waiting.wait.asked_at) {
                self.restore_one(waiting, ctx);
            }
        }
    }

    fn restore_one(&mut self, restored: Restored, ctx: &mut Context<Self>) {
        let Restored { seq, at, wait, tape, question, ask } = restored;
        let Some(opening) = tape.opening() else { return };
        let turns = u16::try_from(ask.agents.len()).unwrap_or(u16::MAX);
        let owner = self.log.state.as_ref().and_then(|state| state.owner.clone());
        let Some(name) = ask.agents.get(usize::from(wait.turn).saturating_sub(1)).cloned() else { return };
        let run = self.run_again(&question, &ask, &name, Turn { index: wait.turn, of: turns });
        let live = Listed::new(&self.tenant, LiveRun::new(run.clone(), owner, tape));
        let approval = Approval { calls: wait.calls.clone(), asked_at: at, expires_at: wait.expires_at };
        let approval = Arc::new(approval);
        live.start(wait.started_at);
        wait.steps.iter().for_each(|step| live.step(step.clone()));
        live.waits(Some(approval.clone()));
        let agent = self.tenant.directory.find(name.as_str());
        let told = wait.told();
        let waiting = Waiting { approval, told, seq, durable: true, deciding: false, timer: None };
        let current = OpenRun {
            live,
            parked: agent.as_ref().and_then(|agent| agent.card.park().ok()),
            agent,
            place: None,
            waiting: Some(waiting),
            deltas: 0,
            streamed: told.bytes,
            cancel: Default::default(),
            ending: false,
        };
        let ahead = (wait.turn + 1..=turns).filter_map(|index| {
            let name = ask.agents.get(usize::from(index) - 1)?;
            let run = self.run_again(&question, &ask, name, Turn { index, of: turns });
            Some(Ahead { seat: None, live: self.list(run, None) })
        });
        let mut inquiry = Inquiry {
            asker: Asker::gone(),
            content: opening.content,
            parameters: opening.parameters,
            kind: ask.kind,
            priority: wait.priority,
            stream: wait.stream,
            serial: wait.serial,
            request_id: ask.request_id.clone(),
            origin: question.seq,
            trail: Trail::default(),
            // What the asker brought along and the trace it came with ended with the process.
            context: Vec::new(),
            trace: None,
            turns,
            ahead: ahead.collect(),
            current: Some(current),
            durable: true,
            cancelled: false,
            question,
        };
        inquiry.rest(true);
        self.inquiries.insert(wait.asked_at, inquiry);
        if wait.serial {
            self.serial.push_back(wait.asked_at);
        }
        let left = Duration::from_millis(wait.expires_at.since(Timestamp::now()));
        self.expire_after(&run, left, ctx);
    }

    /// A run as it was when it was accepted.
    fn run_again(&self, question: &Arc<Message>, ask: &AskRecord, agent: &AgentName, turn: Turn) -> Arc<Run> {
        self.run_of(question, agent.clone(), turn, ask.kind, ask.request_id.clone())
    }

    /// What a session that joins has to know: the runs here that wait.
    pub(super) fn show_waiting(&self, request: &Request) {
        let open = self.inquiries.values().filter_map(|inquiry| inquiry.current.as_ref());
        let mut waiting: Vec<(&OpenRun, &Waiting)> = open
            .filter_map(|open| open.waiting.as_ref().filter(|waiting| waiting.durable).map(|w| (open, w)))
            .collect();
        waiting.sort_by_key(|(_, waiting)| waiting.seq);
        for (open, waiting) in waiting.into_iter().filter(|(open, _)| !open.ending) {
            let (run, approval) = (open.live.run.clone(), waiting.approval.clone());
            request.outbox.deliver(To::Member, &Envelope::new(Event::ApprovalRequested { run, approval }));
        }
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

/// The step that says what a run waits for.
fn waits(calls: &[crate::protocol::AskedCall]) -> Step {
    let told: Vec<String> =
        calls.iter().map(|call| format!("{} with {}", call.tool, shortened(&call.arguments, SHOWN))).collect();
    Step::now(StepKind::Planning, format!("{WAITS} {}.", told.join(", and ")), IMPORTANCE)
}
