//! What keeps a store in order while it is in use: trimming, sweeping, copies, walks, the watchdog, older formats.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "journal/support.rs"]
mod support;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use callboard_actors::journal::sled::{Disk, OpenError, Options, SledJournal, Verified};
use callboard_actors::journal::{Entry, Health, Journal, Place, Stream, read_on};
use callboard_actors::protocol::Code;
use support::{append, appended, create, make, name, read_all, start_append, stream, write};

fn open(dir: &Path, checkpoint_every: usize) -> Arc<SledJournal> {
    SledJournal::open(dir, Options { checkpoint_every, disk: Arc::new(Quick), ..Options::default() }).unwrap()
}

/// A disk that does not sync: the page cache outlives the tests' processes.
#[derive(Debug)]
struct Quick;

impl Disk for Quick {
    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn room(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn trim(journal: &dyn Journal, stream: Stream, first: u64) {
    appended(journal, vec![Entry::Trim { stream, first }]).unwrap();
}

/// Set when this goes.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn text(seq: u64) -> String {
    format!("record {seq} ").repeat(20)
}

fn fill(journal: &dyn Journal, log: Stream, seqs: std::ops::RangeInclusive<u64>) {
    for chunk in seqs.collect::<Vec<_>>().chunks(100) {
        let batch = chunk.iter().map(|seq| append(log, *seq, text(*seq).as_bytes())).collect();
        appended(journal, batch).unwrap();
    }
}

fn seqs(journal: &dyn Journal, log: Stream) -> Vec<u64> {
    let records = journal.read_after(log, 0, usize::MAX).unwrap();
    records.iter().skip(1).for_each(|record| assert_eq!(record.bytes, text(record.seq).into_bytes()));
    records.into_iter().map(|record| record.seq).collect()
}

fn walk(journal: &SledJournal) -> Verified {
    journal.verify(&|_, _, _| Ok(()), &|_| {}).unwrap()
}

/// Keys of the log in a store that is closed.
fn segments(dir: &Path) -> usize {
    sled::open(dir).unwrap().scan_prefix("s").count()
}

fn dead(dir: &Path) -> usize {
    sled::open(dir).unwrap().scan_prefix("x").count()
}

#[test]
fn what_is_trimmed_is_gone_and_its_numbers_are_never_given_again() {
    for checkpoint_every in [1, 50, 100_000] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), checkpoint_every);
        let log = make(&*journal, "log");
        assert_eq!(journal.first(log).unwrap(), 1);
        fill(&*journal, log, 2..=300);
        trim(&*journal, log, 101);
        assert_eq!((journal.first(log).unwrap(), journal.head(log).unwrap()), (101, 300));
        assert_eq!(seqs(&*journal, log), (101..=300).collect::<Vec<_>>());
        trim(&*journal, log, 50);
        assert_eq!(journal.first(log).unwrap(), 101, "what is gone does not come back");
        assert!(appended(&*journal, vec![Entry::Trim { stream: log, first: 302 }]).is_err());
        assert!(appended(&*journal, vec![Entry::Trim { stream: stream(Place(999)), first: 1 }]).is_err());
        trim(&*journal, log, 301);
        assert_eq!((journal.first(log).unwrap(), journal.head(log).unwrap()), (301, 300));
        assert!(seqs(&*journal, log).is_empty());
        journal.close().unwrap();
        drop(journal);
        let journal = open(dir.path(), checkpoint_every);
        assert_eq!((journal.first(log).unwrap(), journal.head(log).unwrap()), (301, 300));
        assert!(write(&*journal, log, 300, "again").is_err());
        journal.head(log).unwrap();
        fill(&*journal, log, 301..=303);
        assert_eq!(seqs(&*journal, log), [301, 302, 303]);
        assert_eq!(walk(&journal).findings, Vec::<String>::new());
    }
}

#[test]
fn a_cursor_into_what_was_trimmed_is_an_error_and_the_beginning_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 10);
    let log = make(&*journal, "log");
    fill(&*journal, log, 2..=30);
    trim(&*journal, log, 21);
    assert_eq!(read_on(&*journal, log, 0, 3).unwrap().first().unwrap().seq, 21);
    assert_eq!(read_on(&*journal, log, 20, 3).unwrap().first().unwrap().seq, 21);
    assert_eq!(read_on(&*journal, log, 19, 3).unwrap_err().code, Code::CursorExpired);
    trim(&*journal, log, 31);
    assert_eq!(read_on(&*journal, log, 20, 3).unwrap_err().code, Code::CursorExpired);
    assert!(read_on(&*journal, log, 30, 3).unwrap().is_empty());
    assert!(read_on(&*journal, log, 0, 3).unwrap().is_empty());
    let before: Vec<_> = journal.read_before(log, Some(25), 10).unwrap();
    assert!(before.is_empty(), "{before:?}");
}

