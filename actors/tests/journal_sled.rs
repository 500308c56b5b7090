//! What the journal in sled promises beyond the contract: what crashes, failing disks and damaged files do to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "journal/support.rs"]
mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use callboard_actors::journal::sled::{Disk, OpenError, Options, SledJournal};
use callboard_actors::journal::{Entry, Health, Journal, Stream};
use callboard_actors::protocol::Code;
use support::{append, appended, create, make, name, read_all, start_append, stream, write};

fn open(dir: &Path, checkpoint_every: usize) -> Arc<SledJournal> {
    SledJournal::open(dir, Options { checkpoint_every, ..Options::default() }).unwrap()
}

/// A disk that fails as told. It does not sync: the page cache outlives the tests' processes.
#[derive(Debug, Default)]
struct Bad {
    writes: AtomicBool,
    syncs: AtomicBool,
    room: AtomicBool,
    attempts: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
}

fn check(bad: &AtomicBool) -> io::Result<()> {
    if bad.load(Ordering::SeqCst) { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
}

impl Bad {
    fn options(self: &Arc<Self>) -> Options {
        Options { disk: Arc::clone(self) as Arc<dyn Disk>, ..Options::default() }
    }

    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.released.notify_all();
    }
}

impl Disk for Bad {
    fn write(&self) -> io::Result<()> {
        check(&self.writes)
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        drop(self.released.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
        check(&self.syncs)
    }

    fn room(&self, _: &Path) -> io::Result<()> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        check(&self.room)
    }
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Fails the disk in one way, appends, mends it, and holds that nothing of the failed commits is left.
fn fail_and_mend(checkpoint_every: usize, which: impl Fn(&Bad) -> &AtomicBool) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Bad::default());
    let journal = SledJournal::open(dir.path(), Options { checkpoint_every, ..disk.options() }).unwrap();
    let log = make(&*journal, "log");
    for round in 0..3_u64 {
        let next = journal.head(log).unwrap() + 1;
        write(&*journal, log, next, "acknowledged").unwrap();
        disk.room.store(true, Ordering::SeqCst);
        which(&disk).store(true, Ordering::SeqCst);
        let place = journal.reserve();
        let lost = vec![
            append(log, next + 1, b"lost"),
            create(place, &format!("lost {round}")),
            append(stream(place), 1, &[7; 20_000]),
            append(stream(place), 2, &[7; 4000]),
            append(stream(place), 3, &[7; 4000]),
        ];
        assert_eq!(appended(&*journal, lost).unwrap_err().code, Code::StoreUnavailable);
        assert_eq!(write(&*journal, log, next + 2, "behind it").unwrap_err().code, Code::StoreUnavailable);
        assert!(matches!(journal.health(), Health::Failed(_)));
        assert_eq!(read_all(&*journal, log).len() as u64, next, "reads go on");
        let attempts = disk.attempts.load(Ordering::SeqCst);
        until(|| disk.attempts.load(Ordering::SeqCst) > attempts);
        assert!(matches!(journal.health(), Health::Failed(_)), "there is no room yet");
        which(&disk).store(false, Ordering::SeqCst);
        disk.room.store(false, Ordering::SeqCst);
        until(|| journal.health() == Health::Ready);
        assert!(write(&*journal, log, next + 1, "not asked yet").is_err());
        assert_eq!(journal.head(log).unwrap(), next);
        write(&*journal, log, next + 1, "acknowledged").unwrap();
        assert_eq!(journal.find(&name(&format!("lost {round}"))).unwrap(), None);
    }
    drop(journal);
    let journal = open(dir.path(), 1);
    assert_eq!(journal.size().records, 7);
    assert_eq!(read_all(&*journal, log)[1..], vec![b"acknowledged"; 6]);
}

#[test]
fn a_failed_sync_leaves_no_trace_and_writing_resumes() {
    fail_and_mend(1000, |disk| &disk.syncs);
}

#[test]
fn a_failed_write_leaves_no_trace_and_writing_resumes() {
    fail_and_mend(1000, |disk| &disk.writes);
}

#[test]
fn failures_between_checkpoints_leave_no_trace() {
    fail_and_mend(2, |disk| &disk.syncs);
}

