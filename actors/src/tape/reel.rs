//! The reel of a tape: its takes, what is played of them, and what the next use of a tool meets.

use std::collections::VecDeque;

use serde_json::Value;

use super::gate::Gate;
use super::opening::{Known, Opening};
use super::take::{Brought, Call, Exchange, Outcome, Reply, Take, Use};
use crate::protocol::{Code, Error, Timestamp};
use crate::tool::Output;

/// What a tape holds at most, in bytes of JSON: some hundred pages of prompts and results. What comes after it is not
/// kept, and the record says so; such a run can be read but neither be played nor wait any more.
pub const MAX_BYTES: usize = 2 << 20;

/// The longest take, in bytes of JSON: a tool's arguments may be as long as the content of a message, twice over when
/// every character is escaped.
pub(super) const MAX_TAKE: usize = 600 << 10;

/// Uses of tools that a run may wait for at a time: more than a model asks for at once, and still a list to read.
pub const MAX_CALLS: usize = 32;

/// What is on a tape, behind its lock.
#[derive(Debug, Default)]
pub(super) struct Reel {
    pub opening: Option<Opening>,
    pub known: Vec<Known>,
    /// What came, each with its JSON.
    pub takes: Vec<(Take, String)>,
    pub bytes: usize,
    /// Set when something did not fit.
    pub cut: bool,
    /// Set by brains whose runs can be played again.
    pub kept: bool,
    /// What came before and has not been given back.
    pub past: VecDeque<Take>,
    /// What may be done because somebody approved it.
    pub approved: Vec<Call>,
    /// What may not be done, with what its brain is told instead.
    pub rejected: Vec<(Call, Error)>,
    /// What the run has to wait for.
    pub waits: Vec<Call>,
    /// Uses of tools that a sealed tape knows nothing of.
    pub unknown: Vec<Call>,
}

/// What the tape says to a use of a tool.
pub(super) enum Met {
    /// It was made before, or cannot be made: this came out.
    Known(Result<Output, Error>),
    /// Somebody has to approve it.
    Wait,
    /// It is to be made.
    Go,
}

impl Reel {
    /// What the tape says to a use of a tool. Uses that run side by side may come in any order, so that the first like it
    /// of those that have not been given back is meant.
    pub fn meet(&mut self, call: &Call, gate: &Gate, sealed: bool) -> Met {
        let like = |take: &Take| matches!(take, Take::Tool(used) if call.is_like(&used.tool, &used.arguments));
        if let Some(take) = self.take_past(like) {
            if sealed {
                self.put(take.clone());
            }
            if let Take::Tool(used) = take {
                let output = |brought: Brought| Output { text: brought.text, data: brought.data, changes: Vec::new() };
                return Met::Known(Result::from(used.outcome).map(output));
            }
        }
        if let Some(at) = self.rejected.iter().position(|(other, _)| other.is_like(&call.tool, &call.arguments)) {
            let (call, error) = self.rejected.remove(at);
            let outcome = Outcome::Error(error.clone());
            let Call { tool, arguments, .. } = call;
            self.put(Take::Tool(Use { tool, arguments, outcome, at: Timestamp::now(), ms: 0 }));
            return Met::Known(Err(error));
        }
        if gate.stops(call) {
            if let Some(at) = self.approved.iter().position(|approved| approved.is_like(&call.tool, &call.arguments)) {
                self.approved.remove(at);
            } else {
                return self.stop(call, gate);
            }
        }
        if sealed {
            self.unknown.push(call.clone());
            let error = Error::new(Code::AgentFailed, format!("The record has no such use of {}", call.tool));
            return Met::Known(Err(error.with_details(call.arguments.to_string())));
        }
        Met::Go
    }

    fn stop(&mut self, call: &Call, gate: &Gate) -> Met {
        let refused = |why: &str| {
            let said = format!("{} needs approval, and {why}", call.tool);
            Met::Known(Err(Error::new(Code::AgentFailed, said)))
        };
        match gate {
            Gate::Refuse(_) => refused("outside a conversation there is nobody to give it"),
            _ if self.cut => refused("this run has done too much to be able to wait"),
            _ if self.waits.len() >= MAX_CALLS => refused("this run waits for too much already"),
            _ => {
                if !self.waits.iter().any(|waits| waits.is_like(&call.tool, &call.arguments)) {
                    self.waits.push(call.clone());
                }
                Met::Wait
            }
        }
    }

    /// What a model replied the first time, if it is on the tape.
    pub fn replied(&mut self, request: &Value, sealed: bool) -> Option<Result<Reply, Error>> {
        match self.take_past(|take| matches!(take, Take::Model(_))) {
            Some(Take::Model(exchange)) => {
                let outcome = exchange.outcome.clone();
                if sealed {
                    self.put(Take::Model(Exchange { request: request.clone(), ..exchange }));
                }
                Some(outcome.into())
            }
            _ if sealed => Some(Err(Error::new(Code::AgentFailed, "The record has no more exchanges with a model"))),
            _ => None,
        }
    }

    /// Takes the first of the past that `wanted` is true of.
    pub fn take_past(&mut self, wanted: impl Fn(&Take) -> bool) -> Option<Take> {
        let at = self.past.iter().position(wanted)?;
        self.past.remove(at)
    }

    /// What the last wait on the tape was for.
    pub fn waited(&self) -> Vec<Call> {
        let last = self.takes.iter().rev().find_map(|(take, _)| match take {
            Take::Waited(waited) => Some(waited.calls.clone()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// Adds a take, unless it does not fit: then nothing more is kept.
    pub fn put(&mut self, take: Take) {
        let Ok(json) = serde_json::to_string(&take) else { return self.cut = true };
        if self.cut || json.len() > MAX_TAKE || self.bytes + json.len() > MAX_BYTES {
            return self.cut = true;
        }
        self.bytes += json.len();
        self.takes.push((take, json));
    }
}
