//! The watermark: how far the store has come, in a file of its own beside sled's.
//!
//! sled, opened on a file that lost its end, may take what is left for all there ever was. The watermark is written
//! after what it counts is synced, so a store behind its watermark has lost something.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

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

    /// Replaces it, whole or not at all.
    pub fn write(self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join("watermark.tmp");
        let mut file = File::create(&temporary)?;
        writeln!(file, "{TITLE}\nsegments {}\nrecords {}", self.segments, self.records)?;
        file.sync_all()?;
        fs::rename(&temporary, dir.join(NAME))?;
        File::open(dir)?.sync_all()
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
        for segments in [1, 7] {
            let mark = Watermark { segments, records: 30 };
            mark.write(dir.path()).unwrap();
            assert_eq!(Watermark::read(dir.path()).unwrap(), Some(mark));
        }
        fs::write(dir.path().join(NAME), "callboard journal watermark\nsegments x\n").unwrap();
        assert!(Watermark::read(dir.path()).is_err());
    }
}
