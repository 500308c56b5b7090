//! NATS as it ships, in processes of its own: one server, or three that keep a log together.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::patience::{PATIENCE, until};

/// A server of NATS. Dropping it kills it.
pub struct Nats {
    folder: TempDir,
    port: u16,
    monitor: u16,
    child: Child,
}

impl Nats {
    /// One server for itself.
    pub async fn alone() -> Self {
        let mut nats = Self::begin(port(), "");
        nats.healthy().await;
        nats
    }

    /// Three that keep every log three times.
    pub async fn three() -> Vec<Self> {
        let ports = [port(), port(), port()];
        let routes = ports.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
        let together = |port| format!("cluster {{ name: three, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n");
        let mut all: Vec<Self> = ports.map(|at| Self::begin(port(), &together(at))).into();
        for nats in &mut all {
            nats.healthy().await;
        }
        all
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the process as a crash would.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal, named without `SIG`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name} failed");
    }

    /// Starts it again at the same place over the same folder; `healthy` waits for it.
    pub fn begin_again(&mut self) {
        self.kill9();
        self.child = spawn(&self.folder);
    }

    /// Waits until it takes writes, and until its copies of logs are as the others'.
    pub async fn healthy(&mut self) {
        let child = &mut self.child;
        let url = format!("http://127.0.0.1:{}/healthz", self.monitor);
        let client = reqwest::Client::new();
        until("NATS is healthy", async || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "NATS ended: {ended:?}");
            let answer = client.get(&url).timeout(Duration::from_secs(5)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Whether it leads those that keep the one log there is.
    pub async fn leads(&self) -> bool {
        let name = format!("n{}", self.port);
        let log = self.log().await;
        log.is_some_and(|log| log["cluster"]["leader"].as_str() == Some(&name))
    }

    /// What it knows of the one log there is.
    pub async fn log(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/jsz?streams=true&config=true", self.monitor);
        let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.ok()?;
        let known: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        let streams = known["account_details"][0]["stream_detail"].as_array()?;
        assert!(streams.len() <= 1, "more than one log: {known}");
        streams.first().cloned()
    }

    fn begin(port: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (monitor, store) = (self::port(), folder.path().join("store"));
        // Room for what logs set aside, whatever the disk has.
        let config = format!(
            "server_name: n{port}\nlisten: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
             jetstream {{ store_dir: {store:?}, max_file_store: 1TB }}\n{more}"
        );
        std::fs::write(folder.path().join("nats.conf"), config).unwrap();
        let child = spawn(&folder);
        Self { folder, port, monitor, child }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let from = log.lines().count().saturating_sub(30);
            eprintln!("--- NATS at {}", self.port);
            log.lines().skip(from).for_each(|line| eprintln!("{line}"));
        }
    }
}

fn spawn(folder: &TempDir) -> Child {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/.tools/bin/nats-server");
    assert!(program.exists(), "NATS is not there: run tests/cluster/setup");
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = Command::new(program);
    command.arg("--config").arg(folder.path().join("nats.conf")).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// A free port below those that the system gives to connections, so that it is free still when a server comes back.
pub fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        let port = 11_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 21_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
