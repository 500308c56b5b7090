//! When to try again, and how long to wait before.

use std::time::Duration;

use super::fault::Fault;
use super::settings::{Retries, seconds};

/// How often a model has been tried.
pub(super) struct Patience<'a> {
    retries: &'a Retries,
    tried: u32,
}

impl<'a> Patience<'a> {
    pub(super) fn new(retries: &'a Retries) -> Self {
        Self { retries, tried: 0 }
    }

    /// How long to wait before the next try; `None` if there is to be none. `chance` is from 0 to 1: several that failed
    /// together do not come back together.
    pub(super) fn wait(&mut self, fault: &Fault, chance: f64) -> Option<Duration> {
        if !fault.passes() || self.tried >= self.retries.times {
            return None;
        }
        let longest = seconds(self.retries.longest_seconds);
        let backoff = seconds(self.retries.first_seconds).saturating_mul(1 << self.tried.min(16)).min(longest);
        self.tried += 1;
        let backoff = backoff.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        match fault.retry_after {
            Some(wish) if wish > longest => None,
            Some(wish) => Some(wish.max(backoff)),
            None => Some(backoff),
        }
    }
}

/// A number from 0 to 1 that nobody knows before.
pub(super) fn chance() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::model::fault::Trouble;

    fn retries() -> Retries {
        Retries { times: 3, first_seconds: 1.0, longest_seconds: 3.0 }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let (retries, fault) = (retries(), Fault::new(Trouble::Status(503), ""));
        let mut patience = Patience::new(&retries);
        let waits: Vec<_> = (0..4).map(|_| patience.wait(&fault, 1.0).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(1000), Some(2000), Some(3000), None]);
        assert_eq!(Patience::new(&retries).wait(&fault, 0.0), Some(Duration::from_millis(500)));
        assert_eq!(Patience::new(&retries).wait(&Fault::new(Trouble::Status(401), ""), 1.0), None);
        assert!((0.0..=1.0).contains(&chance()));
    }

    #[test]
    fn a_servers_wish_is_honoured_or_the_server_left_alone() {
        let retries = retries();
        let wish = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Patience::new(&retries).wait(&Fault { retry_after, ..Fault::new(Trouble::Status(429), "") }, 1.0)
        };
        assert_eq!(wish(2), Some(Duration::from_secs(2)));
        assert_eq!(wish(0), Some(Duration::from_secs(1)));
        assert_eq!(wish(4), None);
    }
}
