//! The soak: hundreds of clients of all five dialects come and go, agents' processes are killed, readers are slow; at
//! the end nothing is lost, nothing is left over, and memory is where it was after the warm-up.
//!
//! `tests/soak/run --minutes 10 --out DIR`; see `docs/reliability.md`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Its own tests do not run here.
#[allow(unused_imports)]
#[path = "../harness/harness.rs"]
mod harness;

mod clients;
mod ledger;
mod processes;
mod report;
mod watch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::task::JoinSet;

use harness::server::Server;
use ledger::Ledger;
use watch::Sample;

/// Agents that come with the server.
const OWN_AGENTS: f64 = 3.0;

/// How memory may differ at the end from what it was after the warm-up.
const TOLERANCE: f64 = 0.10;

/// How often, in seconds, what was acknowledged is looked for while the clients come and go: several times in the time
/// for which it is kept.
const CHECKS: usize = 15;

/// Two minutes of the past are kept, so that the store is as large at the end as after the warm-up. Places leave memory
/// soon, the cache is small, and nobody is held up by a rate that is meant for people.
const CONFIG: &str = "[retention]\nconversation_age = \"2m\"\nchannel_age = \"2m\"\nevery = \"5s\"\n[runtime]\nidle = \"2s\"\ndedup_window = \"2s\"\n[log]\nfilter = \"error\"\n\
    [journal]\ncache = \"8MiB\"\n[rate]\nframes_per_second = 1000000\nframes_burst = 1000000\n\
    channel_frames_per_second = 1000000\nchannel_frames_burst = 1000000";

#[derive(Parser)]
struct Args {
    /// How long the clients come and go, half of it as warm-up.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Clients at a time, over all dialects.
    #[arg(long, default_value_t = 250)]
    clients: usize,
    /// Agents in processes of their own.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Where the report goes.
    #[arg(long, default_value = "target/soak")]
    out: PathBuf,
    /// Be the process of an agent at this address instead.
    #[arg(long, hide = true)]
    agent: Option<String>,
}

/// What the clients share.
pub struct Scene {
    address: String,
    tokens: HashMap<String, String>,
    /// What they were told.
    pub ledger: Ledger,
    /// Agents in processes of their own.
    pub workers: usize,
    over: AtomicBool,
}

impl Scene {
    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// The token of an agent.
    pub fn token(&self, agent: &str) -> &str {
        &self.tokens[agent]
    }

    /// Whether everybody should go.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Pauses as people do.
    pub async fn pause(&self, milliseconds: usize) {
        tokio::time::sleep(Duration::from_millis(milliseconds as u64)).await;
    }
}

/// A number below `below`.
pub fn random(below: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    usize::try_from(RandomState::new().hash_one(0) % below.max(1) as u64).unwrap()
}

fn main() {
    let args = Args::parse();
    let threads = if args.agent.is_some() { 1 } else { 2 };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).enable_all().build().unwrap();
    let good = runtime.block_on(async {
        if let Some(url) = &args.agent {
            processes::serve(url).await;
            return true;
        }
        soak(&args).await
    });
    std::process::exit(i32::from(!good));
}

async fn soak(args: &Args) -> bool {
    let mut server = Server::with(CONFIG);
    let since = Instant::now();
    let scene = Arc::new(scene(&server, args));
    let length = Duration::from_secs_f64(args.minutes * 60.0);
    let mut samples = Vec::new();

    let warm = load(&server, &scene, args, length / 2, since, &mut samples).await;
    let (before, left) = watch::rest(&server, since, OWN_AGENTS).await;
    judge_rest(&scene, "after the warm-up", &left);
    samples.push(before.clone());
    let main = load(&server, &scene, args, length / 2, since, &mut samples).await;
    let (after, left) = watch::rest(&server, since, OWN_AGENTS).await;
    judge_rest(&scene, "at the end", &left);
    samples.push(after.clone());

    judge(&scene, &before, &after);
    if !server.terminate().success() {
        scene.ledger.violation("the server did not stop as it should".to_owned());
    }
    report::write(&args.out, &scene.ledger, &samples, (&before, &after), args.clients, warm + main)
}

