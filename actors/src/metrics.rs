//! What the runtime counts. Names and labels stand here and nowhere else; no label is an id.

use std::cell::RefCell;
use std::collections::HashMap;

use metrics::{Counter, Histogram, Unit};

use crate::brain::model::fault::Trouble;
use crate::protocol::{AgentName, Run, RunKind, RunStatus, Timestamp, Tokens};
use crate::tenant::Tenant;

/// Counts an actor while it lives: a part of it, so that it is counted out however it goes.
pub struct Living(metrics::Gauge);

impl Living {
    /// One more of this kind.
    pub fn new(kind: &'static str) -> Self {
        let gauge = metrics::gauge!("callboard_actors", "kind" => kind);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl std::fmt::Debug for Living {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Living")
    }
}

/// A run has begun after waiting.
pub fn waited(run: &Run) {
    let seconds = ms(Timestamp::now().since(run.created_at));
    KEPT.with_borrow_mut(|kept| {
        kept.waits.get_or_insert_with(|| metrics::histogram!("callboard_run_wait_seconds")).record(seconds);
    });
}

/// The label of agents in other processes: their names are chosen by whoever holds a token, and must not make series.
pub const REMOTE: &str = "remote";

/// A run of one of the tenant's agents has ended.
pub fn ended(tenant: &Tenant, run: &Run, status: RunStatus, duration_ms: u64) {
    tenant.pulse.ended(&run.agent, status, duration_ms, Timestamp::now());
    let own = tenant.directory.look(run.agent.as_str(), |listing| !listing.card.remote).unwrap_or(false);
    KEPT.with_borrow_mut(|kept| {
        let agent = if own { run.agent.as_str() } else { REMOTE };
        kept.count(agent, run.kind, status);
        kept.runs.get_or_insert_with(|| metrics::histogram!("callboard_run_seconds")).record(ms(duration_ms));
    });
}

thread_local! {
    /// What is counted with each run: looking a series up costs more than counting.
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    waits: Option<Histogram>,
    runs: Option<Histogram>,
    /// Bounded by the agents of the configuration, the kinds of runs and their ends.
    ended: HashMap<String, Vec<(RunKind, RunStatus, Counter)>>,
}

impl Kept {
    fn count(&mut self, agent: &str, kind: RunKind, status: RunStatus) {
        let known = self.ended.get(agent).and_then(|ends| ends.iter().find(|end| (end.0, end.1) == (kind, status)));
        if let Some((.., counter)) = known {
            return counter.increment(1);
        }
        let labels =
            [("agent", agent.to_owned()), ("kind", kind.as_str().to_owned()), ("outcome", status.as_str().to_owned())];
        let counter = metrics::counter!("callboard_runs_total", &labels);
        counter.increment(1);
        self.ended.entry(agent.to_owned()).or_default().push((kind, status, counter));
    }
}

/// A model was asked by an agent of the configuration: with success, or with this trouble.
pub fn model_asked(agent: &AgentName, trouble: Option<Trouble>) {
    let outcome = match trouble {
        None => "answered",
        Some(Trouble::Unreachable) => "unreachable",
        Some(Trouble::Status(429)) => "overloaded",
        Some(Trouble::Status(_)) => "refused_by_server",
        Some(Trouble::Stalled) => "stalled",
        Some(Trouble::Broken) => "broken",
        Some(Trouble::Failed) => "failed",
        Some(Trouble::Refused | Trouble::Impossible) => "refused",
    };
    let labels = [("agent", agent.to_string()), ("outcome", outcome.to_owned())];
    metrics::counter!("callboard_model_requests_total", &labels).increment(1);
}

/// What a model has read and written for an agent.
pub fn model_used(agent: &AgentName, tokens: Tokens) {
    for (kind, count) in [("input", tokens.input), ("output", tokens.output)] {
        let labels = [("agent", agent.to_string()), ("kind", kind.to_owned())];
        metrics::counter!("callboard_model_tokens_total", &labels).increment(count);
    }
}

/// What the runtime counts, for who reads it: names, units and meanings. Those of the journal are counted there.
pub fn describe() {
    metrics::describe_gauge!(
        "callboard_actors",
        Unit::Count,
        "Actors in memory, by kind: sessions, agents, conversations, channels with inboxes, errands."
    );
    metrics::describe_histogram!(
        "callboard_run_wait_seconds",
        Unit::Seconds,
        "From the acceptance of a run to its agent's beginning."
    );
    metrics::describe_counter!(
        "callboard_runs_total",
        Unit::Count,
        "Runs that have ended, by agent, kind and outcome."
    );
    metrics::describe_counter!(
        "callboard_model_requests_total",
        Unit::Count,
        "Requests to models, by agent and outcome; each retry is one."
    );
    metrics::describe_counter!(
        "callboard_model_tokens_total",
        Unit::Count,
        "Tokens that models have read (input) and written (output), by agent."
    );
    metrics::describe_histogram!("callboard_run_seconds", Unit::Seconds, "From the acceptance of a run to its end.");
    metrics::describe_histogram!(
        "callboard_commit_seconds",
        Unit::Seconds,
        "One commit of the journal, synced to disk."
    );
    metrics::describe_counter!(
        "callboard_journal_records_total",
        Unit::Count,
        "Records appended to the journal since this process started."
    );
    metrics::describe_gauge!(
        "callboard_journal_queue_depth",
        Unit::Count,
        "Batches that waited for the journal's writer when it last looked."
    );
}

fn ms(milliseconds: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let seconds = milliseconds as f64 / 1000.0;
    seconds
}
