//! Tokens: signed claims in, a [`Principal`] out.
//!
//! The server's own tokens are HS256 with its secret. Tokens of another issuer are RS256, ES256 or EdDSA with a key of
//! its JWKS file. What the header says only chooses the key; each key is used with one algorithm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use callboard_actors::protocol::{
    AgentName, ChannelId, Principal, Result as ProtocolResult, Scope, Scopes, Subject, TenantId, Timestamp,
};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::error::AuthError;
use super::jwks::KeySet;
use super::secret;
use crate::config::{AuthConfig, ConfigError};
use crate::watched::Watched;

/// How often a JWKS file is looked at: its keys change by the week, and a new one is published before it is used.
const JWKS_PAUSE: Duration = Duration::from_secs(1);

/// The most channels a token may name, so that it stays small beside what it guards.
const MOST_CHANNELS: usize = 1000;

/// What a token grants to its holder.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The tenant it is good for.
    pub tenant: TenantId,
    /// Who holds it: its `sub` and `agent_id`.
    pub agent: AgentName,
    /// The channels it is limited to; `None`: all of the tenant.
    pub channels: Option<Vec<ChannelId>>,
    /// What its holder may do; `None`: all but `admin`.
    pub scopes: Option<Vec<Scope>>,
    /// How long it is good for.
    pub life: Duration,
}

/// The claims of a token.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    sub: String,
    tenant_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    /// Seconds since 1970, by the standard also with a fraction.
    exp: serde_json::Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<serde_json::Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
}

impl Claims {
    /// The claims of a token made at `now`, in seconds since 1970.
    pub(super) fn of(grant: &Grant, now: u64) -> Self {
        let texts = |ids: &Vec<ChannelId>| ids.iter().map(ToString::to_string).collect();
        let names = |scopes: &Vec<Scope>| scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        Self {
            sub: grant.agent.to_string(),
            tenant_id: grant.tenant.to_string(),
            agent_id: Some(grant.agent.to_string()),
            exp: now.saturating_add(grant.life.as_secs()).into(),
            iat: Some(now.into()),
            channels: grant.channels.as_ref().map(texts),
            scopes: grant.scopes.as_ref().map(names),
        }
    }

    fn into_principal(self) -> Result<Principal, AuthError> {
        let channels = self.channels.map(|ids| {
            let parse = |id: &String| checked(ChannelId::parse("channels", id), "channels");
            if ids.len() > MOST_CHANNELS { Err(malformed("channels")) } else { ids.iter().map(parse).collect() }
        });
        // A scope that is not known here grants nothing here; it may mean something to another server.
        let scopes = self.scopes.map(|names| names.iter().filter_map(|name| Scope::named(name)).collect());
        let agent = self.agent_id.map(|id| checked(AgentName::parse("agent_id", &id), "agent_id"));
        // The cast saturates, and a moment beyond all clocks is as good as none.
        let expires_at = self.exp.as_f64().map(|seconds| Timestamp((seconds * 1000.0) as i64));
        Ok(Principal {
            tenant: checked(TenantId::parse("tenant_id", &self.tenant_id), "tenant_id")?,
            subject: checked(Subject::parse("sub", &self.sub), "sub")?,
            scopes: scopes.unwrap_or_else(Scopes::usual),
            agent: agent.transpose()?,
            channels: channels.transpose()?,
            expires_at,
            authenticated: true,
        })
    }
}

/// Checks tokens.
pub(super) struct Verifier {
    secret: Watched<DecodingKey>,
    own: Validation,
    foreign: Option<(Watched<KeySet>, Validation)>,
}

impl Verifier {
    pub(super) fn open(config: &AuthConfig, data_dir: &Path) -> anyhow::Result<Self> {
        let keys = |path: &PathBuf| {
            let set = Watched::open(path.clone(), JWKS_PAUSE, KeySet::load);
            set.map_err(|error| ConfigError::new("auth.jwks_file", format!("{error:#}")))
        };
        let foreign = config.jwks_file.as_ref().map(keys).transpose()?;
        Ok(Self {
            secret: secret::watch(data_dir)?,
            own: validation(config, false),
            foreign: foreign.map(|set| (set, validation(config, true))),
        })
    }

