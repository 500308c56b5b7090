//! API keys: random, long-lived, revocable; only their hashes are kept, in `<data_dir>/keys.json`.
//!
//! A key is `cbk_<id>_<secret>`: the id finds its record, the secret has 256 random bits, so that one round of SHA-256
//! is enough to keep it. The command line changes the file under a lock; a running server sees it at the next request.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use callboard_actors::protocol::{AgentName, Principal, Scope, Scopes, Subject, TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::AuthError;
use super::vault;
use crate::watched::Watched;

/// What every key begins with, so that people, programs and secret scanners know one when they see it.
pub(super) const KEY_PREFIX: &str = "cbk_";

/// The most keys of a file, revoked ones too: it is read whole at every change.
const MOST: usize = 10_000;

/// The characters of a key's id.
const ID: usize = 12;

/// What is kept of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRecord {
    /// What it is found and revoked by; not secret.
    pub id: String,
    /// The tenant it is good for.
    pub tenant: TenantId,
    /// Who holds it.
    pub name: Subject,
    /// SHA-256 of the whole key, in hexadecimal.
    hash: String,
    /// What its holder may do; `None`: all but `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// The file's content. Its form is a promise: a later version reads this one.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    keys: Vec<KeyRecord>,
}

/// The file of keys, for those who change it.
#[derive(Debug)]
pub struct KeyFile {
    folder: PathBuf,
    path: PathBuf,
}

impl KeyFile {
    /// The keys of the data folder `data_dir`; neither needs to be there yet.
    pub fn at(data_dir: &Path) -> Self {
        Self { folder: data_dir.to_owned(), path: data_dir.join("keys.json") }
    }

    /// Makes a key: its record, and the key itself, which cannot be had again.
    ///
    /// # Errors
    /// What kept the file from being read or written.
    pub fn create(
        &self,
        tenant: TenantId,
        name: Subject,
        scopes: Option<Vec<Scope>>,
    ) -> anyhow::Result<(KeyRecord, SecretString)> {
        self.change(|keys| {
            ensure!(keys.len() < MOST, "{} is full: {MOST} keys", self.path.display());
            let id = loop {
                let id: String = random()?.chars().take(ID).collect();
                if keys.iter().all(|key| key.id != id) {
                    break id;
                }
            };
            let key = format!("{KEY_PREFIX}{id}_{}", random()?);
            let created_at = Timestamp::now();
            let record = KeyRecord { id, tenant, name, hash: hash(&key), scopes, created_at, revoked_at: None };
            keys.push(record.clone());
            Ok((record, key.into()))
        })
    }

    /// Every key, in the order they were made.
    ///
    /// # Errors
    /// What kept the file from being read.
    pub fn list(&self) -> anyhow::Result<Vec<KeyRecord>> {
        read(&self.path)
    }

    /// Revokes the key with this id; or with this name, where exactly one key in use has it.
    ///
    /// # Errors
    /// That there is no such key in use, or more than one; or what kept the file from being read or written.
    pub fn revoke(&self, which: &str) -> anyhow::Result<KeyRecord> {
        self.change(|keys| {
            let in_use = |key: &&mut KeyRecord| key.revoked_at.is_none();
            let by_id = keys.iter().any(|key| key.id == which);
            let named = |key: &KeyRecord| if by_id { key.id == which } else { key.name.as_str() == which };
            let mut found: Vec<_> = keys.iter_mut().filter(|key| named(key)).filter(in_use).collect();
            match found.as_mut_slice() {
                [] => bail!("no key in use has the id or name {which}"),
                [key] => {
                    key.revoked_at = Some(Timestamp::now());
                    Ok(key.clone())
                }
                several => {
                    let ids: Vec<_> = several.iter().map(|key| format!("{} ({})", key.id, key.tenant)).collect();
                    bail!("several keys are named {which}, name one by its id: {}", ids.join(", "))
                }
            }
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<KeyRecord>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        vault::locked(&self.folder, || {
            let mut keys = read(&self.path)?;
            let changed = change(&mut keys)?;
            vault::replace(&self.path, &serde_json::to_vec_pretty(&Kept { version: 1, keys })?)?;
            Ok(changed)
        })
    }
}

/// The keys of a running server.
#[derive(Debug)]
pub(super) struct KeyRing(Watched<HashMap<String, KeyRecord>>);

impl KeyRing {
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let path = KeyFile::at(data_dir).path;
        vault::warn_if_shared(&path);
        let by_id = |path: &Path| Ok(read(path)?.into_iter().map(|key| (key.id.clone(), key)).collect());
        Ok(Self(Watched::open(path, Duration::ZERO, by_id)?))
    }

    pub(super) fn verify(&self, key: &SecretString) -> Result<Principal, AuthError> {
        let key = key.expose_secret();
        let (id, _) = key
            .strip_prefix(KEY_PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(AuthError::Malformed("expected an API key"))?;
        let keys = self.0.current();
        let record = keys.get(id).ok_or(AuthError::InvalidKey)?;
        let same = bool::from(record.hash.as_bytes().ct_eq(hash(key).as_bytes()));
        if same && record.revoked_at.is_none() { Ok(record.principal()) } else { Err(AuthError::InvalidKey) }
    }
}

impl KeyRecord {
    /// Who holds it; an agent of that name where it speaks as one.
    fn principal(&self) -> Principal {
        Principal {
            tenant: self.tenant.clone(),
            subject: self.name.clone(),
            scopes: self.scopes.as_ref().map_or_else(Scopes::usual, |scopes| scopes.iter().copied().collect()),
            agent: Some(AgentName::trusted(self.name.as_str())),
            channels: None,
            expires_at: None,
            authenticated: true,
        }
    }
}

/// A key as text, for the one time it is shown to the person who asked for it.
pub fn expose(key: &SecretString) -> &str {
    key.expose_secret()
}

/// 256 random bits as 64 hexadecimal characters.
pub(super) fn random() -> anyhow::Result<String> {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).context("the system gives no random numbers")?;
    Ok(hex(&bits))
}

fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys of a file; none where there is no file.
fn read(path: &Path) -> anyhow::Result<Vec<KeyRecord>> {
    let read = || {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let kept: Kept = serde_json::from_slice(&text)?;
        ensure!(kept.version == 1, "it has version {}, and this program knows version 1", kept.version);
        Ok(kept.keys)
    };
    read().with_context(|| format!("{} cannot be read", path.display()))
}
