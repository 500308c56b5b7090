//! Runs that have ended, found by what their ids say.

use std::sync::Arc;

use super::Archive;
use crate::conversation::is_visible;
use crate::conversation::loading;
use crate::conversation::record::{AskRecord, FAILURES, FailureRecord, MESSAGES, MessageRecord, parse_run_id, run_id};
use crate::journal::format::decode;
use crate::journal::{Journal, Kind, PlaceName, Position, Stream};
use crate::protocol::{AgentId, Code, ConversationId, Error, Message, Run, RunId, RunStatus, Step, Timestamp, Turn};
use crate::runs::RunReport;

impl Archive<'_> {
    /// A run that has ended.
    pub fn run(&self, id: &RunId) -> Result<RunReport, Error> {
        let not_found = || Error::new(Code::RunNotFound, format!("There is no run {id}"));
        let (position, turn) = parse_run_id(id).ok_or_else(not_found)?;
        let name = self.journal.name(position.stream.place)?;
        let name = name.filter(|name| name.tenant == *self.tenant() && name.kind == Kind::Conversation);
        let name = name.ok_or_else(not_found)?;
        let state = loading::state(self.journal, position.stream.place)?;
        state.filter(|state| is_visible(state, self.principal)).ok_or_else(not_found)?;
        let (question, ask) = question(self.journal, position)?.ok_or_else(not_found)?;
        let run = self.rebuild(&name, &question, &ask, position, turn).ok_or_else(not_found)?;
        ended(self.journal, position, Arc::new(run))
    }

    /// The run that a message asked for as its `turn`th.
    pub(super) fn rebuild(
        &self,
        name: &PlaceName,
        question: &MessageRecord,
        ask: &AskRecord,
        position: Position,
        turn: u16,
    ) -> Option<Run> {
        let agent = ask.agents.get(usize::from(turn).checked_sub(1)?)?.clone();
        Some(Run {
            id: run_id(position.stream.place, position.seq, turn),
            kind: ask.kind,
            agent_id: AgentId::of(self.tenant(), &agent),
            agent,
            conversation: ConversationId::trusted(name.id.as_str()),
            asked_by: question.id.clone(),
            asked_at: position.seq,
            request_id: ask.request_id.clone(),
            turn: Turn { index: turn, of: u16::try_from(ask.agents.len()).unwrap_or(u16::MAX) },
            created_at: question.created_at,
        })
    }
}

/// The message at a position that asked for runs, and for which.
pub(crate) fn question(journal: &dyn Journal, position: Position) -> Result<Option<(MessageRecord, AskRecord)>, Error> {
    let records = journal.read_after(position.stream, position.seq.saturating_sub(1), 1)?;
    let Some(record) = records.first().filter(|record| record.seq == position.seq) else { return Ok(None) };
    let message: MessageRecord = decode(record)?;
    let ask = message.asks.clone();
    Ok(ask.map(|ask| (message, ask)))
}

/// How a run ended: its answer stands somewhere behind its request, or its failure in the lane of failures.
pub(crate) fn ended(journal: &dyn Journal, asked: Position, run: Arc<Run>) -> Result<RunReport, Error> {
    if let Some(failure) = failure(journal, asked, &run)? {
        return Ok(failed(run, failure));
    }
    let Some((answer, started_at)) = answer(journal, asked, &run.id)? else { return Ok(unended(run)) };
    let steps = answer.steps().cloned().collect();
    Ok(RunReport { started_at: Some(started_at), ..completed(run, answer.created_at, steps) })
}

/// A run of which no end is written.
pub(super) fn unended(run: Arc<Run>) -> RunReport {
    let status = RunStatus::Pending;
    RunReport { run, status, started_at: None, ended_at: None, error: None, steps: Vec::new(), approval: None }
}

/// A run that ended without an answer.
pub(super) fn failed(run: Arc<Run>, failure: FailureRecord) -> RunReport {
    let FailureRecord { status, error, steps, started_at, ended_at, .. } = failure;
    RunReport { status, started_at, ended_at: Some(ended_at), error: Some(error), steps, ..unended(run) }
}

/// A run whose answer was written then.
pub(super) fn completed(run: Arc<Run>, ended_at: Timestamp, steps: Vec<Step>) -> RunReport {
    RunReport { status: RunStatus::Completed, ended_at: Some(ended_at), steps, ..unended(run) }
}

/// Records looked at in one read while searching for the end of a run.
pub(super) const SEARCH: usize = 64;

fn answer(journal: &dyn Journal, asked: Position, run: &RunId) -> Result<Option<(Message, Timestamp)>, Error> {
    let mut after = asked.seq;
    loop {
        let records = journal.read_after(Stream { lane: MESSAGES, ..asked.stream }, after, SEARCH)?;
        let Some(last) = records.last() else { return Ok(None) };
        after = last.seq;
        for record in &records {
            let message: MessageRecord = decode(record)?;
            if let Some(answers) = message.answers.clone().filter(|answers| answers.run == *run) {
                let conversation = ConversationId::trusted("");
                return Ok(Some((message.into_message(&conversation, record.seq), answers.started_at)));
            }
        }
    }
}

/// How far the clock may have been set back between two runs of one conversation.
pub(super) const CLOCK_SLACK_MS: u64 = 60 * 60 * 1000;

/// Failures stand in the order they happened, so the search goes back from the last and ends where everything happened
/// before the run was asked for.
fn failure(journal: &dyn Journal, asked: Position, run: &Run) -> Result<Option<FailureRecord>, Error> {
    let mut before = None;
    loop {
        let records = journal.read_before(Stream { lane: FAILURES, ..asked.stream }, before, SEARCH)?;
        let Some(first) = records.first() else { return Ok(None) };
        before = Some(first.seq);
        for record in records.iter().rev() {
            let failure: FailureRecord = decode(record)?;
            if failure.run == run.id {
                return Ok(Some(failure));
            }
            if run.created_at.since(failure.ended_at) > CLOCK_SLACK_MS {
                return Ok(None);
            }
        }
    }
}
