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
use cases::Factory;

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
    let script = r#""$0" --jetstream --addr 127.0.0.1 --port "$1" --store_dir "$2" >/dev/null 2>&1 & cat; kill -9 $!"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program).arg(port.to_string()).arg(folder.path());
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
