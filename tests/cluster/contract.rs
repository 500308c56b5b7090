//! The contract of a journal, held against a copy of a log in NATS.

#[path = "../../actors/tests/journal/contract.rs"]
mod cases;
#[path = "../../actors/tests/journal/support.rs"]
mod support;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use callboard_actors::journal::log::Log;
use callboard_actors::journal::nats::{self, NatsLog};
use callboard_actors::journal::sled::{Options, SledJournal};
use tempfile::TempDir;

use crate::patience::PATIENCE;
use callboard_actors::journal::{Entry, Journal};
use cases::Factory;
use support::{append, appended, make, read_all};

const JOURNALS: &[(&str, Factory)] = &[("NATS", |dir, checkpoint_every| {
    let log: Arc<dyn Log> = NatsLog::open(&options(dir)).unwrap();
    SledJournal::open(dir, Options { checkpoint_every, log: Some(log), ..Options::default() }).unwrap()
})];

/// One stream for each directory, all on one server.
fn options(dir: &Path) -> nats::Options {
    let name: String = dir.file_name().unwrap().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    nats::Options {
        servers: vec![NATS.url.clone()],
        name,
        node: "contract".to_owned(),
        replicas: 1,
        max_bytes: 64 << 20,
        // Most cases drop a journal without a word, and nobody else leads here.
        silence: Duration::from_millis(50),
        patience: PATIENCE,
        credentials: None,
        ca_file: None,
    }
}

/// A server of NATS that ends with this process: the shell it runs under reads its input until then.
struct Server {
    url: String,
    _folder: TempDir,
    _shell: Child,
}

static NATS: LazyLock<Server> = LazyLock::new(|| {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/.tools/bin/nats-server");
    assert!(program.exists(), "NATS is not there: run tests/cluster/setup");
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Room for what so many logs set aside, whatever the disk has.
    let config =
        format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {:?}, max_file_store: 1TB }}\n", folder.path());
    std::fs::write(folder.path().join("nats.conf"), config).unwrap();
    let script = r#""$0" --config "$1/nats.conf" >/dev/null 2>&1 & cat; kill -9 $!; wait; rm -rf "$1""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program).arg(folder.path());
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    wait_for(port);
    Server { url: format!("nats://127.0.0.1:{port}"), _folder: folder, _shell: shell }
});

/// Waits for its greeting.
fn wait_for(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    let greets = || TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut nats| nats.read(&mut [0; 4]).is_ok());
    while !greets() {
        assert!(Instant::now() < deadline, "NATS does not greet");
        std::thread::yield_now();
    }
}

/// Records in a round, bytes in each, rounds; in all half again as much as the log may take.
const ROUND: u64 = 32;
const BYTES: usize = 8 << 10;
const ROUNDS: u64 = 24;

#[test]
fn the_log_stays_bounded_and_a_new_store_is_filled_from_what_it_keeps() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = nats::Options { max_bytes: 4 << 20, ..options(first.path()) };
    let log: Arc<dyn Log> = NatsLog::open(&options).unwrap();
    let settings = |log: &Arc<dyn Log>| Options { checkpoint_every: 64, log: Some(log.clone()), ..Options::default() };
    let journal = SledJournal::open(first.path(), settings(&log)).unwrap();
    let (lane, kept) = (make(&*journal, "trimmed"), make(&*journal, "kept"));
    for round in 0..ROUNDS {
        let next = journal.head(lane).unwrap() + 1;
        let records = next..next + ROUND;
        let mut batch: Vec<Entry> = records.map(|seq| append(lane, seq, &[seq as u8; BYTES])).collect();
        batch.push(Entry::Trim { stream: lane, first: next });
        batch.push(append(kept, round + 2, round.to_string().as_bytes()));
        appended(&*journal, batch).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while log.is_copy_due() {
            assert!(Instant::now() < deadline, "no copy is kept");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let (trimmed, texts) = (journal.read_after(lane, 0, 1000).unwrap(), read_all(&*journal, kept));
    assert_eq!((trimmed.len() as u64, texts.len() as u64), (ROUND, ROUNDS + 1));
    drop((journal, log));

    let log: Arc<dyn Log> = NatsLog::open(&options).unwrap();
    let copy = SledJournal::open(second.path(), settings(&log)).unwrap();
    assert_eq!(copy.read_after(lane, 0, 1000).unwrap(), trimmed);
    assert_eq!(read_all(&*copy, kept), texts);
    assert_eq!(copy.verify(&|_, _, _| Ok(()), &|_| {}).unwrap().findings, Vec::<String>::new());
}
