//! What a tenant's agents have done over the last minutes, for people who look on.
//!
//! Counters since the start are metrics, and Prometheus keeps their history. Here is the short view of one tenant that a
//! page can show as soon as it is opened.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::protocol::{AgentName, RunStatus, Timestamp};

/// How long one step is, in milliseconds.
pub const STEP_MS: u64 = 5_000;

/// Steps that are kept: ten minutes, what fits a plot that is read at a glance.
pub const STEPS: usize = 120;

/// Agents told apart in one step. Names of agents in other processes come from whoever holds a token, so their number
/// is bounded here; those past it count in the totals alone.
const MAX_AGENTS: usize = 64;

/// Classes of durations: each a quarter longer than the one before, from 1 ms to more than ten minutes.
const CLASSES: usize = 64;

/// How often runs ended, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ends {
    /// With an answer.
    pub answered: u32,
    /// With an error, or too late. What somebody cancelled is neither.
    pub failed: u32,
}

/// One step of the view.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Beat {
    /// Of all agents.
    pub ends: Ends,
    /// Half of the answers took no longer than this, in milliseconds, within a quarter. `None`: there were none.
    pub median_ms: Option<u64>,
    /// The same of nineteen answers in twenty.
    pub p95_ms: Option<u64>,
    /// By agent.
    pub agents: BTreeMap<AgentName, Ends>,
}

/// The last minutes of one tenant.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<VecDeque<Slot>>);

/// What one step counted. Steps without any end have no slot.
#[derive(Debug)]
struct Slot {
    step: u64,
    ends: Ends,
    agents: BTreeMap<AgentName, Ends>,
    durations: [u32; CLASSES],
}

impl Pulse {
    /// Counts a run that ended now.
    pub fn ended(&self, agent: &AgentName, status: RunStatus, duration_ms: u64, now: Timestamp) {
        let one = match status {
            RunStatus::Completed => Ends { answered: 1, failed: 0 },
            RunStatus::Failed | RunStatus::Timeout => Ends { answered: 0, failed: 1 },
            _ => return,
        };
        let step = step_of(now);
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.back().is_none_or(|last| last.step < step) {
            while slots.len() >= STEPS {
                slots.pop_front();
            }
            slots.push_back(Slot { step, ends: Ends::default(), agents: BTreeMap::new(), durations: [0; CLASSES] });
        }
        // A clock that was set back counts into the newest step.
        if let Some(slot) = slots.back_mut() {
            slot.count(agent, one, duration_ms);
        }
    }

    /// The last `STEPS` steps, oldest first; the last one is still going on.
    pub fn read(&self, now: Timestamp) -> Vec<Beat> {
        let last = step_of(now);
        let first = last.saturating_sub(STEPS as u64 - 1);
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = slots.iter().filter(|slot| slot.step >= first).peekable();
        (first..=last)
            .map(|step| slots.next_if(|slot| slot.step == step).map_or_else(Beat::default, Slot::beat))
            .collect()
    }
}

impl Slot {
    fn count(&mut self, agent: &AgentName, one: Ends, duration_ms: u64) {
        self.ends.add(one);
        if one.answered > 0
            && let Some(class) = self.durations.get_mut(class_of(duration_ms))
        {
            *class = class.saturating_add(1);
        }
        if self.agents.len() < MAX_AGENTS || self.agents.contains_key(agent) {
            self.agents.entry(agent.clone()).or_default().add(one);
        }
    }

    fn beat(&self) -> Beat {
        Beat {
            ends: self.ends,
            median_ms: self.quantile(1, 2),
            p95_ms: self.quantile(19, 20),
            agents: self.agents.clone(),
        }
    }

    /// The end of the class in which the `part` of `whole` of all answers is reached.
    fn quantile(&self, part: u64, whole: u64) -> Option<u64> {
        let total: u64 = self.durations.iter().map(|count| u64::from(*count)).sum();
        let rank = (total * part).div_ceil(whole).max(1);
        let mut seen = 0;
        self.durations.iter().enumerate().find_map(|(class, count)| {
            seen += u64::from(*count);
            (seen >= rank).then(|| end_of(class))
        })
    }
}

impl Ends {
    /// Counts `more` as well.
    pub fn add(&mut self, more: Self) {
        self.answered = self.answered.saturating_add(more.answered);
        self.failed = self.failed.saturating_add(more.failed);
    }
}

fn step_of(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0) / STEP_MS
}

/// The first class that does not end before the duration.
fn class_of(duration_ms: u64) -> usize {
    (0..CLASSES).find(|class| duration_ms <= end_of(*class)).unwrap_or(CLASSES - 1)
}

/// The longest duration of a class, in milliseconds.
fn end_of(class: usize) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]
    let end = 1.25_f64.powi(class as i32).round() as u64;
    end
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(name: &str) -> AgentName {
        AgentName::trusted(name)
    }

    #[test]
    fn ends_are_counted_by_step_and_agent_and_leave_after_ten_minutes() {
        let (pulse, begin) = (Pulse::default(), Timestamp(1_000_000_000));
        let later = |ms: i64| Timestamp(begin.0 + ms);
        pulse.ended(&name("nyx"), RunStatus::Completed, 100, begin);
        pulse.ended(&name("nyx"), RunStatus::Failed, 7, begin);
        pulse.ended(&name("aria"), RunStatus::Cancelled, 7, begin);
        pulse.ended(&name("aria"), RunStatus::Completed, 900, later(10_000));
        let beats = pulse.read(later(10_000));
        assert_eq!(beats.len(), STEPS);
        let [.., first, between, last] = &beats[..] else { panic!("{beats:?}") };
        assert_eq!(first.ends, Ends { answered: 1, failed: 1 });
        assert_eq!(first.agents.len(), 1);
        assert_eq!(*between, Beat::default());
        assert_eq!(last.agents[&name("aria")], Ends { answered: 1, failed: 0 });
        let later = pulse.read(later(600_000));
        assert_eq!(later.iter().map(|beat| beat.ends.answered).sum::<u32>(), 1, "the first step has left");
    }

    #[test]
    fn quantiles_are_right_within_a_quarter() {
        let (pulse, now) = (Pulse::default(), Timestamp(1_000_000_000));
        for duration in 1..=1000 {
            pulse.ended(&name("nyx"), RunStatus::Completed, duration, now);
        }
        let beats = pulse.read(now);
        let (median, p95) = (beats[STEPS - 1].median_ms.unwrap(), beats[STEPS - 1].p95_ms.unwrap());
        assert!((500..=625).contains(&median), "{median}");
        assert!((950..=1188).contains(&p95), "{p95}");
    }

    #[test]
    fn many_names_do_not_grow_it_without_bound() {
        let (pulse, now) = (Pulse::default(), Timestamp(1_000_000_000));
        for agent in 0..1000 {
            pulse.ended(&name(&format!("agent-{agent}")), RunStatus::Completed, u64::MAX, now);
        }
        let beats = pulse.read(now);
        assert_eq!(beats[STEPS - 1].ends.answered, 1000);
        assert_eq!(beats[STEPS - 1].agents.len(), MAX_AGENTS);
    }
}
