//! One run: the model is asked, its tools are used, and it is asked again, until it answers. `using` is what is done
//! between two questions.

mod using;

use std::sync::Arc;

use serde_json::Value;

use super::Model;
use super::hands::{Hands, misfit};
use super::patience::{Patience, chance};
use super::prompt;
use super::voice::{Prompt, Reply};
use crate::brain::{Brief, Sink};
use crate::metrics;
use crate::protocol::{Answer, Code, Error, Handoff, Step, StepKind, Timestamp, Tokens};
use crate::spans::{self, Span};
use crate::tape;
use crate::text::shortened;
use crate::tool::Scene;

/// Characters of a result shown in the step that brought it.
const SHOWN: usize = 400;

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
