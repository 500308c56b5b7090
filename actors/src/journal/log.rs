//! A log elsewhere that holds every commit before it counts: how a journal outlives its machine.
//!
//! The log is one sequence for a whole journal, its commits made of numbered segments. One server leads and appends; the
//! others follow, each filling a store of its own. Who leads is settled by the log alone: taking over appends a *term*
//! behind everything that is there, which fails if something else came first, and so does every later append of whoever
//! led before. Terms also cut: what stands in the log and was not acknowledged is void behind a term that begins before it.

use std::fmt;

use super::Health;

/// Why the log did not do something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// It did not answer in time, or has no room. What was appended may stand in it or not.
    #[error("{0}")]
    Unavailable(String),
    /// Another server leads; this one must not write again.
    #[error("{0} leads now")]
    Deposed(String),
    /// It cannot be used as it is, and waiting does not help; says what to do.
    #[error("{0}")]
    Unfit(String),
}

/// What a server that follows is to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Take in these segments, which go on where the last ones ended: whole commits.
    Apply {
        /// The segments.
        segments: Vec<Vec<u8>>,
        /// Where in the log they end.
        position: u64,
    },
    /// Nothing more is there, and this server leads from now on.
    Lead {
        /// Where in the log its term stands.
        position: u64,
    },
}

/// A log elsewhere. Everything may block; one thread uses it at a time, `health` apart.
pub trait Log: Send + Sync + fmt::Debug {
    /// Which log it is: never the same for another, also of the same name.
    fn lineage(&self) -> String;

    /// What comes behind `position`, where the next segment is number `next`; waits for it, and for its turn to lead.
    fn follow(&self, position: u64, next: u64) -> Result<Step, LogError>;

    /// Appends a commit, its segments numbered from `first` on; answers where it ends. Only for who leads.
    fn append(&self, first: u64, segments: &[Vec<u8>]) -> Result<u64, LogError>;

    /// Makes void what stands in the log from segment `next` on, after an append that failed; answers where the new term
    /// stands. Only for who leads.
    fn renew(&self, next: u64) -> Result<u64, LogError>;

    /// Says that this server leads no more, so that nobody has to wait to find out.
    fn resign(&self);

    /// Whether appends are likely to succeed.
    fn health(&self) -> Health;
}
