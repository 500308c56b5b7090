//! The lock on a store's folder: one journal uses it at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::open::OpenError;

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock on `dir`.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { dir: dir.to_owned(), source };
        let file = File::create(dir.join("lock")).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is being started by this one has it open for a moment too.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            log::warn!("the lock on a store was not given back: {error}");
        }
    }
}
