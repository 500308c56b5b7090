//! After a crash: runs that were accepted and never ended are ended now, as `INTERRUPTED`; but those that wait for
//! approval wait on, with what was to follow them.
//!
//! This happens before any actor starts, so this is the only writer. Blocks.

use std::collections::HashSet;
use std::sync::mpsc;

use crate::archive;
use crate::conversation::record::{FAILURES, FailureRecord, MESSAGES, run_id};
use crate::conversation::taped::{self, TAPES};
use crate::journal::format::encode;
use crate::journal::{Batch, Entry, Journal, Position, Stream};
use crate::protocol::{AgentId, ConversationId, Error, Run, RunId, RunStatus, TenantId, Timestamp, Turn};

/// What was open when the server last stopped.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recovered {
    /// How many runs were ended.
    pub interrupted: usize,
    /// The runs that wait for approval.
    pub waiting: Vec<WaitingRun>,
}

/// A run that waits for approval.
#[derive(Clone, PartialEq, Debug)]
pub struct WaitingRun {
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it was asked for.
    pub conversation: ConversationId,
    /// The run.
    pub run: RunId,
}

/// Ends what a crash left open, but for what waits for somebody.
pub fn recover(journal: &dyn Journal) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    let mut kept = HashSet::new();
    let (waits, asked): (Vec<Position>, Vec<Position>) =
        journal.unfinished().into_iter().partition(|position| position.stream.lane == TAPES);
    for position in waits {
        match waiting(journal, position)? {
            Some((question, run)) => {
                kept.insert(question);
                recovered.waiting.push(run);
            }
            // Nobody can go on with it: its question is ended below.
            None => write(journal, vec![Entry::Close { positions: vec![position] }])?,
        }
    }
    for position in asked.into_iter().filter(|position| !kept.contains(position)) {
        recovered.interrupted += interrupt(journal, position)?;
    }
    Ok(recovered)
}

/// The question of a run that waits, and the run; `None` if what is needed to go on cannot be read.
fn waiting(journal: &dyn Journal, position: Position) -> Result<Option<(Position, WaitingRun)>, Error> {
    let place = position.stream.place;
    let (Ok(Some((record, wait, _))), Some(name)) = (taped::wait(journal, place, position.seq), journal.name(place)?)
    else {
        return Ok(None);
    };
    let question = Position { stream: Stream { place, lane: MESSAGES }, seq: wait.asked_at };
    let asked = archive::question(journal, question)?.is_some();
    let conversation = ConversationId::trusted(name.id.as_str());
    let run = WaitingRun { tenant: name.tenant, conversation, run: record.run };
    Ok(asked.then_some((question, run)))
}

fn interrupt(journal: &dyn Journal, position: Position) -> Result<usize, Error> {
    let mut batch = Batch::new();
    let lane = Stream { lane: FAILURES, ..position.stream };
    let mut head = journal.head(lane)?;
    if let Some((question, ask)) = archive::question(journal, position)? {
        for (agent, index) in ask.agents.iter().zip(1..) {
            let run = Run {
                id: run_id(position.stream.place, position.seq, index),
                kind: ask.kind,
                agent: agent.clone(),
                agent_id: AgentId::of(&TenantId::default_tenant(), agent),
                conversation: ConversationId::trusted(""),
                asked_by: question.id.clone(),
                asked_at: position.seq,
                request_id: None,
                turn: Turn::ONLY,
                created_at: question.created_at,
            };
            let report = archive::ended(journal, position, run.into())?;
            if report.status != RunStatus::Pending {
                continue;
            }
            head += 1;
            let failure = FailureRecord {
                run: report.run.id.clone(),
                asked_at: position.seq,
                status: RunStatus::Failed,
                error: Error::interrupted(),
                steps: Vec::new(),
                started_at: None,
                ended_at: Timestamp::now(),
            };
            let at = Position { stream: lane, seq: head };
            batch.push(Entry::Append { at, bytes: encode(&failure)?, opens: false, closes: Vec::new() });
        }
    }
    let count = batch.len();
    batch.push(Entry::Close { positions: vec![position] });
    write(journal, batch)?;
    Ok(count)
}

fn write(journal: &dyn Journal, batch: Batch) -> Result<(), Error> {
    let (done, outcome) = mpsc::sync_channel(1);
    journal.append(batch, Box::new(move |result| drop(done.send(result))));
    outcome.recv().unwrap_or_else(|_| Err(Error::internal("The journal ended before it had written")))
}
