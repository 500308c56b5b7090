//! What stands in the stream: terms, commits in parts, and the word of a leader that goes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The layout of a message, its first byte. A later one is refused, since it may mean anything.
const LAYOUT: u8 = 1;

/// A message of the log. Its variants are numbered on the wire: add at the end, never change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// A server leads from here on. Its number is the sequence at which it stands.
    Term {
        /// What the server is called.
        node: String,
        /// Made up by the process that leads, so that it knows its own.
        nonce: u128,
        /// The next segment: commits before this message that reach it are void.
        next: u64,
    },
    /// A commit, or a part of one that is too long for a message.
    Part {
        /// The term of who wrote it.
        term: u64,
        /// The number of the first of its segments.
        first: u64,
        /// Whether the commit ends with it.
        last: bool,
        /// The segments.
        segments: Vec<Vec<u8>>,
    },
    /// The leader has stopped, and nobody needs to wait for it.
    Resigned {
        /// Its term.
        term: u64,
    },
}

impl Message {
    /// The bytes.
    pub fn encode(&self) -> Result<Bytes, postcard::Error> {
        Ok(postcard::to_extend(self, vec![LAYOUT])?.into())
    }

    /// The message; `None` if it is none that this version knows.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (layout, body) = bytes.split_first()?;
        if *layout != LAYOUT {
            return None;
        }
        postcard::from_bytes(body).ok()
    }

    /// The term that a message at `sequence` belongs to.
    pub fn term(&self, sequence: u64) -> u64 {
        match self {
            Self::Term { .. } => sequence,
            Self::Part { term, .. } | Self::Resigned { term } => *term,
        }
    }
}
