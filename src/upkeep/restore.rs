//! Restoring a backup: copied beside what is there, walked, and only then put in its place.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use callboard_actors::journal::Journal;
use callboard_actors::journal::sled::{Options, SledJournal, Verified};
use callboard_actors::protocol::Timestamp;

use super::backup::{Manifest, make_private, manifest};
use super::{Told, journal_in, verify};
use crate::auth;

/// Puts the backup in `from` in the place of what is in `data_dir`. With `replace` what is there is moved aside, and the
/// folder it is in then is answered; without, `data_dir` must have no journal.
///
/// # Errors
/// That a server runs there, that something is in the way, or that the backup is damaged; then nothing has changed.
pub fn restore(
    from: &Path,
    data_dir: &Path,
    replace: bool,
    told: Told<'_>,
) -> anyhow::Result<(Manifest, Verified, Option<PathBuf>)> {
    let manifest = manifest(from)?;
    make_private(data_dir)?;
    let journal = journal_in(data_dir);
    // A secret or keys alone are worth as much as the journal.
    let taken = is_in_use(&journal)? | auth::has_credentials(data_dir);
    ensure!(
        replace || !taken,
        "{} holds a journal or credentials already: name another --data-dir, or say --replace to have it moved aside",
        data_dir.display()
    );
    let fresh = data_dir.join("journal.restoring");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("{} cannot be removed", fresh.display()))?;
    }
    copy(&journal_in(from), &fresh)?;
    let seen = look(&fresh, told)?;
    if !seen.findings.is_empty() {
        fs::remove_dir_all(&fresh)?;
        bail!("{} is damaged, and nothing was restored: {}", from.display(), seen.findings.join("; "));
    }
    let aside = if taken { Some(move_aside(data_dir)?) } else { None };
    auth::copy_credentials(from, data_dir)?;
    fs::rename(&fresh, &journal).with_context(|| format!("{} cannot be moved", fresh.display()))?;
    File::open(data_dir)?.sync_all()?;
    Ok((manifest, seen, aside))
}

/// Whether there is a journal. One that a server has open is an error.
fn is_in_use(journal: &Path) -> anyhow::Result<bool> {
    if !journal.exists() {
        return Ok(false);
    }
    let Ok(lock) = File::options().write(true).open(journal.join("lock")) else { return Ok(true) };
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => bail!("a server runs on {}: stop it first", journal.display()),
        Err(TryLockError::Error(error)) => Err(error).context("the journal's lock cannot be asked"),
    }
}

fn look(folder: &Path, told: Told<'_>) -> anyhow::Result<Verified> {
    let journal = SledJournal::open(folder, Options::default())?;
    let seen = verify(&journal, told)?;
    journal.close().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(seen)
}

/// The journal and the credentials that are there, into a folder named by the time.
fn move_aside(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let stamp: String = Timestamp::now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = data_dir.join(format!("replaced-{stamp}"));
    make_private(&aside)?;
    auth::copy_credentials(data_dir, &aside)?;
    let journal = journal_in(data_dir);
    if journal.exists() {
        fs::rename(journal, journal_in(&aside)).context("the journal that is there cannot be moved")?;
    }
    Ok(aside)
}

/// Copies a folder with all that is in it, durably. The backup itself is not touched.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    make_private(to)?;
    let files = fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    for file in files {
        let file = file?;
        let target = to.join(file.file_name());
        if file.file_type()?.is_dir() {
            copy(&file.path(), &target)?;
        } else {
            fs::copy(file.path(), &target).with_context(|| format!("{} cannot be copied", file.path().display()))?;
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(File::open(to)?.sync_all()?)
}