#[test]
fn pages_before_a_place_end_where_the_stream_begins() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 10);
    let log = make(&*journal, "log");
    fill(&*journal, log, 2..=30);
    trim(&*journal, log, 21);
    let page =
        |before| -> Vec<u64> { journal.read_before(log, before, 6).unwrap().iter().map(|record| record.seq).collect() };
    assert_eq!(page(None), [25, 26, 27, 28, 29, 30]);
    assert_eq!(page(Some(24)), [21, 22, 23]);
    assert_eq!(page(Some(21)), [0_u64; 0]);
    assert_eq!(page(Some(5)), [0_u64; 0]);
}

/// Whatever a kill leaves of it, a sweep is finished later and takes nothing that lives.
#[test]
fn what_is_dead_leaves_the_log_and_what_lives_stays() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 100_000);
    let (kept, trimmed, deleted) = (make(&*journal, "kept"), make(&*journal, "trimmed"), make(&*journal, "deleted"));
    for first in (2..=1800).step_by(3) {
        // Neighbours in one commit, so that a segment holds what lives beside what is dead.
        let batch = [kept, trimmed, deleted]
            .into_iter()
            .flat_map(|log| (first..first + 3).map(move |seq| append(log, seq, text(seq).as_bytes())));
        appended(&*journal, batch.collect()).unwrap();
    }
    appended(&*journal, vec![append(trimmed, 1802, &vec![7; 300_000]), append(deleted, 1802, &vec![8; 300_000])])
        .unwrap();
    journal.close().unwrap();
    drop(journal);
    let before = segments(dir.path());
    let journal = open(dir.path(), 100_000);
    fill(&*journal, trimmed, 1803..=1900);
    trim(&*journal, trimmed, 1851);
    appended(&*journal, vec![Entry::Delete { place: deleted.place }]).unwrap();
    journal.close().unwrap();
    drop(journal);
    assert!(dead(dir.path()) > 0, "a checkpoint at the end leaves what is to be swept");
    // One step each time: a process that ends in between goes on where it was.
    let mut last = segments(dir.path());
    for _ in 0..3 {
        drop(open(dir.path(), 100_000));
        let now = segments(dir.path());
        assert!(now <= last);
        last = now;
    }
    let journal = open(dir.path(), 100_000);
    for _ in 0..40 {
        appended(&*journal, vec![Entry::Close { positions: Vec::new() }]).unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    assert_eq!(dead(dir.path()), 0);
    let after = segments(dir.path());
    assert!(after < before - 95, "{before} segments before, {after} after");
    let journal = open(dir.path(), 100_000);
    assert_eq!(seqs(&*journal, kept), (1..=1801).collect::<Vec<_>>());
    assert_eq!(seqs(&*journal, trimmed), (1851..=1900).collect::<Vec<_>>());
    assert_eq!(journal.head(deleted).unwrap(), 0);
    assert_eq!(journal.find(&name("deleted")).unwrap(), None);
    let seen = walk(&journal);
    assert_eq!((seen.findings, seen.places, seen.records), (vec![], 2, 1801 + 50));
}

/// The file does not grow with what was written, but with what is kept.
#[test]
fn room_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 2000);
    let log = make(&*journal, "log");
    let (mut largest, mut level, mut next) = (0, 0, 2);
    // sled tidies up now and then, on a thread of its own: how soon is its affair, but then it stays as large as it is.
    while level < 12 {
        fill(&*journal, log, next..=next + 1999);
        next += 2000;
        trim(&*journal, log, next - 500);
        let size = journal.size().bytes;
        level = if size > largest { 0 } else { level + 1 };
        largest = size.max(largest);
        assert!(next < 2_000_000, "{largest} bytes, and it goes on growing");
    }
}

