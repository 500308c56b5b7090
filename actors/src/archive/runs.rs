//! The runs of a conversation, page by page: what its messages asked for, and how each of them ended.

use std::collections::HashMap;
use std::sync::Arc;

use super::run::{CLOCK_SLACK_MS, SEARCH, completed, failed, unended};
use super::{Archive, SCAN};
use crate::conversation::record::{FAILURES, FailureRecord, MESSAGES, MessageRecord};
use crate::journal::format::decode;
use crate::journal::{Kind, Place, PlaceName, Position, Stream, read_back};
use crate::protocol::{ConversationId, Error, MAX_PAGE, Part, Run, RunId, Step, Timestamp, Tokens};
use crate::runs::{LiveRuns, RunReport};

/// A run in a listing.
#[derive(Clone, Debug)]
pub struct ListedRun {
    /// The run, without its steps.
    pub report: RunReport,
    /// What models read and wrote for it so far.
    pub tokens: Tokens,
}

/// What a listing tells of an answer. The answer itself, with its steps, may be large.
#[derive(Clone, Copy, Debug)]
struct Ending {
    started_at: Timestamp,
    ended_at: Timestamp,
    tokens: Tokens,
}

/// What one look at the messages found.
#[derive(Debug, Default)]
struct Found {
    /// Newest first.
    runs: Vec<Arc<Run>>,
    /// The answers among the messages looked at: at most as many as these.
    endings: HashMap<RunId, Ending>,
    /// The newest message looked at; 0 if there was none.
    newest: u64,
    /// The oldest one, where the look ended before the conversation did.
    stopped_at: Option<u64>,
}

impl From<RunReport> for ListedRun {
    fn from(report: RunReport) -> Self {
        Self { tokens: report.tokens(), report: RunReport { steps: Vec::new(), ..report } }
    }
}

