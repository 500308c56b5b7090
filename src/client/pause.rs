//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);

/// The longest: a server that comes back is found within it.
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses that double, each a little shorter or longer by chance, so that many clients do not come back as one.
#[derive(Clone, Debug, Default)]
pub struct Pause {
    attempts: u32,
}

impl Pause {
    /// The next pause.
    pub fn longer(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        // Without randomness it is simply the whole pause.
        let chance = getrandom::u32().map_or(1.0, |random| 0.75 + f64::from(random) / f64::from(u32::MAX) / 2.0);
        whole.mul_f64(chance)
    }

    /// It went well: the next pause is the first again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_anew() {
        let mut pause = Pause::default();
        let pauses: Vec<Duration> = (0..100).map(|_| pause.longer()).collect();
        assert!(pauses.iter().all(|pause| *pause >= FIRST.mul_f64(0.74) && *pause <= LONGEST.mul_f64(1.26)));
        assert!(pauses.last() > pauses.first());
        pause.reset();
        assert!(pause.longer() < FIRST * 2);
    }
}
