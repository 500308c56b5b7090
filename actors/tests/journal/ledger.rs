//! A log in memory that several stores share: what NATS is to servers, without NATS.
#![allow(dead_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use callboard_actors::journal::Health;
use callboard_actors::journal::log::{Log, LogError, Step};

/// What every server sees.
#[derive(Debug)]
pub struct Ledger {
    name: String,
    inner: Mutex<Inner>,
    next_server: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    leader: u64,
    /// The last position.
    last: u64,
    /// Where each commit ends, the number of its first segment, and its segments.
    commits: Vec<(u64, u64, Vec<Vec<u8>>)>,
}

impl Ledger {
    /// An empty log.
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), inner: Mutex::default(), next_server: AtomicU64::new(1) })
    }

    /// The log as a server sees it that was just started.
    pub fn server(self: &Arc<Self>) -> Arc<Server> {
        let number = self.next_server.fetch_add(1, Ordering::Relaxed);
        Arc::new(Server {
            ledger: Arc::clone(self),
            number,
            fails: AtomicBool::new(false),
            lands: AtomicBool::new(false),
        })
    }

    /// Commits that stand in it.
    pub fn len(&self) -> usize {
        self.inner.lock().unwrap().commits.len()
    }
}

/// The log as one server sees it. It leads as soon as it has read everything: nobody here is waited for.
#[derive(Debug)]
pub struct Server {
    ledger: Arc<Ledger>,
    number: u64,
    /// Whether its appends fail.
    pub fails: AtomicBool,
    /// Whether its appends land in the log although they fail.
    pub lands: AtomicBool,
}

impl Server {
    fn leading(&self) -> Result<std::sync::MutexGuard<'_, Inner>, LogError> {
        let inner = self.ledger.inner.lock().unwrap();
        if inner.leader == self.number { Ok(inner) } else { Err(LogError::Deposed(format!("{}", inner.leader))) }
    }
}

impl Log for Server {
    fn lineage(&self) -> String {
        self.ledger.name.clone()
    }

    fn follow(&self, position: u64, next: u64) -> Result<Step, LogError> {
        let mut inner = self.ledger.inner.lock().unwrap();
        let new: Vec<_> = inner.commits.iter().filter(|commit| commit.0 > position).cloned().collect();
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            assert_eq!(first.1, next);
            let position = last.0;
            return Ok(Step::Apply { segments: new.into_iter().flat_map(|commit| commit.2).collect(), position });
        }
        inner.leader = self.number;
        inner.last += 1;
        Ok(Step::Lead { position: inner.last })
    }

    fn append(&self, first: u64, segments: &[Vec<u8>]) -> Result<u64, LogError> {
        let mut inner = self.leading()?;
        let end = inner.commits.last().map_or(0, |(_, first, segments)| first + segments.len() as u64);
        assert_eq!(first, end, "a hole or a double in the log");
        let fails = self.fails.load(Ordering::SeqCst);
        if !fails || self.lands.load(Ordering::SeqCst) {
            inner.last += 1;
            let last = inner.last;
            inner.commits.push((last, first, segments.to_vec()));
        }
        if fails { Err(LogError::Unavailable("no answer".to_owned())) } else { Ok(inner.last) }
    }

    fn renew(&self, next: u64) -> Result<u64, LogError> {
        let mut inner = self.leading()?;
        if self.fails.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("no answer".to_owned()));
        }
        inner.commits.retain(|commit| commit.1 < next);
        inner.last += 1;
        Ok(inner.last)
    }

    fn resign(&self) {}

    fn health(&self) -> Health {
        Health::Ready
    }
}
