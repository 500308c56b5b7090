//! What the store asks of the disk beyond sled: the sync that makes a commit durable, and whether writing works again.
//!
//! A trait, so that a test can have the disk fail while everything else is real.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// How much must fit on the disk before a failed store tries again: one of sled's own files' steps (512 KiB) for what
/// is written at once, several times over, so that it does not fail again at the first commit.
const ROOM: usize = 4 << 20;

/// What can fail for lack of room or of health.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Called before a commit is handed to sled; an error stands for one of its writes.
    fn write(&self) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything written to `file` so far durable.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Whether `dir` takes writes.
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
        let path = dir.join("room.tmp");
        let result = fill(&path);
        let removed = fs::remove_file(&path);
        result.and(removed)
    }
}

fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_data()
}
