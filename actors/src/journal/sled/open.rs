//! Opening a store: whose it is, whether it is whole, and what its log says since the last checkpoint.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};

use ::sled::Batch;

use super::checkpoint::Checkpoint;
use super::disk::Disk;
use super::lock::Lock;
use super::segment::{Head, Reader, Segment, Slot, damaged, place_name, position};
use super::state::{Effect, State};
use super::store::{Fault, Store};
use super::watermark::Watermark;
use super::{key, names, replica, write};
use crate::journal::log::LogError;
use crate::journal::{Place, Stream};

/// The format that this program writes.
///
/// 2 knows [`Head::Trim`] and swept segments, and 3 writes an answer once, though the agent's last step says it as well;
/// nothing else differs, so an older one is taken over by noting the new number.
const FORMAT: u32 = 3;

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("The journal in {dir} cannot be opened: {source}. Make the directory readable and writable for this user")]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("The journal in {dir} is in use by another process. Stop that one, or give this one its own directory")]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A later version of the program wrote it.
    #[error(
        "The journal in {dir} has format {found}; this version knows formats up to {known}. \
         Start a later version on it, or restore a backup made by this one"
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The format it has.
        found: u32,
        /// The latest format known here.
        known: u32,
    },
    /// What is in it is not what was written.
    #[error(
        "The journal in {dir} is damaged: {what}. Restore the directory from a backup, or move it away to begin anew"
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// Where the damage is.
        what: String,
    },
    /// The log elsewhere, of which it is a copy, cannot be followed.
    #[error("The journal in {dir} cannot follow its log: {source}")]
    Log {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: LogError,
    },
    /// It is a copy of another log.
    #[error(
        "The journal in {dir} is a copy of another log than the one found, which was made since. Move the directory away, \
         and it is filled from that one; or, if that one is empty, have it begin with this journal: `callboard backup` and \
         `callboard restore --replace` make it a journal of its own"
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// It holds what a log elsewhere does not have.
    #[error(
        "The journal in {dir} is no copy of the log found, which is not empty. Move the directory away, and it is filled \
         from the log; or delete the log, and it begins with this journal"
    )]
    Alone {
        /// The directory.
        dir: PathBuf,
    },
    /// It holds less than was acknowledged.
    #[error(
        "The journal in {dir} lost its end: {expected} records were written, {found} are there. Restore the directory \
         from a backup, or delete the file watermark in it to go on without the rest"
    )]
    LostTail {
        /// The directory.
        dir: PathBuf,
        /// Records written, at least.
        expected: u64,
        /// Records found.
        found: u64,
    },
}

/// A store as opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub store: Store,
    pub state: RwLock<State>,
    pub next_place: AtomicU64,
    /// Held for as long as the store is in use.
    pub lock: Lock,
}

/// Opens or makes the store in `dir`.
pub(super) fn open(dir: &Path, disk: Arc<dyn Disk>, cache: u64) -> Result<Opened, OpenError> {
    let io = |source| OpenError::Io { dir: dir.to_owned(), source };
    let fault = |fault| refusal(dir, fault);
    fs::create_dir_all(dir).map_err(io)?;
    let lock = Lock::take(dir)?;
    remove_unfinished_snapshots(dir).map_err(io)?;
    let mark = Watermark::read(dir).map_err(io)?;
    let store = Store::open(dir, disk, cache).map_err(fault)?;
    replica::empty_half_filled(&store).map_err(fault)?;
    check_format(&store, mark)?;
    let (state, next_place) = read_state(&store).map_err(fault)?;
    check_watermark(dir, mark, &write(&state))?;
    Ok(Opened { store, state, next_place: AtomicU64::new(next_place), lock })
}

/// What the store says that it holds, and a place number that is free.
pub(super) fn read_state(store: &Store) -> Result<(RwLock<State>, u64), Fault> {
    let checkpoint = Checkpoint::read(store)?;
    let unfinished = checkpoint.unfinished(store)?;
    let state = RwLock::new(State::at_checkpoint(checkpoint.next_segment, checkpoint.records, unfinished));
    let next_place = replay(store, &state)?.max(checkpoint.next_place).max(1);
    Ok((state, next_place))
}

/// A process that ends while sled writes a snapshot leaves a file that sled takes for one ever after.
fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether this version knows the format; an older one is taken over.
pub(super) fn check_format(store: &Store, mark: Option<Watermark>) -> Result<(), OpenError> {
    let dir = store.dir().to_owned();
    let fault = |fault| refusal(store.dir(), fault);
    let Some(value) = store.get_raw(key::FORMAT).map_err(fault)? else {
        if !store.is_empty().map_err(fault)? {
            return Err(OpenError::Damaged { dir, what: "it does not say which format it has".to_owned() });
        }
        if let Some(mark) = mark.filter(|mark| mark.segments > 0) {
            return Err(OpenError::LostTail { dir, expected: mark.records, found: 0 });
        }
        return make(store).map_err(fault);
    };
    let Ok(found) = value.as_ref().try_into().map(u32::from_be_bytes) else {
        return Err(OpenError::Damaged { dir, what: "its format is not a number".to_owned() });
    };
    match found {
        0 => Err(OpenError::Damaged { dir, what: "its format is 0, which there never was".to_owned() }),
        FORMAT => Ok(()),
        1..FORMAT => upgrade(store, found).map_err(fault),
        _ => Err(OpenError::Newer { dir, found, known: FORMAT }),
    }
}

