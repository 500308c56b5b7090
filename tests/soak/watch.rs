//! Looking at the server from outside: its memory, its threads and descriptors, and what it counts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::rest::call;
use crate::harness::server::Server;

/// How the server was at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at: f64,
    /// Resident memory, in KiB.
    pub memory: u64,
    /// Of many looks at rest, the one in the middle, in KiB.
    pub usual: u64,
    /// The most that one of them saw, in KiB.
    pub most: u64,
    /// Threads of the process by their names, but for those of the allocator, which starts them when it first needs them,
    /// and of sled's pool, which come and go with what is written: at rest, what is not kept any more is taken out.
    pub threads: BTreeMap<String, u64>,
    /// Open descriptors of the process by what they are: files, and kinds of all else.
    pub descriptors: BTreeMap<String, u64>,
    /// Everything counted, by name and labels.
    pub metrics: BTreeMap<String, f64>,
}

impl Sample {
    /// How the server is now.
    pub async fn take(server: &Server, since: Instant) -> Self {
        let pid = server.pid();
        let (memory, threads, descriptors) = (memory(server), threads(pid), descriptors(pid));
        // Behind the descriptors: it takes a connection, which the server may take a moment to close.
        let (status, text) = call(server, reqwest::Method::GET, "/metrics", "", None).await;
        assert_eq!(status, 200, "{text}");
        let counted = text.lines().filter(|line| !line.starts_with('#'));
        let metrics = counted.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self {
            at: since.elapsed().as_secs_f64(),
            memory,
            usual: memory,
            most: memory,
            threads,
            descriptors,
            metrics: metrics.collect(),
        }
    }

    /// The sum of a metric over its labels, those alone that contain `label`.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let of = |key: &str| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
        self.metrics.iter().filter(|(key, _)| of(key) && key.contains(label)).map(|(_, value)| value).sum()
    }

    /// How many threads there are.
    pub fn thread_count(&self) -> u64 {
        self.threads.values().sum()
    }

    /// How many descriptors there are.
    pub fn descriptor_count(&self) -> u64 {
        self.descriptors.values().sum()
    }

    /// What is left that nobody uses, as far as it is counted; empty when the server is at rest.
    pub fn left_over(&self, agents: f64) -> Vec<String> {
        let expected = [
            ("callboard_sessions", "", 0.0),
            ("callboard_actors", "session", 0.0),
            ("callboard_actors", "conversation", 0.0),
            ("callboard_actors", "channel", 0.0),
            ("callboard_actors", "errand", 0.0),
            ("callboard_actors", "agent", agents),
            ("callboard_agents", "", agents),
            ("callboard_conversations", "", 0.0),
            ("callboard_channels", "", 0.0),
            ("callboard_inboxes", "", 0.0),
            ("callboard_open_runs", "", 0.0),
            ("callboard_brain_threads", "", 0.0),
            ("callboard_queue_depth", "", 0.0),
        ];
        let wrong = expected.iter().filter(|(name, label, count)| self.sum(name, label) != *count);
        wrong.map(|(name, label, count)| format!("{name} {label} {}, not {count}", self.sum(name, label))).collect()
    }
}

/// Resident memory, in KiB.
fn memory(server: &Server) -> u64 {
    server.resident() as u64 / 1024
}

fn descriptors(pid: u32) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for descriptor in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        // One that was closed meanwhile leads nowhere.
        let Ok(to) = std::fs::read_link(descriptor.path()) else { continue };
        let to = to.to_string_lossy();
        let kind = if to.starts_with('/') { &*to } else { to.split(":[").next().unwrap_or_default() };
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

fn threads(pid: u32) -> BTreeMap<String, u64> {
    let mut names = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        // One that ended meanwhile has none.
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if !name.is_empty() && !["jemalloc", "sled-io"].iter().any(|own| name.starts_with(own)) {
            *names.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    names
}

/// How long the server is looked at when it is at rest: tokio ends a thread that had nothing to do for ten seconds, and
/// what is kept no longer is taken out every five, for which much is read.
const REST: Duration = Duration::from_secs(12);

/// Waits until nothing is left over, for a minute at most, then for the threads that tokio lends out to go; returns how
/// the server is then, with what is still left. Its memory is the least that was seen: what it holds when it does nothing.
pub async fn rest(server: &Server, since: Instant, agents: f64) -> (Sample, Vec<String>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let left = loop {
        let left = Sample::take(server, since).await.left_over(agents);
        if left.is_empty() || Instant::now() > deadline {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (mut looks, end) = (Vec::new(), Instant::now() + REST);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        looks.push(memory(server));
    }
    looks.sort_unstable();
    let (least, usual, most) = (looks[0], looks[looks.len() / 2], looks[looks.len() - 1]);
    (Sample { memory: least, usual, most, ..Sample::take(server, since).await }, left)
}
