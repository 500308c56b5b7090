//! How fast one session may send: a steady rate with bursts, and an end for those who do not heed it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// After this long without a refusal a session has heeded the limit.
const HEEDED: Duration = Duration::from_secs(1);

/// What a frame comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass,
    /// It came too fast; one may be sent again after so many seconds.
    Refuse(u32),
    /// Frames have come too fast for too long.
    Close,
}

/// How fast one session may send.
#[derive(Debug)]
pub struct Pace {
    limiter: DefaultDirectRateLimiter,
    patience: Duration,
    /// Since when frames come too fast, and when the last one did.
    over: Option<(Instant, Instant)>,
}

impl Pace {
    /// `per_second` frames steadily, `burst` at once after a pause; a session over this for `patience` is closed.
    pub fn new(per_second: usize, burst: usize, patience: Duration) -> Self {
        let at_least_one =
            |number: usize| NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Self { limiter: RateLimiter::direct(quota), patience, over: None }
    }

    /// Judges a frame that came now.
    pub fn judge(&mut self) -> Verdict {
        let Err(refused) = self.limiter.check() else { return Verdict::Pass };
        let now = Instant::now();
        let since = match self.over {
            Some((since, last)) if now.duration_since(last) < HEEDED => since,
            _ => now,
        };
        self.over = Some((since, now));
        if now.duration_since(since) >= self.patience {
            return Verdict::Close;
        }
        let wait = refused.wait_time_from(DefaultClock::default().now());
        Verdict::Refuse(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_is_over_it_is_refused() {
        let mut pace = Pace::new(1, 3, Duration::from_secs(10));
        let verdicts: Vec<_> = (0..4).map(|_| pace.judge()).collect();
        assert_eq!(verdicts[..3], [Verdict::Pass; 3]);
        assert_eq!(verdicts[3], Verdict::Refuse(1));
    }

    #[test]
    fn without_patience_the_first_refusal_is_the_end() {
        let mut pace = Pace::new(1, 1, Duration::ZERO);
        assert_eq!(pace.judge(), Verdict::Pass);
        assert_eq!(pace.judge(), Verdict::Close);
    }
}
