//! One run: the model is asked, its tools are used, and it is asked again, until it answers.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use super::Model;
use super::hands::{Hand, Hands, excuse, marked, misfit, spelled};
use super::patience::{Patience, chance};
use super::prompt;
use super::voice::{Call, CallResult, Prompt, Reply, Said};
use crate::brain::{Brief, Sink};
use crate::metrics;
use crate::protocol::{
    AgentName, Answer, Code, Error, Event, Handoff, Step, StepKind, Timestamp, Tokens, ToolCall, TraceParent,
};
use crate::spans::{self, Span, execute_tool};
use crate::tape;
use crate::text::shortened;
use crate::tool::{Output, Scene};

/// Uses of tools done of one reply; the model is told that the others were not.
pub(super) const MOST_AT_ONCE: usize = 8;

/// Characters of a result shown in the step that brought it.
const SHOWN: usize = 400;

/// Bytes of results that the steps of one run keep whole: what is written must fit into one record of the journal.
const KEPT: usize = 256 * 1024;

/// What stands between what was said before a tool was used and what is said after.
const BETWEEN: &str = "\n\n";

/// How much a step matters to those who filter by importance.
mod importance {
    pub(super) const THOUGHT: f32 = 0.4;
    pub(super) const PLAN: f32 = 0.6;
    pub(super) const ACTION: f32 = 0.8;
    pub(super) const FAILURE: f32 = 0.9;
    pub(super) const ANSWER: f32 = 1.0;
}

/// What comes of a run.
pub(super) enum Outcome {
    /// There is an answer.
    Answered(Answer),
    /// There is none, and something has been heard or done.
    Failed(Error),
    /// The model could not be asked, and nothing has been heard or done: another may try.
    NotBegun(Error),
}

/// One run under way.
pub(super) struct Course<'a> {
    model: &'a Model,
    brief: &'a Brief,
    sink: &'a Arc<dyn Sink>,
    scene: Scene,
    hands: Hands,
    prompt: Prompt,
    /// What was said so far, which the answer begins with: it has been streamed.
    said: String,
    tokens: Tokens,
    /// Whether anybody has heard of anything.
    heard: bool,
    /// Whether a call made no sense already.
    misled: bool,
    /// Bytes of results that steps have kept.
    kept: usize,
}

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

impl<'a> Course<'a> {
    pub(super) fn begin(model: &'a Model, brief: &'a Brief, sink: &'a Arc<dyn Sink>) -> Self {
        let hands = Hands::of(brief, &model.settings, model.tools(brief));
        let (mut prompt, left_out) = prompt::begin(brief, &model.settings, &brief.tape.facts());
        brief.tape.context(left_out);
        prompt.tools = hands.cards();
        let scene = model.scene(brief);
        let (said, tokens) = (String::new(), Tokens::default());
        Self { model, brief, sink, scene, hands, prompt, said, tokens, heard: false, misled: false, kept: 0 }
    }

