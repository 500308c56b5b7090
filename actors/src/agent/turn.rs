//! One run from its beginning to its end: the brain thinks, and is given up when it takes too long, is cancelled or panics.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::assignment::{Progress, ProgressReports, Told};
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
    /// What was told before the run had to wait, and is not told again.
    told: Told,
    steps: AtomicU32,
    deltas: AtomicU32,
    /// Bytes of the pieces so far, those that were told before among them.
    bytes: AtomicUsize,
    /// Pieces beyond `MAX_DELTAS`.
    rest: Mutex<String>,
}

impl TurnSink {
    pub(super) fn new(
        reports: ProgressReports,
        subscriptions: Arc<Subscriptions>,
        owner: Option<Subject>,
        stream: bool,
        told: Told,
    ) -> Self {
        let (steps, deltas, bytes) = (AtomicU32::new(0), AtomicU32::new(0), AtomicUsize::new(0));
        Self { reports, subscriptions, owner, stream, told, steps, deltas, bytes, rest: Mutex::default() }
    }

    /// How much has been told by now, before and since.
    pub(super) fn told(&self) -> Told {
        let steps = self.steps.load(Ordering::Relaxed).max(self.told.steps);
        Told { steps, bytes: self.bytes.load(Ordering::Relaxed).max(self.told.bytes) }
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
        if (self.told.steps..MAX_STEPS).contains(&self.steps.fetch_add(1, Ordering::Relaxed)) {
            self.reports.send(Progress::Step(step));
        }
    }

    fn delta(&self, piece: &str) {
        if !self.stream || piece.is_empty() {
            return;
        }
        let before = self.bytes.fetch_add(piece.len(), Ordering::Relaxed);
        let Some(piece) = piece.get(self.told.bytes.saturating_sub(before)..).filter(|news| !news.is_empty()) else {
            return;
        };
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
