//! The door by which commands reach a running server: a socket in its data folder, which is its owner's alone. An order
//! is a line of JSON, answered by lines that tell how far it is and a last one that tells how it ended.
//!
//! Orders come from the operator's own programs, one after another; a second waits for the first.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use callboard_actors::journal::sled::{SledJournal, Verified};
use serde::{Deserialize, Serialize};

use super::{Manifest, Told, backup, verify};

const NAME: &str = "control";

/// The longest path that fits into a socket's address, with room to spare; a longer one goes by way of a descriptor.
const PATH: usize = 100;

/// How long an order may take to arrive, and how long whoever gave it may not read.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is told how far an order is.
const BEAT: Duration = Duration::from_millis(100);

/// The longest order.
const ORDER: u64 = 64 * 1024;

/// What a running server can be asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A backup into this folder, an absolute path.
    Backup(PathBuf),
    /// A walk through the store.
    Verify,
}

/// What it answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// So much is done, of so much where that is known.
    Progress(u64, Option<u64>),
    /// The backup is made.
    BackedUp(Manifest),
    /// The store was walked.
    Walked(Seen),
    /// It could not be done.
    Failed(String),
}

/// What a walk found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Seen {
    pub places: u64,
    pub streams: u64,
    pub records: u64,
    pub segments: u64,
    pub findings: Vec<String>,
}

impl From<Verified> for Seen {
    fn from(seen: Verified) -> Self {
        let Verified { places, streams, records, segments, findings } = seen;
        Self { places, streams, records, segments, findings }
    }
}

/// Opens the door, on a thread of its own, for as long as the process lives. The journal's lock says that no other
/// server is behind a socket that is there.
///
/// # Errors
/// What kept the socket from being made.
pub fn listen(data_dir: &Path, journal: &Arc<SledJournal>) -> anyhow::Result<()> {
    let failed = || format!("the control socket in {} cannot be made", data_dir.display());
    match fs::remove_file(data_dir.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    let listener = at(data_dir, |path| UnixListener::bind(path)).with_context(failed)?;
    fs::set_permissions(data_dir.join(NAME), fs::Permissions::from_mode(0o600)).with_context(failed)?;
    let (data_dir, journal) = (data_dir.canonicalize().with_context(failed)?, Arc::downgrade(journal));
    let serve = move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            if let Err(error) = answer(&stream, &data_dir, &journal) {
                log::warn!("an order by the control socket: {error:#}");
            }
        }
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(serve).with_context(failed)?;
    Ok(())
}

fn answer(stream: &UnixStream, data_dir: &Path, journal: &Weak<SledJournal>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, ORDER)).read_line(&mut line)?;
    let told = std::cell::Cell::new(Instant::now());
    let tell = |done: u64, of: Option<u64>| {
        if told.get().elapsed() >= BEAT {
            told.set(Instant::now());
            // Whoever gave the order may have gone; it is done all the same.
            let _ = say(stream, &Answer::Progress(done, of));
        }
    };
    let done = match (serde_json::from_str(&line), journal.upgrade()) {
        (Err(error), _) => Err(anyhow::anyhow!("this is no order: {error}")),
        (_, None) => Err(anyhow::anyhow!("the server is stopping")),
        (Ok(order), Some(journal)) => obey(&order, &journal, data_dir, &tell),
    };
    let answer = done.unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
    if let Answer::Failed(why) = &answer {
        log::warn!("an order by the control socket failed: {why}");
    }
    say(stream, &answer).context("nobody reads the answer")
}

fn obey(order: &Order, journal: &SledJournal, data_dir: &Path, told: Told<'_>) -> anyhow::Result<Answer> {
    match order {
        Order::Backup(to) if !to.is_absolute() => bail!("{}: expected an absolute path", to.display()),
        Order::Backup(to) => {
            let manifest = backup(journal, data_dir, to, told)?;
            log::info!("backup: {} segments to {}", manifest.segments, to.display());
            Ok(Answer::BackedUp(manifest))
        }
        Order::Verify => {
            let seen = verify(journal, told)?;
            seen.findings.iter().for_each(|finding| log::error!("verify: {finding}"));
            Ok(Answer::Walked(seen.into()))
        }
    }
}

fn say(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Asks the server that runs on `data_dir`; `None` if none does.
///
/// # Errors
/// Why it could not be done.
pub fn ask(data_dir: &Path, order: &Order, told: Told<'_>) -> anyhow::Result<Option<Answer>> {
    let stream = match at(data_dir, |path| UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error).context("the server that runs there cannot be reached"),
    };
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    (&stream).write_all(&line).context("the server does not take the order")?;
    for line in BufReader::new(&stream).lines() {
        match serde_json::from_str(&line.context("the server does not answer")?)? {
            Answer::Progress(done, of) => told(done, of),
            Answer::Failed(why) => bail!("{why}"),
            answer => return Ok(Some(answer)),
        }
    }
    bail!("the server ended before it was done")
}

/// Does something with the socket's path, short enough for an address.
fn at<T>(data_dir: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = data_dir.join(NAME);
    if path.as_os_str().len() <= PATH {
        return act(&path);
    }
    let folder = File::open(data_dir)?;
    act(&PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd())))
}