/// The sync of a checkpoint fails; it may stand or not, and nothing may be counted twice for it.
#[test]
fn a_failed_checkpoint_is_made_good() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Bad::default());
    let journal = SledJournal::open(dir.path(), Options { checkpoint_every: 10, ..disk.options() }).unwrap();
    let log = make(&*journal, "log");
    for seq in 2..10 {
        write(&*journal, log, seq, "before").unwrap();
    }
    let shared = Arc::clone(&disk);
    // Told after the tenth record's own sync and before the checkpoint's.
    let (sender, receiver) = std::sync::mpsc::channel();
    let fail = Box::new(move |result| {
        shared.syncs.store(true, Ordering::SeqCst);
        sender.send(result).unwrap();
    });
    journal.append(vec![append(log, 10, b"before")], fail);
    assert_eq!(receiver.recv().unwrap(), Ok(()));
    until(|| journal.health() != Health::Ready);
    disk.syncs.store(false, Ordering::SeqCst);
    until(|| journal.health() == Health::Ready);
    for seq in 11..40 {
        journal.head(log).unwrap();
        write(&*journal, log, seq, "after").unwrap();
    }
    assert_eq!(journal.size().records, 39);
    assert_eq!(read_all(&*journal, log).len(), 39);
    drop(journal);
    let journal = open(dir.path(), 10);
    assert_eq!((journal.size().records, read_all(&*journal, log).len()), (39, 39));
}

#[test]
fn closing_a_failed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Bad::default());
    let journal = SledJournal::open(dir.path(), disk.options()).unwrap();
    let log = make(&*journal, "log");
    disk.syncs.store(true, Ordering::SeqCst);
    assert!(write(&*journal, log, 2, "lost").is_err());
    assert_eq!(journal.close().unwrap_err().code, Code::StoreUnavailable);
}

#[test]
fn a_full_queue_refuses_in_order_and_takes_again() {
    for (entries, bytes) in [(4, usize::MAX), (usize::MAX, 3000)] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Bad::default());
        let options = Options { queue_entries: entries, queue_bytes: bytes, ..disk.options() };
        let journal = SledJournal::open(dir.path(), options).unwrap();
        let logs: Vec<_> = (0..40).map(|n| make(&*journal, &format!("log {n}"))).collect();
        disk.hold(true);
        let (sender, receiver) = std::sync::mpsc::channel();
        for (n, log) in logs.iter().enumerate() {
            let sender = sender.clone();
            let done = Box::new(move |result: Result<(), _>| sender.send((n, result)).unwrap());
            journal.append(vec![append(*log, 2, &[0; 500])], done);
        }
        disk.hold(false);
        let outcomes: Vec<_> = receiver.iter().take(40).collect();
        assert!(outcomes.iter().map(|(n, _)| *n).eq(0..40));
        let taken = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        assert!((4..=20).contains(&taken), "{taken}");
        for (n, outcome) in outcomes {
            let head = journal.head(logs[n]).unwrap();
            assert_eq!(head, if outcome.is_ok() { 2 } else { 1 });
            assert!(outcome.is_ok() || outcome.unwrap_err().code == Code::QueueFull);
            write(&*journal, logs[n], head + 1, "again").unwrap();
        }
    }
}

const CHILD: &str = "JOURNAL_CHILD_DIR";
const WRITERS: usize = 4;

