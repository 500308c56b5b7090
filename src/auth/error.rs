//! Why credentials are refused, in words that hold nothing of them.

/// Why credentials are refused. Its message is fit for a client: it quotes nothing that was presented.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    /// None were brought, and they are needed.
    #[error("Credentials are required: a token or an API key")]
    Missing,
    /// They cannot be read; the text says what is wrong.
    #[error("Malformed credentials: {0}")]
    Malformed(&'static str),
    /// A token whose time is over.
    #[error("The token has expired")]
    Expired,
    /// A token whose time has not come.
    #[error("The token is not valid yet")]
    NotYetValid,
    /// A token signed by nobody known here, or with an algorithm that is not taken.
    #[error("The token's signature is not valid")]
    BadSignature,
    /// A token made by or for somebody else.
    #[error("The token was issued by or for another party")]
    WrongParty,
    /// An API key that is not known, or was revoked.
    #[error("The API key is not known or was revoked")]
    InvalidKey,
    /// Good credentials, but not for this; the text says for what not.
    #[error("These credentials do not allow this: {0}")]
    Forbidden(&'static str),
    /// A page of a foreign origin.
    #[error("Pages of this origin may not connect")]
    Origin,
}

impl AuthError {
    /// The HTTP status to answer with: 401 or 403.
    pub fn status(&self) -> u16 {
        match self {
            Self::Forbidden(_) | Self::Origin => 403,
            _ => 401,
        }
    }

    /// What programs decide by: `UNAUTHORIZED` or `FORBIDDEN`.
    pub fn code(&self) -> &'static str {
        if self.status() == 403 { "FORBIDDEN" } else { "UNAUTHORIZED" }
    }
}
