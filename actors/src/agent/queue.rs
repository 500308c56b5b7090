//! The queue of runs that wait for an agent: by priority, first in first out within one, and nothing starves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::protocol::Priority;

/// What waits, with when it came.
#[derive(Debug)]
struct Waiting<T> {
    since: Instant,
    item: T,
}

/// A priority queue with aging. Its bound is kept by whoever fills it: see `AgentCard::reserve`.
#[derive(Debug)]
pub struct Queue<T> {
    levels: [VecDeque<Waiting<T>>; Priority::ALL.len()],
    aging: Duration,
}

impl<T> Queue<T> {
    /// An empty queue in which what waits moves up one level after each `aging`.
    pub fn new(aging: Duration) -> Self {
        Self { levels: Default::default(), aging: aging.max(Duration::from_millis(1)) }
    }

    /// Adds an item that came at `now`.
    pub fn push(&mut self, priority: Priority, item: T, now: Instant) {
        self.levels[priority as usize].push_back(Waiting { since: now, item });
    }

    /// Takes the most urgent item; of equally urgent ones the oldest.
    ///
    /// Within a level the first item has aged most, so looking at the first of each is enough.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let level = (0..self.levels.len())
            .filter_map(|level| {
                self.levels[level].front().map(|first| (self.urgency(level, first, now), first.since, level))
            })
            .min()
            .map(|(_, _, level)| level)?;
        self.levels[level].pop_front().map(|waiting| waiting.item)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.levels.iter().map(VecDeque::len).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.levels.iter().all(VecDeque::is_empty)
    }

    fn urgency(&self, level: usize, waiting: &Waiting<T>, now: Instant) -> usize {
        let waited = now.saturating_duration_since(waiting.since);
        let steps = usize::try_from(waited.as_millis() / self.aging.as_millis()).unwrap_or(usize::MAX);
        level.saturating_sub(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGING: Duration = Duration::from_secs(30);

    fn drain(queue: &mut Queue<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop(now)).collect()
    }

    #[test]
    fn more_urgent_comes_first_and_equals_keep_their_order() {
        let (mut queue, now) = (Queue::new(AGING), Instant::now());
        for (priority, item) in [
            (Priority::Low, "low"),
            (Priority::Normal, "first"),
            (Priority::Urgent, "urgent"),
            (Priority::Normal, "second"),
            (Priority::High, "high"),
        ] {
            queue.push(priority, item, now);
        }
        assert_eq!(queue.len(), 5);
        assert_eq!(drain(&mut queue, now), ["urgent", "high", "first", "second", "low"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_waits_long_moves_up_a_level_at_a_time() {
        let (mut queue, start) = (Queue::new(AGING), Instant::now());
        queue.push(Priority::Low, "old low", start);
        let later = start + AGING;
        queue.push(Priority::Normal, "normal", later);
        queue.push(Priority::High, "high", later);
        assert_eq!(queue.pop(later), Some("high"));
        assert_eq!(queue.pop(later), Some("old low"));
        assert_eq!(queue.pop(later), Some("normal"));
    }
}
