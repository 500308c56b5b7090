//! Following the log until it is this server's turn to lead.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::Ordered;
use futures_util::StreamExt;

use super::beat::Pulse;
use super::link::Link;
use super::message::Message;
use super::putting::NotPut;
use super::reader::Reader;
use crate::journal::log::{LogError, Step};

/// Bytes taken in at a time: a commit of the store that is filled is worth its sync then.
const BYTES: usize = 1 << 20;

/// How long to wait for the next message until what was read is taken in.
const QUIET: Duration = Duration::from_millis(20);

/// How long to wait for a message until it is asked again whether the leader lives.
const WAIT: Duration = Duration::from_millis(100);

/// How long a server of NATS that leads the stream no more may speak of an end that is not the end any more, with room.
const STALE: Duration = Duration::from_secs(20);

/// How long the attempt to lead may take until the log is read again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who this process is.
#[derive(Clone, Debug)]
pub(super) struct Myself {
    /// What people call it.
    pub node: String,
    /// What no other process has.
    pub nonce: u128,
}

/// A server's place in the log while it follows.
pub(super) struct Tail {
    reader: Reader,
    messages: Option<Ordered>,
    /// Who was last said to lead.
    told: Option<String>,
    /// Since when the log is said to end before what was read of it.
    lost: Option<Instant>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Tail {
    /// A place behind `position`, whose next segment is number `next`.
    pub fn new(position: u64, next: u64) -> Self {
        Self { reader: Reader::new(position, next), messages: None, told: None, lost: None }
    }

    /// Waits for what there is to do next.
    pub async fn step(&mut self, link: &Link, pulse: &Pulse, myself: &Myself) -> Result<Step, LogError> {
        loop {
            self.gather(link, pulse).await?;
            if let Some((segments, position)) = self.reader.take() {
                return Ok(Step::Apply { segments, position });
            }
            self.tell(pulse);
            if !(self.reader.is_vacant() || pulse.is_silent()) || !self.is_at_the_end(link).await? {
                continue;
            }
            self.reader.settle();
            if let Some((segments, position)) = self.reader.take() {
                return Ok(Step::Apply { segments, position });
            }
            if let Some(position) = self.claim(link, myself).await? {
                return Ok(Step::Lead { position });
            }
        }
    }

    /// Reads for as long as messages come one after the other.
    async fn gather(&mut self, link: &Link, pulse: &Pulse) -> Result<(), LogError> {
        let mut wait = WAIT;
        while self.reader.weight() < BYTES {
            let messages = match &mut self.messages {
                Some(messages) => messages,
                none => match link.tail(self.reader.position()).await {
                    Ok(messages) => none.insert(messages),
                    Err(error) => {
                        log::debug!("the log cannot be read at the moment: {error}");
                        tokio::time::sleep(WAIT).await;
                        return Ok(());
                    }
                },
            };
            let Ok(next) = tokio::time::timeout(wait, messages.next()).await else { return Ok(()) };
            let Some(Ok(message)) = next else {
                self.messages = None;
                return Ok(());
            };
            // Whoever writes lives.
            pulse.wake();
            let unknown = || LogError::Unfit("the log is of a later version: start that one".to_owned());
            let info = message.info().map_err(|error| LogError::Unavailable(error.to_string()))?;
            let content = Message::decode(&message.payload).ok_or_else(unknown)?;
            if info.stream_sequence > self.reader.position() {
                self.reader.read(info.stream_sequence, content)?;
            }
            wait = QUIET;
        }
        Ok(())
    }

    fn tell(&mut self, pulse: &Pulse) {
        let leader = pulse.leader();
        if leader.is_some() && leader != self.told {
            log::info!("standing by: {} leads", leader.as_deref().unwrap_or_default());
            self.told = leader;
        }
    }

    /// Whether everything was read, by what the stream's leader says.
    async fn is_at_the_end(&mut self, link: &Link) -> Result<bool, LogError> {
        let end = match link.last().await {
            Ok(last) => last.map_or(0, |last| last.sequence),
            Err(error) => {
                log::debug!("the log's end cannot be told at the moment: {error}");
                return Ok(false);
            }
        };
        if end >= self.reader.position() {
            self.lost = None;
            return Ok(end == self.reader.position());
        }
        if self.lost.get_or_insert_with(Instant::now).elapsed() < STALE {
            return Ok(false);
        }
        Err(LogError::Unfit(format!(
            "the log in NATS ends at {end}, and this server's store has what stood at {}: NATS lost its end. Restore its \
             files; or delete the stream, make this store a journal of its own by `callboard backup` and `callboard \
             restore --replace`, and a new stream begins with it",
            self.reader.position()
        )))
    }

    /// Appends a term of this server's behind all that was read. `None` if somebody was faster, or nobody answers.
    async fn claim(&self, link: &Link, myself: &Myself) -> Result<Option<u64>, LogError> {
        let behind = self.reader.position();
        match link.put_term(behind, self.reader.next(), myself, PATIENCE).await? {
            Ok(position) => Ok(Some(position)),
            Err(NotPut::Overtaken(_)) => Ok(None),
            Err(NotPut::Full(why) | NotPut::Unavailable(why)) => {
                log::warn!("this server cannot lead at the moment: {why}");
                Ok(None)
            }
        }
    }
}

impl Link {
    /// Appends a term that goes on with segment `next`, behind the message at `behind`.
    pub async fn put_term(
        &self,
        behind: u64,
        next: u64,
        myself: &Myself,
        patience: Duration,
    ) -> Result<Result<u64, NotPut>, LogError> {
        let term = Message::Term { node: myself.node.clone(), nonce: myself.nonce, next };
        let body = term.encode().map_err(|error| LogError::Unavailable(error.to_string()))?;
        let id = format!("term-{:x}-{behind}", myself.nonce);
        Ok(self.put(behind, &id, body, patience).await)
    }
}
