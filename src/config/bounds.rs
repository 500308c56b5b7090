//! What a number, a size or a duration of the configuration may be, checked and said in the words the file uses.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use humantime_serde::re::humantime::format_duration;

/// 1 KiB in bytes.
pub(super) const KIB: usize = 1024;
/// 1 MiB in bytes.
pub(super) const MIB: usize = 1024 * KIB;

/// A second.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// A minute.
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// A day.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// A setting outside its bounds.
#[derive(Debug)]
pub(super) struct OutOfBounds {
    /// What is allowed: `1KiB to 64MiB`.
    pub allowed: String,
}

/// What a section's check gives.
pub(super) type Checked = Result<(), OutOfBounds>;

/// A plain number.
pub(super) fn count(value: usize, allowed: RangeInclusive<usize>) -> Checked {
    within(&value, &allowed, |n| n.to_string())
}

/// A number of bytes.
pub(super) fn size(value: usize, allowed: RangeInclusive<usize>) -> Checked {
    within(&value, &allowed, |n| ByteSize::b(*n as u64).display().iec().to_string().replace(".0 ", "").replace(' ', ""))
}

/// A duration.
pub(super) fn time(value: Duration, allowed: RangeInclusive<Duration>) -> Checked {
    within(&value, &allowed, |d| format_duration(*d).to_string())
}

/// Anything else; `allowed` says what would do.
pub(super) fn that(holds: bool, allowed: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(OutOfBounds { allowed: allowed.into() }) }
}

fn within<T: PartialOrd>(value: &T, allowed: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> Checked {
    that(allowed.contains(value), format!("{} to {}", show(allowed.start()), show(allowed.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_said_as_the_file_writes_them() {
        let said = |checked: Checked| checked.err().map(|e| e.allowed);
        assert_eq!(said(size(12, KIB..=64 * MIB)).as_deref(), Some("1KiB to 64MiB"));
        assert_eq!(said(time(Duration::ZERO, SECOND..=MINUTE)).as_deref(), Some("1s to 1m"));
        assert_eq!(said(count(0, 1..=5)).as_deref(), Some("1 to 5"));
        assert_eq!(said(count(5, 1..=5)), None);
    }
}
