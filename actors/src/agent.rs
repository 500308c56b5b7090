//! Agents: each has a queue, a brain, a mood, and does one run at a time unless its file says otherwise.
//!
//! An agent knows the runs it is given and where to report; where the requests come from and where the answers are
//! written is none of its business.

pub mod assignment;
pub mod card;
pub mod mood;
pub mod persona;
pub mod queue;
mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::assignment::{Assignment, Progress, Reports, Told};
use self::card::AgentCard;
use self::queue::Queue;
use self::turn::{Threads, TurnSink};
use crate::brain::company::Company;
use crate::brain::{Brain, Brief};
use crate::directory::{Colleagues, Directory};
use crate::metrics::{self, Living};
use crate::protocol::{
    Answer, Code, Envelope, Error, Event, Mood, Priority, Run, RunKind, TenantId, Timestamp, TraceParent,
};
use crate::spans::{Span, SpanKind, Trace};
use crate::subscriptions::Subscriptions;
use crate::tape::Opening;

/// What an agent is made of.
#[derive(Clone)]
pub struct AgentParts {
    /// Its tenant.
    pub tenant: TenantId,
    /// What others see of it.
    pub card: Arc<AgentCard>,
    /// What makes its answers.
    pub brain: Arc<dyn Brain>,
    /// Whom its brain may turn to.
    pub company: Arc<dyn Company>,
    /// Who watches what of it.
    pub subscriptions: Arc<Subscriptions>,
    /// Where it finds its colleagues.
    pub directory: Arc<Directory>,
    /// After how long a waiting run moves up one level.
    pub aging: Duration,
    /// The threads that brains may think on, of all agents.
    pub threads: Arc<Semaphore>,
    /// Set when the house stops and no run goes on.
    pub interrupted: CancellationToken,
    /// Where the spans of its runs begin.
    pub spans: Trace,
}

/// An agent of one tenant.
pub struct Agent {
    parts: AgentParts,
    queue: Queue<Assignment>,
    colleagues: Colleagues,
    threads: Threads,
    running: usize,
    _living: Living,
    /// Told when the agent is gone, so that whoever minds it starts another; a panic leaves no other trace.
    _watch: DeathWatch,
}

/// Tells somebody that an actor is gone, however it went.
pub struct DeathWatch(Option<Box<dyn FnOnce() + Send>>);

impl DeathWatch {
    /// Calls `gone` when dropped. It must not panic.
    pub fn new(gone: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(gone)))
    }
}

impl Drop for DeathWatch {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            gone();
        }
    }
}

impl Agent {
    /// An agent that has nothing to do yet.
    pub fn new(parts: AgentParts, watch: DeathWatch) -> Self {
        let queue = Queue::new(parts.aging);
        let colleagues = Colleagues::new(parts.directory.clone());
        let threads = Threads::new(parts.card.persona.limits.concurrency, parts.threads.clone());
        Self { parts, queue, colleagues, threads, running: 0, _living: Living::new("agent"), _watch: watch }
    }