    pub(super) fn verify(&self, token: &SecretString) -> Result<Principal, AuthError> {
        let token = token.expose_secret();
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed("expected a signed JWT"))?;
        // Extensions that the issuer calls critical; none is known here, and the library does not look (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(AuthError::Malformed("the header's crit is not understood"));
        }
        match (header.alg, &self.foreign) {
            (Algorithm::HS256, _) => decode(token, &self.secret.current(), &self.own, header.alg, 0),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, Some((keys, validation))) => {
                let keys = keys.current();
                let key = keys.find(header.kid.as_deref(), header.alg).ok_or(AuthError::BadSignature)?;
                decode(token, key, validation, header.alg, validation.leeway)
            }
            _ => Err(AuthError::BadSignature),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("foreign", &self.foreign.is_some()).finish_non_exhaustive()
    }
}

/// What is asked of the claims. Issuer and audience are asked of foreign tokens only: the secret itself shows that an
/// own token was made here, for here.
fn validation(config: &AuthConfig, foreign: bool) -> Validation {
    let leeway = config.leeway.as_secs();
    let mut validation = Validation { leeway, validate_nbf: true, validate_aud: false, ..Validation::default() };
    if let Some(issuer) = config.issuer.as_ref().filter(|_| foreign) {
        validation.set_issuer(&[issuer]);
        // Checked alone, a claim that is not there would pass.
        validation.required_spec_claims.insert("iss".to_owned());
    }
    if let Some(audience) = config.audience.as_ref().filter(|_| foreign) {
        validation.validate_aud = true;
        validation.set_audience(&[audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    validation
}

/// Checks a token and reads its claims. It is good until its `exp` and `grace` seconds more: those that the clocks may
/// lie apart where another issuer set it, none where the end was set here. The same moment ends its sockets, so that
/// none is opened only to be closed.
fn decode(
    token: &str,
    key: &DecodingKey,
    asked: &Validation,
    algorithm: Algorithm,
    grace: u64,
) -> Result<Principal, AuthError> {
    let asked = Validation { algorithms: vec![algorithm], ..asked.clone() };
    let data = jsonwebtoken::decode::<Claims>(token, key, &asked).map_err(|error| refusal(error.kind()))?;
    let principal = data.claims.into_principal()?;
    let grace = i64::try_from(grace).unwrap_or(i64::MAX).saturating_mul(1000);
    let expires_at = principal.expires_at.map(|at| Timestamp(at.0.saturating_add(grace)));
    if expires_at.is_some_and(|at| at <= Timestamp::now()) {
        return Err(AuthError::Expired);
    }
    Ok(Principal { expires_at, ..principal })
}

/// The library's words are not passed on: some quote the token.
fn refusal(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::ImmatureSignature => AuthError::NotYetValid,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => AuthError::WrongParty,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" || claim == "aud" => AuthError::WrongParty,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            AuthError::Malformed("expected the claims sub, tenant_id and exp")
        }
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => {
            AuthError::Malformed("expected a signed JWT")
        }
        _ => AuthError::BadSignature,
    }
}

fn checked<T>(parsed: ProtocolResult<T>, claim: &'static str) -> Result<T, AuthError> {
    parsed.map_err(|_| malformed(claim))
}

fn malformed(claim: &'static str) -> AuthError {
    AuthError::Malformed(match claim {
        "sub" => "sub: expected 1 to 128 characters of A-Z a-z 0-9 . _ - :",
        "tenant_id" => "tenant_id: expected 1 to 128 characters of A-Z a-z 0-9 . _ - :",
        "agent_id" => "agent_id: expected 1 to 128 characters of A-Z a-z 0-9 . _ - :",
        _ => "channels: expected at most 1000 ids",
    })
}