    pub(super) async fn run(mut self) -> Outcome {
        match self.go_through().await {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) if self.heard || ends_all(&error) => Outcome::Failed(error),
            Err(error) => Outcome::NotBegun(error),
        }
    }

    async fn go_through(&mut self) -> Result<Answer, Error> {
        for _ in 0..self.model.settings.steps {
            self.check_budget()?;
            let reply = self.ask().await?;
            if reply.calls.is_empty() {
                return self.answer(reply);
            }
            if let Some(handoff) = self.act(reply).await? {
                return Ok(self.hand_over(handoff));
            }
        }
        let steps = self.model.settings.steps;
        Err(self.fails(format!("It used tools {steps} times and came to no answer")))
    }

    /// Asks the model, or hears again what it said the first time.
    async fn ask(&mut self) -> Result<Reply, Error> {
        let brief = self.brief;
        let stream = brief.stream && self.model.settings.answer_schema.is_none();
        let mut asked = false;
        let mut request = serde_json::to_value(&self.prompt).unwrap_or_default();
        request["model"] = self.model.settings.name.as_str().into();
        let act = async {
            asked = true;
            let reply = self.ask_now(stream).await?;
            let (tokens, response) = (reply.tokens, serde_json::to_value(&reply).unwrap_or_default());
            Ok(tape::Reply { response, tokens, first_token_ms: None })
        };
        let reply = brief.tape.model(request, act).await?;
        let reply: Reply = serde_json::from_value(reply.response)
            .map_err(|_| Error::internal("What a model replied cannot be read from the record"))?;
        self.tokens += reply.tokens;
        if asked {
            self.spend(reply.tokens);
        } else if stream && !reply.text.is_empty() {
            // Who reads along has heard it, and what was heard is not told twice.
            self.sink.delta(if self.said.is_empty() { "" } else { BETWEEN });
            self.sink.delta(&reply.text);
        }
        Ok(reply)
    }

    /// Asks the model, again where that may help and nobody has heard a word.
    async fn ask_now(&mut self, stream: bool) -> Result<Reply, Error> {
        let model = self.model;
        let mut patience = Patience::new(&model.settings.retries);
        loop {
            let (mut bytes, sink, between) = (0, self.sink, !self.said.is_empty());
            let mut ear = |piece: &str| {
                if stream {
                    if bytes == 0 && between {
                        sink.delta(BETWEEN);
                    }
                    sink.delta(piece);
                }
                bytes += piece.len();
            };
            let mut span = self.chat();
            let result = model.voice.ask(&self.prompt, span.trace().passed_on(), &mut ear).await;
            metrics::model_asked(&self.brief.run.agent, result.as_ref().err().map(|fault| fault.trouble));
            let fault = match result {
                Ok(reply) => {
                    spans::replied(&mut span, reply.tokens, reply.why_it_ended());
                    return Ok(reply);
                }
                Err(fault) => fault,
            };
            span.fail(&fault.clone().into_error(&model.settings.name));
            drop(span);
            if bytes > 0 {
                // The server did not come to count; what was heard was paid for all the same.
                self.spend(Tokens { input: 0, output: (bytes as u64).div_ceil(4) });
                self.heard |= stream;
            }
            let wait = if stream && bytes > 0 { None } else { patience.wait(&fault, chance()) };
            let Some(wait) = wait else { return Err(fault.into_error(&model.settings.name)) };
            log::info!("{} asks its model again in {wait:?}: {}", self.brief.run.agent, fault.observed);
            tokio::time::sleep(wait).await;
        }
    }

    /// A question to the model as a span of the run.
    fn chat(&self) -> Span {
        let settings = &self.model.settings;
        let mut span = spans::chat(&self.brief.trace, settings.provider.as_told(), &settings.name);
        if let Some(most) = settings.max_tokens {
            span.set("gen_ai.request.max_tokens", u64::from(most));
        }
        span
    }

    fn spend(&self, tokens: Tokens) {
        let (brief, ledger) = (self.brief, &self.model.materials.ledger);
        ledger.spend(&brief.tenant, &brief.run.agent, tokens.total(), Timestamp::now());
        metrics::model_used(&brief.run.agent, tokens);
    }

    fn check_budget(&self) -> Result<(), Error> {
        match self.model.settings.budget.run {
            Some(limit) if self.tokens.total() >= limit => {
                Err(self.fails(format!("It used the {limit} tokens that a run may use and came to no answer")))
            }
            _ => Ok(()),
        }
    }

    fn fails(&self, why: String) -> Error {
        Error::new(Code::AgentFailed, format!("{} gave no answer", self.brief.run.agent)).with_details(why)
    }

    /// The last reply is the answer.
    fn answer(&mut self, reply: Reply) -> Result<Answer, Error> {
        self.reflect(&reply.thought);
        let data = match &self.model.settings.answer_schema {
            Some(schema) => self.fitting(schema, &reply.text)?,
            None => Value::Null,
        };
        if reply.cut {
            let told = "The answer was cut off at the limit of tokens.";
            self.sink.step(Step::now(StepKind::Planning, told, importance::FAILURE));
        }
        let text = self.joined(&reply.text);
        let step = Step::now(StepKind::Answer, reply.text, importance::ANSWER);
        self.sink.step(Step { tokens: Some(reply.tokens), ..step });
        Ok(Answer { text, data, handoff: None })
    }

    /// What was said before, and this.
    fn joined(&mut self, text: &str) -> String {
        let said = std::mem::take(&mut self.said);
        if said.is_empty() || text.is_empty() { said + text } else { format!("{said}{BETWEEN}{text}") }
    }

    fn fitting(&self, schema: &Value, text: &str) -> Result<Value, Error> {
        let data: Value = serde_json::from_str(text)
            .map_err(|_| self.fails("Its answer is no JSON, as its schema wants".to_owned()))?;
        match misfit(schema, &data) {
            Some(misfit) => Err(self.fails(format!("Its answer does not fit its schema: {misfit}"))),
            None => Ok(data),
        }
    }

    /// Shows what the model thought, where the server tells.
    fn reflect(&self, thought: &str) {
        if !thought.trim().is_empty() {
            let thought = shortened(thought.trim(), 4 * SHOWN);
            self.sink.step(Step::now(StepKind::Planning, thought, importance::THOUGHT));
        }
    }

    /// Uses what the model wants used, all at once, and tells it what came of it. A handoff ends the run.
    async fn act(&mut self, reply: Reply) -> Result<Option<Handoff>, Error> {
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

    /// The run ends with the handoff. What is said of it is said here, so that nobody hears nothing.
    fn hand_over(&mut self, handoff: Handoff) -> Answer {
        let because = if handoff.reason.is_empty() { String::new() } else { format!(": {}", handoff.reason) };
        let text = format!("I hand this over to {}{because}", handoff.to);
        if self.brief.stream {
            self.sink.delta(if self.said.is_empty() { "" } else { BETWEEN });
            self.sink.delta(&text);
        }
        let text = self.joined(&text);
        Answer { text, data: Value::Null, handoff: Some(handoff) }
    }
}

/// Whether nothing more is to be tried: time is up, or nobody wants it any more.
fn ends_all(error: &Error) -> bool {
    matches!(error.code, Code::Cancelled | Code::Interrupted)
}
