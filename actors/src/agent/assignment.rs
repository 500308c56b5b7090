//! What an agent is given to do, and what it reports back.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::card::Place;
use crate::protocol::{Answer, Code, Error, Message, Mood, Priority, Run, Step, Subject, TraceParent, Trail};
use crate::tape::Tape;

/// A run for an agent to do.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Assignment {
    /// The run.
    pub run: Arc<Run>,
    /// Its place in the agent's queue.
    pub priority: Priority,
    /// What is asked.
    pub content: String,
    /// Arguments that the client spelled out.
    pub parameters: Value,
    /// The owner of the conversation, if it is private.
    pub owner: Option<Subject>,
    /// The latest messages of the conversation before the one that asks, oldest first.
    pub history: Vec<Arc<Message>>,
    /// Where the request stands in a trace that its client began.
    pub trace: Option<TraceParent>,
    /// Whether somebody wants the answer piece by piece.
    pub stream: bool,
    /// Set when the run is cancelled.
    pub cancelled: CancellationToken,
    /// How far the request has been passed on among agents.
    pub trail: Trail,
    /// Held until the run begins.
    pub place: Option<Place>,
    /// What came of the run before, and what comes of it now.
    pub tape: Arc<Tape>,
    /// What was told of it before: the agent begins again, and does not say that twice.
    pub told: Told,
    /// Where reports go, the last of them in any case.
    pub reports: Reports,
}

/// How much of a run was told before it had to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// Steps.
    pub steps: u32,
    /// Bytes of the answer, in pieces.
    pub bytes: usize,
}

/// What an agent reports of a run.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Report {
    /// The run.
    pub run: Arc<Run>,
    /// What there is to report.
    pub progress: Progress,
}

/// What there is to report of a run.
#[derive(Debug)]
pub enum Progress {
    /// The agent is at it.
    Started,
    /// It took a step.
    Step(Step),
    /// The next piece of the answer.
    Delta(String),
    /// It has to wait for what its tape says; the agent is done with it until it is assigned again.
    Waits(Told),
    /// It is over: the answer and the agent's mood, or why there is none.
    Ended(Result<(Answer, Mood), Error>),
}

/// The way back from an agent to whoever gave it a run. Whatever happens to the agent, exactly one `Ended` or `Waits`
/// goes out.
#[derive(Debug)]
pub struct Reports {
    run: Arc<Run>,
    to: Recipient<Report>,
    ended: bool,
}

impl Reports {
    /// The way back for `run`.
    pub fn new(run: Arc<Run>, to: Recipient<Report>) -> Self {
        Self { run, to, ended: false }
    }

    /// The last report.
    pub fn end(mut self, result: Result<(Answer, Mood), Error>) {
        self.send(Progress::Ended(result));
        self.ended = true;
    }

    /// The last report of a run that will be assigned again.
    pub(super) fn wait(mut self, told: Told) {
        self.send(Progress::Waits(told));
        self.ended = true;
    }

    /// Another handle, for reports on the way.
    pub(super) fn progress(&self) -> ProgressReports {
        ProgressReports { run: self.run.clone(), to: self.to.clone() }
    }

    /// `do_send` passes a full mailbox by. That is bounded here: one `Ended` a run, and runs are bounded by the queues
    /// of the agents. Losing one would break the promise of one ending each.
    fn send(&self, progress: Progress) {
        self.to.do_send(Report { run: self.run.clone(), progress });
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        if !self.ended {
            let error = Error::new(Code::AgentFailed, format!("{} was lost before it answered", self.run.agent));
            self.send(Progress::Ended(Err(error)));
        }
    }
}

/// The way back for reports that come before the last.
#[derive(Clone, Debug)]
pub(super) struct ProgressReports {
    run: Arc<Run>,
    to: Recipient<Report>,
}

impl ProgressReports {
    /// Sends a report past a full mailbox: how many there may be in a run is bounded by `turn::TurnSink`.
    pub(super) fn send(&self, progress: Progress) {
        self.to.do_send(Report { run: self.run.clone(), progress });
    }
}
