//! An agent that misbehaves costs its own run and nothing else: it fails, the agent is back, and whoever talks to
//! others meanwhile notices nothing.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::client::{Client, Heard};
use crate::harness::rest::{get, token};
use crate::harness::server::{Server, Setup};

/// Agents made to misbehave, and one that never does.
fn unruly() -> Setup {
    let rates = "[rate]\nframes_per_second = 1000000\nframes_burst = 1000000";
    Setup::with(&format!("{rates}\n[debug]\nunruly = true\n[log]\nfilter = \"warn\""))
        .agent("echo", "brain = \"echo\"")
        .agent("wild", "brain = \"unruly\"\nlimits.run_seconds = 2")
        .agent("crafty", "tools = [\"unruly\", \"arithmetic\"]\nlimits.run_seconds = 2")
}

fn chat(id: &str, agent: &str, message: &str) -> Value {
    json!({ "id": id, "type": "chat", "targetAgent": agent, "data": { "message": message, "stream": true } })
}

/// Somebody who talks to another agent all the while.
struct Quiet {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    talking: JoinHandle<()>,
}

impl Quiet {
    async fn beside(server: &Server) -> Self {
        let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut client = server.client().await;
        let (end, count) = (over.clone(), answers.clone());
        let talking = tokio::spawn(async move {
            while !end.load(Ordering::Relaxed) {
                let answer = client.ask(chat("q", "echo", "still there?")).await;
                assert_eq!(answer["data"]["response"], "still there?", "{answer}");
                count.fetch_add(1, Ordering::Relaxed);
            }
            client.close().await;
        });
        Self { over, answers, talking }
    }

    /// Waits until some more answers have come.
    async fn goes_on(&self) {
        let enough = self.answers.load(Ordering::Relaxed) + 5;
        while self.answers.load(Ordering::Relaxed) < enough {
            assert!(!self.talking.is_finished(), "the quiet client was disturbed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.talking.await.unwrap();
    }
}

/// How many threads of each name that the runtime gives its own there are.
fn threads(server: &Server) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        // A thread may end between being listed and being read.
        let Ok(name) = std::fs::read_to_string(task.unwrap().path().join("comm")) else { continue };
        if name.starts_with("actix") || name.starts_with("journal") {
            *counted.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    counted
}

/// What the server may take more while something that takes memory without end is stopped, in MiB. The journal's cache
/// fills meanwhile, which takes 64.
const MEMORY: u64 = 192;

/// The most memory that the server ever had, in MiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Has an agent misbehave: its run ends with `code`, it answers again, and the quiet client's answers keep coming.
async fn misbehave(server: &Server, quiet: &Quiet, agent: &str, how: &str, code: &str) {
    let mut client = server.client().await;
    client.send(chat("bad", agent, how)).await;
    quiet.goes_on().await;
    let end = loop {
        let frame = client.next().await;
        if frame["type"] != "chat_chunk" {
            break frame;
        }
    };
    assert_eq!(end["data"]["code"], code, "{agent} {how}: {end}");
    assert!(!end.to_string().contains("as told"), "what a panic says is not for clients: {end}");
    let back = client.ask(chat("good", agent, "compute 6 * 7")).await;
    assert!(back["data"]["response"].is_string(), "{agent} is not back after {how}: {back}");
    client.close().await;
    quiet.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_misbehaves_costs_its_run_and_nothing_else() {
    let server = unruly().start();
    let quiet = Quiet::beside(&server).await;
    quiet.goes_on().await;
    let (before, memory) = (threads(&server), peak(&server));
    for (how, code) in [
        ("steps", "AGENT_FAILED"),
        ("pieces", "AGENT_FAILED"),
        ("panic", "AGENT_FAILED"),
        ("block", "TIMEOUT"),
        ("never", "TIMEOUT"),
    ] {
        misbehave(&server, &quiet, "wild", how, code).await;
    }
    let grown = peak(&server) - memory;
    assert!(grown < MEMORY, "reports without end took {grown} MiB");
    misbehave(&server, &quiet, "wild", "bulk", "AGENT_FAILED").await;
    for (how, code) in [("panic", "AGENT_FAILED"), ("block", "TIMEOUT"), ("bulk", "AGENT_FAILED")] {
        misbehave(&server, &quiet, "crafty", &format!("unruly {how}"), code).await;
    }
    assert_eq!(threads(&server), before, "the runtime lost a thread, or has one more");
    quiet.end().await;
}

/// One that blocks again and again loses the threads it may have, and no others; the server stops all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_always_blocks_holds_so_many_threads_and_no_more() {
    let mut server = unruly().agent("wild", "limits.concurrency = 16").start();
    let quiet = Quiet::beside(&server).await;
    let mut client = server.client().await;
    let held = 16 + 8;
    for number in 0..held {
        client.send(chat(&format!("b{number}"), "wild", "block")).await;
    }
    for _ in 0..held {
        client.until(json!({ "type": "error", "data": { "code": "TIMEOUT" } })).await;
    }
    let refused = client.ask(chat("more", "wild", "hello")).await;
    assert_eq!(refused["data"]["code"], "AGENT_FAILED", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("stuck"), "{refused}");
    quiet.goes_on().await;
    // Agents that think on threads too.
    let answer = client.ask(chat("other", "crafty", "compute 6 * 7")).await;
    assert!(answer["data"]["response"].as_str().unwrap().contains("42"), "{answer}");
    quiet.end().await;
    client.close().await;
    assert!(server.terminate().success());
}

/// Without the setting there is neither the brain nor the tool.
#[test]
fn nobody_misbehaves_unless_the_operator_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    for (line, says) in [("brain = \"unruly\"", "no brain"), ("tools = [\"unruly\"]", "no tool")] {
        let agents = folder.path().join("agents");
        std::fs::create_dir_all(&agents).unwrap();
        let text = format!("name = \"a\"\ntitle = \"a\"\ndescription = \"a\"\ngreeting = \"a\"\n{line}\n");
        std::fs::write(agents.join("a.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
        let output = command.env("CALLBOARD_SERVER__AGENTS_DIR", &agents).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(says), "{output:?}");
    }
}

/// What the greediest requests to the agents that come with the server may cost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_to_a_builtin_agent_takes_memory_without_end() {
    let server = Server::with("[log]\nfilter = \"warn\"");
    let mut client = server.client().await;
    client.ask(chat("warm", "nyx", "compute 1 + 1")).await;
    let memory = peak(&server);
    let long = "great terrible deploy friday ".repeat(8000);
    for what in [
        "compute 9^9^9^9^9".to_owned(),
        "compute 2^(2^40)".to_owned(),
        "compute (99999999^9999)^9999".to_owned(),
        format!("compute {}1{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("compute 1{}", "+1".repeat(100_000)),
        format!("compute {}", "9".repeat(200_000)),
        format!("summarize: {long}"),
        format!("keywords of: {long}"),
        format!("sentiment of: {long}"),
        format!("remember that {long}"),
        format!("search for {long}"),
        format!("when is {long}"),
    ] {
        for agent in ["nyx", "aria", "sage"] {
            let end = client.ask(chat("greedy", agent, &what)).await;
            let shown: String = what.chars().take(60).collect();
            assert!(end["data"]["response"].is_string() || end["type"] == "error", "{shown}: {end}");
        }
    }
    let grown = peak(&server) - memory;
    assert!(grown < MEMORY, "took {grown} MiB");
    client.quiet().await;
}

/// An agent's process with an address space of so many KiB.
fn agent_process(url: &str, role: &str, kib: u64) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "isolation::process_of_an_agent"]).env("AGENT_URL", url);
    command.env("AGENT_ROLE", role).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Not a test of its own: what the processes below run.
