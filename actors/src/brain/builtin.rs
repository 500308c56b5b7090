//! The builtin brain: works without a model. It plans which tools fit what is asked, uses them, and answers.
//!
//! What it cannot do it says; it never invents. `plan` chooses, `clause` takes requests apart that ask for several
//! things, `talk` has the words for everything that needs no tool.

mod clause;
mod plan;
mod talk;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::materials::Materials;
use super::pieces::pieces;
use super::{Brain, Brief, Placement, Sink};
use crate::protocol::{Answer, Code, Error, Event, Role, Run, RunKind, Step, StepKind, ToolCall};
use crate::spans::execute_tool;
use crate::tape::{Known, MAX_KNOWN};
use crate::text::shortened;
use crate::tool::toolbox::{every, toolbox};
use crate::tool::{Output, Scene, Tool};

use plan::{Plan, Planned};

/// Characters of a result shown in the step that brought it; the answer has all of it.
const SHOWN_RESULT: usize = 400;

/// How much a step matters to those who filter by importance.
mod importance {
    pub(super) const SMALL_TALK: f32 = 0.3;
    pub(super) const PLAN: f32 = 0.6;
    pub(super) const ACTION: f32 = 0.8;
    pub(super) const FAILURE: f32 = 0.9;
    pub(super) const ANSWER: f32 = 1.0;
}

/// The brain of an agent that has no model.
pub struct Builtin {
    own: Vec<Arc<dyn Tool>>,
    all: Vec<Arc<dyn Tool>>,
    materials: Materials,
}

/// The tools that may be used for a run.
type Tools<'a> = Cow<'a, [Arc<dyn Tool>]>;

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.own.iter().map(|tool| tool.name())).finish()
    }
}

impl Builtin {
    /// A brain with the tools of these names; an unknown name is an error that lists the known ones.
    pub fn new(tools: &[String], materials: Materials) -> Result<Self, Error> {
        Ok(Self { own: toolbox(tools, materials.unruly)?, all: every(materials.unruly), materials })
    }

    /// The agent's own tools and all there are. Work outside any conversation neither reads nor leaves memories.
    fn tools(&self, run: &Run) -> (Tools<'_>, Tools<'_>) {
        let usable = |tools: &[Arc<dyn Tool>]| tools.iter().filter(|tool| !tool.uses_memory()).cloned().collect();
        let (mut own, all): (Tools<'_>, Tools<'_>) = if run.is_errand() {
            (Cow::Owned(usable(&self.own)), Cow::Owned(usable(&self.all)))
        } else {
            (Cow::Borrowed(&self.own), Cow::Borrowed(&self.all))
        };
        // These do not feel meant by what is said; they are used by their names.
        let found: Vec<_> = self.materials.sources.iter().flat_map(|source| source.tools(&run.agent)).collect();
        if !found.is_empty() {
            own.to_mut().extend(found);
        }
        (own, all)
    }

    fn scene(&self, brief: &Brief) -> Scene {
        Scene {
            tenant: brief.tenant.clone(),
            owner: brief.owner.clone(),
            agent: brief.run.agent.clone(),
            conversation: brief.run.conversation.clone(),
            history: brief.history.clone(),
            workspace: self.materials.workspace.clone(),
            memory: Arc::clone(&self.materials.memory),
            deadline: brief.deadline,
            cancelled: brief.cancelled.clone(),
            trace: brief.trace.clone(),
        }
    }

    /// The plan for a request; one that was made before the run had to wait stands.
    fn plan(&self, brief: &Brief, own: &[Arc<dyn Tool>], all: &[Arc<dyn Tool>], scene: &Scene) -> Plan {
        let mut made = None;
        let taken = brief.tape.plan(|| {
            let plan = plan::make(&brief.content, &brief.parameters, own, all, scene);
            let taken = plan.taken();
            made = Some(plan);
            taken
        });
        made.unwrap_or_else(|| Plan::again(&taken, all))
    }

    /// Uses the tools one after another. A refusal of one is part of a chat's answer, and the end of other work.
    async fn work(&self, plan: &[Planned], scene: &Scene, brief: &Brief, sink: &dyn Sink) -> Result<Answer, Error> {
        let mut done = Vec::new();
        for planned in plan {
            scene.check()?;
            // The house's own tools block, and do so on the thread that the brain has; those of sources wait for others.
            let own = self.all.iter().any(|tool| Arc::ptr_eq(tool, &planned.tool));
            let own = own || self.own.iter().any(|tool| Arc::ptr_eq(tool, &planned.tool));
            let act = async {
                let mut span = execute_tool(&brief.trace, planned.tool.name());
                let scene = Scene { trace: span.trace().clone(), ..scene.clone() };
                let result = if own {
                    planned.tool.call(&planned.bid.arguments, &scene)
                } else {
                    Arc::clone(&planned.tool).perform(planned.bid.arguments.clone(), scene).await
                };
                if let Err(error) = &result {
                    span.fail(error);
                }
                result
            };
            let result = brief.tape.tool(&planned.call(), act).await?;
            sink.step(action(planned, &result));
            match result {
                Ok(output) => {
                    for change in &output.changes {
                        sink.notice(Event::MemoryChanged {
                            agent: brief.run.agent.clone(),
                            id: change.fact.id.clone(),
                            content: change.fact.text.clone(),
                            kept: change.kept,
                        });
                    }
                    done.push((planned.tool.name(), output));
                }
                Err(error) if ends_run(&error, brief.run.kind) => return Err(error),
                Err(error) => {
                    let text = match lacking(&error) {
                        Some(what) => format!("For that I need {what}."),
                        None => format!("I could not {}: {}.", planned.bid.intent, sentence(&error)),
                    };
                    done.push((planned.tool.name(), Output { text, ..Output::default() }));
                }
            }
        }
        Ok(joined(done))
    }
}

