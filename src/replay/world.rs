//! The world of a run that is played again: its brain, its memory, a workspace with the paths that the plan knew of.

use std::path::{Component, Path};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callboard_actors::agent::persona::Persona;
use callboard_actors::brain::company::Nobody;
use callboard_actors::brain::materials::Materials;
use callboard_actors::brain::{Brief, Sink, maker};
use callboard_actors::journal::nowhere::Nowhere;
use callboard_actors::ledger::Ledger;
use callboard_actors::memory::{Fact, Memory, Whose};
use callboard_actors::protocol::{
    AgentId, AgentName, ConversationId, Event, Message, MessageId, Part, Run, RunId, Step, StepKind, TenantId, Trail,
};
use callboard_actors::spans::Trace;
use callboard_actors::tape::{Gate, Known, Opening, Take, Tape};
use tokio_util::sync::CancellationToken;

use super::{Played, noted};
use crate::record::{Record, Said};

/// How long the brain may think; nothing is waited for, so that more is a brain in a loop.
const TIME: Duration = Duration::from_secs(60);

/// Has the brain do the run again.
pub(super) fn play(record: &Record, opening: &Opening, persona: Persona) -> Result<Played, String> {
    let folder = Scratch::new()?;
    furnish(&folder.0, &record.takes);
    let tenant = TenantId::default_tenant();
    let facts = record.known.iter().map(fact);
    let memory = Arc::new(Memory::frozen(&Whose::from(&tenant), facts));
    let ledger = Arc::new(Ledger::new(Arc::new(Nowhere)));
    let materials = Materials { sealed: true, ..Materials::new(folder.0.clone(), memory, ledger) };
    let brain = maker::make(&persona, &materials).map_err(|error| format!("its brain cannot be made: {error}"))?;
    let tape = Arc::new(Tape::sealed(Gate::Ask(persona.approval.clone()), record.takes.iter().cloned()));
    let brief = brief(record, opening, persona, tenant, tape.clone());
    let heard = Arc::new(Heard::default());
    let sink: Arc<dyn Sink> = heard.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| format!("it cannot be played here: {error}"))?;
    let result = runtime.block_on(async { tokio::time::timeout(TIME, brain.think(&brief, &sink)).await });
    runtime.shutdown_background();
    let result = result.map_err(|_| "the brain does not come to an end".to_owned())?;
    let steps = std::mem::take(&mut *heard.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(noted(&tape, result, steps))
}

fn brief(record: &Record, opening: &Opening, persona: Persona, tenant: TenantId, tape: Arc<Tape>) -> Brief {
    let conversation = ConversationId::trusted(record.run.conversation_id.as_str());
    let question = record.question.as_ref();
    let run = Run {
        id: RunId::trusted(record.run.id.as_str()),
        kind: record.run.kind,
        agent_id: AgentId::of(&tenant, &persona.name),
        agent: persona.name.clone(),
        conversation: conversation.clone(),
        asked_by: question.map_or_else(MessageId::random, |question| MessageId::trusted(question.id.as_str())),
        asked_at: question.map_or(1, |question| question.seq),
        request_id: record.run.request_id.clone(),
        turn: record.run.turn,
        created_at: record.run.created_at,
    };
    Brief {
        run: Arc::new(run),
        tenant,
        owner: None,
        persona: Arc::new(persona),
        mood: opening.mood,
        colleagues: opening.colleagues.clone(),
        content: opening.content.clone(),
        parameters: opening.parameters.clone(),
        history: record.messages.iter().map(|said| Arc::new(message(said, &conversation))).collect(),
        stream: false,
        deadline: Instant::now() + TIME,
        cancelled: CancellationToken::new(),
        tape,
        trail: Trail::default(),
        company: Arc::new(Nobody),
        trace: Trace::default(),
    }
}

fn message(said: &Said, conversation: &ConversationId) -> Message {
    Message {
        id: MessageId::trusted(said.id.as_str()),
        conversation: conversation.clone(),
        seq: said.seq,
        role: said.role,
        agent: said.agent.as_deref().map(AgentName::trusted),
        parts: vec![Part::Text(said.content.clone())],
        created_at: said.created_at,
        run: None,
    }
}

fn fact(known: &Known) -> Fact {
    let conversation = ConversationId::trusted("recorded");
    Fact { at: known.at, ..Fact::now(known.agent.clone(), conversation, &known.text, known.importance) }
}

/// Makes the paths that the plan named: whether a word is a path shows in the workspace.
fn furnish(folder: &Path, takes: &[Take]) {
    let plans = takes.iter().filter_map(|take| if let Take::Plan(plan) = take { Some(plan) } else { None });
    let calls = plans.flat_map(|plan| plan.calls.iter().chain(&plan.others));
    for path in calls.filter_map(|call| call.arguments.get("path")?.as_str()) {
        let path = Path::new(path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if inside {
            // A path that cannot be made here is one that the plan does without.
            let _ = std::fs::create_dir_all(folder.join(path));
        }
    }
}

/// A folder that is gone afterwards.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("callboard-replay-{}", uuid::Uuid::new_v4().simple()));
        let made = std::fs::create_dir(&folder).and_then(|()| folder.canonicalize());
        made.map(Self).map_err(|error| format!("there is no room for a folder: {error}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keeps the steps; nobody else hears of anything.
#[derive(Default)]
struct Heard(Mutex<Vec<(StepKind, String)>>);

impl Sink for Heard {
    fn step(&self, step: Step) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((step.kind, step.content));
    }

    fn delta(&self, _: &str) {}

    fn notice(&self, _: Event) {}
}