/// Readers beside a writer that trims and sweeps as fast as it can: each page is whole or an error that says so.
#[test]
fn a_page_is_never_torn() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 64);
    let log = make(&*journal, "log");
    let done = AtomicBool::new(false);
    let pages = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut after = 0;
                while !done.load(Ordering::SeqCst) {
                    match read_on(&*journal, log, after, 50) {
                        Ok(page) => {
                            let expected =
                                if after == 0 { page.first().map_or(1, |record| record.seq) } else { after + 1 };
                            for (seq, record) in (expected..).zip(&page) {
                                assert_eq!(record.seq, seq);
                                assert!(seq == 1 || record.bytes == text(seq).into_bytes());
                                after = seq;
                            }
                            pages.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            assert_eq!(error.code, Code::CursorExpired, "{error}");
                            after = 0;
                        }
                    }
                }
            });
        }
        let mut next = 2;
        while pages.load(Ordering::SeqCst) < 300 || next < 20_000 {
            fill(&*journal, log, next..=next + 99);
            next += 100;
            trim(&*journal, log, next - 60);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(walk(&journal).findings, Vec::<String>::new());
}

#[test]
fn a_copy_made_under_load_is_a_store_as_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 300);
    let logs: Vec<_> = (0..3).map(|n| make(&*journal, &format!("log {n}"))).collect();
    logs.iter().for_each(|log| fill(&*journal, *log, 2..=1500));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whoever fails does not leave the other waiting.
        let _end = End(&done);
        let writer = scope.spawn(|| {
            for seq in 1501.. {
                if done.load(Ordering::SeqCst) {
                    return seq;
                }
                // In one batch: all of them are in the copy, or none.
                let batch = logs.iter().map(|log| append(*log, seq, text(seq).as_bytes())).collect();
                appended(&*journal, batch).unwrap();
                if seq % 50 == 0 {
                    trim(&*journal, logs[0], seq - 1000);
                }
            }
            unreachable!()
        });
        for round in 0..4 {
            let at_least = journal.head(logs[0]).unwrap();
            let copy = dir.path().join(format!("copy {round}"));
            let copied = journal.copy(&copy, &|done, of| assert!(done <= of)).unwrap();
            let copy = open(&copy, 300);
            let heads: Vec<_> = logs.iter().map(|log| copy.head(*log).unwrap()).collect();
            assert!(heads[0] >= at_least && heads.iter().all(|head| *head == heads[0]), "{at_least} {heads:?}");
            assert_eq!(copied.records, copy.size().records);
            assert_eq!(seqs(&*copy, logs[1]), (1..=heads[0]).collect::<Vec<_>>());
            assert_eq!(walk(&copy).findings, Vec::<String>::new());
        }
        done.store(true, Ordering::SeqCst);
        writer.join().unwrap();
    });
    let error = journal.copy(&dir.path().join("copy 0"), &|_, _| {}).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(walk(&journal).findings, Vec::<String>::new());
}

/// A checkpoint takes segments out in which no record stands; a copy begun before it needs them.
#[test]
fn a_copy_is_whole_though_checkpoints_are_made_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 50);
    let log = make(&*journal, "log");
    for seq in 2..=400 {
        appended(&*journal, vec![append(log, seq, text(seq).as_bytes())]).unwrap();
    }
    for first in 2..=30 {
        trim(&*journal, log, first);
    }
    let next = AtomicU64::new(401);
    let to = dir.path().join("copy");
    let another = |_, _| {
        let seq = next.fetch_add(1, Ordering::SeqCst);
        appended(&*journal, vec![append(log, seq, text(seq).as_bytes())]).unwrap();
    };
    journal.copy(&to, &another).unwrap();
    let copy = open(&to, 50);
    assert_eq!(seqs(&*copy, log), (30..=400).collect::<Vec<_>>());
    assert_eq!(walk(&copy).findings, Vec::<String>::new());
}

#[test]
fn a_walk_finds_what_is_wrong_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 100);
    let (good, bad) = (make(&*journal, "good"), make(&*journal, "bad"));
    fill(&*journal, good, 2..=300);
    fill(&*journal, bad, 2..=300);
    journal.close().unwrap();
    drop(journal);
    let db = sled::open(dir.path()).unwrap();
    // A byte of the log's last segment; a name that leads elsewhere.
    let (key, value) = db.scan_prefix("s").next_back().unwrap().unwrap();
    let mut changed = value.to_vec();
    changed[3000] ^= 1;
    db.insert(key, changed).unwrap();
    drop(db);
    let journal = open(dir.path(), 100);
    let seen = walk(&journal);
    assert!(!seen.findings.is_empty());
    assert!(seen.findings.iter().all(|what| what.contains("Segment")), "{:?}", seen.findings);
    assert!(
        seen.findings.iter().any(|what| what.contains("Channel bad of tenant other, lane 0, record")),
        "{:?}",
        seen.findings
    );
    assert!(!seen.findings.iter().any(|what| what.contains("good")), "{:?}", seen.findings);
    let looked = journal.verify(&|_, _, record| if record.seq == 7 { Err("odd".into()) } else { Ok(()) }, &|_| {});
    assert!(looked.unwrap().findings.iter().any(|what| what.ends_with("record 7: odd")));
}

