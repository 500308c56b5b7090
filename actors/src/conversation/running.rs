//! Minding runs: starting them in turn, passing on what agents report, ending each exactly once.

use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Ahead, Inquiry, OpenRun};
use super::record::{AnswerRecord, FailureRecord, MESSAGES, MessageRecord};
use super::taped::TAPES;
use super::writing::Write;
use crate::agent::assignment::{Assignment, Progress, Report, Reports, Told};
use crate::journal::{Batch, Entry};
use crate::metrics;
use crate::protocol::{
    Answer, CancelTarget, Code, Envelope, Error, Event, Interest, Message, Mood, Part, Role, Run, RunStatus, Step,
    Timestamp, Typist,
};
use crate::request::Request;
use crate::runs::RunProgress;

/// What agents are told of the past: all that is at hand. What of it a model is told is cut to the size of its context.
const HISTORY: usize = super::RECENT;

impl Conversation {
    /// The question is synced: tell of it and begin.
    pub(super) fn accepted(&mut self, asked_at: u64, ctx: &mut Context<Self>) {
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return };
        inquiry.durable = true;
        let (question, session) = (inquiry.question.clone(), inquiry.asker.session());
        let run = inquiry.ahead.front().map(|ahead| ahead.live.run.clone());
        let serial = inquiry.serial;
        self.added(&question, Some(session));
        if let Some(run) = run {
            self.progress(asked_at, Interest::PROGRESS, || Event::RunAccepted { run, question });
        }
        if serial {
            self.serial.push_back(asked_at);
        }
        if !serial || self.serial.front() == Some(&asked_at) {
            self.begin_next(asked_at, ctx);
        }
    }

    /// Gives the next agent of an inquiry its run.
    pub(super) fn begin_next(&mut self, asked_at: u64, ctx: &mut Context<Self>) {
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return };
        let Some(Ahead { seat, live }) = inquiry.ahead.pop_front() else { return };
        let run = live.run.clone();
        let (agent, place) = seat.map_or((None, None), |(agent, place)| (Some(agent), Some(place)));
        let open = OpenRun {
            live,
            agent,
            place,
            waiting: None,
            parked: None,
            deltas: 0,
            streamed: 0,
            cancel: Default::default(),
            ending: false,
        };
        inquiry.current = Some(open);
        let origin = inquiry.origin;
        if inquiry.cancelled {
            return self.fail(asked_at, cancelled_error(), ctx);
        }
        if let Err(error) = self.seated(&run) {
            return self.fail(asked_at, error, ctx);
        }
        let others = self.recent.iter().filter(|message| message.seq != origin);
        let skip = self.recent.len().saturating_sub(HISTORY + 1);
        let history = others.skip(skip).cloned().collect();
        self.assign(&run, history, Told::default(), ctx);
    }

    /// Gives the run under way to its agent.
    pub(super) fn assign(&mut self, run: &Arc<Run>, history: Vec<Arc<Message>>, told: Told, ctx: &mut Context<Self>) {
        let Some(inquiry) = self.inquiries.get_mut(&run.asked_at) else { return };
        let Some(open) = inquiry.current.as_mut().filter(|open| open.live.run.id == run.id && !open.ending) else {
            return;
        };
        let Some(agent) = open.agent.clone() else { return };
        let assignment = Assignment {
            run: run.clone(),
            priority: inquiry.priority,
            content: inquiry.content.clone(),
            parameters: inquiry.parameters.clone(),
            owner: self.log.state.as_ref().and_then(|state| state.owner.clone()),
            history: if inquiry.context.is_empty() { history } else { [inquiry.context.clone(), history].concat() },
            trace: inquiry.trace,
            stream: inquiry.stream || self.members.want(Interest::DELTAS, None),
            cancelled: open.cancel.clone(),
            trail: inquiry.trail.clone(),
            place: open.place.take(),
            tape: open.live.tape.clone(),
            told,
            reports: Reports::new(run.clone(), ctx.address().recipient()),
        };
        // Dropped when it cannot be taken, an assignment reports its end by itself.
        if agent.assign.try_send(assignment).is_err() {
            log::warn!("agent {} did not take {}", run.agent, run.id);
        }
    }

    /// Passes on what an agent reports; what it reports after the end of its run is stale.
    pub(super) fn report(&mut self, report: Report, ctx: &mut Context<Self>) {
        let Report { run, progress } = report;
        let asked_at = run.asked_at;
        let Some(open) = self.inquiries.get_mut(&asked_at).and_then(|inquiry| inquiry.current.as_mut()) else { return };
        if open.ending || open.waiting.is_some() || open.live.run.id != run.id {
            return;
        }
        match progress {
            Progress::Started => {
                open.live.start(Timestamp::now());
                self.show_typing(&run, true);
                self.progress(asked_at, Interest::PROGRESS, || Event::RunStarted { run });
            }
            Progress::Step(step) => {
                open.live.step(step.clone());
                self.stepped(run, step);
            }
            Progress::Delta(delta) => self.piece(&run, &delta),
            Progress::Waits(told) => self.lay_down(&run, told, ctx),
            Progress::Ended(Ok((answer, mood))) => {
                // A brain that speaks in one piece, or left the end out: the pieces joined are the answer all the same.
                let rest = answer.text.get(open.streamed..).unwrap_or_default();
                self.piece(&run, rest);
                let written = match answer.handoff.clone() {
                    Some(handoff) => self.pass_on(&run, answer, handoff, mood, ctx),
                    None => self.answer(&run, answer, mood, ctx),
                };
                if let Err(error) = written {
                    self.fail(asked_at, error, ctx);
                }
            }
            Progress::Ended(Err(error)) => self.fail(asked_at, error, ctx),
        }
    }

    /// Tells those who want the answer piece by piece of the next one.
    fn piece(&mut self, run: &Arc<Run>, delta: &str) {
        let open = self.inquiries.get_mut(&run.asked_at).and_then(|inquiry| inquiry.current.as_mut());
        let Some(open) = open.filter(|_| !delta.is_empty()) else { return };
        let index = open.deltas;
        open.deltas += 1;
        open.streamed += delta.len();
        let event = || Event::RunDelta { run: run.clone(), index, delta: delta.to_owned() };
        self.progress(run.asked_at, Interest::DELTAS, event);
    }

    pub(super) fn stepped(&mut self, run: Arc<Run>, step: Step) {
        self.progress(run.asked_at, Interest::STEPS, || Event::RunStep { run: run.clone(), step });
    }

    /// Tells of a run that is not over: the asker and the members that want to hear of it, and subscribers.
    pub(super) fn progress(&mut self, asked_at: u64, what: Interest, event: impl FnOnce() -> Event) {
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return };
        let session = inquiry.asker.session();
        let asked = inquiry.asker.interest.has(what);
        let watches = &self.tenant.subscriptions;
        let watched = watches.wants_topics() && what.has(Interest::PROGRESS)
            || watches.wants_flows() && (what.has(Interest::STEPS) || what.has(Interest::DELTAS));
        if !asked && !watched && !self.members.want(what, Some(session)) {
            return;
        }
        let envelope = Envelope::new(event());
        if asked {
            inquiry.asker.tell(&envelope);
        }
        self.members.deliver(what, Some(session), &envelope);
        if watched {
            self.emit(&envelope);
        }
    }

    /// Writes an answer down.
    fn answer(&mut self, run: &Arc<Run>, answer: Answer, mood: Mood, ctx: &mut Context<Self>) -> Result<(), Error> {
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
        let Some(inquiry) = self.inquiries.get_mut(&asked_at) else { return };
        let Some(open) = inquiry.current.take() else { return };
        let session = inquiry.asker.session();
        let duration_ms = message.created_at.since(open.live.run.created_at);
        open.live.settle(Ok(&message));
        let run = self.run_over(open, RunStatus::Completed, duration_ms);
        self.added(&message, Some(session));
        self.tell_end(asked_at, Event::RunAnswered { run, answer: message, mood, duration_ms });
        self.go_on(asked_at, ctx);
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

    /// Shows the members and subscribers that an agent is at work here, or no longer.
    pub(super) fn show_typing(&mut self, run: &Run, typing: bool) {
        if self.members.want(Interest::MANNERS, None) || self.tenant.subscriptions.wants_topics() {
            let who = Typist::Agent(run.agent.clone());
            let envelope = Envelope::new(Event::Typing { conversation: self.id.clone(), who, typing });
            self.members.deliver(Interest::MANNERS, None, &envelope);
            self.emit(&envelope);
        }
    }
}

fn cancelled_error() -> Error {
    Error::new(Code::Cancelled, "The run was cancelled")
}
