//! Public keys of another issuer of tokens: a JWKS file.
//!
//! A key's own kind decides which algorithm it is used with, never the token's header alone: a public RSA key taken for
//! an HMAC secret would let anybody sign.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// The most keys of a file: issuers publish a handful, and each token without `kid` looks at all.
const MOST: usize = 100;

/// The keys of a file.
pub(super) struct KeySet(Vec<PublicKey>);

struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a file. Keys for other purposes are passed over; a file without any of use is an error, and so is a
    /// secret key in it.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let set: JwkSet = serde_json::from_slice(&std::fs::read(path)?).context("expected a JWKS")?;
            ensure!(set.keys.len() <= MOST, "expected at most {MOST} keys");
            let keys = set.keys.iter().filter_map(|jwk| PublicKey::read(jwk).transpose());
            let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
            ensure!(!keys.is_empty(), "expected a key for RS256, ES256 or EdDSA");
            Ok(Self(keys))
        };
        read().with_context(|| format!("{} cannot be used", path.display()))
    }

    /// The key that a token names, if it is of the algorithm that the token names. A token may leave its key unnamed
    /// where only one comes into question.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        let Some(id) = id else {
            return fitting.next().filter(|_| fitting.next().is_none()).map(|key| &key.key);
        };
        fitting.find(|key| key.id.as_deref() == Some(id)).map(|key| &key.key)
    }
}

impl PublicKey {
    /// `None` for a key that is not for checking signatures of the algorithms taken here.
    fn read(jwk: &Jwk) -> anyhow::Result<Option<Self>> {
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(_) => (Algorithm::EdDSA, KeyAlgorithm::EdDSA),
            AlgorithmParameters::OctetKey(_) => bail!("it holds a secret key (kty oct), and it is for public ones"),
            _ => return Ok(None),
        };
        let common = &jwk.common;
        let other_use = common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature);
        if other_use || common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
            return Ok(None);
        }
        let key = DecodingKey::from_jwk(jwk).context("a key in it does not read")?;
        Ok(Some(Self { id: common.key_id.clone(), algorithm, key }))
    }
}