/// Not a test by itself: what the test below kills. Appends, and prints what was acknowledged.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let journal: Arc<dyn Journal> = open(Path::new(&dir), 50);
    let threads: Vec<_> = (0..WRITERS)
        .map(|n| {
            let journal = Arc::clone(&journal);
            thread::spawn(move || {
                let log = match journal.find(&name(&format!("log {n}"))).unwrap() {
                    Some(place) => stream(place),
                    None => make(&*journal, &format!("log {n}")),
                };
                for seq in journal.head(log).unwrap() + 1.. {
                    let text = format!("{n} {seq} ").repeat(1 + (seq as usize % 97) * (seq as usize % 7));
                    write(&*journal, log, seq, &text).unwrap();
                    println!("acknowledged {n} {seq}");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Acknowledged records survive a kill, and the streams stay dense.
#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = [0_u64; WRITERS];
    for round in 0..10_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Killed after a number of acknowledgements that is another one each round; the rest is read to the end.
        let mut left = 40 + (round * 7919) % 400;
        for line in lines {
            let Some(rest) = line.split_once("acknowledged ").map(|(_, rest)| rest) else { continue };
            let Some((n, seq)) = rest.split_once(' ') else { continue };
            let n: usize = n.parse().unwrap();
            // The last line may be torn; a torn number is a smaller one.
            acknowledged[n] = acknowledged[n].max(seq.parse().unwrap());
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let journal = open(dir.path(), 1000);
        for (n, acknowledged) in acknowledged.into_iter().enumerate() {
            let Some(place) = journal.find(&name(&format!("log {n}"))).unwrap() else {
                assert_eq!(acknowledged, 0);
                continue;
            };
            let records = read_all(&*journal, stream(place));
            assert!(records.len() as u64 >= acknowledged, "{} of {acknowledged}", records.len());
            for (seq, bytes) in (2..).zip(&records[1..]) {
                assert!(bytes.starts_with(format!("{n} {seq} ").as_bytes()));
            }
        }
    }
    assert!(acknowledged.iter().sum::<u64>() > 400);
}

#[test]
fn the_log_behind_the_last_checkpoint_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = None::<Stream>;
    for _ in 0..3 {
        let journal = open(dir.path(), 1_000_000);
        let log = *log.get_or_insert_with(|| make(&*journal, "log"));
        let head = journal.head(log).unwrap();
        for seq in head + 1..head + 50 {
            write(&*journal, log, seq, "x").unwrap();
        }
    }
    let journal = open(dir.path(), 1_000_000);
    assert_eq!(read_all(&*journal, log.unwrap()).len(), 1 + 3 * 49);
}

#[test]
fn sled_never_spills_into_files_that_it_does_not_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Bad::default());
    let journal = SledJournal::open(dir.path(), Options { checkpoint_every: 64, ..disk.options() }).unwrap();
    let logs: Vec<_> = (0..50).map(|n| make(&*journal, &format!("{n} {}", "n".repeat(1000)))).collect();
    for round in 0..40_u64 {
        let pending: Vec<_> = logs
            .iter()
            .map(|log| start_append(&*journal, vec![append(*log, 2 + round, &[round as u8; 3000])]))
            .collect();
        pending.iter().for_each(|pending| pending.recv().unwrap().unwrap());
    }
    appended(&*journal, vec![append(logs[0], 42, &vec![1; 1 << 20])]).unwrap();
    for log in logs.iter().step_by(2) {
        appended(&*journal, vec![Entry::Delete { place: log.place }]).unwrap();
    }
    journal.close().unwrap();
    assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_store_in_use_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 10);
    let error = SledJournal::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    drop(journal);
    open(dir.path(), 10);
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 10));
    let db = sled::open(dir.path()).unwrap();
    db.insert("mformat", &7_u32.to_be_bytes()).unwrap();
    drop(db);
    let error = SledJournal::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 7, .. }), "{error}");
}

#[test]
fn a_database_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let db = sled::open(dir.path()).unwrap();
    db.insert("something", "else").unwrap();
    drop(db);
    let error = SledJournal::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn a_snapshot_left_unfinished_by_a_crash_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(&*open(dir.path(), 10), "log");
    let left = dir.path().join("snap.00000000000000FF.generating");
    fs::write(&left, "half a snapshot").unwrap();
    assert_eq!(read_all(&*open(dir.path(), 10), log).len(), 1);
    assert!(!left.exists());
}

/// A closed store with a few hundred records.
fn filled(dir: &Path) -> (Stream, u64) {
    let journal = open(dir, 100);
    let log = make(&*journal, "log");
    let count = 600;
    appended(
        &*journal,
        (2..=count).map(|seq| append(log, seq, format!("record {seq} ").repeat(40).as_bytes())).collect(),
    )
    .unwrap();
    journal.close().unwrap();
    (log, count)
}

#[test]
fn a_store_behind_its_watermark_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (log, count) = filled(dir.path());
    let watermark = fs::read(dir.path().join("watermark")).unwrap();
    fs::remove_file(dir.path().join("db")).unwrap();
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    let error = SledJournal::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::LostTail { expected, found: 0, .. } if expected == count), "{error}");
    assert!(error.to_string().contains("watermark"));
    fs::remove_file(dir.path().join("watermark")).unwrap();
    let journal = open(dir.path(), 10);
    assert_eq!(journal.head(log).unwrap(), 0);
    drop(journal);
    fs::write(dir.path().join("watermark"), watermark).unwrap();
    assert!(matches!(SledJournal::open(dir.path(), Options::default()), Err(OpenError::LostTail { .. })));
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::create_dir(to.join("blobs")).unwrap();
}

/// Opens a damaged store: refused with a sentence, or every record read is as written, or reading is an error.
fn holds_or_refuses(dir: &Path, log: Stream, count: u64) -> bool {
    let journal = match SledJournal::open(dir, Options::default()) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(matches!(error, OpenError::Damaged { .. } | OpenError::LostTail { .. }), "{error}");
            return false;
        }
    };
    let read = journal.read_after(log, 0, usize::MAX);
    if let Ok(records) = &read {
        assert_eq!(records.len() as u64, count, "nothing is missing without a word");
        for record in &records[1..] {
            assert_eq!(record.bytes, format!("record {} ", record.seq).repeat(40).into_bytes());
        }
    }
    read.is_ok()
}