#[tokio::test]
#[ignore = "the process of an agent, started by a test"]
async fn process_of_an_agent() {
    let mut client = Client::connect(&std::env::var("AGENT_URL").unwrap()).await;
    let greedy = std::env::var("AGENT_ROLE").unwrap() == "greedy";
    while let Heard::Json(work) = client.heard().await {
        if greedy {
            let mut held = Vec::new();
            loop {
                held.push(vec![1_u8; 16 << 20]);
            }
        }
        if work["metadata"]["run_id"].is_string() {
            client.send(json!({ "type": "message", "content": "back", "reply_to": work["id"] })).await;
        }
    }
}

/// Whoever wants to know waits until the agent is there.
async fn until_listed(server: &Server, name: &str, token: &str, listed: bool) {
    loop {
        let agents = get(server, "/agents", token).await;
        if agents.to_string().contains(&format!("\"{name}\"")) == listed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An agent's own code runs in a process of its own; what that takes, it takes there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_process_that_allocates_without_end_takes_only_itself_away() {
    let server = unruly().start();
    let quiet = Quiet::beside(&server).await;
    quiet.goes_on().await;
    let token = token(&server, "default", "glutton", &[]);
    let url = format!("ws://{}/v1/ws?token={token}", server.address());
    let memory = peak(&server);
    let mut client = server.client().await;
    let mut process = agent_process(&url, "greedy", 700_000);
    until_listed(&server, "glutton", &token, true).await;
    client.send(chat("bad", "glutton", "eat")).await;
    let end = client.until(json!({ "id": "bad", "type": "error" })).await;
    assert_eq!(end["data"]["code"], "AGENT_FAILED", "{end}");
    assert!(!process.wait().unwrap().success());
    until_listed(&server, "glutton", &token, false).await;
    quiet.goes_on().await;

    let mut process = agent_process(&url, "moderate", 700_000);
    until_listed(&server, "glutton", &token, true).await;
    let back = client.ask(chat("good", "glutton", "hello")).await;
    assert_eq!(back["data"]["response"], "back", "{back}");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(peak(&server) - memory < MEMORY);
    quiet.end().await;
}
