//! Playing a run again from its record: the same brain, told the same, given back what models replied and tools brought
//! the first time. Nothing is asked, used or written.

mod compare;
mod world;

use callboard_actors::agent::persona::Persona;
use callboard_actors::protocol::{Answer, Error, StepKind};
use callboard_actors::tape::{Call, Take, Tape};

use crate::record::Record;

pub use compare::Comparison;

/// What came of a run that was played again.
#[derive(Debug)]
pub(crate) struct Played {
    /// Its answer, or why there is none.
    result: Result<Answer, Error>,
    /// What it had to wait for; then the result means nothing.
    waits: Vec<Call>,
    /// What it asked for, as the record answered it, and the plans it made anew.
    takes: Vec<Take>,
    /// What is on the record and was not asked for again.
    left: Vec<Take>,
    /// Uses of tools that are not on the record.
    unknown: Vec<Call>,
    /// What people would have been shown.
    steps: Vec<(StepKind, String)>,
}

/// Plays a run again and compares; `agent` does it instead of the recorded one.
///
/// # Errors
/// Why the record cannot be played, as a sentence.
pub fn replay(record: &Record, agent: Option<Persona>) -> Result<Comparison, String> {
    let opening = record
        .opening
        .as_ref()
        .ok_or("it does not say what the agent knew: the run had not begun, or was kept without its tape")?;
    if !record.complete {
        return Err("it does not hold all that the run was told and did".to_owned());
    }
    let persona = agent.unwrap_or_else(|| (*opening.agent).clone());
    let played = world::play(record, opening, persona)?;
    Ok(compare::compare(record, &played))
}

/// What a sealed tape has noted.
fn noted(tape: &Tape, result: Result<Answer, Error>, steps: Vec<(StepKind, String)>) -> Played {
    Played { result, waits: tape.asked(), takes: tape.takes(), left: tape.left(), unknown: tape.unknown(), steps }
}
