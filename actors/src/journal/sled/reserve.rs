//! Room on the disk that is kept for a day when there is none.
//!
//! sled finishes the splits of its pages when it is read, and refuses to once a write has failed; opened anew it would
//! go on, but writes a little when it is opened. The file `reserve` is removed for that, so that what was acknowledged
//! can be read on a disk that is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes set aside. sled writes its table of pages when it is opened, some 15 bytes for each of at most 128 KiB: this is
/// enough for a store of more than 20 GB.
pub(super) const ROOM: usize = 4 << 20;

fn path(dir: &Path) -> PathBuf {
    dir.join("reserve")
}

/// Sets the room aside, unless it is.
pub(super) fn set_aside(dir: &Path) -> io::Result<()> {
    let path = path(dir);
    if fs::metadata(&path).is_ok_and(|file| file.len() == ROOM as u64) {
        return Ok(());
    }
    let result = fill(&path);
    if result.is_err() {
        // What there is of it is no use, and takes the room that others may need.
        let _ = fs::remove_file(&path);
    }
    result
}

/// Gives the room up; whether there was any.
pub(super) fn give_up(dir: &Path) -> bool {
    fs::remove_file(path(dir)).is_ok()
}

/// Fills a file with [`ROOM`] bytes.
pub(super) fn fill(path: &Path) -> io::Result<()> {
    File::create(path)?.write_all(&vec![0; ROOM])
}
