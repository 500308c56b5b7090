//! The watermark: how far the store has come, in a file of its own beside sled's.
//!
//! sled, opened on a file that lost its end, may take what is left for all there ever was. The watermark is written
//! after what it counts is synced, so a store behind its watermark has lost something. A checkpoint replaces the file,
//! durably; a commit only writes over the numbers in it, for no price: what a power cut takes of that makes the
//! watermark lower, never higher than the store.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const NAME: &str = "watermark";
const TITLE: &str = "callboard journal watermark";

/// How far a store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Watermark {
    /// Segments written.
    pub segments: u64,
    /// Records appended.
    pub records: u64,
}

impl Watermark {
    /// Reads it. `None` if there is none: the store is new, or the operator took the file away to accept a loss.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(dir.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        parse(&text).map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not a watermark"))
    }

    /// The file's content, of the same length whatever the numbers.
    fn text(self) -> String {
        format!("{TITLE}\nsegments {:020}\nrecords {:020}\n", self.segments, self.records)
    }
}

/// The file, in the hands of the writer.
#[derive(Debug)]
pub(super) struct Keeper {
    dir: PathBuf,
    file: Option<File>,
}

impl Keeper {
    /// Keeps the watermark of the store in `dir`. What is there is not touched before the first word.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), file: None }
    }

    /// Replaces it, whole or not at all, durably.
    pub fn replace(&mut self, mark: Watermark) -> io::Result<()> {
        let temporary = self.dir.join("watermark.tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(mark.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.dir.join(NAME))?;
        File::open(&self.dir)?.sync_all()?;
        self.file = Some(OpenOptions::new().write(true).open(self.dir.join(NAME))?);
        Ok(())
    }

    /// Notes a commit. What goes wrong with this is no fault of the commit, which is synced.
    pub fn note(&mut self, mark: Watermark) {
        let noted = match &self.file {
            Some(file) => file.write_all_at(mark.text().as_bytes(), 0),
            None => self.replace(mark),
        };
        if let Err(error) = noted {
            log::warn!("the watermark of the store was not written: {error}");
        }
    }
}

fn parse(text: &str) -> Option<Watermark> {
    let mut lines = text.lines();
    if lines.next()? != TITLE {
        return None;
    }
    let segments = lines.next()?.strip_prefix("segments ")?.parse().ok()?;
    let records = lines.next()?.strip_prefix("records ")?.parse().ok()?;
    Some(Watermark { segments, records })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Watermark::read(dir.path()).unwrap(), None);
        let mut keeper = Keeper::new(dir.path());
        for segments in [1, 7, 100_000] {
            let mark = Watermark { segments, records: 30 };
            keeper.replace(mark).unwrap();
            assert_eq!(Watermark::read(dir.path()).unwrap(), Some(mark));
            let mark = Watermark { segments: segments + 3, records: 3000 };
            keeper.note(mark);
            assert_eq!(Watermark::read(dir.path()).unwrap(), Some(mark));
        }
        fs::write(dir.path().join(NAME), "callboard journal watermark\nsegments x\n").unwrap();
        assert!(Watermark::read(dir.path()).is_err());
        let old = "callboard journal watermark\nsegments 12\nrecords 34\n";
        fs::write(dir.path().join(NAME), old).unwrap();
        assert_eq!(Watermark::read(dir.path()).unwrap(), Some(Watermark { segments: 12, records: 34 }));
    }
}
