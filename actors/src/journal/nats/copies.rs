//! Copies of a store, kept in the stream beside the log: pieces, and behind them the word that they are all.

use std::ops::Range;
use std::time::Duration;

use async_nats::jetstream::stream::{PurgeErrorKind, RawMessageErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::link::Link;
use crate::journal::log::{LogError, Mark, Pair};

/// How long a piece is tried.
const PATIENCE: Duration = Duration::from_secs(15);

/// That a copy is whole, and what it holds. Postcard: add no field, but another layout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Copied {
    /// Which copy.
    id: u128,
    /// Where its pieces stand: others may stand between them.
    pieces: Range<u64>,
    /// How many there are.
    count: u64,
    next: u64,
    /// Where it ends in the log.
    pub position: u64,
}

/// Some pairs of a copy.
#[derive(Serialize, Deserialize)]
struct Piece {
    id: u128,
    number: u64,
    pairs: Vec<Pair>,
}

/// A copy on its way into the stream.
#[derive(Debug)]
pub(super) struct Copying {
    id: u128,
    count: u64,
    pieces: Range<u64>,
}

impl Copying {
    /// A copy without pieces.
    pub fn new() -> Self {
        Self { id: Uuid::new_v4().as_u128(), count: 0, pieces: 0..0 }
    }

    /// Writes a piece.
    pub async fn put(&mut self, link: &Link, pairs: Vec<Pair>) -> Result<(), LogError> {
        let piece = Piece { id: self.id, number: self.count, pairs };
        let body = postcard::to_allocvec(&piece).map_err(unavailable)?;
        let id = format!("{:x}-{}", self.id, self.count);
        let sequence = link.add(&link.copy, &id, body.into(), PATIENCE).await.map_err(LogError::Unavailable)?;
        if self.count == 0 {
            self.pieces.start = sequence;
        }
        self.pieces.end = sequence + 1;
        self.count += 1;
        Ok(())
    }

    /// Says that it is whole, and lets go of what is not needed beside it any more: the copy before, and what the log
    /// has from before that one. Since then every server that stands by has read it.
    pub async fn finish(self, link: &Link, mark: Mark) -> Result<(), LogError> {
        let before = link.copied().await?;
        let Mark { next, position } = mark;
        let copied = Copied { id: self.id, pieces: self.pieces, count: self.count, next, position };
        let body = postcard::to_allocvec(&copied).map_err(unavailable)?;
        let stands = link.add(&link.copied, &format!("{:x}", self.id), body.into(), PATIENCE).await;
        let stands = stands.map_err(LogError::Unavailable)?;
        let log = before.map_or(0, |before| before.position);
        for (subject, first) in [(&link.subject, log), (&link.copy, copied.pieces.start), (&link.copied, stands)] {
            link.let_go(subject, first).await?;
        }
        Ok(())
    }
}

impl Link {
    /// The copy that was kept last.
    pub async fn copied(&self) -> Result<Option<Copied>, LogError> {
        let Some(last) = self.last_of(&self.copied).await.map_err(LogError::Unavailable)? else { return Ok(None) };
        postcard::from_bytes(&last.payload).map(Some).map_err(unavailable)
    }

    /// Hands the pieces of the copy that was kept last to `each`.
    pub async fn copy(
        &self,
        each: &mut dyn FnMut(Vec<Pair>) -> Result<(), LogError>,
    ) -> Result<Option<Mark>, LogError> {
        let Some(copied) = self.copied().await? else { return Ok(None) };
        let mut found = 0;
        for sequence in copied.pieces.clone() {
            let message = match self.stream.get_raw_message(sequence).await {
                Ok(message) => message,
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => continue,
                Err(error) => return Err(unavailable(error)),
            };
            if message.subject.as_str() != self.copy {
                continue;
            }
            let piece: Piece = postcard::from_bytes(&message.payload).map_err(unavailable)?;
            if piece.id == copied.id && piece.number == found {
                found += 1;
                each(piece.pairs)?;
            }
        }
        if found != copied.count {
            return Err(LogError::Unavailable("the copy of the store was replaced while it was read".to_owned()));
        }
        Ok(Some(Mark { next: copied.next, position: copied.position }))
    }

    /// Lets go of the messages of a subject that stand before `first`.
    async fn let_go(&self, subject: &str, first: u64) -> Result<(), LogError> {
        if first == 0 {
            return Ok(());
        }
        match self.stream.purge().filter(subject).sequence(first).await {
            Ok(_) => Ok(()),
            // It is tried again with the next copy.
            Err(error) if error.kind() == PurgeErrorKind::TimedOut => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> LogError {
    LogError::Unavailable(error.to_string())
}
