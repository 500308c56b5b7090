//! Plans: which tools fit what is asked, with which arguments.

use std::sync::Arc;

use serde_json::{Value, json};

use super::clause::{bare, clauses};
use super::talk::Talk;
use crate::tape::{self, Call};
use crate::tool::{Bid, Scene, Tool};

/// Tools used for one request at most: enough for what people put into one message, and an end to what programs do.
const MAX_STEPS: usize = 8;

/// The weakest bid that is taken.
const LEAST: f32 = 0.5;

/// The weakest bid by which a clause is a request of its own.
const CLEAR: f32 = 0.6;

/// How much weaker an own tool's bid may be than that of a colleague's tool.
const OWN_ADVANTAGE: f32 = 0.15;

/// A tool to be used.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) bid: Bid,
}

/// What is going to happen.
pub(super) enum Plan {
    /// These own tools, in order; `others` are asked for as well but belong to colleagues, `left_out` would not fit.
    Use { steps: Vec<Planned>, others: Vec<Planned>, left_out: usize },
    /// The tool for it belongs to others.
    Elsewhere { tool: Arc<dyn Tool>, intent: String },
    /// No tool: just words.
    Talk,
}

impl Planned {
    /// The same as a tape has it.
    pub(super) fn call(&self) -> Call {
        let Bid { arguments, intent, .. } = self.bid.clone();
        Call { tool: self.tool.name().to_owned(), arguments, intent, guarded: self.tool.needs_approval() }
    }

    fn again(call: &Call, tools: &[Arc<dyn Tool>]) -> Option<Self> {
        let tool = tools.iter().find(|tool| tool.name() == call.tool)?.clone();
        let bid = Bid { score: 1.0, arguments: call.arguments.clone(), intent: call.intent.clone() };
        Some(Self { tool, bid })
    }
}

impl Plan {
    /// The plan as a tape has it. Where no own tool is used there is nothing to wait for, and who is meant instead is
    /// found out anew.
    pub(super) fn taken(&self) -> tape::Plan {
        let calls = |planned: &[Planned]| planned.iter().map(Planned::call).collect();
        match self {
            Self::Use { steps, others, left_out } => {
                tape::Plan { calls: calls(steps), others: calls(others), left_out: *left_out }
            }
            Self::Elsewhere { tool, intent } => {
                let other = Planned {
                    tool: tool.clone(),
                    bid: Bid { score: 0.0, arguments: Value::Null, intent: intent.clone() },
                }
                .call();
                tape::Plan { others: vec![other], ..tape::Plan::default() }
            }
            Self::Talk => tape::Plan::default(),
        }
    }

    /// The plan that a tape has, with the tools that are still there.
    pub(super) fn again(taken: &tape::Plan, tools: &[Arc<dyn Tool>]) -> Self {
        let planned =
            |calls: &[Call]| -> Vec<Planned> { calls.iter().filter_map(|call| Planned::again(call, tools)).collect() };
        let (steps, others) = (planned(&taken.calls), planned(&taken.others));
        match others.first() {
            Some(other) if steps.is_empty() => {
                Self::Elsewhere { tool: Arc::clone(&other.tool), intent: other.bid.intent.clone() }
            }
            _ if steps.is_empty() => Self::Talk,
            _ => Self::Use { steps, others, left_out: taken.left_out },
        }
    }
}

/// Makes a plan for a request.
pub(super) fn make(
    text: &str,
    parameters: &Value,
    own: &[Arc<dyn Tool>],
    all: &[Arc<dyn Tool>],
    scene: &Scene,
) -> Plan {
    if let Some(planned) = called_by_name(text, parameters, own, scene) {
        return Plan::Use { steps: vec![planned], others: Vec::new(), left_out: 0 };
    }
    let talk = Talk::about(text);
    if talk == Talk::Thanks {
        return Plan::Talk;
    }
    let bids = bids(text, parameters, all, scene);
    let owned = |planned: &&Planned| own.iter().any(|tool| tool.name() == planned.tool.name());
    let best = strongest(bids.iter());
    let mine = strongest(bids.iter().filter(owned));
    let score = best.map_or(0.0, |planned| planned.bid.score);
    if talk != Talk::Unknown && score < CLEAR {
        return Plan::Talk;
    }
    let remembers = best.is_some_and(|planned| planned.tool.name() == "remember");
    let several = several(text, parameters, all, scene, remembers);
    if several.len() > 1 {
        let (mut steps, others): (Vec<_>, Vec<_>) = several.into_iter().partition(|planned| owned(&planned));
        let left_out = steps.len().saturating_sub(MAX_STEPS);
        steps.truncate(MAX_STEPS);
        if !steps.is_empty() {
            return Plan::Use { steps, others, left_out };
        }
    }
    match (mine, best) {
        (Some(mine), _) if mine.bid.score + OWN_ADVANTAGE >= score => {
            Plan::Use { steps: vec![mine.clone()], others: Vec::new(), left_out: 0 }
        }
        (_, Some(best)) => Plan::Elsewhere { intent: best.bid.intent.clone(), tool: Arc::clone(&best.tool) },
        (_, None) => Plan::Talk,
    }
}

