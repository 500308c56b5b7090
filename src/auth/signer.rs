//! Tokens of the server's own.

use std::fmt;
use std::path::Path;

use callboard_actors::protocol::Timestamp;
use jsonwebtoken::{EncodingKey, Header};

use super::jwt::{Claims, Grant};
use super::secret;

/// Signs tokens with the server's secret.
pub struct Signer(EncodingKey);

impl Signer {
    /// Opens the secret of `data_dir`, or makes it.
    ///
    /// # Errors
    /// What kept it from being read or written.
    pub fn open(data_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self(secret::signing_key(data_dir)?))
    }

    /// A token that holds `grant`, good from now on.
    ///
    /// # Errors
    /// None that is known of: the claims are plain text and numbers.
    pub fn sign(&self, grant: &Grant) -> anyhow::Result<String> {
        let now = u64::try_from(Timestamp::now().0 / 1000).unwrap_or_default();
        Ok(jsonwebtoken::encode(&Header::default(), &Claims::of(grant, now), &self.0)?)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}
