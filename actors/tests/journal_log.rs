//! A store as one of several copies of a log elsewhere: what the journal in sled promises beyond the contract then.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "journal/ledger.rs"]
mod ledger;
#[path = "journal/support.rs"]
mod support;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use callboard_actors::journal::log::Log;
use callboard_actors::journal::sled::{Disk, OpenError, Options, SledJournal};
use callboard_actors::journal::{Entry, Health, Journal, Position};
use callboard_actors::protocol::Code;
use ledger::{Ledger, Server};
use support::{append, appended, make, name, read_all, start_append, write};

fn options(server: &Arc<Server>, checkpoint_every: usize) -> Options {
    Options { checkpoint_every, log: Some(Arc::clone(server) as Arc<dyn Log>), ..Options::default() }
}

fn open(dir: &Path, server: &Arc<Server>) -> Arc<SledJournal> {
    SledJournal::open(dir, options(server, 1_000_000)).unwrap()
}

fn refused(dir: &Path, options: Options) -> OpenError {
    SledJournal::open(dir, options).expect_err("it must not open")
}

#[test]
fn an_empty_store_is_filled_from_the_log() {
    let ledger = Ledger::new("log");
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(first.path(), &ledger.server());
    let (stays, gone) = (make(&*journal, "stays"), make(&*journal, "gone"));
    for seq in 2..=300 {
        let at = Position { stream: stays, seq };
        let bytes = vec![seq as u8; 40 * seq as usize];
        appended(&*journal, vec![Entry::Append { at, bytes, opens: seq > 290, closes: Vec::new() }]).unwrap();
    }
    appended(&*journal, vec![Entry::Trim { stream: stays, first: 20 }]).unwrap();
    appended(&*journal, vec![Entry::Delete { place: gone.place }]).unwrap();
    let (records, unfinished) = (journal.read_after(stays, 0, 1000).unwrap(), journal.unfinished());
    assert_eq!(unfinished.len(), 10);
    for checkpoint_every in [1_000_000, 7] {
        let server = ledger.server();
        let copy = SledJournal::open(second.path(), options(&server, checkpoint_every)).unwrap();
        assert_eq!(copy.read_after(stays, 0, 1000).unwrap(), records);
        assert_eq!((copy.first(stays).unwrap(), copy.head(stays).unwrap()), (20, 300));
        assert_eq!(copy.find(&name("stays")).unwrap(), Some(stays.place));
        assert_eq!(copy.find(&name("gone")).unwrap(), None);
        assert_eq!(copy.unfinished(), unfinished);
        assert_eq!(copy.size().records, journal.size().records);
        assert!(copy.reserve().0 > gone.place.0);
        assert_eq!(copy.verify(&|_, _, _| Ok(()), &|_| {}).unwrap().findings, Vec::<String>::new());
        drop(copy);
        std::fs::remove_dir_all(second.path()).unwrap();
    }
}

#[test]
fn whoever_led_before_acknowledges_nothing() {
    let ledger = Ledger::new("log");
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = open(first.path(), &ledger.server());
    let stream = make(&*old, "log");
    write(&*old, stream, 2, "two").unwrap();
    let new = open(second.path(), &ledger.server());
    write(&*new, stream, 3, "three").unwrap();
    for _ in 0..3 {
        assert_eq!(write(&*old, stream, 3, "a fork").unwrap_err().code, Code::StoreUnavailable);
        old.head(stream).unwrap();
    }
    assert!(matches!(old.health(), Health::Failed(_)));
    assert!(old.close().is_err());
    drop(old);
    write(&*new, stream, 4, "four").unwrap();
    drop(new);
    // And is one copy more when it is started again.
    let again = open(first.path(), &ledger.server());
    assert_eq!(read_all(&*again, stream)[1..], [&b"two"[..], b"three", b"four"]);
}

#[test]
fn what_was_not_acknowledged_does_not_come_back() {
    for lands in [false, true] {
        let ledger = Ledger::new("log");
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = ledger.server();
        let journal = open(first.path(), &server);
        let (stream, other) = (make(&*journal, "one"), make(&*journal, "other"));
        for round in 0..3_u64 {
            let next = journal.head(stream).unwrap() + 1;
            write(&*journal, stream, next, "acknowledged").unwrap();
            server.lands.store(lands, Ordering::SeqCst);
            server.fails.store(true, Ordering::SeqCst);
            let failing: Vec<_> =
                [stream, other].map(|lane| start_append(&*journal, vec![append(lane, next + 1, b"lost")])).into();
            for failing in failing {
                assert!(failing.recv().unwrap().is_err());
            }
            assert!(matches!(journal.health(), Health::Failed(_)));
            server.fails.store(false, Ordering::SeqCst);
            while journal.health() != Health::Ready {
                thread::yield_now();
            }
            assert_eq!(journal.head(stream).unwrap(), next);
            assert_eq!(journal.head(other).unwrap(), round + 1);
            write(&*journal, other, round + 2, "acknowledged").unwrap();
        }
        let texts = read_all(&*journal, stream);
        drop(journal);
        let copy = open(second.path(), &ledger.server());
        assert_eq!(read_all(&*copy, stream), texts);
        assert_eq!(read_all(&*copy, other).len(), 4);
        let again = open(first.path(), &ledger.server());
        assert_eq!(read_all(&*again, stream), texts);
    }
}

