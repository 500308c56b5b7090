//! `[auth]`: who is let in.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MINUTE, that, time};
use super::units;

/// Who is let in.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether the endpoints of documents 000, 001 and 002 ask for credentials, too. 003 and 004 always do.
    pub required: bool,
    /// Openness beyond loopback, on purpose: without it a server that asks for nothing listens on loopback only.
    pub allow_open: bool,
    /// Origins, besides the server's own, whose pages may connect: `scheme://host[:port]`, `null`, or `*` for any.
    pub origins: Vec<String>,
    /// How far the clock of another issuer of tokens may be off; at most ten minutes.
    #[serde(deserialize_with = "units::time")]
    pub leeway: Duration,
    /// Public keys of another issuer of tokens, as a JWKS file; read again when it changes.
    #[serde(deserialize_with = "units::path")]
    pub jwks_file: Option<PathBuf>,
    /// The `iss` of tokens that a key of `jwks_file` signed. The server's own tokens need none.
    #[serde(deserialize_with = "units::text")]
    pub issuer: Option<String>,
    /// The `aud` of tokens that a key of `jwks_file` signed. The server's own tokens need none.
    #[serde(deserialize_with = "units::text")]
    pub audience: Option<String>,
}

impl AuthConfig {
    pub(super) fn check(&self) -> Checked {
        that(self.origins.iter().all(|origin| is_origin(origin)), "origins such as https://app.example.com, or \"*\"")?;
        time(self.leeway, Duration::ZERO..=10 * MINUTE)
    }
}

/// Whether `text` is what a browser sends as `Origin`: no path, no trailing slash.
fn is_origin(text: &str) -> bool {
    let authority = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, authority)| authority);
    matches!(text, "*" | "null") || authority.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '@']))
}
