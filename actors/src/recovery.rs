//! After a crash: runs that were accepted and never ended are ended now, as `INTERRUPTED`.
//!
//! This happens before any actor starts, so this is the only writer. Blocks.

use std::sync::mpsc;

use crate::archive;
use crate::conversation::record::{FAILURES, FailureRecord, run_id};
use crate::journal::format::encode;
use crate::journal::{Batch, Entry, Journal, Position, Stream};
use crate::protocol::{AgentId, ConversationId, Error, Run, RunStatus, TenantId, Timestamp, Turn};

/// Ends what a crash left open. Returns how many runs that were.
pub fn recover(journal: &dyn Journal) -> Result<usize, Error> {
    let mut interrupted = 0;
    for position in journal.unfinished() {
        interrupted += interrupt(journal, position)?;
    }
    Ok(interrupted)
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
