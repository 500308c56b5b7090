//! Files that are read once and again when they change.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How the files are read.
type Load<T> = Box<dyn Fn(&[PathBuf]) -> anyhow::Result<T> + Send + Sync>;

/// The content of files as `T`, no older than `pause`. A change that does not read is logged, and the last good content
/// stays: half a file must neither let anybody in nor lock everybody out.
pub(crate) struct Watched<T> {
    files: Vec<PathBuf>,
    load: Load<T>,
    pause: Duration,
    state: RwLock<State<T>>,
}

struct State<T> {
    stamps: Vec<Option<Stamp>>,
    checked: Instant,
    value: Arc<T>,
}

/// What tells one content of a file from another, for the price of one system call. A file replaced by rename has
/// another inode or another change time, even if its length and its modification time are the same.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: file.ino(),
            len: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

impl<T: 'static> Watched<T> {
    /// Reads the file; from then on looks for a change at most once in `pause`.
    pub(crate) fn open(path: PathBuf, pause: Duration, load: fn(&Path) -> anyhow::Result<T>) -> anyhow::Result<Self> {
        Self::of(vec![path], pause, move |files| {
            files.first().map_or_else(|| anyhow::bail!("no file"), |file| load(file))
        })
    }

    /// The same of several files, read together when any has changed.
    pub(crate) fn of(
        files: Vec<PathBuf>,
        pause: Duration,
        load: impl Fn(&[PathBuf]) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // The stamps are taken before the content is read, so that a change in between is seen the next time.
        let stamps = stamps(&files);
        let value = Arc::new(load(&files)?);
        let state = RwLock::new(State { stamps, checked: Instant::now(), value });
        Ok(Self { files, load: Box::new(load), pause, state })
    }

    /// The content.
    pub(crate) fn current(&self) -> Arc<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() < self.pause {
            return state.value.clone();
        }
        if self.pause.is_zero() && stamps(&self.files) == state.stamps {
            return state.value.clone();
        }
        drop(state);
        self.refresh()
    }

    fn refresh(&self) -> Arc<T> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        state.checked = Instant::now();
        if stamps != state.stamps {
            state.stamps = stamps;
            match (self.load)(&self.files) {
                Ok(value) => state.value = Arc::new(value),
                Err(error) => log::error!("{error:#}; what it said before stays in force"),
            }
        }
        state.value.clone()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn number(path: &Path) -> anyhow::Result<u32> {
        Ok(std::fs::read_to_string(path)?.parse()?)
    }

    #[test]
    fn a_change_is_seen_and_a_broken_one_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::open(path.clone(), Duration::ZERO, number).unwrap();
        assert_eq!(*watched.current(), 1);
        for (content, expected) in [("22", 22), ("broken", 22), ("333", 333)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(*watched.current(), expected, "{content}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*watched.current(), 333);
    }

    #[test]
    fn a_file_of_the_same_length_put_in_its_place_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        std::fs::write(&path, "0").unwrap();
        let watched = Watched::open(path.clone(), Duration::ZERO, number).unwrap();
        for n in 1..=9 {
            std::fs::write(folder.path().join("new"), n.to_string()).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
            assert_eq!(*watched.current(), n);
        }
    }

    #[test]
    fn within_its_pause_the_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::open(path.clone(), Duration::from_secs(3600), number).unwrap();
        std::fs::write(&path, "22").unwrap();
        assert_eq!(*watched.current(), 1);
    }
}