    /// Begins waiting runs while there is room for them.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        while self.running < self.parts.card.persona.limits.concurrency.max(1) {
            let Some(assignment) = self.queue.pop(Instant::now()) else { break };
            if assignment.cancelled.is_cancelled() {
                assignment.reports.end(Err(Error::new(Code::Cancelled, "The run was cancelled")));
            } else if self.parts.interrupted.is_cancelled() {
                assignment.reports.end(Err(Error::interrupted()));
            } else {
                self.begin(assignment, ctx);
            }
        }
    }

    fn begin(&mut self, assignment: Assignment, ctx: &mut Context<Self>) {
        let Assignment {
            run,
            content,
            parameters,
            owner,
            history,
            stream,
            cancelled,
            trail,
            place,
            tape,
            told,
            reports,
            trace,
            ..
        } = assignment;
        drop(place);
        let mut span = self.span(&run, trace);
        let card = self.parts.card.clone();
        self.running += 1;
        card.begin(run.kind);
        let progress = reports.progress();
        progress.send(Progress::Started);
        let now = Timestamp::now();
        if tape.opening().is_none() {
            metrics::waited(&run);
            self.shift_mood(|mood| mood.on_message(&content, now));
        }
        self.announce();

        let stream = stream || self.parts.subscriptions.wants_tokens();
        let brief = Brief {
            tenant: self.parts.tenant.clone(),
            owner: owner.clone(),
            persona: card.persona.clone(),
            mood: card.feel(|mood| mood.current(Timestamp::now())),
            colleagues: self.colleagues.others(card.name()),
            deadline: Instant::now() + card.persona.limits.run_time(),
            run: run.clone(),
            content,
            parameters,
            history,
            stream,
            cancelled,
            trail,
            company: self.parts.company.clone(),
            tape: tape.clone(),
            trace: span.trace().clone(),
        };
        tape.open(opening(&brief, now));
        let sink = Arc::new(TurnSink::new(progress, self.parts.subscriptions.clone(), owner, stream, told));
        let (brain, threads) = (self.parts.brain.clone(), self.threads.clone());
        let work = turn::take(brain, brief, sink.clone(), threads, self.parts.interrupted.clone());
        ctx.spawn(work.into_actor(self).map(move |result, agent, ctx| {
            let waits = result.is_err() && !tape.waits().is_empty();
            if let Err(error) = &result
                && !waits
            {
                span.fail(error);
            }
            drop(span);
            match result {
                Err(_) if waits => agent.lay_down(&run, reports, sink.told()),
                result => agent.end(run.kind, &run, reports, result),
            }
            agent.pump(ctx);
        }));
    }

    /// The run waits for somebody's approval, and the agent goes on with others.
    fn lay_down(&mut self, run: &Run, reports: Reports, told: Told) {
        self.running -= 1;
        self.parts.card.end(run.kind);
        log::debug!("run {} of {} waits for approval", run.id, run.agent);
        reports.wait(told);
        self.announce();
    }

    /// The span of a run; what is done for it stands within.
    fn span(&self, run: &Run, came: Option<TraceParent>) -> Span {
        let mut span = self.parts.spans.at(came).begin(SpanKind::Internal, || format!("invoke_agent {}", run.agent));
        if span.is_made() {
            span.set("gen_ai.operation.name", "invoke_agent");
            span.set("gen_ai.provider.name", "callboard");
            span.set("gen_ai.agent.name", run.agent.as_str());
            span.set("gen_ai.agent.id", run.agent_id.to_string().as_str());
            span.set("gen_ai.agent.description", self.parts.card.persona.description.as_str());
            span.set("gen_ai.conversation.id", run.conversation.as_str());
            span.set("callboard.run.id", run.id.as_str());
            span.set("callboard.tenant.id", self.parts.tenant.as_str());
        }
        span
    }

    fn end(&mut self, kind: RunKind, run: &Run, reports: Reports, result: Result<Answer, Error>) {
        self.running -= 1;
        self.parts.card.end(kind);
        let now = Timestamp::now();
        match &result {
            Ok(_) => self.shift_mood(|mood| mood.on_success(now)),
            Err(error) if error.code == Code::Cancelled => {}
            Err(_) => self.shift_mood(|mood| mood.on_failure(now)),
        }
        log::debug!("run {} of {} ended", run.id, run.agent);
        let mood = self.parts.card.feel(|mood| mood.current(now));
        reports.end(result.map(|answer| (answer, mood)));
        self.announce();
    }

    fn shift_mood(&self, change: impl FnOnce(&mut mood::MoodState) -> Option<(Mood, Mood)>) {
        let Some((previous, current)) = self.parts.card.feel(change) else { return };
        if self.parts.subscriptions.wants_topics() {
            let agent = self.parts.card.name().clone();
            self.parts.subscriptions.emit(&Envelope::new(Event::MoodChanged { agent, previous, current }), None);
        }
    }

    /// Tells subscribers how the agent is now.
    fn announce(&self) {
        if self.parts.subscriptions.wants_topics() {
            let status = Box::new(self.parts.card.status());
            self.parts.subscriptions.emit(&Envelope::new(Event::AgentChanged { status }), None);
        }
    }
}

/// What the agent knows as it begins.
fn opening(brief: &Brief, at: Timestamp) -> Opening {
    Opening {
        agent: brief.persona.clone(),
        content: brief.content.clone(),
        parameters: brief.parameters.clone(),
        mood: brief.mood,
        colleagues: brief.colleagues.clone(),
        history: brief.history.iter().map(|message| message.seq).collect(),
        private: brief.owner.is_some(),
        at,
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Every assignment holds a place in the queue, so the mailbox never has to take more than that.
        ctx.set_mailbox_capacity(self.parts.card.persona.limits.queue.max(16));
    }
}

impl Handler<Assignment> for Agent {
    type Result = ();

    fn handle(&mut self, assignment: Assignment, ctx: &mut Self::Context) {
        // Were it to wait for what the agent is at, two that ask each other would wait for ever. How many there may be
        // is bounded: each holds a place in the queue, and those who ask are runs of other agents.
        if assignment.trail.is_awaited() && !assignment.cancelled.is_cancelled() {
            return self.begin(assignment, ctx);
        }
        let priority: Priority = assignment.priority;
        self.queue.push(priority, assignment, Instant::now());
        self.pump(ctx);
    }
}
