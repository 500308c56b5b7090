//! Minding runs: starting them in turn, and passing on what agents report.

use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::ending::cancelled_error;
use super::inquiry::{Ahead, OpenRun};
use crate::agent::assignment::{Assignment, Progress, Report, Reports, Told};
use crate::protocol::{Envelope, Event, Interest, Message, Run, Step, Timestamp, Typist};

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
        let others = self.kept().filter(|message| message.seq != origin);
        let skip = self.kept().count().saturating_sub(HISTORY + 1);
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
