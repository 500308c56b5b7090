//! One run from its beginning to its end: the brain thinks, and is given up when it takes too long, is cancelled or panics.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::assignment::{Progress, ProgressReports};
use crate::brain::{self, Brain, Brief, Sink};
use crate::protocol::{Answer, Code, Envelope, Error, Event, Step, Subject};
use crate::subscriptions::Subscriptions;

/// Steps a run may report: what a model may ask for in one, `Loop::MOST_STEPS` times a thought and
/// `MOST_AT_ONCE` uses of tools. The builtin brain takes a handful.
pub(super) const MAX_STEPS: u32 = 320;

/// Pieces an answer may be reported in; what comes after them is joined to the last.
pub(super) const MAX_DELTAS: u32 = 4096;

/// Where a brain's reports go: to the conversation and to those who watch the tenant.
pub(super) struct TurnSink {
    reports: ProgressReports,
    subscriptions: Arc<Subscriptions>,
    /// The only subject that may hear of it; `None`: everybody of the tenant.
    owner: Option<Subject>,
    stream: bool,
    steps: AtomicU32,
    deltas: AtomicU32,
    /// Pieces beyond `MAX_DELTAS`.
    rest: Mutex<String>,
}

impl TurnSink {
    pub(super) fn new(
        reports: ProgressReports,
        subscriptions: Arc<Subscriptions>,
        owner: Option<Subject>,
        stream: bool,
    ) -> Self {
        let (steps, deltas) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { reports, subscriptions, owner, stream, steps, deltas, rest: Mutex::default() }
    }

    /// Reports what was held back, so that the pieces joined are the answer.
    pub(super) fn finish(&self) {
        let rest = std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.reports.send(Progress::Delta(rest));
        }
    }
}

impl Sink for TurnSink {
    fn step(&self, step: Step) {
        if self.steps.fetch_add(1, Ordering::Relaxed) < MAX_STEPS {
            self.reports.send(Progress::Step(step));
        }
    }

    fn delta(&self, piece: &str) {
        if !self.stream || piece.is_empty() {
            return;
        }
        if self.deltas.fetch_add(1, Ordering::Relaxed) < MAX_DELTAS {
            self.reports.send(Progress::Delta(piece.to_owned()));
        } else {
            self.rest.lock().unwrap_or_else(PoisonError::into_inner).push_str(piece);
        }
    }

    fn notice(&self, event: Event) {
        self.subscriptions.emit(&Envelope::new(event), self.owner.as_ref());
    }
}

/// Has the brain think about the brief and returns its answer, or why there is none; `interrupted` ends it as well.
///
/// A brain that blocks keeps its thread until it comes back by itself; the agent does not wait for it.
pub(super) async fn take(
    brain: Arc<dyn Brain>,
    brief: Brief,
    sink: Arc<TurnSink>,
    interrupted: CancellationToken,
) -> Result<Answer, Error> {
    let name = brief.run.agent.clone();
    let deadline = Instant::from_std(brief.deadline);
    let cancelled = brief.cancelled.clone();
    let given_up = cancelled.child_token();
    let brief = Brief { cancelled: given_up.clone(), ..brief };
    let thought = brain::think(brain, brief, sink.clone());
    let result = tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(Error::new(Code::Cancelled, "The run was cancelled")),
        () = interrupted.cancelled() => Err(Error::interrupted()),
        result = thought => result,
        () = tokio::time::sleep_until(deadline) => {
            Err(Error::new(Code::Timeout, format!("{name} took too long and was given up")))
        }
    };
    given_up.cancel();
    sink.finish();
    result
}
