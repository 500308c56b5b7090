//! Where a brain's reports go, and how much a run may produce.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::assignment::{Progress, ProgressReports, Told};
use crate::brain::Sink;
use crate::protocol::{AgentName, Answer, Code, Envelope, Error, Event, Step, Subject};
use crate::subscriptions::Subscriptions;

/// Steps a run may report: what a model may ask for in one, at most 32 times a thought and 8 uses of tools. The builtin
/// brain takes a handful.
const MAX_STEPS: u32 = 320;

/// Pieces an answer may be reported in; what comes after them is joined to the last.
const MAX_DELTAS: u32 = 4096;

/// Bytes that a run may produce, its steps and its answer together: they are one record of the journal, which takes
/// 1 MiB, and a record has other fields as well. The pieces of an answer may come to as much again.
const MAX_BYTES: usize = 960 << 10;

/// What a report counts at least, so that empty ones without end come to an end.
const LEAST: usize = 64;

/// Where a brain's reports go: to the conversation and to those who watch the tenant.
///
/// A brain that reports more than a run may is stopped where it stands: the report does not return, but unwinds the
/// brain, which nothing else could stop if it never looks up.
pub(in crate::agent) struct TurnSink {
    reports: ProgressReports,
    subscriptions: Arc<Subscriptions>,
    /// The only subject that may hear of it; `None`: everybody of the tenant.
    owner: Option<Subject>,
    stream: bool,
    /// What was told before the run had to wait, and is not told again.
    told: Told,
    steps: AtomicU32,
    deltas: AtomicU32,
    /// Bytes of the pieces as they are, those that were told before among them.
    bytes: AtomicUsize,
    /// Bytes of the steps.
    done: AtomicUsize,
    /// What the pieces count.
    said: AtomicUsize,
    /// Pieces beyond `MAX_DELTAS`.
    rest: Mutex<String>,
    exceeded: AtomicBool,
}

/// What a brain that produced too much is unwound with.
struct Excess;

impl TurnSink {
    pub(in crate::agent) fn new(
        reports: ProgressReports,
        subscriptions: Arc<Subscriptions>,
        owner: Option<Subject>,
        stream: bool,
        told: Told,
    ) -> Self {
        Self {
            reports,
            subscriptions,
            owner,
            stream,
            told,
            steps: AtomicU32::new(0),
            deltas: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            said: AtomicUsize::new(0),
            rest: Mutex::default(),
            exceeded: AtomicBool::new(false),
        }
    }

    /// How much has been told by now, before and since.
    pub(in crate::agent) fn told(&self) -> Told {
        let steps = self.steps.load(Ordering::Relaxed).max(self.told.steps);
        Told { steps, bytes: self.bytes.load(Ordering::Relaxed).max(self.told.bytes) }
    }

    /// Reports what was held back, so that the pieces joined are the answer.
    pub(super) fn finish(&self) {
        let rest = std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.reports.send(Progress::Delta(rest));
        }
    }

    /// What a brain came to, unless it is more than a run may produce.
    pub(super) fn checked(&self, name: &AgentName, result: Result<Answer, Error>) -> Result<Answer, Error> {
        let exceeded = self.exceeded.load(Ordering::Relaxed)
            || result.as_ref().is_ok_and(|answer| self.done.load(Ordering::Relaxed) + size(answer) > MAX_BYTES);
        if !exceeded {
            return result;
        }
        let most = MAX_BYTES >> 10;
        Err(Error::new(Code::AgentFailed, format!("{name} produced more than a run may"))
            .with_details(format!("the steps and the answer of a run have at most {most} KiB")))
    }

    /// Counts `bytes` more; does not return if that is too much.
    fn count(&self, counter: &AtomicUsize, bytes: usize) {
        let bytes = bytes.max(LEAST);
        if counter.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > MAX_BYTES {
            self.exceeded.store(true, Ordering::Relaxed);
            // A brain that reports while it unwinds already is on its way out.
            if !std::thread::panicking() {
                std::panic::resume_unwind(Box::new(Excess));
            }
        }
    }
}

impl Sink for TurnSink {
    fn step(&self, step: Step) {
        let call = step.call.as_ref().map_or(0, |call| call.tool.len() + call.arguments.len() + call.result.len());
        self.count(&self.done, step.content.len() + call);
        if (self.told.steps..MAX_STEPS).contains(&self.steps.fetch_add(1, Ordering::Relaxed)) {
            self.reports.send(Progress::Step(step));
        }
    }

    fn delta(&self, piece: &str) {
        self.count(&self.said, piece.len());
        if !self.stream || piece.is_empty() {
            return;
        }
        let before = self.bytes.fetch_add(piece.len(), Ordering::Relaxed);
        let Some(piece) = piece.get(self.told.bytes.saturating_sub(before)..).filter(|news| !news.is_empty()) else {
            return;
        };
        if self.deltas.fetch_add(1, Ordering::Relaxed) < MAX_DELTAS {
            self.reports.send(Progress::Delta(piece.to_owned()));
        } else {
            self.rest.lock().unwrap_or_else(PoisonError::into_inner).push_str(piece);
        }
    }

    fn notice(&self, event: Event) {
        self.subscriptions.emit(&Envelope::new(event), self.owner.as_ref());
    }
}

/// The bytes of an answer as it is written.
fn size(answer: &Answer) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(answer.text.len());
    if !answer.data.is_null() {
        // Counting does not fail.
        let _ = serde_json::to_writer(&mut counter, &answer.data);
    }
    counter.0
}
