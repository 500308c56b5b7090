//! Tapes: what came to a run from outside its brain, take by take, so that the run can be shown, go on after a pause,
//! and be played again.
//!
//! Everything that a brain cannot know by itself passes its tape: what a model replies, what a tool brings, what was
//! known. A brain calls [`Tape::tool`] for **every** use of a tool and [`Tape::model`] for every exchange with a model;
//! the tape does it and notes what came, or, while it is played, gives back what came the first time and does nothing.
//! That is also where approval is asked for: a tool that needs it is not used, [`Halted`] goes up through the brain
//! with `?`, the run waits, and after the decision the brain begins again from the top with the tape played up to there.
//! So a brain must do the same again when it is told the same; what it says on the way is not said twice.
//!
//! A tape is plain data behind a lock. Who writes it down, and when, is the conversation's matter.

mod gate;
mod opening;
mod reel;
mod take;

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

pub use gate::Gate;
pub use opening::{Known, Opening};
pub use reel::{MAX_BYTES, MAX_CALLS};
pub use take::{Brought, Call, Decision, Exchange, LeftOut, Outcome, Plan, Reply, Take, Use, Waited, moment};

use crate::protocol::{AskedCall, Code, Error, Timestamp};
use crate::tool::Output;
use reel::{Met, Reel};

/// How the step begins that says what a run waits for; it is the house's and not the brain's.
pub const WAITS: &str = "I wait for approval to use";

/// Facts kept of those that had to do with what was asked.
pub const MAX_KNOWN: usize = 32;

/// The brain must stop here and return: the run waits for approval, and will be taken up again from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Halted;

impl From<Halted> for Error {
    fn from(_: Halted) -> Self {
        Self::new(Code::Interrupted, "The run waits for approval")
    }
}

/// What came to a run from outside its brain. Shared by the brain, its agent and the conversation.
#[derive(Debug, Default)]
pub struct Tape {
    gate: Gate,
    /// Whether nothing is done that has not been recorded: a run is played again, far from its world.
    sealed: bool,
    reel: Mutex<Reel>,
}

/// All that a tape holds, as it is written down.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reading {
    /// What the agent knew when it began, if it has begun.
    pub opening: Option<Opening>,
    /// Facts that had to do with what was asked.
    pub known: Vec<Known>,
    /// What came, as JSON.
    pub takes: Vec<String>,
    /// Whether that is all of it.
    pub complete: bool,
}

impl Tape {
    /// An empty tape for a run whose uses of tools pass `gate`.
    pub fn new(gate: Gate) -> Self {
        Self { gate, ..Self::default() }
    }

    /// The tape of a run that waits, as it was written down.
    ///
    /// # Errors
    /// A take that does not read.
    pub fn restored(gate: Gate, reading: Reading) -> Result<Self, Error> {
        let tape = Self::new(gate);
        let mut reel = tape.reel();
        reel.opening = reading.opening;
        reel.known = reading.known;
        for json in reading.takes {
            let take = serde_json::from_str(&json).map_err(|_| Error::internal("A take on a tape cannot be read"))?;
            reel.bytes += json.len();
            reel.takes.push((take, json));
        }
        drop(reel);
        Ok(tape)
    }

    /// A tape that gives back what `takes` says and lets nothing else be done.
    pub fn sealed(gate: Gate, takes: impl IntoIterator<Item = Take>) -> Self {
        let reel = Reel { past: takes.into_iter().collect(), ..Reel::default() };
        Self { gate, sealed: true, reel: Mutex::new(reel) }
    }

    /// Uses a tool by `act`, or gives back what that brought the first time. Every use of a tool by a brain, of
    /// whatever kind, passes here.
    ///
    /// The inner result is the tool's. While the tape is played an output has no `changes`: they were told of when they
    /// happened.
    ///
    /// # Errors
    /// [`Halted`] if the use has to be approved: return at once, when other uses that are under way have come back.
    pub async fn tool<F>(&self, call: &Call, act: F) -> Result<Result<Output, Error>, Halted>
    where
        F: Future<Output = Result<Output, Error>>,
    {
        match self.reel().meet(call, &self.gate, self.sealed) {
            Met::Known(result) => return Ok(result),
            Met::Wait => return Err(Halted),
            Met::Go => {}
        }
        let (at, begun) = (Timestamp::now(), Instant::now());
        let result = act.await;
        let brought = |output: &Output| Brought { text: output.text.clone(), data: output.data.clone() };
        let outcome = result.as_ref().map(brought).map_err(Clone::clone).into();
        let (tool, arguments) = (call.tool.clone(), call.arguments.clone());
        self.reel().put(Take::Tool(Use { tool, arguments, outcome, at, ms: ms(begun) }));
        Ok(result)
    }