impl Archive<'_> {
    /// Runs that a conversation's messages asked for, newest first: those before `before`, and what to give as `before`
    /// for the next page (a number that says nothing else). Where many messages asked for nothing, a page may be shorter than `limit` and have a next one.
    /// `open` are the tenant's runs that have not ended.
    pub fn runs(
        &self,
        id: &ConversationId,
        before: Option<u64>,
        limit: usize,
        open: &LiveRuns,
    ) -> Result<(Vec<ListedRun>, Option<u64>), Error> {
        self.conversation(id)?;
        let Some(place) = self.place(Kind::Conversation, id.as_str())? else { return Ok((Vec::new(), None)) };
        let limit = limit.clamp(1, MAX_PAGE);
        // One more, to know whether there is one.
        let mut found = self.asked_for(id, place, before, limit + 1)?;
        let mut next = found.stopped_at.map(|seq| rank(seq, 1));
        if found.runs.len() > limit {
            found.runs.truncate(limit);
            next = found.runs.last().map(|run| rank(run.asked_at, run.turn.index));
        }
        Ok((self.endings(place, found, open)?, next))
    }

    /// The newest runs below `before`, at most `limit`.
    fn asked_for(&self, id: &ConversationId, place: Place, before: Option<u64>, limit: usize) -> Result<Found, Error> {
        let name = PlaceName { tenant: self.tenant().clone(), kind: Kind::Conversation, id: id.to_string() };
        let (stream, mut found) = (Stream { place, lane: MESSAGES }, Found::default());
        // A page may end within what one message asked for.
        let mut upto = before.map(|before| (before >> TURNS) + 1);
        for _ in 0..SCAN / SEARCH {
            let records = read_back(self.journal, stream, upto, SEARCH)?;
            let Some(first) = records.first() else { return Ok(found) };
            upto = Some(first.seq);
            found.newest = found.newest.max(records.last().map_or(0, |last| last.seq));
            for record in records.iter().rev() {
                let message: MessageRecord = decode(record)?;
                found.note(&message);
                let position = Position { stream, seq: record.seq };
                let asked = message.asks.as_ref().map_or(0, |ask| u16::try_from(ask.agents.len()).unwrap_or(u16::MAX));
                let turns =
                    (1..=asked).rev().filter(|turn| before.is_none_or(|before| rank(record.seq, *turn) < before));
                let runs =
                    turns.filter_map(|turn| self.rebuild(&name, &message, message.asks.as_ref()?, position, turn));
                found.runs.extend(runs.map(Arc::new));
                if found.runs.len() >= limit {
                    return Ok(found);
                }
            }
        }
        found.stopped_at = upto.filter(|seq| *seq > 1);
        Ok(found)
    }

    /// How each of the runs stands.
    fn endings(&self, place: Place, mut found: Found, open: &LiveRuns) -> Result<Vec<ListedRun>, Error> {
        let report = |run: &RunId| open.get(run).map(|live| RunReport::live(&live));
        let runs = std::mem::take(&mut found.runs);
        let mut told: HashMap<RunId, ListedRun> = HashMap::new();
        for run in runs.iter().filter(|run| !found.endings.contains_key(&run.id)) {
            told.extend(report(&run.id).map(|report| (run.id.clone(), report.into())));
        }
        let left = |told: &HashMap<RunId, ListedRun>, found: &Found| -> HashMap<RunId, Arc<Run>> {
            let left = runs.iter().filter(|run| !told.contains_key(&run.id) && !found.endings.contains_key(&run.id));
            left.map(|run| (run.id.clone(), run.clone())).collect()
        };
        self.failures(place, left(&told, &found), &mut told)?;
        self.later(place, &left(&told, &found), &mut found)?;
        let listed = runs.iter().map(|run| match (told.remove(&run.id), found.endings.get(&run.id)) {
            (Some(listed), _) => listed,
            (None, Some(ending)) => ending.of(run.clone()),
            // Written between the two looks, or never to be ended: nobody is at it.
            (None, None) => report(&run.id).unwrap_or_else(|| unended(run.clone()).interrupted()).into(),
        });
        Ok(listed.collect())
    }

    /// Which of these runs failed. Failures stand in the order they happened: the search goes back from the last and ends
    /// where everything happened before the oldest of the runs was asked for.
    fn failures(
        &self,
        place: Place,
        mut left: HashMap<RunId, Arc<Run>>,
        told: &mut HashMap<RunId, ListedRun>,
    ) -> Result<(), Error> {
        let mut before = None;
        while let Some(oldest) = left.values().map(|run| run.created_at).min() {
            let records = self.journal.read_before(Stream { place, lane: FAILURES }, before, SEARCH)?;
            let Some(first) = records.first() else { return Ok(()) };
            before = Some(first.seq);
            for record in records.iter().rev() {
                let failure: FailureRecord = decode(record)?;
                if oldest.since(failure.ended_at) > CLOCK_SLACK_MS {
                    return Ok(());
                }
                if let Some(run) = left.remove(&failure.run) {
                    told.insert(failure.run.clone(), failed(run, failure).into());
                }
            }
        }
        Ok(())
    }

    /// Looks for the answers of these runs behind the messages that were looked at: where others spoke in between, or
    /// the answer came meanwhile.
    fn later(&self, place: Place, left: &HashMap<RunId, Arc<Run>>, found: &mut Found) -> Result<(), Error> {
        let mut after = found.newest;
        while left.keys().any(|run| !found.endings.contains_key(run)) {
            let records = self.journal.read_after(Stream { place, lane: MESSAGES }, after, SEARCH)?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.seq;
            for record in &records {
                let message: MessageRecord = decode(record)?;
                if message.answers.as_ref().is_some_and(|answer| left.contains_key(&answer.run)) {
                    found.note(&message);
                }
            }
        }
        Ok(())
    }
}

impl Found {
    /// Notes what a message answers.
    fn note(&mut self, message: &MessageRecord) {
        let Some(answer) = &message.answers else { return };
        let steps = message.parts.iter().filter_map(|part| if let Part::Step(step) = part { Some(step) } else { None });
        let mut tokens = Tokens::default();
        steps.filter_map(|step: &Step| step.tokens).for_each(|used| tokens += used);
        let ending = Ending { started_at: answer.started_at, ended_at: message.created_at, tokens };
        self.endings.insert(answer.run.clone(), ending);
    }
}

impl Ending {
    fn of(self, run: Arc<Run>) -> ListedRun {
        let report = completed(run, self.ended_at, Vec::new());
        ListedRun { report: RunReport { started_at: Some(self.started_at), ..report }, tokens: self.tokens }
    }
}

/// Bits of a rank that say which of a message's runs it is.
const TURNS: u32 = 16;

/// A run's place among those of its conversation: by the message that asked for it, then by its turn.
fn rank(asked_at: u64, turn: u16) -> u64 {
    asked_at << TURNS | u64::from(turn)
}
