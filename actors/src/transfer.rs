//! What is in a journal as lines of JSON, and a journal from such lines; and what a record must be, kind by kind.
//!
//! The first line says what follows, the last that nothing is missing. In between stands a line a place, each followed by
//! a line a record. Numbers of places and `seq`s are kept, so that a run's id means the same in the journal made of the
//! lines; a record that did not end stays open. A record whose JSON would not read back to the same bytes stands there
//! as bytes. Credentials are no part of a journal.

mod inward;
mod outward;
mod record;

pub use inward::import;
pub use outward::export;
pub use record::inspect;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the form of the lines.
pub const VERSION: u32 = 1;

/// A line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first.
    Callboard { version: u32 },
    /// A place; its records follow.
    Place {
        number: u64,
        tenant: String,
        kind: String,
        id: String,
        /// The first `seq` of lanes that were trimmed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trimmed: Vec<(u8, u64)>,
    },
    /// A record of the place above.
    Record {
        lane: u8,
        seq: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        open: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        /// In hexadecimal, where there is no value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
    },
    /// The last.
    End { places: u64, records: u64 },
}

/// What was exported or imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moved {
    /// Places.
    pub places: u64,
    /// Records.
    pub records: u64,
}

#[cfg(test)]
mod tests;
