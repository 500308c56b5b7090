//! `[log]`: what is written about the server's doings.

use serde::Deserialize;

use super::bounds::{Checked, that};

/// What is written about the server's doings, to standard error.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A level, then exceptions: `info,callboard=debug`. The variable `RUST_LOG` wins over it.
    pub filter: String,
}

impl LogConfig {
    pub(super) fn check(&self) -> Checked {
        let reads = env_filter::Builder::new().try_parse(&self.filter).is_ok();
        that(reads, "a level (off, error, warn, info, debug, trace), then exceptions: info,callboard=debug")
    }
}
