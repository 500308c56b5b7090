//! Runs that have not ended, and where to read of those that have.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::protocol::{Error, Run, RunId, RunStatus, Step, Subject, Timestamp};

/// A run that has not ended, as anybody may look at it.
#[derive(Debug)]
pub struct LiveRun {
    /// The run.
    pub run: Arc<Run>,
    /// The only subject that may see it; `None`: everybody of the tenant.
    pub owner: Option<Subject>,
    progress: Mutex<RunProgress>,
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
pub struct RunProgress {
    /// When its agent began, if it has.
    pub started_at: Option<Timestamp>,
    /// What the agent has done so far.
    pub steps: Vec<Step>,
}

impl LiveRun {
    /// A run that waits for its agent.
    pub fn new(run: Arc<Run>, owner: Option<Subject>) -> Self {
        Self { run, owner, progress: Mutex::default() }
    }

    /// Notes that the agent began.
    pub fn start(&self, at: Timestamp) {
        self.with(|progress| progress.started_at = Some(at));
    }

    /// Notes a step.
    pub fn step(&self, step: Step) {
        self.with(|progress| progress.steps.push(step));
    }

    /// How far it has come.
    pub fn progress(&self) -> RunProgress {
        self.with(|progress| progress.clone())
    }

    /// Takes the steps for the record of its end.
    pub fn take(&self) -> RunProgress {
        self.with(|progress| RunProgress {
            started_at: progress.started_at,
            steps: std::mem::take(&mut progress.steps),
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut RunProgress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The runs of a tenant that have not ended. Bounded by the queues of its agents.
pub type LiveRuns = DashMap<RunId, Arc<LiveRun>>;

/// A run as shown at `GET /runs/{id}`.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The run.
    pub run: Arc<Run>,
    /// Where it stands.
    pub status: RunStatus,
    /// When its agent began, if it has.
    pub started_at: Option<Timestamp>,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
    /// Why it has no answer, if it has none.
    pub error: Option<Error>,
    /// What the agent did.
    pub steps: Vec<Step>,
}

impl RunReport {
    /// The report of a run that has not ended.
    pub fn live(live: &LiveRun) -> Self {
        let RunProgress { started_at, steps } = live.progress();
        let status = if started_at.is_some() { RunStatus::Processing } else { RunStatus::Pending };
        Self { run: live.run.clone(), status, started_at, ended_at: None, error: None, steps }
    }
}
