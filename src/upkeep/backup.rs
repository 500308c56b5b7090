//! Backups: a folder like the data folder, as of one moment, with a manifest that is written last. Without the manifest
//! it is no backup, only what is left of one that was not finished.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use callboard_actors::journal::sled::SledJournal;
use callboard_actors::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Told, journal_in};
use crate::auth;

const MANIFEST: &str = "backup.json";

/// The version of the folder's form.
const VERSION: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of its form.
    pub version: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When.
    pub made_at: Timestamp,
    /// Records ever appended to the journal until then.
    pub records: u64,
    /// Segments of the journal's log that it holds.
    pub segments: u64,
}

/// Makes a backup of a journal and of the credentials beside it in `to`, a folder that is empty or not there.
///
/// # Errors
/// What is in the way; then `to` holds no manifest.
pub fn backup(journal: &SledJournal, data_dir: &Path, to: &Path, told: Told<'_>) -> anyhow::Result<Manifest> {
    match fs::read_dir(to).map(|mut files| files.next().is_some()) {
        Ok(false) => {}
        Ok(true) => bail!("{} is not empty: name a folder that is empty or not there", to.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", to.display())),
    }
    make_private(to)?;
    let copied = journal.copy(&journal_in(to), &|done, of| told(done, Some(of)));
    let copied = copied.map_err(|error| anyhow::anyhow!("{error}"))?;
    auth::copy_credentials(data_dir, to)?;
    let manifest = Manifest {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Timestamp::now(),
        records: copied.records,
        segments: copied.segments,
    };
    write(to, &manifest).with_context(|| format!("{} cannot be written", to.join(MANIFEST).display()))?;
    Ok(manifest)
}

/// What the backup in `from` says of itself.
///
/// # Errors
/// That it is none, or none that this program knows.
pub fn manifest(from: &Path) -> anyhow::Result<Manifest> {
    let path = from.join(MANIFEST);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "{} is no finished backup: it has no {MANIFEST}; name a folder that `callboard backup` made",
                from.display()
            )
        }
        text => text.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))?;
    ensure!(
        manifest.version == VERSION,
        "{} has version {}, and this program knows version {VERSION}",
        path.display(),
        manifest.version
    );
    Ok(manifest)
}

/// Makes a folder that is its owner's alone, if it is not there.
///
/// # Errors
/// What is in the way.
pub fn make_private(folder: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{} cannot be made", folder.display()))
}

/// Durably: the manifest says that everything else is.
fn write(to: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let mut file = File::create(to.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(manifest)?)?;
    file.sync_all()?;
    File::open(to)?.sync_all()?;
    if let Some(parent) = to.parent().filter(|parent| parent.is_dir()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
