//! Agents with a real model: a small one behind a llama.cpp server on loopback, see `tests/model`. What it says is not
//! judged, only that it comes as it should. `tests/model/setup` installs what this needs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use harness::client::{Client, Heard};
use harness::pattern::{Captures, matches};
use harness::server::{Server, Setup};
use serde_json::{Value, json};

/// How long a model on one thread of a busy machine may think; it only keeps a test from hanging.
const PATIENCE: Duration = Duration::from_secs(600);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model")
}

/// A server of models. It ends with its standard input, so also when this program is killed.
struct Models {
    child: Child,
    address: String,
}

impl Models {
    fn start() -> Self {
        Self::serve(&[])
    }

    /// One that does not end its answers: whoever wants to interrupt it finds it speaking.
    fn endless() -> Self {
        Self::serve(&["--endless"])
    }

    fn serve(more: &[&str]) -> Self {
        let tools = folder().join(".tools/python");
        assert!(tools.exists(), "{} is missing: run `bash tests/model/setup` first", tools.display());
        let mut command = Command::new("python3");
        command
            .arg(folder().join("serve.py"))
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("python3 cannot be started");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready =
            lines.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix("READY ").map(str::to_owned));
        let address = ready.expect("the server of models did not start");
        // Nothing may block on what it prints later.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Models {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The one that the tests share; it goes when this program's end closes its standard input.
fn shared() -> &'static str {
    static MODELS: OnceLock<Models> = OnceLock::new();
    &MODELS.get_or_init(Models::start).address
}

/// The same for an endless one.
fn endless() -> &'static str {
    static MODELS: OnceLock<Models> = OnceLock::new();
    &MODELS.get_or_init(Models::endless).address
}

/// The lines of an agent with the model at `address`; `top` stands before its tables and `more` in `[model]`.
fn model(address: &str, top: &str, more: &str) -> String {
    format!(
        "{top}\nbrain = \"model\"\nlimits.run_seconds = 1200\n[model]\nname = \"smollm2\"\nendpoint = \"{address}/v1\"\n\
         temperature = 0\nmax_tokens = 48\nhandoffs = 0\n{more}\n\
         [model.timeouts]\nfirst_token_seconds = 600\nbetween_tokens_seconds = 600\n"
    )
}

fn chat(id: &str, message: &str) -> Value {
    json!({ "type": "chat", "id": id, "targetAgent": "nyx",
        "data": { "message": message, "conversationId": "c", "stream": true } })
}

/// The first frame that matches, however long the model takes.
async fn until(client: &mut Client, pattern: Value) -> Value {
    loop {
        match client.heard_within(PATIENCE).await.expect("nothing comes") {
            Heard::Json(frame) if matches(&pattern, &frame, &mut Captures::default()).is_ok() => return frame,
            Heard::Json(frame) if frame["type"] == "error" => panic!("{frame}"),
            Heard::Json(_) => {}
            Heard::Closed(code, reason) => panic!("closed: {code} {reason}"),
        }
    }
}

/// The answer to a request, with the pieces that came before it.
async fn answer(client: &mut Client, id: &str) -> (Value, String) {
    let mut pieces = String::new();
    loop {
        match client.heard_within(PATIENCE).await.expect("nothing comes") {
            Heard::Json(frame) if frame["id"] == id && frame["type"] == "chat_chunk" => {
                pieces.push_str(frame["data"]["delta"].as_str().unwrap());
            }
            Heard::Json(frame) if frame["id"] == id && frame["type"] == "chat_response" => return (frame, pieces),
            Heard::Json(frame) if frame["type"] == "error" => panic!("{frame}"),
            Heard::Json(_) => {}
            Heard::Closed(code, reason) => panic!("closed: {code} {reason}"),
        }
    }
}

