//! Killed at random moments under load on all five dialects at once, twenty times over one store: every acknowledgement
//! of every kind is true afterwards, no `seq` is there twice, none is missing, and no run is a ghost.
//!
//! The moments come from a seed, which a failure names; `KILLS_SEED` takes one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::{Client, Heard};
use crate::harness::rest::{get, token};
use crate::harness::server::{Server, Setup};
use crate::harness::transcript::make_heavy;

const ROUNDS: usize = 20;

/// What one client was told.
#[derive(Debug, Default)]
struct Told {
    /// Messages that are in a conversation: its id, the words.
    messages: Vec<(String, String)>,
    /// Runs, and whether each was told to have ended.
    runs: BTreeMap<String, bool>,
    /// Publications in the shared channel.
    publications: BTreeMap<u64, Value>,
    /// Direct messages to one who is away, by their ids.
    direct: Vec<String>,
    /// What an agent said that it remembers.
    facts: Vec<String>,
    /// Handoffs of a conversation, in their order: to whom.
    handoffs: Vec<String>,
}

/// A client under load: what it says, and what it was told.
struct Load {
    client: Client,
    told: Told,
    count: Arc<AtomicUsize>,
}

impl Load {
    /// The next frame; `None` when the server is gone.
    async fn next(&mut self) -> Option<Value> {
        match self.client.heard().await {
            Heard::Json(frame) => Some(frame),
            Heard::Closed(..) => None,
        }
    }

    /// Sends a frame and answers the first that `is_end` takes for its end; `None` when the server is gone.
    async fn ask(&mut self, frame: Value, is_end: impl Fn(&Value) -> bool) -> Option<Value> {
        self.client.try_send_raw(&frame.to_string()).await.ok()?;
        loop {
            let frame = self.next().await?;
            assert!(!matches!(frame["type"].as_str(), Some("error" | "ERROR" | "agent_error")), "{frame}");
            for run in [&frame["task_id"], &frame["data"]["commandId"], &frame["job_id"]] {
                if let Some(run) = run.as_str() {
                    self.told.runs.entry(run.to_owned()).or_default();
                }
            }
            if is_end(&frame) {
                self.count.fetch_add(1, Ordering::Relaxed);
                return Some(frame);
            }
        }
    }