#[test]
fn a_flipped_byte_is_an_error_and_never_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let (log, count) = filled(dir.path());
    let length = fs::metadata(dir.path().join("db")).unwrap().len();
    let mut refused = 0;
    for round in 0..24 {
        let damaged = tempfile::tempdir().unwrap();
        copy(dir.path(), damaged.path());
        let mut file = OpenOptions::new().read(true).write(true).open(damaged.path().join("db")).unwrap();
        let at = (length * round / 24 + 1234 * round) % length;
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[0xA5; 64]).unwrap();
        drop(file);
        refused += usize::from(!holds_or_refuses(damaged.path(), log, count));
    }
    assert!(refused > 0, "some of it must have hit");
}

#[test]
fn a_truncated_file_is_an_error_and_never_a_shorter_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (log, count) = filled(dir.path());
    let length = fs::metadata(dir.path().join("db")).unwrap().len();
    for part in 0..8 {
        let damaged = tempfile::tempdir().unwrap();
        copy(dir.path(), damaged.path());
        let file = OpenOptions::new().write(true).open(damaged.path().join("db")).unwrap();
        file.set_len(length * part / 8 + part).unwrap();
        drop(file);
        holds_or_refuses(damaged.path(), log, count);
    }
}

#[test]
fn a_value_that_is_not_as_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (log, count) = filled(dir.path());
    let db = sled::open(dir.path()).unwrap();
    let (key, value) = db.scan_prefix("s").nth(2).unwrap().unwrap();
    let mut changed = value.to_vec();
    changed[100] ^= 1;
    db.insert(key, changed).unwrap();
    drop(db);
    let journal = open(dir.path(), 10);
    let error = journal.read_after(log, 0, 1000).unwrap_err();
    assert_eq!(error.code, Code::InternalError);
    assert!(error.to_string().contains("Segment 2"), "{error}");
    assert_eq!(journal.read_before(log, None, 10).unwrap().last().unwrap().seq, count);
}

#[test]
fn a_missing_piece_of_the_index_is_an_error_and_not_a_short_page() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 1);
    let log = make(&*journal, "log");
    for first in [1, 3001, 6001] {
        let batch = (first..first + 3000).filter(|seq| *seq > 1).map(|seq| append(log, seq, b"x"));
        appended(&*journal, batch.collect()).unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    let db = sled::open(dir.path()).unwrap();
    let keys: Vec<_> = db.scan_prefix("i").keys().map(Result::unwrap).collect();
    assert!(keys.len() > 2);
    db.remove(&keys[1]).unwrap();
    drop(db);
    let journal = open(dir.path(), 10);
    assert!(journal.read_after(log, 0, 9000).is_err());
    assert_eq!(journal.read_after(log, 0, 100).unwrap().len(), 100);
}

/// Run by hand: `mount -t tmpfs -o size=24m tmpfs /mnt/small`, then with `JOURNAL_SMALL_DISK=/mnt/small`.
#[test]
#[ignore = "needs a small disk of its own, named in JOURNAL_SMALL_DISK"]
fn a_full_disk_is_told_and_writing_resumes_when_there_is_room() {
    let disk = std::env::var_os("JOURNAL_SMALL_DISK").unwrap();
    let dir = tempfile::tempdir_in(&disk).unwrap();
    let ballast = Path::new(&disk).join("ballast");
    fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    let journal = open(dir.path(), 100);
    let log = make(&*journal, "log");
    let bytes = vec![7; 3000];
    let mut acknowledged = 1;
    let error = loop {
        match appended(&*journal, vec![append(log, acknowledged + 1, &bytes)]) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, Code::StoreUnavailable);
    assert!(matches!(journal.health(), Health::Failed(_)));
    assert_eq!(read_all(&*journal, log).len() as u64, acknowledged, "reads go on");
    fs::remove_file(&ballast).unwrap();
    until(|| journal.health() == Health::Ready);
    assert_eq!(journal.head(log).unwrap(), acknowledged);
    for seq in acknowledged + 1..acknowledged + 200 {
        appended(&*journal, vec![append(log, seq, &bytes)]).unwrap();
    }
    drop(journal);
    assert_eq!(read_all(&*open(dir.path(), 100), log).len() as u64, acknowledged + 199);
}
