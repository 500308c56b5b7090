//! How values are written in the configuration: counts, sizes, durations, and optional texts and paths.
//!
//! Each function is a `deserialize_with` of serde. What is allowed is named in the error, for it is the only help that
//! somebody with a mistyped file gets.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use humantime_serde::re::humantime::parse_duration;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

/// A value as TOML or an environment variable gives it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Number(i64),
    Text(String),
    Other(toml::Value),
}

impl Raw {
    /// The error that says what was found, and `expected` in its place.
    fn refused<E: Error>(&self, expected: &str) -> E {
        match self {
            Self::Number(number) => E::invalid_value(Unexpected::Signed(*number), &expected),
            Self::Text(text) => E::invalid_value(Unexpected::Str(text), &expected),
            Self::Other(value) => E::invalid_type(Unexpected::Other(value.type_str()), &expected),
        }
    }
}

/// A whole number that is not negative.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let raw = Raw::deserialize(deserializer)?;
    let number = match &raw {
        Raw::Number(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    number.ok_or_else(|| raw.refused("a whole number such as 100"))
}

/// A number of bytes: `4096`, `"256KiB"`, `"1MiB"`.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let raw = Raw::deserialize(deserializer)?;
    let bytes = match &raw {
        Raw::Number(number) => usize::try_from(*number).ok(),
        Raw::Text(text) => text.parse::<ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok()),
        Raw::Other(_) => None,
    };
    bytes.ok_or_else(|| raw.refused("a size such as 4096, \"256KiB\" or \"1MiB\""))
}

/// A duration: `"500ms"`, `"15s"`, `"2m"`. A bare number has no unit and is refused.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let raw = Raw::deserialize(deserializer)?;
    let parsed = match &raw {
        Raw::Text(text) => parse_duration(text).ok(),
        _ => None,
    };
    parsed.ok_or_else(|| raw.refused("a duration such as \"500ms\", \"15s\" or \"2m\""))
}

/// A duration, or nothing where the text is empty.
pub(super) fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let raw = Raw::deserialize(deserializer)?;
    match &raw {
        Raw::Text(text) if text.is_empty() => Some(None),
        Raw::Text(text) => parse_duration(text).ok().map(Some),
        _ => None,
    }
    .ok_or_else(|| raw.refused("a duration such as \"12h\" or \"30d\", or \"\" for none"))
}

/// A text, or nothing where it is empty.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A path, or nothing where it is empty.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(text(deserializer)?.map(PathBuf::from))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Probe {
        #[serde(default, deserialize_with = "size")]
        size: usize,
        #[serde(default, deserialize_with = "time")]
        time: Duration,
        #[serde(default, deserialize_with = "count")]
        count: usize,
    }

    #[test]
    fn sizes_and_durations_read_as_people_write_them() {
        for (text, bytes) in [("4096", 4096), ("\"256KiB\"", 256 << 10), ("\"1MiB\"", 1 << 20), ("\"512\"", 512)] {
            assert_eq!(toml::from_str::<Probe>(&format!("size = {text}")).unwrap().size, bytes, "{text}");
        }
        for (text, millis) in [("500ms", 500), ("15s", 15_000), ("1m 30s", 90_000)] {
            let probe = toml::from_str::<Probe>(&format!("time = \"{text}\"")).unwrap();
            assert_eq!(probe.time, Duration::from_millis(millis), "{text}");
        }
        assert_eq!(toml::from_str::<Probe>("count = 7").unwrap().count, 7);
    }

    #[test]
    fn what_cannot_be_read_says_what_could() {
        for (text, expected) in [
            ("size = \"1 parsec\"", "a size such as"),
            ("size = -1", "a size such as"),
            ("size = true", "a size such as"),
            ("time = 15", "a duration such as"),
            ("time = \"soon\"", "a duration such as"),
            ("count = \"many\"", "a whole number"),
            ("count = -1", "a whole number"),
            ("count = 1.5", "a whole number"),
        ] {
            let error = toml::from_str::<Probe>(text).err().unwrap();
            assert!(error.message().contains(expected), "{text}: {}", error.message());
        }
    }
}