/// The plan in a sentence.
pub(super) fn told(steps: &[Planned]) -> String {
    let told: Vec<String> =
        steps.iter().map(|step| format!("{} (with {})", step.bid.intent, step.tool.name())).collect();
    format!("I will {}.", told.join(", then "))
}

/// An instruction that is nothing but the name of a tool: its arguments are the parameters.
fn called_by_name(text: &str, parameters: &Value, own: &[Arc<dyn Tool>], scene: &Scene) -> Option<Planned> {
    let name = text.trim().to_lowercase();
    let tool = own.iter().find(|tool| tool.name() == name)?;
    let intent = format!("use {name} as told");
    let bid = tool.bid(text, parameters, scene).unwrap_or(Bid { score: 1.0, arguments: json!({}), intent });
    Some(overlaid(Planned { tool: Arc::clone(tool), bid }, parameters))
}

/// The bids that are good enough, in the order of the tools.
fn bids(text: &str, parameters: &Value, tools: &[Arc<dyn Tool>], scene: &Scene) -> Vec<Planned> {
    let bids = tools.iter().filter_map(|tool| {
        let bid = tool.bid(text, parameters, scene).filter(|bid| bid.score >= LEAST)?;
        Some(overlaid(Planned { tool: Arc::clone(tool), bid }, parameters))
    });
    bids.collect()
}

/// The best of some bids; of equals the first.
fn strongest<'a>(bids: impl Iterator<Item = &'a Planned>) -> Option<&'a Planned> {
    bids.reduce(|best, next| if next.bid.score > best.bid.score { next } else { best })
}

fn best(text: &str, parameters: &Value, tools: &[Arc<dyn Tool>], scene: &Scene) -> Option<Planned> {
    strongest(bids(text, parameters, tools, scene).iter()).cloned()
}

/// What the client spelled out goes before what was found in the text.
fn overlaid(mut planned: Planned, parameters: &Value) -> Planned {
    let schema = planned.tool.parameters();
    let known = |name: &str| schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
    if let (Some(given), Some(arguments)) = (parameters.as_object(), planned.bid.arguments.as_object_mut()) {
        for (name, value) in given.iter().filter(|(name, _)| known(name)) {
            arguments.insert(name.clone(), value.clone());
        }
    }
    planned
}

/// One step for each clause that asks for something of its own; a clause that does not belongs to the one before.
fn several(text: &str, parameters: &Value, tools: &[Arc<dyn Tool>], scene: &Scene, remembers: bool) -> Vec<Planned> {
    let clauses = clauses(text, remembers);
    if clauses.len() < 2 {
        return Vec::new();
    }
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    for clause in clauses {
        let end = at + clause.len();
        let clear = best(bare(clause), parameters, tools, scene).is_some_and(|planned| planned.bid.score >= CLEAR);
        match parts.last_mut() {
            Some((_, last)) if !clear => *last = end,
            _ if clear => parts.push((at, end)),
            _ => {}
        }
        at = end;
    }
    let mut steps: Vec<Planned> = Vec::new();
    for (start, end) in parts {
        let Some(planned) = text.get(start..end).and_then(|part| best(bare(part), parameters, tools, scene)) else {
            continue;
        };
        let known =
            |step: &Planned| step.tool.name() == planned.tool.name() && step.bid.arguments == planned.bid.arguments;
        if !steps.iter().any(known) {
            steps.push(planned);
        }
    }
    steps
}
