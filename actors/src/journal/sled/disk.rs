//! What the store asks of the disk beyond sled: the sync that makes a commit durable, and whether writing works again.
//!
//! A trait, so that a test can have the disk fail while everything else is real.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::reserve;

/// What can fail for lack of room or of health.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Called before a commit is handed to sled; an error stands for one of its writes.
    fn write(&self) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything written to `file` so far durable.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Whether `dir` takes writes: there is room for the reserve and for as much again (several of the 512 KiB steps
    /// that sled's file grows by), so that the store does not fail again at the first commit.
    fn room(&self, dir: &Path) -> io::Result<()>;
}

/// The disk as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn room(&self, dir: &Path) -> io::Result<()> {
        reserve::set_aside(dir)?;
        let path = dir.join("room.tmp");
        let result = reserve::fill(&path).and_then(|()| File::open(&path)?.sync_data());
        let removed = fs::remove_file(&path);
        result.and(removed)
    }
}
