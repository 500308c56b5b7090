//! How far a request has been passed on among agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::id::AgentName;

/// How far a request has been passed on: who waits for whom, and how often it changed hands. All runs of one request
/// count together.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// Agents that wait for the answer, the first that was asked first.
    waiting: Arc<[AgentName]>,
    passed: Arc<AtomicU32>,
}

impl Trail {
    /// Whether this agent waits for what is being done.
    pub fn awaits(&self, agent: &AgentName) -> bool {
        self.waiting.contains(agent)
    }

    /// Whether an agent waits.
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The trail of what `agent` asks somebody else and waits for.
    pub fn with(&self, agent: &AgentName) -> Self {
        let waiting = self.waiting.iter().chain([agent]).cloned().collect();
        Self { waiting, passed: self.passed.clone() }
    }

    /// Counts that the request is passed on once more; `false` if that is more often than `most` times.
    pub fn pass(&self, most: u32) -> bool {
        self.passed.fetch_add(1, Ordering::AcqRel) < most
    }

    /// How often it has been passed on, or somebody tried to.
    pub fn passed(&self) -> u32 {
        self.passed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runs_of_a_request_count_together() {
        let (nyx, sage) = (AgentName::trusted("nyx"), AgentName::trusted("sage"));
        let trail = Trail::default();
        let asked = trail.with(&nyx);
        assert!(asked.awaits(&nyx) && !asked.awaits(&sage) && !trail.awaits(&nyx));
        assert!(trail.pass(2) && asked.pass(2) && !asked.with(&sage).pass(2));
        assert_eq!(trail.passed(), 3);
    }
}