fn scene(server: &Server, args: &Args) -> Scene {
    let share = args.clients / 5;
    let mut names: Vec<String> = (0..args.workers).map(|number| format!("worker-{number}")).collect();
    names.push("reader".to_owned());
    for number in 0..share {
        names.extend(["publisher", "threads", "slow"].map(|role| format!("{role}-{number}")));
    }
    let token = |name: &String| server.tool(&["token", "--tenant", "default", "--agent", name, "--ttl", "12h"]);
    let tokens = names.iter().map(|name| (name.clone(), token(name))).collect();
    let address = server.address().to_owned();
    Scene { address, tokens, ledger: Ledger::default(), workers: args.workers, over: AtomicBool::new(false) }
}

/// Lets everybody loose for a while; a client that fails is a violation. Returns how long it took.
async fn load(
    server: &Server,
    scene: &Arc<Scene>,
    args: &Args,
    length: Duration,
    since: Instant,
    samples: &mut Vec<Sample>,
) -> Duration {
    let began = Instant::now();
    scene.over.store(false, Ordering::Relaxed);
    let mut everybody = JoinSet::new();
    for number in 0..args.workers {
        everybody.spawn(processes::keep(scene.clone(), format!("worker-{number}")));
    }
    for number in 0..args.clients / 5 {
        everybody.spawn(come_and_go(scene.clone(), number, clients::tasks));
        everybody.spawn(come_and_go(scene.clone(), number, clients::steps));
        everybody.spawn(come_and_go(scene.clone(), number, clients::agents));
        everybody.spawn(come_and_go(scene.clone(), number, clients::channels));
        everybody.spawn(come_and_go(scene.clone(), number, clients::threads));
        if number % 5 == 0 {
            everybody.spawn(come_and_go(scene.clone(), number, clients::slow));
        }
    }
    while began.elapsed() < length {
        samples.push(Sample::take(server, since).await);
        if samples.len().is_multiple_of(CHECKS) {
            scene.ledger.check(server, scene.token("reader")).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scene.over.store(true, Ordering::Relaxed);
    while let Some(ended) = everybody.join_next().await {
        if let Err(error) = ended {
            scene.ledger.violation(format!("a client failed: {error}"));
        }
    }
    scene.ledger.check(server, scene.token("reader")).await;
    scene.ledger.check_again(server, scene.token("reader")).await;
    began.elapsed()
}

/// One client after another, each its own task, so that one that fails does not keep the next from coming.
async fn come_and_go<F>(scene: Arc<Scene>, number: usize, visit: fn(Arc<Scene>, usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    scene.pause(random(2000)).await;
    while !scene.is_over() {
        if let Err(error) = tokio::spawn(visit(scene.clone(), number)).await {
            let why = error.try_into_panic().map(|why| {
                let text = why.downcast_ref::<String>().cloned();
                text.or_else(|| why.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
            });
            scene.ledger.violation(format!("a client failed: {}", why.unwrap_or_default()));
        }
        scene.pause(random(1000)).await;
    }
}

fn judge_rest(scene: &Scene, when: &str, left: &[String]) {
    if !left.is_empty() {
        scene.ledger.violation(format!("left over {when}: {}", left.join(", ")));
    }
}

fn judge(scene: &Scene, before: &Sample, after: &Sample) {
    let ratio = after.memory as f64 / before.memory as f64;
    if ratio > 1.0 + TOLERANCE {
        scene.ledger.violation(format!("memory at rest went from {} to {} KiB", before.memory, after.memory));
    }
    if after.thread_count() > before.thread_count() {
        scene.ledger.violation(format!("threads at rest went from {:?} to {:?}", before.threads, after.threads));
    }
    if after.descriptor_count() > before.descriptor_count() {
        let (before, after) = (&before.descriptors, &after.descriptors);
        scene.ledger.violation(format!("descriptors at rest went from {before:?} to {after:?}"));
    }
}
