//! What is done with a store besides serving it: backups, restoring one, walking it. Over a journal that the caller has
//! open, be it the server or the command line.

mod backup;
pub mod control;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_actors::journal::sled::{Options, SledJournal, Verified};
use callboard_actors::transfer;

pub use backup::{Manifest, backup, make_private, manifest};
pub use restore::restore;

/// Hears how much is done, and of how much where that is known.
pub type Told<'a> = &'a dyn Fn(u64, Option<u64>);

/// Where the journal is in a data folder, or in a backup.
pub fn journal_in(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// Opens the journal of a data folder that no server uses.
///
/// # Errors
/// That there is none, that a server uses it, or what is wrong with it and what to do.
pub fn open(data_dir: &Path) -> anyhow::Result<Arc<SledJournal>> {
    let folder = journal_in(data_dir);
    anyhow::ensure!(
        folder.is_dir(),
        "there is no journal in {}; name the server's folder with --data-dir",
        data_dir.display()
    );
    Ok(SledJournal::open(&folder, Options::default())?)
}

/// Walks a journal: sequences, checksums, references.
///
/// # Errors
/// That the journal cannot be read at all. What is wrong in it is in what this gives.
pub fn verify(journal: &SledJournal, told: Told<'_>) -> anyhow::Result<Verified> {
    let seen = journal.verify(&transfer::inspect, &|records| told(records, None));
    seen.map_err(|error| anyhow::anyhow!("The journal cannot be read: {error}"))
}
