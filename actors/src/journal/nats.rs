//! A log in a stream of NATS JetStream, version 2.12 or newer.
//!
//! The stream `NAME` holds the subject `NAME.log`; each append carries the sequence of the message that it expects to be
//! the last (`Nats-Expected-Last-Subject-Sequence`), which is what settles who leads, and an id (`Nats-Msg-Id`), so that
//! it may be sent again. Beside it stand copies of a store (`NAME.copy`, `NAME.copied`); heartbeats of the leader go over
//! the subject `NAME.beat` without being kept. One thread of its own serves the connection; callers block.

mod beat;
mod copies;
mod kept;
mod leading;
mod link;
mod message;
mod putting;
mod reader;
mod tail;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Event;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

pub use link::Options;

use super::Health;
use super::log::{Keeping, Log, LogError, Mark, Pair, Step};
use beat::Pulse;
use kept::Kept;
use leading::said;
use link::Link;
use message::Message;
use tail::{Myself, Tail};

/// What part of the stream's bytes is appended until another copy of the store is kept: the log goes back to the copy
/// before the last, so that two parts are log, and as much is left for two copies.
const SHARE: u64 = 8;

/// How long an append may take until this server is not ready.
const LATE: Duration = Duration::from_secs(2);

/// What became of the connection and was not told yet: it is told at once, unless the thread is busy.
const EVENTS: usize = 64;

/// How long a new term, or a farewell, is tried.
const PATIENCE: Duration = Duration::from_secs(2);

/// A log in NATS.
#[derive(Debug)]
pub struct NatsLog {
    /// `None` when it is being dropped.
    runtime: Option<Runtime>,
    link: Link,
    pulse: Arc<Pulse>,
    myself: Myself,
    patience: Duration,
    place: Mutex<Place>,
    /// Since when an append waits.
    since: Mutex<Option<Instant>>,
    /// Bytes appended since a copy of the store was kept last, and how many are enough for another.
    appended: AtomicU64,
    enough: u64,
    /// Whether there was no room for the last commit. A term, which is short, may find some all the same.
    full: AtomicBool,
}

/// Where this server is in the log.
#[derive(Debug, Default)]
struct Place {
    tail: Option<Tail>,
    /// Its term, while it leads.
    term: u64,
    /// The last message, while it leads.
    last: u64,
}

impl NatsLog {
    /// Connects to NATS, waiting for it where it is not there yet, and makes the stream. Blocks.
    ///
    /// # Errors
    /// NATS is too old, refuses these credentials, or cannot have such a stream.
    pub fn open(options: &Options) -> Result<Arc<Self>, LogError> {
        let unfit = |error: &dyn std::fmt::Display| LogError::Unfit(format!("NATS cannot be used: {error}"));
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("journal-nats").enable_all().build();
        let runtime = runtime.map_err(|error| unfit(&error))?;
        let (events, heard) = mpsc::channel(EVENTS);
        let link = runtime.block_on(Link::open(options, events))?;
        let (subject, node) = (options.beat_subject(), options.node.clone());
        let pulse = runtime.block_on(Pulse::start(link.client.clone(), subject, node, options.silence));
        let pulse = pulse.map_err(|error| unfit(&error))?;
        runtime.spawn(mind(heard, Arc::downgrade(&pulse)));
        let myself = Myself { node: options.node.clone(), nonce: Uuid::new_v4().as_u128() };
        Ok(Arc::new(Self {
            runtime: Some(runtime),
            link,
            pulse,
            myself,
            patience: options.patience,
            place: Mutex::default(),
            since: Mutex::default(),
            appended: AtomicU64::new(0),
            enough: options.max_bytes / SHARE,
            full: AtomicBool::new(false),
        }))
    }

    /// Who leads in this server's stead, once it led and another does: it has to stop then.
    pub fn deposed(&self) -> watch::Receiver<Option<String>> {
        self.pulse.deposed()
    }

    fn wait_for<T>(&self, work: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(LogError::Unavailable("the log is closed".to_owned())),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl Log for NatsLog {
    fn lineage(&self) -> String {
        self.link.lineage()
    }

    fn is_copy_due(&self) -> bool {
        self.appended.load(Ordering::Relaxed) >= self.enough
    }

    fn keep(&self) -> Result<Box<dyn Keeping + '_>, LogError> {
        Ok(Box::new(Kept::new(self)))
    }

    fn copy(&self, each: &mut dyn FnMut(Vec<Pair>) -> Result<(), LogError>) -> Result<Option<Mark>, LogError> {
        self.wait_for(self.link.copy(each))
    }

    fn is_empty(&self) -> Result<bool, LogError> {
        self.wait_for(async { Ok(self.link.last().await.map_err(LogError::Unavailable)?.is_none()) })
    }

    fn follow(&self, position: u64, next: u64) -> Result<Step, LogError> {
        let mut place = self.place();
        let tail = place.tail.get_or_insert_with(|| Tail::new(position, next));
        let step = self.wait_for(tail.step(&self.link, &self.pulse, &self.myself))?;
        if let Step::Lead { position } = step {
            *place = Place { tail: None, term: position, last: position };
            if let Err(error) = self.wait_for(self.count()) {
                log::warn!("what the log holds cannot be counted, so a copy of the store is kept: {error}");
                self.appended.store(self.enough, Ordering::Relaxed);
            }
            self.pulse.lead(Some(position));
        }
        Ok(step)
    }

    fn append(&self, first: u64, segments: &[Vec<u8>]) -> Result<u64, LogError> {
        self.note(Some(Instant::now()));
        let put = self.wait_for(self.put_commit(&mut self.place(), first, segments));
        self.note(None);
        if put.is_ok() {
            self.full.store(false, Ordering::Relaxed);
        }
        put
    }

    fn renew(&self, next: u64) -> Result<u64, LogError> {
        self.wait_for(self.put_term(&mut self.place(), next))
    }

    fn resign(&self) {
        let place = self.place();
        self.pulse.lead(None);
        let said = self.wait_for(async {
            let message = Message::Resigned { term: place.term };
            let body = message.encode().map_err(|error| LogError::Unavailable(error.to_string()))?;
            let put = self.link.put(place.last, &format!("resigned-{}", place.term), body, PATIENCE).await;
            put.map_err(|not| LogError::Unavailable(said(&not)))
        });
        if let Err(error) = said {
            log::warn!("whoever stands by has to wait before it takes over: {error}");
        }
    }

    fn health(&self) -> Health {
        if let Some(by) = self.pulse.deposed().borrow().as_ref() {
            return Health::Failed(format!("{by} leads now"));
        }
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match since.map(|since| since.elapsed()) {
            Some(waited) if waited >= LATE => {
                Health::Failed(format!("NATS has not taken a write for {} s", waited.as_secs()))
            }
            _ if self.full.load(Ordering::Relaxed) => Health::Failed("the log in NATS is full".to_owned()),
            _ if !self.pulse.is_connected() => Health::Failed("NATS is not connected".to_owned()),
            _ => Health::Ready,
        }
    }
}

impl Drop for NatsLog {
    /// A runtime must not be waited for where others run.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tells what becomes of the connection, and that silence heard without one means nothing.
async fn mind(mut events: mpsc::Receiver<Event>, pulse: std::sync::Weak<Pulse>) {
    while let Some(event) = events.recv().await {
        let Some(pulse) = pulse.upgrade() else { return };
        pulse.wake();
        match event {
            Event::Connected => log::info!("NATS is connected"),
            Event::Disconnected => log::warn!("NATS is not connected"),
            other => log::warn!("NATS: {other}"),
        }
    }
}