fn upgrade(store: &Store, found: u32) -> Result<(), Fault> {
    log::info!("the journal has format {found} and gets format {FORMAT}; earlier versions cannot open it any more");
    let mut batch = Batch::default();
    batch.insert(key::FORMAT, &FORMAT.to_be_bytes());
    store.commit(batch)
}

fn make(store: &Store) -> Result<(), Fault> {
    let mut batch = Batch::default();
    batch.insert(key::FORMAT, &FORMAT.to_be_bytes());
    store.commit(batch)?;
    // The file's own sync does not make its name durable.
    Ok(File::open(store.dir())?.sync_all()?)
}

fn check_watermark(dir: &Path, mark: Option<Watermark>, state: &State) -> Result<(), OpenError> {
    match mark {
        Some(mark) if state.next_segment < mark.segments || state.records < mark.records => {
            Err(OpenError::LostTail { dir: dir.to_owned(), expected: mark.records, found: state.records })
        }
        _ => Ok(()),
    }
}

/// Takes the log behind the checkpoint into `state`; answers a place number above those it names.
///
/// sled keeps the segments of a commit together. Should the last commit still lack its end, it was never acknowledged
/// and is removed.
pub(super) fn replay(store: &Store, state: &RwLock<State>) -> Result<u64, Fault> {
    let first = write(state).next_segment;
    let mut reader = Reader::new(store);
    let (mut next, mut next_place) = (first, 0);
    let mut commit = Vec::new();
    let mut segments = Vec::new();
    // Only the flags are kept: the reader fetches a segment again when its turn comes.
    store.scan(b"s", &key::segment(first), |key, value| {
        let segment = Segment::from(value);
        segments.push((
            key::segment_number(key),
            segment.is_last(),
            if segment.is_more() { 0 } else { segment.count() },
        ));
        Ok(true)
    })?;
    for (number, is_last, count) in segments {
        if number != Some(next) {
            return Err(damaged(next));
        }
        commit.extend((0..count).map(|slot| Slot { segment: next, slot }));
        next += 1;
        if is_last {
            for slot in commit.drain(..) {
                next_place = next_place.max(replay_entry(store, state, &mut reader, slot)?);
            }
            write(state).next_segment = next;
        }
    }
    remove_from(store, write(state).next_segment)?;
    Ok(next_place)
}

fn replay_entry(store: &Store, state: &RwLock<State>, reader: &mut Reader<'_>, slot: Slot) -> Result<u64, Fault> {
    let (head, _) = reader.entry(slot)?;
    let (effect, place) = match head {
        Head::Append { at, opens, closes } => {
            let closes = closes.into_iter().map(position).collect();
            (Effect::Appended { at: position(at), slot, opens, closes }, at.0)
        }
        Head::Create { place, tenant, kind, id } => {
            let name = place_name(tenant, kind, id).ok_or_else(|| damaged(slot.segment))?;
            (Effect::Created(Place(place), name), place)
        }
        Head::Close { positions } => (Effect::Closed(positions.into_iter().map(position).collect()), 0),
        Head::Delete { place } => {
            let name = names::name(state, store, Place(place))?;
            (Effect::Deleted { place: Place(place), name, records: 0 }, place)
        }
        Head::Trim { place, lane, first } => {
            (Effect::Trimmed { stream: Stream { place: Place(place), lane }, first, records: 0 }, place)
        }
    };
    write(state).apply(effect);
    Ok(place.saturating_add(1))
}

fn remove_from(store: &Store, segment: u64) -> Result<(), Fault> {
    let left = store.keys(b"s", &key::segment(segment))?;
    if left.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::default();
    left.into_iter().for_each(|key| batch.remove(key));
    store.commit(batch)
}

pub(super) fn refusal(dir: &Path, fault: Fault) -> OpenError {
    let dir = dir.to_owned();
    match fault {
        Fault::Locked => OpenError::Locked { dir },
        Fault::Log(source) => OpenError::Log { dir, source },
        Fault::Io(source) | Fault::Sled(::sled::Error::Io(source)) if !is_damage(&source) => {
            OpenError::Io { dir, source }
        }
        other => OpenError::Damaged { dir, what: other.to_string() },
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}
