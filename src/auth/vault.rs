//! Files in the data folder that hold secrets: private to their owner, replaced whole, changed by one process at a
//! time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;

/// Does `work` while no other process that asks through this function is at its own. Makes the folder if need be.
pub(super) fn locked<T>(folder: &Path, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| format!("{}", folder.display()))?;
    let path = folder.join("credentials.lock");
    let lock = || {
        let file = private().create(true).truncate(false).open(&path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    };
    // The lock ends with the descriptor, also where the process is killed.
    let _held = lock().with_context(|| format!("{}", path.display()))?;
    work()
}

/// Replaces the file at `path`, durably: after a crash it is the old or the new one, whole. Only under [`locked`], for
/// its temporary file has a fixed name.
pub(super) fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    let write = || {
        let mut file = private().create(true).truncate(true).open(&temporary)?;
        // A leftover keeps the mode it had.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// Warns of a file that others than its owner may read.
pub(crate) fn warn_if_shared(path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        log::warn!("{} may be read by others (mode {mode:04o}): it should have mode 0600", path.display());
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