/// A disk that stops answering for as long as it is held.
#[derive(Debug, Default)]
struct Stuck {
    held: Mutex<bool>,
    released: Condvar,
}

impl Stuck {
    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.released.notify_all();
    }
}

impl Disk for Stuck {
    fn sync(&self, _: &File) -> io::Result<()> {
        drop(self.released.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
        Ok(())
    }

    fn room(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_does_not_answer_fails_those_who_wait_and_what_they_wrote_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Stuck::default());
    let stall = Duration::from_millis(300);
    let options = Options { stall, disk: Arc::clone(&disk) as Arc<dyn Disk>, ..Options::default() };
    let journal = SledJournal::open(dir.path(), options).unwrap();
    let log = make(&*journal, "log");
    disk.hold(true);
    let waiting = start_append(&*journal, vec![append(log, 2, b"lost")]);
    let behind = start_append(&*journal, vec![append(log, 3, b"lost too")]);
    assert_eq!(waiting.recv().unwrap().unwrap_err().code, Code::StoreUnavailable);
    assert_eq!(behind.recv().unwrap().unwrap_err().code, Code::StoreUnavailable);
    assert!(matches!(journal.health(), Health::Failed(_)));
    // Nobody waits for as long again.
    assert_eq!(write(&*journal, log, 2, "lost as well").unwrap_err().code, Code::StoreUnavailable);
    assert_eq!(read_all(&*journal, log).len(), 1, "reads go on");
    disk.hold(false);
    until(|| journal.health() == Health::Ready);
    assert_eq!(journal.head(log).unwrap(), 1);
    write(&*journal, log, 2, "kept").unwrap();
    drop(journal);
    assert_eq!(read_all(&*open(dir.path(), 10), log)[1..], [b"kept".to_vec()]);
}

#[test]
fn a_journal_is_closed_with_an_error_where_the_disk_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Stuck::default());
    let stall = Duration::from_millis(200);
    let options = Options { stall, disk: Arc::clone(&disk) as Arc<dyn Disk>, ..Options::default() };
    let journal = SledJournal::open(dir.path(), options).unwrap();
    let log = make(&*journal, "log");
    disk.hold(true);
    let waiting = start_append(&*journal, vec![append(log, 2, b"lost")]);
    assert_eq!(journal.close().unwrap_err().code, Code::StoreUnavailable);
    assert!(waiting.recv().unwrap().is_err());
    disk.hold(false);
}

#[test]
fn places_are_listed_with_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), 3);
    let logs: Vec<_> = (0..9).map(|n| make(&*journal, &format!("log {n}"))).collect();
    appended(&*journal, vec![Entry::Delete { place: logs[4].place }]).unwrap();
    let unsettled = journal.reserve();
    appended(&*journal, vec![create(unsettled, "last"), append(stream(unsettled), 1, b"x")]).unwrap();
    let mut found = Vec::new();
    let mut after = Place(0);
    loop {
        let page = journal.places(after, 2).unwrap();
        let Some((last, _)) = page.last() else { break };
        after = *last;
        found.extend(page.into_iter().map(|(_, name)| name.id));
    }
    assert_eq!(found, ["log 0", "log 1", "log 2", "log 3", "log 5", "log 6", "log 7", "log 8", "last"]);
}

#[test]
fn a_store_of_a_format_before_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = make(&*open(dir.path(), 10), "log");
    for before in [1_u32, 2] {
        let db = sled::open(dir.path()).unwrap();
        db.insert("mformat", &before.to_be_bytes()).unwrap();
        drop(db);
        assert_eq!(read_all(&*open(dir.path(), 10), log).len(), 1);
        let db = sled::open(dir.path()).unwrap();
        assert_eq!(db.get("mformat").unwrap().unwrap().as_ref(), 3_u32.to_be_bytes());
    }
    let db = sled::open(dir.path()).unwrap();
    for (format, words) in [(4_u32, "format 4; this version knows formats up to 3"), (0, "damaged")] {
        db.insert("mformat", &format.to_be_bytes()).unwrap();
        db.flush().unwrap();
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(dir.path()).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        fs::create_dir(copy.path().join("blobs")).unwrap();
        let error = SledJournal::open(copy.path(), Options::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(matches!(error, OpenError::Newer { .. } | OpenError::Damaged { .. }));
    }
}