    fn ended(&mut self, run: &Value) {
        self.told.runs.insert(run.as_str().unwrap().to_owned(), true);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// Document 000.
async fn tasks(load: &mut Load, _: &str) -> Option<()> {
    for number in 0.. {
        let task = json!({ "type": "task", "content": format!("compute {number} + 1") });
        let end = load.ask(task, |frame| frame["type"] == "final_answer").await?;
        load.ended(&end["task_id"]);
    }
    None
}

/// Document 001.
async fn steps(load: &mut Load, name: &str) -> Option<()> {
    for number in 0.. {
        let words = format!("compute {number} + 2");
        let asked = json!({ "type": "client", "message": words, "message_id": format!("m{number}") });
        let answer = load.ask(asked, |frame| frame["step_type"] == "FinalAnswerStep").await?;
        load.told.messages.extend([(name.to_owned(), words), (name.to_owned(), text(&answer["message"]))]);
    }
    None
}

/// Document 002: chats, commands, memories, publications and handoffs in turn.
async fn agents(load: &mut Load, name: &str) -> Option<()> {
    let join = json!({ "conversationId": name, "agents": ["nyx", "sage"], "mode": "lead" });
    load.ask(json!({ "id": "j", "type": "join_conversation", "data": join }), |frame| frame["id"] == "j").await?;
    for number in 0_usize.. {
        let id = format!("a{number}");
        let is_end = |frame: &Value| frame["id"] == id && frame["type"] != "event";
        let chat = |words: &str| {
            let data = json!({ "message": words, "conversationId": name });
            json!({ "id": id, "type": "chat", "targetAgent": "sage", "data": data })
        };
        match number % 5 {
            0 => {
                let words = format!("compute {number} + 3");
                let answer = load.ask(chat(&words), is_end).await?;
                let said = text(&answer["data"]["response"]);
                load.told.messages.extend([(name.to_owned(), words), (name.to_owned(), said)]);
            }
            1 => {
                let fact = format!("the codeword of {name} number {number} is x{number}{name}");
                load.ask(chat(&format!("remember that {fact}")), is_end).await?;
                load.told.facts.push(fact);
            }
            2 => {
                let content = json!({ "by": name, "number": number });
                let data = json!({ "channel": "shared", "content": content });
                let done = load.ask(json!({ "id": id, "type": "publish", "data": data }), is_end).await?;
                load.told.publications.insert(done["data"]["seq"].as_u64().unwrap(), content);
            }
            3 => {
                let data = json!({ "instruction": format!("compute {number} + 4"), "conversationId": name });
                let command = json!({ "id": id, "type": "command", "targetAgent": "nyx", "data": data });
                let done = load.ask(command, is_end).await?;
                load.ended(&done["data"]["commandId"]);
            }
            _ => {
                let (from, to) = if number % 2 == 0 { ("nyx", "sage") } else { ("sage", "nyx") };
                let data =
                    json!({ "conversationId": name, "fromAgent": from, "toAgent": to, "reason": format!("h{number}") });
                load.ask(json!({ "id": id, "type": "agent_handoff", "data": data }), is_end).await?;
                load.told.handoffs.push(to.to_owned());
            }
        }
    }
    None
}

/// Document 003: a channel, and direct messages to one who is away.
async fn channels(load: &mut Load, name: &str) -> Option<()> {
    for number in 0_usize.. {
        let id = format!("{name}-{number}");
        let is_ack = |frame: &Value| frame["type"] == "ACK" && frame["message_id"] == id;
        let content = json!({ "by": name, "number": number });
        let mut message = json!({ "id": id, "type": "message", "content": content });
        if number % 3 == 2 {
            message["target"] = json!("sleeper");
            load.ask(message, is_ack).await?;
            load.told.direct.push(id);
        } else {
            let done = load.ask(message, is_ack).await?;
            load.told.publications.insert(done["seq"].as_u64().unwrap(), content);
        }
    }
    None
}

/// Document 004.
async fn threads(load: &mut Load, name: &str) -> Option<()> {
    for number in 0.. {
        let words = format!("compute {number} + 5");
        let asked = json!({ "type": "message", "thread_id": name, "content": words });
        let received = load.ask(asked, |frame| frame["type"] == "message_received").await?;
        load.told.messages.push((name.to_owned(), words));
        loop {
            let frame = load.next().await?;
            if frame["type"] == "message" && frame["role"] == "assistant" {
                load.ended(&received["job_id"]);
                load.told.messages.push((name.to_owned(), text(&frame["content"])));
                break;
            }
        }
    }
    None
}

/// Says things until the server is gone; what it returns was acknowledged.
async fn under_load(client: Client, dialect: usize, name: String, count: Arc<AtomicUsize>) -> Told {
    let mut load = Load { client, told: Told::default(), count };
    let gone = match dialect {
        0 => tasks(&mut load, &name).await,
        1 => steps(&mut load, &name).await,
        2 => agents(&mut load, &name).await,
        3 => channels(&mut load, &name).await,
        _ => threads(&mut load, &name).await,
    };
    assert!(gone.is_none());
    load.told
}

/// Numbers from a seed: xorshift.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("KILLS_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        Self(given.unwrap_or_else(now) | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Everything that was told so far, whichever round.
#[derive(Debug, Default)]
struct Known {
    published: BTreeMap<u64, Value>,
    keys: Vec<String>,
    handoffs: usize,
    facts: Vec<String>,
    direct: BTreeSet<String>,
    runs: BTreeSet<String>,
}

/// Makes keys until told to stop; what it returns was printed.
fn make_keys(data: std::path::PathBuf, stop: Arc<AtomicUsize>, round: usize) -> Vec<String> {
    let mut keys = Vec::new();
    while stop.load(Ordering::Relaxed) == 0 {
        let mut program = Command::new(env!("CARGO_BIN_EXE_callboard"));
        program.args(["key", "create", "--tenant", "acme", "--name", &format!("key-{round}-{}", keys.len())]);
        let made = program.arg("--data-dir").arg(&data).env_clear().output().unwrap();
        assert!(made.status.success(), "{made:?}");
        keys.extend(String::from_utf8(made.stdout).unwrap().lines().last().map(str::to_owned));
    }
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_is_true_after_each_of_twenty_kills() {
    let mut moments = Moments::new();
    println!("KILLS_SEED={}", moments.0);
    let mut server = Setup::with("[log]\nfilter = \"warn\"\n[debug]\nunruly = true")
        .agent("stuck", "brain = \"unruly\"\nlimits.run_seconds = 600")
        .and_its_own_agents()
        .start();
    make_heavy(&server.workspace(), 3000);
    let loader = token(&server, "acme", "loader", &["--ttl", "1d"]);
    let mut known = Known::default();
    for round in 0..ROUNDS {
        let hanging = hang(&server, &loader, round).await;
        let counts: [Arc<AtomicUsize>; 5] = std::array::from_fn(|_| Arc::default());
        let stop = Arc::new(AtomicUsize::new(0));
        let keys = {
            let (data, stop) = (server.data(), stop.clone());
            tokio::task::spawn_blocking(move || make_keys(data, stop, round))
        };
        let mut clients = Vec::new();
        for (dialect, count) in counts.iter().enumerate() {
            let name = match dialect {
                4 => format!("00000000-0000-4000-8000-{round:012}"),
                _ => format!("load-{round}-{dialect}"),
            };
            let path = match dialect {
                1 => format!("/chat/{name}?token={loader}"),
                3 => format!("/v1/ws?token={loader}&channel_id=shared"),
                4 => format!("/chat/ws?token={loader}"),
                _ => format!("/ws?token={loader}"),
            };
            let client = server.connect(&path).await;
            clients.push((name.clone(), tokio::spawn(under_load(client, dialect, name, count.clone()))));
        }
        let moment = usize::try_from(1 + moments.below(200)).unwrap();
        // Now and then late enough that everybody was told something of every kind.
        let each = if round % 5 == 4 { 6 } else { 0 };
        let told = |count: &Arc<AtomicUsize>| count.load(Ordering::Relaxed);
        while counts.iter().map(told).sum::<usize>() < moment || counts.iter().map(told).any(|told| told < each) {
            assert!(!clients.iter().any(|(_, client)| client.is_finished()), "a client ended before the server");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        tokio::time::sleep(Duration::from_micros(moments.below(8000))).await;
        server.kill9();
        stop.store(1, Ordering::Relaxed);
        known.keys.extend(keys.await.unwrap());
        let mut told = Vec::new();
        for (name, client) in clients {
            told.push((name, client.await.unwrap()));
        }
        server.restart();
        let lost = get(&server, &format!("/runs/{hanging}"), &loader).await;
        assert_eq!((&lost["status"], &lost["error"]["code"]), (&json!("failed"), &json!("INTERRUPTED")), "{lost}");
        known.runs.insert(hanging);
        println!("round {round}: killed after {moment} acknowledgements");
        for (name, told) in told {
            check(&server, &loader, &name, &told).await;
            known.published.extend(told.publications);
            known.handoffs += told.handoffs.len();
            known.facts.extend(told.facts);
            known.direct.extend(told.direct);
            known.runs.extend(told.runs.into_keys());
        }
        check_channel(&server, &loader, &mut known.published).await;
        check_keys(&server, &known.keys).await;
    }
    check_whole(&mut server, &loader, &known).await;
}

/// A run that will not have ended when the server is killed.
async fn hang(server: &Server, token: &str, round: usize) -> String {
    let mut client = server.connect(&format!("/ws?token={token}")).await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({ "message": "never", "conversationId": format!("hanging-{round}") });
    client.send(json!({ "id": "slow", "type": "chat", "targetAgent": "stuck", "data": data })).await;
    let run = client.until(json!({ "data": { "agentId": "stuck", "status": "processing" } })).await;
    text(&run["data"]["runId"])
}

/// What one client was told holds.
async fn check(server: &Server, token: &str, name: &str, told: &Told) {
    for (run, ended) in &told.runs {
        let found = get(server, &format!("/runs/{run}"), token).await;
        let status = found["status"].as_str().unwrap();
        match ended {
            true => assert_eq!(status, "completed", "{found}"),
            // Written and not yet told, or interrupted: an ending all the same.
            false => assert!(["completed", "failed"].contains(&status), "a ghost: {found}"),
        }
    }
    if told.messages.is_empty() && told.handoffs.is_empty() {
        return;
    }
    let page = get(server, &format!("/conversations/{name}/messages?limit=1000"), token).await;
    let messages = page["messages"].as_array().unwrap();
    let seqs: Vec<u64> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>(), "{name}");
    let mut ids: Vec<_> = messages.iter().map(|message| message["id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), messages.len(), "{name} has a message twice");
    // In the order told.
    let mut rest = messages.iter();
    for (_, words) in &told.messages {
        assert!(rest.any(|message| message["content"] == **words), "{name} lost {words}: {page}");
    }
    let handed: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["content"].as_str())
        .filter_map(|words| {
            words.split_once("handed the conversation over to ").and_then(|(_, to)| to.split(':').next())
        })
        .collect();
    assert!(handed.len() >= told.handoffs.len(), "{name} lost a handoff: {handed:?} of {:?}", told.handoffs);
    assert_eq!(handed[..told.handoffs.len()], told.handoffs[..]);
    if let Some(last) = handed.last() {
        assert_eq!(get(server, &format!("/conversations/{name}"), token).await["lead"], **last);
    }
}

/// The channel has no holes; whatever stands in it stays there.
async fn check_channel(server: &Server, token: &str, published: &mut BTreeMap<u64, Value>) {
    let mut found = BTreeMap::new();
    let mut after = Some(0);
    while let Some(from) = after {
        let page = get(server, &format!("/v1/channels/shared/messages?after={from}&limit=1000"), token).await;
        for message in page["messages"].as_array().unwrap() {
            let seq = message["seq"].as_u64().unwrap();
            assert_eq!(seq, found.len() as u64 + 1, "a hole, or a seq twice");
            found.insert(seq, message["content"].clone());
        }
        after = page["next_after"].as_u64();
    }
    for (seq, content) in published.iter() {
        assert_eq!(found.get(seq), Some(content), "publication {seq}");
    }
    *published = found;
}

async fn check_keys(server: &Server, keys: &[String]) {
    // The latest ones; all of them at the end of each round would be hundreds.
    for key in keys.iter().rev().take(5) {
        get(server, "/conversations?limit=1", key).await;
    }
}

/// After the last round: all runs once more, all direct messages, all facts, and the store itself.
async fn check_whole(server: &mut Server, token: &str, known: &Known) {
    assert!(known.handoffs > 0 && !known.keys.is_empty() && !known.facts.is_empty() && !known.direct.is_empty());
    for run in &known.runs {
        let found = get(server, &format!("/runs/{run}"), token).await;
        assert!(["completed", "failed"].contains(&found["status"].as_str().unwrap()), "a ghost: {found}");
    }
    let page = get(server, "/status", token).await;
    assert!(page.is_object(), "{page}");
    for key in &known.keys {
        get(server, "/agents", key).await;
    }
    let sleeper = crate::harness::rest::token(server, "acme", "sleeper", &[]);
    let mut client = server.connect(&format!("/v1/ws?token={sleeper}")).await;
    let mut missing = known.direct.clone();
    while !missing.is_empty() {
        let frame = client.next().await;
        missing.remove(frame["id"].as_str().unwrap_or_default());
    }
    let lines = server.data().with_file_name("all.jsonl");
    server.tool(&["export", lines.to_str().unwrap()]);
    let lines = std::fs::read_to_string(lines).unwrap();
    for fact in &known.facts {
        assert!(lines.contains(&format!("\"text\":\"{fact}\"")), "forgotten: {fact}");
    }
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
    assert!(server.terminate().success());
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
}
