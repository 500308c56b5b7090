//! What differs between a run as it is recorded and as it was played again.

use std::fmt;

use callboard_actors::protocol::{Error, RunStatus};
use callboard_actors::tape::{Call, Take};
use serde_json::{Value, json};

use super::Played;
use crate::record::Record;

/// What differs, for people; `Display` writes it as lines that begin with `-` as recorded and `+` as played.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// Whether the run comes out the same.
    pub same: bool,
    /// Which run this is about.
    title: String,
    parts: Vec<Part>,
}

/// What differs in one respect.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    name: &'static str,
    recorded: Vec<String>,
    played: Vec<String>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.same { "comes out the same" } else { "comes out differently" };
        write!(f, "{} {verdict}", self.title)?;
        for Part { name, recorded, played } in &self.parts {
            write!(f, "\n{name}")?;
            recorded.iter().try_for_each(|line| write!(f, "\n- {line}"))?;
            played.iter().try_for_each(|line| write!(f, "\n+ {line}"))?;
        }
        Ok(())
    }
}

impl Comparison {
    /// The same for programs.
    pub fn json(&self) -> Value {
        let part = |part: &Part| json!({ "what": part.name, "recorded": part.recorded, "played": part.played });
        json!({ "same": self.same, "title": self.title, "differences": self.parts.iter().map(part).collect::<Vec<_>>() })
    }
}

/// Compares. The outcome decides whether it is the same; of what differs on the way, as the words of a step, people are
/// told. Where the recorded run was ended from outside, there is no outcome to compare, and what it did decides.
pub(super) fn compare(record: &Record, played: &Played) -> Comparison {
    let foreign = record.outcome.is_foreign();
    let mut parts: Vec<Part> = Vec::new();
    let outcome =
        if foreign { None } else { differ("outcome", recorded_outcome(record), played_outcome(record, played)) };
    let undone = undone(&played.left);
    let same = outcome.is_none() && (!foreign || undone.is_empty());
    parts.extend(outcome);
    parts.extend(differ("plan", plans(&record.takes), plans(&played.takes)));
    if !undone.is_empty() {
        parts.push(Part { name: "no longer asked for", recorded: undone, played: Vec::new() });
    }
    // Behind the end that came from outside everything is new.
    if !played.unknown.is_empty() && !foreign {
        let unknown = played.unknown.iter().map(shown).collect();
        parts.push(Part { name: "not on the record", recorded: Vec::new(), played: unknown });
    }
    let recorded = prompts(&record.takes);
    let count = if foreign { recorded.len() } else { usize::MAX };
    parts.extend(differ("prompts", recorded, prompts(&played.takes).into_iter().take(count).collect()));
    if !foreign && played.waits.is_empty() {
        parts.extend(differ("steps", recorded_steps(record), played_steps(played)));
    }
    let ended =
        if foreign { format!(", ended from outside as {},", record.outcome.status.as_str()) } else { String::new() };
    let run = &record.run;
    let title = format!("{} of {}, recorded {}{ended}", run.id, run.agent, run.created_at);
    Comparison { same, title, parts }
}

/// Leaves out what both have in common at the beginning and at the end.
fn differ(name: &'static str, mut recorded: Vec<String>, mut played: Vec<String>) -> Option<Part> {
    if recorded == played {
        return None;
    }
    let common = recorded.iter().zip(&played).take_while(|(one, other)| one == other).count();
    recorded.drain(..common);
    played.drain(..common);
    while recorded.last().is_some() && recorded.last() == played.last() {
        recorded.pop();
        played.pop();
    }
    Some(Part { name, recorded, played })
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn outcome(status: RunStatus, answer: Option<&str>, data: &Value, error: Option<&Error>) -> Vec<String> {
    let mut told = vec![status.as_str().to_owned()];
    told.extend(answer.map(lines).unwrap_or_default());
    if !data.is_null() {
        told.push(data.to_string());
    }
    if let Some(error) = error {
        told.push(format!("{}: {error}", error.code.as_str()));
    }
    told
}

fn recorded_outcome(record: &Record) -> Vec<String> {
    let ended = &record.outcome;
    outcome(ended.status, ended.answer.as_deref(), &ended.data, ended.error.as_ref())
}

/// A run that waits for what somebody rejected then has the end that this gave it.
fn played_outcome(record: &Record, played: &Played) -> Vec<String> {
    if !played.waits.is_empty() {
        let asked = record.takes.iter().rev().find_map(|take| match take {
            Take::Waited(waited) => Some(&waited.calls),
            _ => None,
        });
        let rejected = matches!(record.takes.last(), Some(Take::Decided(decision)) if !decision.approved);
        if rejected && asked.is_some_and(|asked| alike(asked, &played.waits)) {
            return recorded_outcome(record);
        }
        let mut told = vec![RunStatus::InputRequired.as_str().to_owned()];
        told.extend(played.waits.iter().map(|call| format!("waits for approval of {}", shown(call))));
        return told;
    }
    match &played.result {
        Ok(answer) => outcome(RunStatus::Completed, Some(&answer.text), &answer.data, None),
        Err(error) => outcome(RunStatus::of(error.code), None, &Value::Null, Some(error)),
    }
}

fn alike(one: &[Call], other: &[Call]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.is_like(&b.tool, &b.arguments))
}

fn shown(call: &Call) -> String {
    format!("{} {}", call.tool, call.arguments)
}

fn plans(takes: &[Take]) -> Vec<String> {
    let plans = takes.iter().filter_map(|take| if let Take::Plan(plan) = take { Some(plan) } else { None });
    let calls = plans.flat_map(|plan| {
        let others = plan.others.iter().map(|call| format!("for others: {}", shown(call)));
        plan.calls.iter().map(shown).chain(others).collect::<Vec<_>>()
    });
    calls.collect()
}

fn prompts(takes: &[Take]) -> Vec<String> {
    let exchanges =
        takes.iter().filter_map(|take| if let Take::Model(exchange) = take { Some(exchange) } else { None });
    exchanges.map(|exchange| exchange.request.to_string()).collect()
}

/// What was asked of models and tools and no longer is.
fn undone(left: &[Take]) -> Vec<String> {
    let undone = left.iter().filter_map(|take| match take {
        Take::Tool(used) => Some(format!("{} {}", used.tool, used.arguments)),
        Take::Model(exchange) => Some(format!("a model: {}", exchange.request)),
        Take::Plan(_) | Take::Context(_) | Take::Waited(_) | Take::Decided(_) => None,
    });
    undone.collect()
}

/// Without those that say that the run waits, which the house adds.
fn recorded_steps(record: &Record) -> Vec<String> {
    let own = record.steps.iter().filter(|step| !step.content.starts_with(callboard_actors::tape::WAITS));
    own.map(|step| format!("{}: {}", step.kind, step.content)).collect()
}

fn played_steps(played: &Played) -> Vec<String> {
    played.steps.iter().map(|(kind, content)| format!("{}: {content}", kind.as_str())).collect()
}