#[async_trait]
impl Brain for Builtin {
    fn placement(&self) -> Placement {
        Placement::Thread
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error> {
        let scene = self.scene(brief);
        scene.check()?;
        let (own, all) = self.tools(&brief.run);
        if !brief.run.is_errand() {
            brief.tape.known(known(brief, &scene)?);
        }
        let plan = self.plan(brief, &own, &all, &scene);
        let answer = match &plan {
            Plan::Use { steps, others, left_out } => {
                sink.step(Step::now(StepKind::Planning, plan::told(steps), importance::PLAN));
                let mut answer = self.work(steps, &scene, brief, &**sink).await?;
                for other in others {
                    let said = talk::elsewhere(other.tool.as_ref(), &other.bid.intent, brief, &own);
                    answer.text.push_str(&format!("\n{said}"));
                }
                if *left_out > 0 {
                    answer.text.push_str("\nI do at most eight things at a time; please ask for the rest again.");
                }
                agreed(answer, brief)
            }
            Plan::Elsewhere { tool, intent } => {
                let said = talk::elsewhere(tool.as_ref(), intent, brief, &own);
                sink.step(Step::now(StepKind::Planning, "I have no tool for this; I look who has.", importance::PLAN));
                refused(said, brief.run.kind)?
            }
            Plan::Talk => {
                let talk = talk::Talk::about(&brief.content);
                sink.step(Step::now(StepKind::Planning, talk.told(), importance::SMALL_TALK));
                let said = talk.answer(brief, &own);
                match talk {
                    talk::Talk::Unknown => refused(said, brief.run.kind)?,
                    _ => Answer { text: said, ..Answer::default() },
                }
            }
        };
        scene.check()?;
        sink.step(Step::now(StepKind::Answer, answer.text.clone(), importance::ANSWER));
        if brief.stream {
            pieces(&answer.text).for_each(|piece| sink.delta(piece));
        }
        Ok(answer)
    }
}

/// What is remembered and has to do with the request: the plan may depend on it.
fn known(brief: &Brief, scene: &Scene) -> Result<Vec<Known>, Error> {
    let found = scene.memory.search(scene.whose(), &brief.content, MAX_KNOWN)?;
    Ok(found.iter().map(Known::of).collect())
}

/// What the agent cannot do: an answer to people, and a failure of a command, whose status programs read.
fn refused(said: String, kind: RunKind) -> Result<Answer, Error> {
    match kind {
        RunKind::Command => Err(Error::new(Code::AgentFailed, said)),
        RunKind::Chat | RunKind::Task => Ok(Answer { text: said, ..Answer::default() }),
    }
}

/// What a tool did, or why it did not.
fn action(planned: &Planned, result: &Result<Output, Error>) -> Step {
    let name = planned.tool.name();
    let arguments = planned.bid.arguments.to_string();
    let (came_out, importance) = match result {
        Ok(output) => (shortened(&output.text, SHOWN_RESULT).into_owned(), importance::ACTION),
        Err(error) => (sentence(error), importance::FAILURE),
    };
    let shown = shortened(&arguments, SHOWN_RESULT);
    let content = format!("Used {name} with {shown}: {came_out}");
    let call = ToolCall { tool: name.to_owned(), arguments, ok: result.is_ok(), ..ToolCall::default() };
    Step { call: Some(call), ..Step::now(StepKind::Action, content, importance) }
}

/// Whether an error ends the run: always when time is up or the store is gone; else where programs read the status.
fn ends_run(error: &Error, kind: RunKind) -> bool {
    let refusal = matches!(error.code, Code::InvalidMessage | Code::AgentFailed);
    !refusal || kind != RunKind::Chat
}

fn sentence(error: &Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// What a tool wanted and did not get, where it is an argument.
fn lacking(error: &Error) -> Option<&str> {
    let about_argument =
        error.message.starts_with("Missing required field") || error.message.starts_with("Invalid field");
    let (_, expected) = error.details.split_once("expected ").filter(|_| about_argument)?;
    // `Error::missing` has its expectation in brackets.
    Some(if error.message.starts_with("Missing") { expected.strip_suffix(')').unwrap_or(expected) } else { expected })
}

/// One answer of all results: a single one's data as it is, several as a list.
fn joined(mut done: Vec<(&str, Output)>) -> Answer {
    if done.len() == 1
        && let Some((_, output)) = done.pop()
    {
        return Answer { text: output.text, data: output.data, ..Answer::default() };
    }
    let text = done.iter().map(|(_, output)| output.text.as_str()).collect::<Vec<_>>().join("\n");
    let results: Vec<Value> =
        done.into_iter().map(|(tool, output)| json!({ "tool": tool, "result": output.data })).collect();
    Answer { text, data: json!({ "results": results }), ..Answer::default() }
}

/// Where several agents answer in turn and one before came to the same result, that is what is said.
fn agreed(answer: Answer, brief: &Brief) -> Answer {
    let earlier = usize::from(brief.run.turn.index.saturating_sub(1));
    let others = brief.history.iter().rev().filter(|message| message.role == Role::Assistant).take(earlier);
    let same = others.filter(|message| message.text() == answer.text).find_map(|message| message.agent.clone());
    match same {
        Some(agent) => Answer { text: format!("I come to the same as {agent}: {}", answer.text), ..answer },
        None => answer,
    }
}
