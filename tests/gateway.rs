//! Other projects' clients and suites against the server. `tests/gateway/setup` installs what they need.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use harness::PATIENCE;
use harness::client::Client;
use harness::rest::get;
use harness::server::{Server, Setup};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway")
}

/// A folder of what `tests/gateway/setup` installs; without it nothing here can be tested, which is a failure.
fn tools(name: &str) -> PathBuf {
    let path = folder().join(".tools").join(name);
    assert!(path.exists(), "{} is missing: run `bash tests/gateway/setup` first", path.display());
    path
}

/// What a program prints, which must end well. Its own limits of time end it.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    said.into_owned()
}

fn openai(server: &Server) -> Command {
    let mut command = Command::new("python3");
    command.arg(folder().join("openai_client.py")).env("PYTHONPATH", tools("python"));
    command.env("CALLBOARD_URL", server.http(""));
    command
}

#[test]
fn the_client_of_openai_works_by_another_base_url() {
    let server = Server::start();
    assert!(run(&mut openai(&server)).starts_with("OK"));
}

#[test]
fn the_client_of_openai_works_with_a_key_where_one_is_asked_for() {
    let server = Server::with("[auth]\nrequired = true");
    let key = server.tool(&["key", "create", "--tenant", "t", "--name", "somebody"]);
    let mut client = openai(&server);
    assert!(run(client.env("CALLBOARD_TOKEN", key).env("CALLBOARD_CLOSED", "1")).starts_with("OK"));
}

/// The official suite of the Model Context Protocol.
fn conformance(server: &Server, arguments: &[&str]) -> String {
    let tools = tools("node_modules");
    let mut command = Command::new(tools.join("node/bin/node"));
    command.arg(tools.join("@modelcontextprotocol/conformance/dist/index.js")).arg("server");
    run(command.args(["--url", &server.http("/mcp")]).args(arguments))
}

#[test]
fn the_conformance_suite_of_mcp_finds_nothing() {
    let server = Server::with("[debug]\nmcp_fixtures = true");
    for suite in ["active", "pending"] {
        let said = conformance(&server, &["--suite", suite]);
        assert!(said.contains(" 0 failed") && !said.contains('✗'), "{said}");
    }
    // What does not ask for fixtures holds without them.
    let server = Server::start();
    for scenario in [
        "server-initialize", "ping", "tools-list", "resources-list", "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ] {
        conformance(&server, &["--scenario", scenario]);
    }
}

/// A server whose agent `nyx` may use some tools of a program that misbehaves on request.
fn with_program(more: &str, allowed: &str) -> Server {
    let program = folder().join("mcp_server.py");
    let config = format!("[mcp.odd]\ncommand = [\"python3\", {:?}]\n{more}\n", program.display().to_string());
    Setup::with(&config)
        .agent("nyx", &format!("tools = [\"clock\"]\nmcp = [{allowed}]"))
        .agent("sage", "tools = [\"clock\"]")
        .start()
}

/// How the program is, once that holds.
async fn until(server: &Server, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let status = get(server, "/status", "").await["mcp"][0].clone();
        if holds(&status) {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "it never came to that: {status}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Has an agent use a tool by its name.
async fn command(client: &mut Client, agent: &str, tool: &str, text: &str) -> Value {
    let data = json!({ "instruction": tool, "parameters": { "text": text } });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let id = format!("{agent}-{tool}-{}", text.len());
    client
        .ask(json!({ "id": id, "type": "command", "targetAgent": agent, "data": data, "traceparent": trace }))
        .await["data"]
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_uses_the_tools_of_a_program_that_its_file_allows() {
    let server = with_program("env = { GREETING = \"hello\" }", "\"odd/echo\", \"odd/se*\"");
    until(&server, |status| status["status"] == "up").await;
    let mut client = server.client().await;
    let said = command(&mut client, "nyx", "odd_echo", "hello there").await;
    assert_eq!((&said["status"], &said["message"]), (&json!("completed"), &json!("hello there")), "{said}");
    // The trace goes along; of the server's variables only what every program needs does.
    let seen = command(&mut client, "nyx", "odd_seen", "").await;
    let seen: Value = serde_json::from_str(seen["message"].as_str().unwrap()).unwrap();
    assert!(seen["traceparent"].as_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{seen}");
    let known: Vec<&str> = seen["environment"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(known.contains(&"GREETING") && !known.iter().any(|name| name.starts_with("CALLBOARD")), "{known:?}");
    // What is not allowed is no tool: not of this agent, and not of another.
    for (agent, tool) in [("nyx", "odd_fail"), ("sage", "odd_echo")] {
        let refused = command(&mut client, agent, tool, "x").await;
        assert_eq!(refused["status"], "failed", "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_ends_costs_the_use_of_its_tools_and_comes_back() {
    let server = with_program("", "\"odd\"");
    until(&server, |status| status["status"] == "up").await;
    let mut client = server.client().await;
    let failed = command(&mut client, "nyx", "odd_fail", "").await;
    assert!(failed.to_string().contains("on purpose"), "{failed}");
    let crashed = command(&mut client, "nyx", "odd_crash", "").await;
    assert_eq!(
        (&crashed["status"], &crashed["error"]["code"]),
        (&json!("failed"), &json!("AGENT_FAILED")),
        "{crashed}"
    );
    // The agent's other tools work all the while.
    let time = command(&mut client, "nyx", "clock", "").await;
    assert_eq!(time["status"], "completed", "{time}");
    until(&server, |status| status["status"] == "up" && status["starts"].as_u64() >= Some(2)).await;
    let said = command(&mut client, "nyx", "odd_echo", "again").await;
    assert_eq!(said["message"], "again", "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_may_have_more_tools_and_may_never_answer() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let more = format!("timeout = \"500ms\"\nenv = {{ TOLD = {:?} }}", told.display().to_string());
    let server = with_program(&more, "\"odd\"");
    let before = until(&server, |status| status["status"] == "up").await["tools"].as_u64().unwrap();
    let mut client = server.client().await;
    command(&mut client, "nyx", "odd_grow", "").await;
    until(&server, |status| status["tools"].as_u64() == Some(before + 1)).await;
    let said = command(&mut client, "nyx", "odd_more", "one more").await;
    assert_eq!(said["message"], "one more", "{said}");
    let late = command(&mut client, "nyx", "odd_hang", "").await;
    assert!(late["status"] == "failed" && late.to_string().contains("did not answer within"), "{late}");
    // The program is told that nobody waits any more.
    let began = Instant::now();
    while !std::fs::read_to_string(&told).unwrap_or_default().contains("notifications/cancelled") {
        assert!(began.elapsed() < PATIENCE, "the program was never told");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_not_there_keeps_nobody_from_working() {
    let server = Setup::with("[mcp.gone]\ncommand = [\"/nowhere/at/all\"]")
        .agent("nyx", "tools = [\"clock\"]\nmcp = [\"gone\"]")
        .start();
    let mut client = server.client().await;
    let time = command(&mut client, "nyx", "clock", "").await;
    assert_eq!(time["status"], "completed", "{time}");
    let status = until(&server, |status| status["error"].is_string()).await;
    assert_eq!(status["status"], "down", "{status}");
}