#[test]
fn a_store_that_is_no_copy_of_this_log_is_refused() {
    let (ledger, other) = (Ledger::new("log"), Ledger::new("other"));
    let dir = tempfile::tempdir().unwrap();
    let stream = make(&*open(dir.path(), &ledger.server()), "log");
    assert!(matches!(refused(dir.path(), options(&other.server(), 7)), OpenError::Foreign { .. }));
    // Read without its log it stays a copy, written it does not.
    let alone = SledJournal::open(dir.path(), Options::default()).unwrap();
    assert_eq!(alone.head(stream).unwrap(), 1);
    drop(alone);
    drop(open(dir.path(), &ledger.server()));
    let alone = SledJournal::open(dir.path(), Options::default()).unwrap();
    write(&*alone, stream, 2, "alone").unwrap();
    drop(alone);
    assert!(matches!(refused(dir.path(), options(&ledger.server(), 7)), OpenError::Alone { .. }));
}

#[test]
fn a_backup_is_no_copy_of_the_log() {
    let ledger = Ledger::new("log");
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(dir.path(), &ledger.server());
    let stream = make(&*journal, "log");
    let backup = to.path().join("backup");
    journal.copy(&backup, &|_, _| {}).unwrap();
    write(&*journal, stream, 2, "after").unwrap();
    assert!(matches!(refused(&backup, options(&ledger.server(), 7)), OpenError::Alone { .. }));
    assert_eq!(SledJournal::open(&backup, Options::default()).unwrap().head(stream).unwrap(), 1);
}

#[test]
fn a_copy_of_a_store_stands_for_what_the_log_no_longer_has() {
    let ledger = Ledger::new("log");
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Made before there was a log: an empty one begins with what is in the store.
    let alone = SledJournal::open(first.path(), Options { checkpoint_every: 7, ..Options::default() }).unwrap();
    let (stream, other) = (make(&*alone, "log"), make(&*alone, "other"));
    for seq in 2..=200 {
        write(&*alone, stream, seq, &"x".repeat(seq as usize * 30)).unwrap();
    }
    alone.close().unwrap();
    drop(alone);
    let server = ledger.server();
    let journal = open(first.path(), &server);
    write(&*journal, stream, 201, "in the log").unwrap();
    server.wants_copy.store(true, Ordering::SeqCst);
    ledger.wait_for_copy();
    for seq in 2..=50 {
        write(&*journal, other, seq, "behind the copy").unwrap();
    }
    let (texts, others) = (read_all(&*journal, stream), read_all(&*journal, other));
    drop(journal);
    for checkpoint_every in [1_000_000, 7] {
        let copy = SledJournal::open(second.path(), options(&ledger.server(), checkpoint_every)).unwrap();
        assert_eq!((read_all(&*copy, stream), read_all(&*copy, other)), (texts.clone(), others.clone()));
        assert_eq!(copy.verify(&|_, _, _| Ok(()), &|_| {}).unwrap().findings, Vec::<String>::new());
        assert_eq!(copy.size().records, 251);
        drop(copy);
        std::fs::remove_dir_all(second.path()).unwrap();
    }
}

#[test]
fn a_store_that_was_not_filled_to_the_end_begins_anew() {
    let ledger = Ledger::new("log");
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = ledger.server();
    let journal = open(first.path(), &server);
    let stream = make(&*journal, "log");
    for seq in 2..=100 {
        write(&*journal, stream, seq, &"x".repeat(500)).unwrap();
    }
    server.wants_copy.store(true, Ordering::SeqCst);
    ledger.wait_for_copy();
    let texts = read_all(&*journal, stream);
    drop(journal);
    let torn = ledger.server();
    torn.torn.store(true, Ordering::SeqCst);
    assert!(matches!(refused(second.path(), options(&torn, 7)), OpenError::Log { .. }));
    assert_eq!(read_all(&*open(second.path(), &ledger.server()), stream), texts);
}

/// A disk that answers when it is let.
#[derive(Debug, Default)]
struct Slow(Mutex<bool>, Condvar);

impl Slow {
    fn hold(&self, held: bool) {
        *self.0.lock().unwrap() = held;
        self.1.notify_all();
    }
}

impl Disk for Slow {
    fn sync(&self, _: &File) -> io::Result<()> {
        drop(self.1.wait_while(self.0.lock().unwrap(), |held| *held).unwrap());
        Ok(())
    }

    fn room(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_was_given_up_counts_again_where_another_leader_let_it_count() {
    let ledger = Ledger::new("log");
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, disk) = (ledger.server(), Arc::new(Slow::default()));
    let stall = Duration::from_millis(200);
    let settings = Options { disk: Arc::clone(&disk) as Arc<dyn Disk>, stall, ..options(&server, 1_000_000) };
    let old = SledJournal::open(first.path(), settings).unwrap();
    let stream = make(&*old, "log");
    disk.hold(true);
    // In the log, and on this disk when nobody waits for it any more.
    assert_eq!(write(&*old, stream, 2, "two").unwrap_err().code, Code::StoreUnavailable);
    let new = open(second.path(), &ledger.server());
    assert_eq!(read_all(&*new, stream)[1..], [b"two"]);
    disk.hold(false);
    // It takes out what it gave up, and hears that it leads no more.
    while !matches!(old.health(), Health::Failed(why) if why.contains("leads now")) {
        thread::yield_now();
    }
    assert!(old.close().is_err());
    drop(old);
    write(&*new, stream, 3, "three").unwrap();
    drop(new);
    let again = open(first.path(), &ledger.server());
    assert_eq!(read_all(&*again, stream)[1..], [&b"two"[..], b"three"]);
}