    /// Asks a model by `act`, or gives back what it replied the first time. `request` is what is asked, for those who
    /// read the record: no secrets.
    ///
    /// # Errors
    /// Those of `act`.
    pub async fn model<F>(&self, request: Value, act: F) -> Result<Reply, Error>
    where
        F: Future<Output = Result<Reply, Error>>,
    {
        if let Some(result) = self.reel().replied(&request, self.sealed) {
            return result;
        }
        let (at, begun) = (Timestamp::now(), Instant::now());
        let result = act.await;
        let outcome = result.clone().into();
        self.reel().put(Take::Model(Exchange { request, outcome, at, ms: ms(begun) }));
        result
    }

    /// The plan that was made the first time, or else the one that is made now. A sealed tape has it made anew, so
    /// that a brain that plans differently by now is found out.
    pub fn plan(&self, make: impl FnOnce() -> Plan) -> Plan {
        let mut reel = self.reel();
        let earlier = reel.take_past(|take| matches!(take, Take::Plan(_)));
        match earlier {
            Some(Take::Plan(plan)) if !self.sealed => return plan,
            _ => {}
        }
        let plan = make();
        reel.put(Take::Plan(plan.clone()));
        plan
    }

    /// Notes how a context was cut to its size.
    pub fn context(&self, left_out: LeftOut) {
        let mut reel = self.reel();
        let again = reel.take_past(|take| matches!(take, Take::Context(_))).is_some();
        if !again || self.sealed {
            reel.put(Take::Context(left_out));
        }
    }

    /// Notes facts that are known and have to do with what is asked, the best ones. From here on the tape is kept.
    pub fn known(&self, facts: Vec<Known>) {
        let mut reel = self.reel();
        reel.kept = true;
        if reel.known.is_empty() {
            reel.known = facts;
            reel.known.truncate(MAX_KNOWN);
        }
    }

    /// These facts.
    pub fn facts(&self) -> Vec<Known> {
        self.reel().known.clone()
    }

    /// Notes what the agent knows as it begins; the first one holds.
    pub fn open(&self, opening: Opening) {
        let mut reel = self.reel();
        if reel.opening.is_none() {
            reel.opening = Some(opening);
        }
    }

    /// What the agent knew when it began, if it has begun.
    pub fn opening(&self) -> Option<Opening> {
        self.reel().opening.clone()
    }

    /// What the run has to wait for; empty if nothing.
    pub fn waits(&self) -> Vec<AskedCall> {
        self.reel().waits.iter().map(Call::asked).collect()
    }

    /// The same as calls.
    pub fn asked(&self) -> Vec<Call> {
        self.reel().waits.clone()
    }

    /// Notes that the run waits from now on.
    pub fn wait(&self, at: Timestamp) {
        let mut reel = self.reel();
        let calls = reel.waits.clone();
        reel.put(Take::Waited(Waited { calls, at }));
    }

    /// Notes a decision. What was waited for may be done if it was approved, and fails if not; the tape is played from its
    /// beginning when the brain begins again.
    pub fn decide(&self, decision: Decision) {
        let mut reel = self.reel();
        let waits = match std::mem::take(&mut reel.waits) {
            none if none.is_empty() => reel.waited(),
            waits => waits,
        };
        if decision.approved {
            reel.approved = waits;
        } else {
            reel.rejected = waits.into_iter().map(|call| refused(call, &decision)).collect();
        }
        reel.put(Take::Decided(decision));
        reel.past = reel.takes.iter().map(|(take, _)| take.clone()).collect();
    }

    /// All that it holds. `complete` is false once something did not fit.
    pub fn read(&self) -> Reading {
        let reel = self.reel();
        let takes = reel.takes.iter().map(|(_, json)| json.clone()).collect();
        Reading { opening: reel.opening.clone(), known: reel.known.clone(), takes, complete: !reel.cut }
    }

    /// What came, as it is.
    pub fn takes(&self) -> Vec<Take> {
        self.reel().takes.iter().map(|(take, _)| take.clone()).collect()
    }

    /// Whether it holds all that came.
    pub fn is_complete(&self) -> bool {
        !self.reel().cut
    }

    /// Whether there is anything on it that is not known without it.
    pub fn is_kept(&self) -> bool {
        let reel = self.reel();
        reel.kept || !reel.takes.is_empty()
    }

    /// What was recorded and has not been asked for again.
    pub fn left(&self) -> Vec<Take> {
        self.reel().past.iter().cloned().collect()
    }

    /// Uses of tools that a sealed tape knew nothing of.
    pub fn unknown(&self) -> Vec<Call> {
        self.reel().unknown.clone()
    }

    /// A panic while the lock was held leaves at worst a take out.
    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(call: Call, decision: &Decision) -> (Call, Error) {
    let said = format!("{} did not approve the use of {}", decision.by, call.tool);
    let error = Error::new(Code::Rejected, said).with_details(decision.reason.clone());
    (call, error)
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
