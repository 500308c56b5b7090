//! What a leader writes: commits in parts, and terms; and how it finds out that it leads no more.

use std::sync::atomic::Ordering;

use super::message::Message;
use super::putting::{Last, NotPut};
use super::{NatsLog, PATIENCE, Place};
use crate::journal::log::LogError;

/// Bytes of segments in a message, less than what NATS takes by default (1 MiB).
const BYTES: usize = 512 << 10;

/// What a message has besides its segments, at the most.
const FRAME: usize = 8 << 10;

/// How often a new term is tried where messages of one's own come in between.
const ATTEMPTS: usize = 3;

impl NatsLog {
    /// Appends a commit, its segments numbered from `first` on; answers where it ends.
    pub(super) async fn put_commit(
        &self,
        place: &mut Place,
        first: u64,
        segments: &[Vec<u8>],
    ) -> Result<u64, LogError> {
        let most = BYTES.min(self.link.room.saturating_sub(FRAME));
        let (mut first, mut rest) = (first, segments);
        while !rest.is_empty() {
            let (part, others) = rest.split_at(fitting(rest, most));
            let message = Message::Part { term: place.term, first, last: others.is_empty(), segments: part.to_vec() };
            let body = message.encode().map_err(|error| LogError::Unavailable(error.to_string()))?;
            let id = format!("{}-{first}", place.term);
            self.appended.fetch_add(body.len() as u64, Ordering::Relaxed);
            let put = self.link.put(place.last, &id, body, self.patience).await;
            place.last = put.map_err(|not| self.refused(not))?;
            first += part.len() as u64;
            rest = others;
        }
        Ok(place.last)
    }

    /// Appends a term that goes on with segment `next`, behind whatever this server has written; answers where it stands.
    pub(super) async fn put_term(&self, place: &mut Place, next: u64) -> Result<u64, LogError> {
        let mut refused = LogError::Unavailable("the log changes all the time".to_owned());
        for _ in 0..ATTEMPTS {
            let last = self.link.last().await.map_err(LogError::Unavailable)?;
            if let Some(last) = last.as_ref().filter(|last| last.message.term(last.sequence) > place.term) {
                if !self.is_mine(last) {
                    return Err(self.lost(last));
                }
                place.term = last.sequence;
            }
            let behind = last.map_or(0, |last| last.sequence);
            match self.link.put_term(behind, next, &self.myself, PATIENCE).await? {
                Ok(position) => {
                    (place.term, place.last) = (position, position);
                    self.pulse.lead(Some(position));
                    return Ok(position);
                }
                Err(not) => refused = LogError::Unavailable(said(&not)),
            }
        }
        Err(refused)
    }

    fn is_mine(&self, last: &Last) -> bool {
        matches!(&last.message, Message::Term { nonce, .. } if *nonce == self.myself.nonce)
    }

    fn refused(&self, not: NotPut) -> LogError {
        match not {
            NotPut::Overtaken(last) => self.lost(&last),
            NotPut::Full(_) => {
                self.full.store(true, Ordering::Relaxed);
                LogError::Unavailable(said(&not))
            }
            NotPut::Unavailable(why) => LogError::Unavailable(why),
        }
    }

    fn lost(&self, last: &Last) -> LogError {
        let by = match &last.message {
            Message::Term { node, .. } => node.clone(),
            _ => "another server".to_owned(),
        };
        self.pulse.depose(&by);
        LogError::Deposed(by)
    }
}

/// Why, in words.
pub(super) fn said(not: &NotPut) -> String {
    match not {
        NotPut::Overtaken(last) => format!("message {} stands in its place", last.sequence),
        NotPut::Full(why) => format!("the log in NATS is full: {why}"),
        NotPut::Unavailable(why) => why.clone(),
    }
}

/// How many of the segments, one at least, a message of so many bytes can hold.
fn fitting(segments: &[Vec<u8>], most: usize) -> usize {
    let mut bytes = 0;
    let fit = segments.iter().take_while(|segment| {
        bytes += segment.len() + size_of::<u64>();
        bytes <= most
    });
    fit.count().max(1)
}
