//! Who is asking: credentials in, a [`Principal`] or a refusal out.
//!
//! Nothing here knows HTTP: a request's parts come as text and the refusal carries the status to answer with. What a
//! principal may then do is its scopes' matter. Credentials never reach a log, an error or a `Debug`.

mod credentials;
mod error;
mod jwks;
mod jwt;
mod key;
mod origin;
mod secret;
mod signer;
mod vault;

use std::path::Path;

use callboard_actors::protocol::{Principal, Subject};

pub use credentials::{Presented, SUBPROTOCOL};
pub use error::AuthError;
pub use jwt::Grant;
pub use key::{KeyFile, KeyRecord, expose};
pub use signer::Signer;
pub(crate) use vault::warn_if_shared;

use crate::config::AuthConfig;
use jwt::Verifier;
use key::KeyRing;
use origin::Origins;

/// The files that hold credentials, in the data folder.
const FILES: [&str; 2] = ["secret", "keys.json"];

/// Whether a data folder holds credentials.
pub fn has_credentials(data_dir: &Path) -> bool {
    FILES.iter().any(|name| data_dir.join(name).exists())
}

/// Copies the server's secret and the hashes of API keys from one data folder to another, as of one moment and private
/// to their owner. What is not there is not copied.
///
/// # Errors
/// What kept a file from being read or written.
pub fn copy_credentials(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied: Vec<_> = vault::locked(from, || {
        let read = |name| match std::fs::read(from.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            content => content.map(|content| Some((name, content))),
        };
        Ok(FILES.into_iter().map(read).collect::<Result<_, _>>()?)
    })?;
    vault::locked(to, || {
        copied.into_iter().flatten().try_for_each(|(name, content)| vault::replace(&to.join(name), &content))
    })
}

/// Whether an endpoint asks for credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Only where `auth.required` is set: documents 000, 001, 002. Those that are brought must be good all the same.
    Open,
    /// Always: documents 003 and 004.
    Always,
}

/// Decides who is asking. One a server, shared by its workers; it notices changed key files by itself.
#[derive(Debug)]
pub struct Authenticator {
    required: bool,
    origins: Origins,
    tokens: Verifier,
    keys: KeyRing,
}

impl Authenticator {
    /// Opens what credentials are checked against. Makes the data folder and the server's secret on first use.
    ///
    /// # Errors
    /// A `ConfigError` where `auth.jwks_file` does not read; else what is wrong with the files in the data folder.
    pub fn new(config: &AuthConfig, data_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            required: config.required,
            origins: Origins::new(config),
            tokens: Verifier::open(config, data_dir)?,
            keys: KeyRing::open(data_dir)?,
        })
    }

    /// Who presents these credentials. Without any, where none are asked for: `anonymous` in the default tenant.
    ///
    /// # Errors
    /// Why they are refused; also on an open endpoint if they are there and no good.
    pub fn authenticate(&self, presented: &Presented, need: Need, anonymous: &Subject) -> Result<Principal, AuthError> {
        if let Some(key) = &presented.key {
            return self.keys.verify(key);
        }
        if let Some(token) = &presented.token {
            return self.tokens.verify(token);
        }
        if need == Need::Open && !self.required {
            return Ok(Principal::anonymous(anonymous.clone()));
        }
        Err(AuthError::Missing)
    }

    /// Whether nobody is let in without credentials.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Refuses a page of a foreign origin. `origin` and `host` are the headers of those names.
    ///
    /// # Errors
    /// [`AuthError::Origin`] where the origin is neither the server's own nor on the allow list.
    pub fn check_origin(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), AuthError> {
        if self.origins.allow(origin, host) { Ok(()) } else { Err(AuthError::Origin) }
    }
}

#[cfg(test)]
mod tests;
