//! What everybody may see of an agent without asking it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::mood::MoodState;
use super::persona::Persona;
use crate::protocol::{AgentId, AgentName, AgentState, AgentStatus, Code, Error, RunKind, TenantId, Timestamp};

/// What everybody may see of an agent without asking it. The agent writes it; others read, and reserve places in its queue.
#[derive(Debug)]
pub struct AgentCard {
    /// Who it is.
    pub persona: Arc<Persona>,
    /// Its id.
    pub id: AgentId,
    /// Whether it lives in another process.
    pub remote: bool,
    since: Instant,
    /// Accepted runs that have not begun: here, and in conversations that wait for an earlier answer.
    waiting: AtomicUsize,
    /// Runs that wait for somebody's approval.
    parked: AtomicUsize,
    work: Mutex<Work>,
}

#[derive(Debug)]
struct Work {
    running: Vec<RunKind>,
    mood: MoodState,
}

impl AgentCard {
    /// The card of an agent that starts now.
    pub fn new(tenant: &TenantId, persona: Arc<Persona>, remote: bool) -> Self {
        Self {
            id: AgentId::of(tenant, &persona.name),
            persona,
            remote,
            since: Instant::now(),
            waiting: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            work: Mutex::new(Work { running: Vec::new(), mood: MoodState::new() }),
        }
    }

    /// The card of the agent that takes the place of this one, which was lost: nothing is running.
    pub fn renewed(&self) -> Arc<Self> {
        Arc::new(Self {
            persona: self.persona.clone(),
            id: self.id,
            remote: self.remote,
            since: Instant::now(),
            waiting: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            work: Mutex::new(Work { running: Vec::new(), mood: MoodState::new() }),
        })
    }

    /// Its name.
    pub fn name(&self) -> &AgentName {
        &self.persona.name
    }

    /// Takes a place in the agent's queue, or says that it is full. Given back by dropping it.
    pub fn reserve(self: &Arc<Self>) -> Result<Place, Error> {
        let limit = self.persona.limits.queue;
        let taken = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| (waiting < limit).then_some(waiting + 1));
        match taken {
            Ok(_) => Ok(Place(self.clone())),
            Err(_) => Err(Error::new(Code::QueueFull, format!("The queue of {} is full", self.name()))
                .with_details(format!("{limit} runs wait for this agent; try again after a while"))),
        }
    }

    /// Takes a place among the runs that wait for approval: as many as may wait for the agent itself. Given back by
    /// dropping it.
    pub fn park(self: &Arc<Self>) -> Result<Parked, Error> {
        let limit = self.persona.limits.queue;
        let taken = self
            .parked
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |parked| (parked < limit).then_some(parked + 1));
        match taken {
            Ok(_) => Ok(Parked(self.clone())),
            Err(_) => Err(Error::new(Code::QueueFull, format!("Too many runs of {} wait for approval", self.name()))
                .with_details(format!("{limit} runs wait already; decide about some of them"))),
        }
    }

    /// How it is now.
    pub fn status(&self) -> AgentStatus {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let current = work.running.first();
        AgentStatus {
            name: self.name().clone(),
            id: self.id,
            state: if current.is_some() { AgentState::Active } else { AgentState::Idle },
            current_task: current.map(|kind| current_task(*kind).to_owned()),
            queue_length: self.waiting.load(Ordering::Acquire),
            uptime_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            mood: work.mood.current(Timestamp::now()),
        }
    }

    /// Notes that a run has begun.
    pub(super) fn begin(&self, kind: RunKind) {
        self.with(|work| work.running.push(kind));
    }

    /// Notes that a run has ended.
    pub(super) fn end(&self, kind: RunKind) {
        self.with(|work| {
            if let Some(index) = work.running.iter().position(|running| *running == kind) {
                work.running.remove(index);
            }
        });
    }

    /// Changes the mood and returns what `change` returns.
    pub(super) fn feel<T>(&self, change: impl FnOnce(&mut MoodState) -> T) -> T {
        self.with(|work| change(&mut work.mood))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Work) -> T) -> T {
        change(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What an agent is said to be doing, with the word of document 002 for its chats.
fn current_task(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Chat => "processing_request",
        RunKind::Command => "processing_command",
        RunKind::Task => "processing_task",
    }
}

/// A place in an agent's queue, given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<AgentCard>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place among the runs that wait for approval, given back when dropped.
#[derive(Debug)]
pub struct Parked(Arc<AgentCard>);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::AcqRel);
    }
}
