//! The ids a channel has seen lately, so that a client may publish again what it is not sure of.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::protocol::{MessageId, Timestamp};

/// Ids remembered at a time. At the highest rate a session may publish with (2,000/s) the default window of two
/// minutes needs 240,000; a channel written to faster than this remembers a shorter window.
pub const MAX_KNOWN: usize = 262_144;

/// The ids a channel has seen lately.
#[derive(Debug)]
pub struct Known {
    window: Duration,
    seqs: HashMap<MessageId, u64>,
    order: VecDeque<(Timestamp, MessageId)>,
}

impl Known {
    /// Remembers each id for `window`.
    pub fn new(window: Duration) -> Self {
        Self { window, seqs: HashMap::new(), order: VecDeque::new() }
    }

    /// The `seq` under which an id was published within the window before `now`.
    pub fn seq_of(&mut self, id: &MessageId, now: Timestamp) -> Option<u64> {
        self.forget(now);
        self.seqs.get(id).copied()
    }

    /// Remembers an id published at `at`.
    pub fn remember(&mut self, id: MessageId, seq: u64, at: Timestamp) {
        self.forget(at);
        self.order.push_back((at, id.clone()));
        self.seqs.insert(id, seq);
    }

    /// Forgets an id whose publication failed.
    pub fn take_back(&mut self, id: &MessageId) {
        self.seqs.remove(id);
        // Found near the end: what fails was remembered a moment ago. Left there, it would end a later one early.
        if let Some(at) = self.order.iter().rposition(|(_, known)| known == id) {
            self.order.remove(at);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        while let Some((at, _)) = self.order.front() {
            if now.since(*at) <= window && self.order.len() < MAX_KNOWN {
                break;
            }
            if let Some((_, id)) = self.order.pop_front() {
                self.seqs.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_the_window() {
        let mut known = Known::new(Duration::from_millis(100));
        let id = MessageId::trusted("m1");
        known.remember(id.clone(), 7, Timestamp(1000));
        assert_eq!(known.seq_of(&id, Timestamp(1100)), Some(7));
        assert_eq!(known.seq_of(&id, Timestamp(1101)), None);
    }

    #[test]
    fn a_failed_publication_is_not_known() {
        let mut known = Known::new(Duration::from_millis(100));
        let id = MessageId::trusted("m1");
        known.remember(id.clone(), 7, Timestamp(0));
        known.take_back(&id);
        assert_eq!(known.seq_of(&id, Timestamp(1)), None);
    }
}
