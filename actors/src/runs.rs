//! Runs that have not ended, and where to read of those that have.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use crate::protocol::{Approval, Code, Error, Message, Run, RunId, RunStatus, Step, Subject, Timestamp, Tokens};
use crate::tape::Tape;

/// A run that has not ended, as anybody may look at it.
#[derive(Debug)]
pub struct LiveRun {
    /// The run.
    pub run: Arc<Run>,
    /// The only subject that may see it; `None`: everybody of the tenant.
    pub owner: Option<Subject>,
    /// What came of it so far.
    pub tape: Arc<Tape>,
    progress: Mutex<RunProgress>,
    receipt: Mutex<Option<Receipt>>,
}

/// Tells whoever gave an answer what became of it: the message it is written in, or why it is not. Told in any case.
pub struct Receipt(Option<Told>);

/// Told of the answer once it is written, or why it is not.
type Told = Box<dyn FnOnce(Result<&Message, Error>) + Send>;

impl Receipt {
    /// Calls `told` once. It must neither block nor panic.
    pub fn new(told: impl FnOnce(Result<&Message, Error>) + Send + 'static) -> Self {
        Self(Some(Box::new(told)))
    }

    fn tell(mut self, result: Result<&Message, Error>) {
        if let Some(told) = self.0.take() {
            told(result);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(told) = self.0.take() {
            told(Err(Error::new(Code::RunNotFound, "The run had ended before the answer was written")));
        }
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receipt")
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
pub struct RunProgress {
    /// When its agent began, if it has.
    pub started_at: Option<Timestamp>,
    /// What the agent has done so far.
    pub steps: Vec<Step>,
    /// What it waits for, if it waits.
    pub approval: Option<Arc<Approval>>,
}

impl LiveRun {
    /// A run that waits for its agent.
    pub fn new(run: Arc<Run>, owner: Option<Subject>, tape: Tape) -> Self {
        Self { run, owner, tape: Arc::new(tape), progress: Mutex::default(), receipt: Mutex::default() }
    }

    /// Whether a subject of the tenant may know of it.
    pub fn is_visible_to(&self, subject: &Subject) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner == subject)
    }

    /// Notes that the agent began.
    pub fn start(&self, at: Timestamp) {
        self.with(|progress| {
            progress.started_at.get_or_insert(at);
        });
    }

    /// Notes that it waits for approval, or no longer.
    pub fn waits(&self, approval: Option<Arc<Approval>>) {
        self.with(|progress| progress.approval = approval);
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
            approval: progress.approval.take(),
        })
    }

    /// Leaves a receipt to be told when the run has ended. One answer is taken, so there is one receipt.
    pub fn leave_receipt(&self, receipt: Receipt) {
        *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
    }

    /// Tells the receipt, if one was left: the message that is written, or why there is none.
    pub fn settle(&self, result: Result<&Message, Error>) {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receipt) = receipt {
            receipt.tell(result);
        }
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
    /// What it waits for, if it waits.
    pub approval: Option<Arc<Approval>>,
}

impl RunReport {
    /// The report of a run that has not ended.
    pub fn live(live: &LiveRun) -> Self {
        let RunProgress { started_at, steps, approval } = live.progress();
        let status = match (&approval, started_at) {
            (Some(_), _) => RunStatus::InputRequired,
            (None, Some(_)) => RunStatus::Processing,
            (None, None) => RunStatus::Pending,
        };
        Self { run: live.run.clone(), status, started_at, ended_at: None, error: None, steps, approval }
    }

    /// The report of a run that nobody is at, and of which no end is written.
    pub fn interrupted(self) -> Self {
        let error = Error::new(Code::Interrupted, "The server stopped before the run ended");
        Self { status: RunStatus::Failed, error: Some(error), ..self }
    }

    /// What models read and wrote for it so far.
    pub fn tokens(&self) -> Tokens {
        let mut all = Tokens::default();
        self.steps.iter().filter_map(|step| step.tokens).for_each(|tokens| all += tokens);
        all
    }
}
