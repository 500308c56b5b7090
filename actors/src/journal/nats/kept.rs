//! When a copy of the store is due, and one on its way.

use std::sync::atomic::Ordering;

use super::NatsLog;
use super::copies::Copying;
use crate::journal::log::{Keeping, LogError, Mark, Pair};

impl NatsLog {
    /// How much was appended since the last copy, about: what the leaders before did not get round to counts too. A log
    /// that begins where a store is, and has no copy of that yet, wants one at once.
    pub(super) async fn count(&self) -> Result<(), LogError> {
        let info = self.link.stream.get_info().await.map_err(|error| LogError::Unavailable(error.to_string()))?;
        let state = info.state;
        let appended = match self.link.copied().await? {
            None if self.link.begins_late().await? => u64::MAX / 2,
            None => state.bytes,
            Some(copied) => {
                let since = state.last_sequence.saturating_sub(copied.position);
                (state.bytes / state.messages.max(1)).saturating_mul(since)
            }
        };
        self.appended.fetch_max(appended, Ordering::Relaxed);
        Ok(())
    }
}

/// A copy of the store on its way into the stream.
pub(super) struct Kept<'a> {
    log: &'a NatsLog,
    copying: Copying,
    /// Bytes that had been appended when it began.
    begun: u64,
}

impl<'a> Kept<'a> {
    /// One that begins now.
    pub fn new(log: &'a NatsLog) -> Self {
        Self { log, copying: Copying::new(), begun: log.appended.load(Ordering::Relaxed) }
    }
}

impl Keeping for Kept<'_> {
    fn put(&mut self, pairs: Vec<Pair>) -> Result<(), LogError> {
        let (link, copying) = (&self.log.link, &mut self.copying);
        self.log.wait_for(copying.put(link, pairs))
    }

    fn finish(self: Box<Self>, mark: Mark) -> Result<(), LogError> {
        let Self { log, copying, begun } = *self;
        log.wait_for(copying.finish(&log.link, mark))?;
        // Another thread may have added since; it may be less than `begun`, where the log began with this copy.
        let left = |appended: u64| Some(appended.saturating_sub(begun));
        let _ = log.appended.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        Ok(())
    }
}
