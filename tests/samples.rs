//! The programs that the documents print, run as they stand there against the server; only its address and the token
//! are filled in. `tests/samples/setup` installs what they need.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::PATIENCE;
use harness::pattern::{Captures, matches};
use harness::server::{Server, Setup};
use serde_json::{Value, json};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// A folder of what `tests/samples/setup` installs; without it nothing here can be tested, which is a failure.
fn tools(folder: &str) -> PathBuf {
    let path = samples().join(".tools").join(folder);
    assert!(path.exists(), "{} is missing: run `bash tests/samples/setup` first", path.display());
    path
}

/// A sample with the server's address and a token filled in.
fn filled(server: &Server, name: &str) -> String {
    let token = server.tool(&["token", "--tenant", "default", "--agent", "reader"]);
    let text = std::fs::read_to_string(samples().join(name)).unwrap();
    let text = text.replace("wss://your-api-url", &format!("ws://{}", server.address()));
    assert!(text.contains(server.address()) && text.contains("your-bearer-token"), "{name} is not the document's");
    text.replace("your-bearer-token", &token)
}

fn start(command: &mut Command) -> Child {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}

/// Ends the program when the test has waited too long for it.
fn ended(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn rest(from: Option<impl Read>) -> String {
    let mut text = String::new();
    from.unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_javascript_example_of_document_004_shows_greeting_and_answer() {
    let server = Server::start();
    let page = |name: &str| std::fs::read_to_string(samples().join(name)).unwrap();
    let program = [page("004_prelude.js"), filled(&server, "004_complete.js"), page("004_postlude.js")].join("\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.js");
    std::fs::write(&path, program).unwrap();

    let mut child = start(Command::new("node").arg(&path).env("NODE_PATH", tools("node_modules")));
    let status = ended(&mut child);
    let (said, complained) = (rest(child.stdout.take()), rest(child.stderr.take()));
    assert!(status.success() && complained.is_empty(), "{status}\n{said}\n{complained}");
    let shown = said.lines().find_map(|line| line.strip_prefix("SHOWN ")).expect(&said);
    let shown: Vec<serde_json::Value> = serde_json::from_str(shown).unwrap();
    assert_eq!(shown.len(), 2, "{said}");
    assert_eq!(shown[0]["className"], "message assistant");
    assert!(shown[0]["textContent"].as_str().unwrap().contains("Nyx"), "{said}");
    assert_eq!(shown[1]["className"], "message assistant");
    assert!(shown[1]["textContent"].as_str().unwrap().contains("42"), "{said}");
    for expected in ["Connection established", "type: 'history_end'", "type: 'message_received'"] {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    assert!(said.contains("Connection closed cleanly, code=1000"), "{said}");
}

#[test]
fn the_python_example_of_document_004_gets_its_answer_and_ends_with_the_server() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.py");
    std::fs::write(&path, filled(&server, "004_client.py")).unwrap();

    let mut child = start(Command::new("python3").arg("-u").arg(&path).env("PYTHONPATH", tools("python")));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    let mut next = |wanted: &str| {
        // A server that says nothing more closes silent sockets in the end, and the program's output ends with it.
        let line = lines.by_ref().map(Result::unwrap).inspect(|line| said.push_str(&format!("{line}\n")));
        let found = { line }.find(|line| line.contains(wanted));
        found.unwrap_or_else(|| panic!("{wanted} never came:\n{said}"))
    };
    next("'role': 'assistant'");
    next("'type': 'history_end'");
    next("'type': 'message_received'");
    next("'role': 'assistant'");
    // The example listens until the connection ends; a server that drains ends it in good order.
    assert!(server.terminate().success());
    let status = ended(&mut child);
    let complained = rest(child.stderr.take());
    assert!(status.success() && complained.is_empty(), "{status}\n{complained}");
}

/// Document 003's examples connect to a channel of the tenant and keep on listening; what they print says what they had.
fn filled_channels(server: &Server, name: &str, token: &str) -> String {
    let text = std::fs::read_to_string(samples().join(name)).unwrap();
    assert!(
        text.contains("wss://api.artcafe.ai/v1") && text.contains("your_jwt_token"),
        "{name} is not the document's"
    );
    text.replace("wss://api.artcafe.ai", &format!("ws://{}", server.address())).replace("your_jwt_token", token)
}

/// Reads what a program prints until each of these has come; then the program is ended.
fn prints(command: &mut Command, wanted: &[&str]) {
    let mut child = start(command);
    let mut said = String::new();
    let mut left: Vec<&str> = wanted.to_vec();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        said.push_str(&format!("{}\n", line.unwrap()));
        left.retain(|wanted| !said.contains(wanted));
        if left.is_empty() {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(left.is_empty(), "{left:?} never came:\n{said}\n{}", rest(child.stderr.take()));
}

#[test]
fn the_javascript_example_of_document_003_has_its_message_acknowledged_and_hears_it() {
    let server = Server::start();
    let token = server.tool(&["token", "--tenant", "t", "--agent", "agent-456"]);
    let prelude = std::fs::read_to_string(samples().join("003_prelude.js")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.js");
    std::fs::write(&path, prelude + &filled_channels(&server, "003_client.js", &token)).unwrap();
    let wanted =
        ["WebSocket connected", "Message sent and acknowledged", "channel_id: 'channel-123'", "importance: 'high'"];
    prints(Command::new("node").arg(&path).env("NODE_PATH", tools("node_modules")), &wanted);
}

#[test]
fn the_python_example_of_document_003_has_its_message_acknowledged_and_hears_it() {
    let server = Server::start();
    let token = server.tool(&["token", "--tenant", "t", "--agent", "agent-456"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.py");
    std::fs::write(&path, filled_channels(&server, "003_client.py", &token)).unwrap();
    let wanted =
        ["WebSocket connected", "Message sent and acknowledged: {'type': 'ACK'", "'channel_id': 'channel-123'"];
    prints(Command::new("python3").arg("-u").arg(&path).env("PYTHONPATH", tools("python")), &wanted);
}

/// Asks the agent `counter` something, which the program behind `command` is to answer.
async fn serves(server: &Server, command: &mut Command) {
    let token = server.tool(&["token", "--tenant", "t", "--agent", "counter"]);
    command.env("CALLBOARD_URL", format!("ws://{}/v1/ws", server.address())).env("CALLBOARD_TOKEN", &token);
    let mut watcher = server.connect(&format!("/ws?token={token}")).await;
    let data = json!({ "events": ["presence"] });
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": data })).await;
    let mut child = start(command);
    watcher.until(json!({ "data": { "eventType": "presence", "status": "online" } })).await;
    let task = json!({ "id": "t", "type": "task", "agent": "counter", "content": "how many words are these" });
    watcher.send(task).await;
    watcher.until(json!({ "type": "log", "data": { "message": "Counting the words" } })).await;
    watcher.until(json!({ "type": "final_answer", "message": "5 words" })).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("answered: ")), "the answer was not acknowledged");
    let _ = child.kill();
    let _ = child.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_agents_serve() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let server = Server::start();
    serves(&server, Command::new("python3").arg(clients.join("python/agent.py")).env("PYTHONPATH", tools("python")))
        .await;
    let server = Server::start();
    serves(&server, Command::new("node").arg(clients.join("node/agent.js")).env("NODE_PATH", tools("node_modules")))
        .await;
}

/// What stands around the examples of document 002: `tests/samples/002_<name>.js` holds each as it is printed there.
fn page_of_agents(server: &Server, name: &str) -> String {
    let text = std::fs::read_to_string(samples().join(format!("002_{name}.js"))).unwrap();
    text.replace("localhost:3001", server.address())
}

/// Runs a program of Node.js to its end and returns what it printed.
fn node(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.js");
    std::fs::write(&path, program).unwrap();
    let mut child = start(Command::new("node").arg(&path).env("NODE_PATH", tools("node_modules")));
    let status = ended(&mut child);
    let (said, complained) = (rest(child.stdout.take()), rest(child.stderr.take()));
    assert!(status.success() && complained.is_empty(), "{status}\n{said}\n{complained}");
    said
}

#[test]
fn the_javascript_examples_of_document_002_get_their_documented_answers() {
    let server = Setup::with("[heartbeat]\nping = \"200ms\"\nidle_ping = \"500ms\"")
        .file("src/main.rs", "fn main() {}\n")
        .start();
    let names = ["chat", "command", "subscribe", "join", "handoff", "typing", "status", "heartbeat", "stream", "batch"];
    let connection = page_of_agents(&server, "connection");
    assert!(connection.contains(server.address()), "it is not the document's");
    let mut program = format!("const WebSocket = require('ws');\n{connection}\nconst examples = {{\n");
    for name in names {
        program.push_str(&format!("{name}: () => {{\n{}}},\n", page_of_agents(&server, name)));
    }
    program.push_str(&format!("}};\n{}", page_of_agents(&server, "postlude")));
    let said = node(&program);

    let answers: Vec<Value> = said
        .lines()
        .filter_map(|line| line.strip_prefix("ANSWER "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let subscribed = |pattern: &str| json!({ "type": "subscribed", "data": { "subscriptions": [{ "id": "<id>", "pattern": pattern, "active": true }, "..."] } });
    let typing = |kind: &str| json!({ "type": kind, "conversationId": "conv_123", "userId": "user_456" });
    let expected = [
        ("subscribe", json!([subscribed("agent_status")])),
        (
            "chat",
            json!([
                { "type": "chat_response", "timestamp": "<time>", "data": { "response": "<text>", "agentId": "nyx", "conversationId": "conv_123", "processingTime": "<int>", "emotion": "<text>" } },
                { "type": "event", "data": { "eventType": "agent_status", "agentId": "nyx" } },
            ]),
        ),
        (
            "command",
            json!([{ "type": "command_result", "data": { "commandId": "<id>", "status": "completed", "executionTime": "<int>", "result": { "files": 1, "directories": "<int>", "totalSize": "<text>" } } }]),
        ),
        ("stream", json!([subscribed("thoughts:nyx")])),
        (
            "watched",
            json!([
                { "type": "event", "data": { "eventType": "emotion_change", "agentId": "nyx", "previousEmotion": "<text>", "currentEmotion": "<text>", "intensity": "<number>" } },
                { "type": "stream_data", "data": { "stream": "thoughts", "agentId": "nyx", "importance": "<number>" } },
            ]),
        ),
        (
            "join",
            json!([{ "type": "conversation_joined", "data": { "conversationId": "multi_conv_789", "agents": ["nyx", "aria", "sage"] } }]),
        ),
        (
            "handoff",
            json!([{ "type": "agent_handoff", "data": { "fromAgent": "nyx", "toAgent": "sage", "conversationId": "conv_123", "reason": "Specialized knowledge required" } }]),
        ),
        (
            "status",
            json!([{ "type": "status_update", "data": { "agentId": "nyx", "status": "<text>", "currentTask": "<any>", "queueLength": "<int>", "uptime": "<int>" } }]),
        ),
        (
            "batch",
            json!([{ "type": "batch_result", "data": { "results": [{ "index": 0, "success": true }, { "index": 1, "success": true }, { "index": 2 }] } }]),
        ),
        ("typing", json!([typing("typing_start"), typing("typing_stop")])),
    ];
    assert_eq!(answers.len(), expected.len(), "{said}");
    for (answer, (name, pattern)) in answers.iter().zip(&expected) {
        assert_eq!(answer["name"], *name);
        let fits = matches(pattern, &answer["answers"], &mut Captures::default());
        fits.unwrap_or_else(|why| panic!("{name}: {why} in {answer}"));
    }
    for line in ["Connected to SYMindX WebSocket", "Disconnected from SYMindX WebSocket", "ERRORS []"] {
        assert!(said.contains(line), "{line} is missing:\n{said}");
    }
    // The handler answers every ping; the last one may still be on its way.
    let pongs = said.lines().find_map(|line| line.strip_prefix("PONGS ")).unwrap();
    assert!(pongs.parse::<u32>().unwrap() >= 1, "{said}");
}

#[test]
fn the_reconnecting_example_of_document_002_connects_again() {
    let server = Server::start();
    let page = |name: &str| page_of_agents(&server, name);
    let program = [page("reconnect_prelude"), page("reconnect"), page("reconnect_postlude")].join("\n");
    assert_eq!(node(&program), "OPENED 1\nCLOSED 1009\nOPENED 2\n");
}
