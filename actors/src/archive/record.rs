//! Records of runs: all that is known of one, for those who want to understand it or play it again.

use std::sync::Arc;

use super::Archive;
use crate::conversation::loading;
use crate::conversation::record::parse_run_id;
use crate::conversation::taped;
use crate::journal::Stream;
use crate::protocol::{Error, Message, RunStatus};
use crate::runs::RunReport;
use crate::tape::Reading;

/// All that is known of a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The run, and where it stands.
    pub report: RunReport,
    /// What its agent was told of the past, oldest first.
    pub history: Vec<Arc<Message>>,
    /// The message that asked for it.
    pub question: Option<Arc<Message>>,
    /// Its answer, if it has one.
    pub answer: Option<Arc<Message>>,
    /// What came to it from outside, if that is kept.
    pub tape: Option<Reading>,
}

impl Archive<'_> {
    /// All that is known of a run, whose report this is; `tape` where it has not ended, and so has not been written.
    pub fn record(&self, report: RunReport, tape: Option<Reading>) -> Result<RunRecord, Error> {
        let missing = || Error::internal("The run has no place in the store");
        let (position, _) = parse_run_id(&report.run.id).ok_or_else(missing)?;
        let (place, id) = (position.stream.place, &report.run.conversation);
        let one = |seq: u64| -> Result<Option<Arc<Message>>, Error> {
            let found = loading::page_after(self.journal, place, id, seq.saturating_sub(1), 1)?;
            Ok(found.into_iter().find(|message| message.seq == seq))
        };
        let tape = match (tape, report.ended_at) {
            (None, Some(ended_at)) => taped::ended(self.journal, place, &report.run.id, ended_at)?,
            (tape, _) => tape,
        };
        let seqs = tape.as_ref().and_then(|tape| tape.opening.as_ref()).map(|opening| opening.history.clone());
        let history = seqs.unwrap_or_default().into_iter().filter_map(|seq| one(seq).transpose());
        let history = history.collect::<Result<Vec<_>, Error>>()?;
        let answer = match report.status {
            RunStatus::Completed => self.answer(Stream { place, ..position.stream }, &report)?,
            _ => None,
        };
        Ok(RunRecord { question: one(position.seq)?, history, answer, tape, report })
    }

    fn answer(&self, lane: Stream, report: &RunReport) -> Result<Option<Arc<Message>>, Error> {
        let (id, mut after) = (report.run.answer_id(), report.run.asked_at);
        loop {
            let page = loading::page_after(self.journal, lane.place, &report.run.conversation, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(None) };
            after = last.seq;
            if let Some(found) = page.into_iter().find(|message| message.id == id) {
                return Ok(Some(found));
            }
        }
    }
}

/// Messages looked at in one read while searching for an answer.
const PAGE: usize = 64;
