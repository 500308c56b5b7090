//! What a model wants used: done all at once, shown, and told to it.

use futures_util::future::join_all;
use serde_json::Value;

use super::{Course, SHOWN, ends_all, importance};
use crate::brain::model::hands::{Hand, excuse, marked, spelled};
use crate::brain::model::voice::{Call, CallResult, Reply, Said};
use crate::protocol::{AgentName, Code, Error, Event, Handoff, Step, StepKind, ToolCall, TraceParent};
use crate::spans::execute_tool;
use crate::tape;
use crate::text::shortened;
use crate::tool::{Output, Scene};

/// Uses of tools done of one reply; the model is told that the others were not.
const MOST_AT_ONCE: usize = 8;

/// Bytes of results that the steps of one run keep whole: what is written must fit into one record of the journal.
const KEPT: usize = 256 * 1024;

/// What came of one call.
struct Done {
    /// For the model.
    text: String,
    ok: bool,
    /// Whether the call itself made no sense.
    misread: bool,
    handoff: Option<Handoff>,
    /// Ends the run.
    fatal: Option<Error>,
}

impl Done {
    fn result(text: String, ok: bool) -> Self {
        Self { text, ok, misread: false, handoff: None, fatal: None }
    }

    fn fatal(error: Error) -> Self {
        Self { fatal: Some(error.clone()), ..Self::result(excuse(&error), false) }
    }
}
impl Course<'_> {
    /// Uses what the model wants used, all at once, and tells it what came of it. A handoff ends the run.
    pub(super) async fn act(&mut self, reply: Reply) -> Result<Option<Handoff>, Error> {
        self.heard = true;
        self.reflect(&reply.thought);
        let names: Vec<&str> = reply.calls.iter().map(|call| call.tool.as_str()).collect();
        let uses = format!("I use {}.", shortened(&names.join(", "), SHOWN));
        let plan = if reply.text.trim().is_empty() { uses } else { reply.text.trim().to_owned() };
        let step = Step::now(StepKind::Planning, shortened(&plan, 4 * SHOWN), importance::PLAN);
        self.sink.step(Step { tokens: Some(reply.tokens), ..step });
        self.said = self.joined(&reply.text);

        let this = &*self;
        let doing = reply.calls.iter().take(MOST_AT_ONCE).map(|call| this.attempt(call));
        let mut done = join_all(doing).await;
        let left_out = reply.calls.len() - done.len();
        done.extend(
            (0..left_out)
                .map(|_| Done::result(format!("Not done: at most {MOST_AT_ONCE} tools at a time. Ask again."), false)),
        );
        // A run that waits for approval comes back to this; what is shown now would not be shown then.
        if !self.brief.tape.waits().is_empty() {
            return Err(tape::Halted.into());
        }
        for (call, done) in reply.calls.iter().zip(&done) {
            self.show(call, done);
        }
        if let Some(error) = done.iter_mut().find_map(|done| done.fatal.take()) {
            return Err(error);
        }
        let misread = done.iter().find(|done| done.misread);
        if let (Some(done), true) = (misread, self.misled) {
            return Err(self.fails(format!("It called tools wrongly again: {}", done.text)));
        }
        self.misled |= misread.is_some();
        if let Some(handoff) = done.iter_mut().find_map(|done| done.handoff.take()) {
            return Ok(Some(handoff));
        }
        self.tell(reply, done);
        Ok(None)
    }

    /// The model hears what came of its calls.
    fn tell(&mut self, reply: Reply, done: Vec<Done>) {
        let results = reply.calls.iter().zip(done);
        let results =
            results.map(|(call, done)| CallResult { id: call.id.clone(), tool: call.tool.clone(), text: done.text });
        let results = results.collect();
        // What was no JSON goes back as an object: servers refuse anything else.
        let calls = reply.calls.into_iter().map(|call| match call.arguments {
            Value::Object(_) => call,
            _ => Call { arguments: Value::Object(serde_json::Map::new()), ..call },
        });
        self.prompt.said.push(Said::Model { text: reply.text, calls: calls.collect() });
        self.prompt.said.push(Said::Results { results });
    }

    async fn attempt(&self, call: &Call) -> Done {
        if let Err(error) = self.scene.check() {
            return Done::fatal(error);
        }
        let (hand, arguments) = match self.hands.read(call) {
            Ok(read) => read,
            Err(misread) => return Done { misread: true, ..Done::result(format!("Error: {misread}"), false) },
        };
        let intended = |guarded| tape::Call {
            tool: call.tool.clone(),
            arguments: arguments.clone(),
            intent: String::new(),
            guarded,
        };
        let tape = &self.brief.tape;
        let guarded = matches!(&hand, Hand::Tool(tool) if tool.needs_approval());
        let output = match tape.tool(&intended(guarded), self.take(&hand, call, &arguments)).await {
            Ok(output) => output,
            Err(halted) => return Done::fatal(halted.into()),
        };
        match (hand, output) {
            (Hand::Transfer(to), Ok(_)) => {
                let reason = arguments.get("reason").and_then(Value::as_str).unwrap_or_default();
                let handoff = Handoff { to, reason: shortened(reason.trim(), SHOWN).into_owned() };
                Done { handoff: Some(handoff), ..Done::result("Handed over.".to_owned(), true) }
            }
            (Hand::Transfer(_), Err(error)) => Done::fatal(error),
            (Hand::Ask(_), Err(error)) if self.passed_too_often() => Done::fatal(error),
            (_, result) => self.came_of(&call.tool, result),
        }
    }

    /// Does what a call means.
    async fn take(&self, hand: &Hand, call: &Call, arguments: &Value) -> Result<Output, Error> {
        let mut span = execute_tool(&self.brief.trace, &call.tool);
        span.set("gen_ai.tool.call.id", call.id.as_str());
        let result = match hand {
            Hand::Tool(tool) => {
                let scene = Scene { trace: span.trace().clone(), ..self.scene.clone() };
                tool.clone().perform(arguments.clone(), scene).await
            }
            Hand::Ask(agent) => self.consult(agent, arguments, span.trace().passed_on()).await,
            Hand::Transfer(_) => self.pass_on(),
        };
        if let Err(error) = &result {
            span.fail(error);
        }
        result
    }

    /// What a tool brought, for the model.
    fn came_of(&self, tool: &str, result: Result<Output, Error>) -> Done {
        let most = self.model.settings.tool_bytes;
        match result {
            Ok(output) => {
                for change in &output.changes {
                    self.sink.notice(Event::MemoryChanged {
                        agent: self.brief.run.agent.clone(),
                        id: change.fact.id.clone(),
                        content: change.fact.text.clone(),
                        kept: change.kept,
                    });
                }
                Done::result(marked(tool, &spelled(&output), most), true)
            }
            Err(error) if ends_all(&error) => Done::fatal(error),
            Err(error) => {
                let misread = error.code == Code::InvalidMessage;
                // What a tool says of its failure is its output as well.
                Done { misread, ..Done::result(marked(tool, &excuse(&error), most), false) }
            }
        }
    }

    async fn consult(&self, agent: &AgentName, arguments: &Value, place: Option<TraceParent>) -> Result<Output, Error> {
        self.pass_on()?;
        let question = arguments.get("question").and_then(Value::as_str).unwrap_or_default().to_owned();
        let answer = self.brief.company.consult(self.brief, agent, question, place).await;
        // An agent further on may have gone beyond what the request allows.
        if self.passed_too_often() {
            return Err(self.loop_of_agents());
        }
        match answer {
            Ok(answer) => Ok(Output { text: answer.text, data: answer.data, changes: Vec::new() }),
            // That the other was given up is no reason to give this up.
            Err(error) => Err(Error { code: Code::AgentFailed, ..error }),
        }
    }

    /// Counts that the request is passed on.
    fn pass_on(&self) -> Result<Output, Error> {
        let may = self.brief.trail.pass(self.model.settings.handoffs);
        if may { Ok(Output::default()) } else { Err(self.loop_of_agents()) }
    }

    fn passed_too_often(&self) -> bool {
        self.brief.trail.passed() > self.model.settings.handoffs
    }

    fn loop_of_agents(&self) -> Error {
        let most = self.model.settings.handoffs;
        self.fails(format!("The request was passed on among agents more than {most} times"))
    }

    /// Shows a call and what came of it.
    fn show(&mut self, call: &Call, done: &Done) {
        let arguments = match &call.arguments {
            Value::String(text) => text.clone(),
            arguments => arguments.to_string(),
        };
        let arguments = shortened(&arguments, 4 * SHOWN).into_owned();
        let came_out = shortened(&done.text, SHOWN);
        let content = format!("Used {} with {}: {came_out}", call.tool, shortened(&arguments, SHOWN));
        let room = KEPT.saturating_sub(self.kept);
        let result = if done.text.len() <= room { done.text.clone() } else { came_out.into_owned() };
        self.kept += result.len();
        let call = ToolCall { tool: call.tool.clone(), arguments, ok: done.ok, id: call.id.clone(), result };
        let importance = if done.ok { importance::ACTION } else { importance::FAILURE };
        self.sink.step(Step { call: Some(call), ..Step::now(StepKind::Action, content, importance) });
    }
}
