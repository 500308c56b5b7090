//! Runs that wait for approval: laying them down and telling of them. What goes on from there is `deciding`'s.
//!
//! A wait is durable before anybody hears of it, and so is a decision. Between the two nobody is at work, so the agent
//! goes on with other runs, and a server that stops does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{OpenRun, Waiting};
use super::taped::{self, TAPES, TapeRecord, Taped, WaitRecord};
use super::writing::Write;
use crate::agent::assignment::Told;
use crate::journal::{Batch, Entry};
use crate::protocol::{Approval, Code, Envelope, Error, Event, Interest, Run, RunId, Step, StepKind, Timestamp, To};
use crate::request::Request;
use crate::runs::{LiveRun, RunProgress};
use crate::tape::WAITS;
use crate::text::shortened;

/// Characters of a tool's arguments shown in the step that says what is waited for; the event has all of them.
const SHOWN: usize = 400;

/// How much the step that says so matters: a person has to see it.
const IMPORTANCE: f32 = 1.0;

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

    pub(super) fn expire_after(&mut self, run: &Arc<Run>, time: Duration, ctx: &mut Context<Self>) {
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
    pub(super) fn waiting(&mut self, run: &RunId) -> Option<&mut Waiting> {
        let open = self.inquiries.values_mut().filter_map(|inquiry| inquiry.current.as_mut());
        let mut of_run = open.filter(|open| open.live.run.id == *run && !open.ending);
        of_run.next()?.waiting.as_mut().filter(|waiting| waiting.durable)
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
}

/// The step that says what a run waits for.
fn waits(calls: &[crate::protocol::AskedCall]) -> Step {
    let told: Vec<String> =
        calls.iter().map(|call| format!("{} with {}", call.tool, shortened(&call.arguments, SHOWN))).collect();
    Step::now(StepKind::Planning, format!("{WAITS} {}.", told.join(", and ")), IMPORTANCE)
}
