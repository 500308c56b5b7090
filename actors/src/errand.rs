//! Errands: work that an agent does for somebody outside any conversation. Nothing of it is written.
//!
//! An errand takes its place in the agent's queue like every other run and is counted while the house drains. It has no
//! history, is not listed among the runs, and is given up when whoever waits for it goes away.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::agent::assignment::{Assignment, Progress, Report, Reports, Told};
use crate::directory::Listing;
use crate::metrics::{self, Living};
use crate::protocol::{
    AgentName, Answer, ConversationId, Error, MessageId, Priority, Result, Run, RunId, RunKind, RunStatus, Step,
    Timestamp, TraceParent, Trail, Turn,
};
use crate::tape::{Gate, Tape};
use crate::tenant::Tenant;

/// What comes of an errand.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// What the agent did on the way.
    pub steps: Vec<Step>,
    /// What it found.
    pub answer: Answer,
}

/// Has an agent do a task: the one named, or else the one that leads in the tenant. `chat` is what the agent is told of
/// where it was asked; nothing is read from there and nothing is written. `trace` is where the request stands in its
/// trace.
///
/// # Errors
/// No such agent, no room in its queue, a house that drains, or why the agent has no answer.
pub async fn run(
    tenant: &Arc<Tenant>,
    agent: Option<&AgentName>,
    chat: ConversationId,
    task: String,
    trace: Option<TraceParent>,
) -> Result<Outcome> {
    let lead = tenant.directory.lead()?;
    ask(tenant, agent.unwrap_or(&lead), chat, task, Trail::default(), trace).await
}

/// Has an agent do a task for whoever is on the trail.
///
/// # Errors
/// As [`run`].
pub async fn ask(
    tenant: &Arc<Tenant>,
    agent: &AgentName,
    chat: ConversationId,
    task: String,
    trail: Trail,
    trace: Option<TraceParent>,
) -> Result<Outcome> {
    tenant.house.check_open()?;
    let listing = tenant.directory.get(agent.as_str())?;
    let place = listing.card.reserve()?;
    let run = Arc::new(fresh(&listing, chat));
    // Dropped with this future: who waits no longer needs no answer any more.
    let cancel = CancellationToken::new();
    let _given_up: DropGuard = cancel.clone().drop_guard();
    let (done, outcome) = oneshot::channel();
    let errand = Errand {
        tenant: tenant.clone(),
        run: run.clone(),
        steps: Vec::new(),
        done: Some(done),
        _living: Living::new("errand"),
    };
    tenant.house.run_opened();
    let errand = Errand::start_in_arbiter(tenant.house.arbiter(), move |_| errand);
    let assignment = Assignment {
        run: run.clone(),
        priority: Priority::Normal,
        content: task,
        owner: None,
        parameters: Value::Null,
        history: Vec::new(),
        trace,
        stream: false,
        cancelled: cancel,
        trail,
        place: Some(place),
        tape: Arc::new(Tape::new(Gate::Refuse(listing.card.persona.approval.clone()))),
        told: Told::default(),
        reports: Reports::new(run, errand.recipient()),
    };
    // Dropped when it cannot be taken, an assignment reports its end by itself.
    let _ = listing.assign.try_send(assignment);
    outcome.await.unwrap_or_else(|_| Err(Error::internal("The errand was lost before it ended")))
}

fn fresh(listing: &Listing, chat: ConversationId) -> Run {
    Run {
        id: RunId::trusted(format!("errand-{}", MessageId::random())),
        kind: RunKind::Chat,
        agent: listing.card.name().clone(),
        agent_id: listing.card.id,
        conversation: chat,
        asked_by: MessageId::random(),
        asked_at: 0,
        request_id: None,
        turn: Turn::ONLY,
        created_at: Timestamp::now(),
    }
}

/// Collects what an agent reports of one errand.
struct Errand {
    tenant: Arc<Tenant>,
    run: Arc<Run>,
    /// Bounded by what an agent may report of one run.
    steps: Vec<Step>,
    done: Option<oneshot::Sender<Result<Outcome>>>,
    _living: Living,
}

impl Actor for Errand {
    type Context = Context<Self>;
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.tenant.house.run_closed();
    }
}

impl Handler<Report> for Errand {
    type Result = ();

    fn handle(&mut self, Report { progress, .. }: Report, ctx: &mut Self::Context) {
        match progress {
            // Nothing waits here: what would have to be approved is refused.
            Progress::Started | Progress::Delta(_) | Progress::Waits(_) => {}
            Progress::Step(step) => self.steps.push(step),
            Progress::Ended(result) => {
                let status = match &result {
                    Ok(_) => RunStatus::Completed,
                    Err(error) => RunStatus::of(error.code),
                };
                metrics::ended(&self.tenant, &self.run, status, Timestamp::now().since(self.run.created_at));
                let steps = std::mem::take(&mut self.steps);
                if let Some(done) = self.done.take() {
                    let _ = done.send(result.map(|(answer, _)| Outcome { steps, answer }));
                }
                ctx.stop();
            }
        }
    }
}
