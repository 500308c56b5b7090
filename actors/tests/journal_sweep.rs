//! How much sweeping writes. A process of its own, for what it writes is counted.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "journal/support.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::journal::{Entry, Journal};
use support::{append, appended, make};

/// Streams whose records stand side by side.
const STREAMS: usize = 64;

/// Records of each.
const RECORDS: u64 = 200;

fn open(dir: &Path) -> Arc<SledJournal> {
    SledJournal::open(dir, Options { checkpoint_every: 100_000, ..Options::default() }).unwrap()
}

/// Lists of what is to be swept.
fn lists(dir: &Path) -> usize {
    sled::open(dir).unwrap().scan_prefix("x").count()
}

/// Bytes that this process has written to files.
fn written() -> u64 {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap();
    counts.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// What is trimmed of many streams stands side by side: a segment is not written once for each of them.
#[test]
fn what_dies_side_by_side_is_swept_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let logs: Vec<_> = (0..STREAMS).map(|number| make(&*journal, &format!("log {number}"))).collect();
    for seq in 2..=RECORDS {
        appended(&*journal, logs.iter().map(|log| append(*log, seq, &[7; 80])).collect()).unwrap();
    }
    appended(&*journal, logs.iter().map(|log| Entry::Trim { stream: *log, first: RECORDS + 1 }).collect()).unwrap();
    journal.close().unwrap();
    drop(journal);
    assert!(lists(dir.path()) > 0, "a checkpoint at the end leaves what is to be swept");
    let before = written();
    let journal = open(dir.path());
    for _ in 0..2 * STREAMS {
        appended(&*journal, vec![Entry::Close { positions: Vec::new() }]).unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    let bytes = written() - before;
    assert_eq!(lists(dir.path()), 0);
    let held = STREAMS as u64 * RECORDS * 100;
    assert!(bytes < 4 * held, "{bytes} bytes written to sweep {held}");
}