async fn run(server: &Server, answer: &Value) -> Value {
    let id = answer["data"]["messageId"].as_str().unwrap().replace("msg-", "run-");
    reqwest::get(server.http(&format!("/runs/{id}"))).await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_in_pieces_and_its_tokens_are_counted() {
    let server = Setup::default().agent("nyx", &model(shared(), "", "")).start();
    let mut client = server.client().await;
    client.send(chat("a", "Say hello.")).await;
    let (answer, pieces) = answer(&mut client, "a").await;
    assert!(!pieces.is_empty());
    assert_eq!(answer["data"]["response"], pieces);
    let run = run(&server, &answer).await;
    let tokens = &run["steps"].as_array().unwrap().last().unwrap()["tokens"];
    assert!(tokens["input"].as_u64().unwrap() > 10 && tokens["output"].as_u64().unwrap() > 0, "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_uses_a_tool_that_it_is_told_to_use() {
    let lines = model(shared(), "tools = [\"sentiment\"]", "");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "Use sentiment for: I love this")).await;
    let (answer, _) = answer(&mut client, "a").await;
    let run = run(&server, &answer).await;
    let used = run["steps"].as_array().unwrap().iter().find(|step| step["tool"] == "sentiment");
    let used = used.unwrap_or_else(|| panic!("it used no tool: {run}"));
    assert!(used["ok"] == true && used["arguments"]["text"].is_string(), "{used}");
    assert!(used["result"].as_str().unwrap().starts_with("<tool_output tool=\"sentiment\">"), "{used}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_to_a_schema() {
    let schema = "[model.answer_schema]\ntype = \"object\"\nrequired = [\"word\"]\nadditionalProperties = false\n\
                  [model.answer_schema.properties.word]\ntype = \"string\"\nmaxLength = 12";
    let lines = format!("{}{schema}\n", model(shared(), "", ""));
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "Say a word.")).await;
    let (answer, _) = answer(&mut client, "a").await;
    let said: Value = serde_json::from_str(answer["data"]["response"].as_str().unwrap()).unwrap();
    assert!(said["word"].is_string(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_anthropics_protocol_too() {
    let server = Setup::default().agent("nyx", &model(shared(), "", "provider = \"anthropic\"")).start();
    let mut client = server.client().await;
    client.send(chat("a", "Say hello.")).await;
    let (answer, pieces) = answer(&mut client, "a").await;
    assert!(!pieces.is_empty());
    assert_eq!(answer["data"]["response"], pieces);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_leaves_the_model_to_the_next() {
    // The server computes one reply at a time: were the first not given up there, the second would wait for all of it.
    let lines = model(endless(), "", "").replace("max_tokens = 48", "max_tokens = 3000");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "Count from one to one thousand.")).await;
    until(&mut client, json!({ "type": "chat_chunk", "id": "a" })).await;
    client.send(json!({ "type": "cancel", "id": "x", "data": { "id": "a" } })).await;
    until(&mut client, json!({ "type": "error", "id": "a" })).await;
    client.send(chat("b", "Say hello.")).await;
    until(&mut client, json!({ "type": "chat_chunk", "id": "b" })).await;
    client.send(json!({ "type": "cancel", "id": "y", "data": { "id": "b" } })).await;
    until(&mut client, json!({ "type": "error", "id": "b" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_runs_is_answered_to_the_last() {
    let lines = model(shared(), "", "").replace("max_tokens = 48", "max_tokens = 12");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        client.send(chat(id, "Say hello.")).await;
    }
    let mut answered = Vec::new();
    while answered.len() < ids.len() {
        let frame = until(&mut client, json!({ "type": "chat_response" })).await;
        assert!(!frame["data"]["response"].as_str().unwrap().is_empty());
        answered.push(frame["id"].as_str().unwrap().to_owned());
    }
    answered.sort();
    assert_eq!(answered, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_stopped_mid_answer_costs_one_run() {
    let mut models = Models::endless();
    let retries = "fallback = \"builtin\"\n[model.retries]\nfirst_seconds = 0.01";
    let lines =
        model(&models.address, "tools = [\"arithmetic\"]", retries).replace("max_tokens = 48", "max_tokens = 3000");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "Count from one to one thousand.")).await;
    until(&mut client, json!({ "type": "chat_chunk", "id": "a" })).await;
    models.kill();
    let error = until(&mut client, json!({ "type": "error", "id": "a" })).await;
    assert!(error.to_string().contains("smollm2"), "{error}");
    client.send(chat("b", "What is 6 * 7?")).await;
    let (answer, _) = answer(&mut client, "b").await;
    assert!(answer["data"]["response"].as_str().unwrap().contains("42"), "{answer}");
}

/// The README's lines, put into nyx's file as it says, with nothing but the address of this test's server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_says_gives_nyx_a_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split("## Give nyx a model").nth(1).expect("the README has that section");
    let lines = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(lines.contains("http://127.0.0.1:8080"), "{lines}");
    let nyx = std::fs::read_to_string(root.join("config/agents/nyx.toml")).unwrap();
    let lines = lines.replace("http://127.0.0.1:8080", endless());
    let file = nyx.replace("brain = \"builtin\"\n", &lines);
    assert!(file.contains("[model]"));
    let file: String = file
        .lines()
        .filter(|line| !line.starts_with("name = \"nyx\""))
        .fold(String::new(), |file, line| file + line + "\n");
    // The machine of a test may be slow; all else is as it stands there.
    let slow =
        "[model.timeouts]\nfirst_token_seconds = 600\nbetween_tokens_seconds = 600\n[limits]\nrun_seconds = 1200\n";
    let server = Setup::default().agent("nyx", &(file + slow)).start();
    let mut client = server.client().await;
    client.send(chat("a", "Say hello.")).await;
    until(&mut client, json!({ "type": "chat_chunk", "id": "a" })).await;
    client.send(json!({ "type": "cancel", "id": "x", "data": { "id": "a" } })).await;
    until(&mut client, json!({ "type": "error", "id": "a" })).await;
}
