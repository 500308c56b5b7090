//! Time as everybody here sees it: UTC, in milliseconds.

use std::cell::Cell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970 in UTC. Shown as RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The same moment for formatting and arithmetic on calendars.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// Milliseconds from `earlier` to this moment; zero if the clock went back.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

thread_local! {
    /// The second that was shown last, as it is shown: what is told at one time is told to many.
    static SHOWN: Cell<(i64, [u8; SECOND])> = const { Cell::new((i64::MIN, [0; SECOND])) };
}

/// The length of `2026-01-31T23:59:59`.
const SECOND: usize = 19;

/// What follows it: `.999Z`.
const REST: usize = 5;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (second, millis) = (self.0.div_euclid(1000), self.0.rem_euclid(1000));
        let (shown, mut text) = SHOWN.get();
        if shown != second {
            let whole = self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true);
            let Some(start) = whole.as_bytes().first_chunk().filter(|_| whole.len() == SECOND + REST) else {
                // Not a year of four digits.
                return f.write_str(&whole);
            };
            text = *start;
            SHOWN.set((second, text));
        }
        let digit = |of: i64| b'0' + u8::try_from(of % 10).unwrap_or(0);
        let mut whole = [0; SECOND + REST];
        let (start, rest) = whole.split_at_mut(SECOND);
        start.copy_from_slice(&text);
        rest.copy_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
        f.write_str(std::str::from_utf8(&whole).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_shown_as_its_own() {
        for millis in [0, -1, 999, 1000, 1_743_713_115_007, 1_743_713_115_999, 253_402_300_799_999, 253_402_300_800_000]
        {
            let at = Timestamp(millis);
            assert_eq!(at.to_string(), at.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true));
        }
    }
}
