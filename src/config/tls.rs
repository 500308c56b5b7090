//! `[tls]`: encryption of everything that the server listens on.

use std::path::PathBuf;

use serde::Deserialize;

use super::units;

/// Encryption of everything that the server listens on; off where neither is set, and they are set together.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and its root, as PEM; read again when it changes.
    #[serde(deserialize_with = "units::path")]
    pub cert: Option<PathBuf>,
    /// Its private key, as PEM; read again when it changes.
    #[serde(deserialize_with = "units::path")]
    pub key: Option<PathBuf>,
}
