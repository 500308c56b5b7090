//! Callboard as a server of the Model Context Protocol, and as a client of itself.

use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::rest::{get, token};
use crate::harness::server::{Server, Setup};

/// A client of the protocol, as plain as it can be.
struct Plain {
    url: String,
    token: String,
    session: Option<String>,
}

impl Plain {
    /// Begins a session.
    async fn begin(server: &Server, token: &str) -> Self {
        let mut plain = Self { url: server.http("/mcp"), token: token.to_owned(), session: None };
        let about = json!({ "name": "plain", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about });
        let response = plain.post(json!({ "method": "initialize", "id": 0, "params": params })).await;
        assert_eq!(response.status().as_u16(), 200);
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        plain.session = Some(session);
        let answer = result(response).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "callboard", "{answer}");
        plain.post(json!({ "method": "notifications/initialized" })).await;
        plain
    }

    async fn post(&self, mut message: Value) -> Response {
        message["jsonrpc"] = "2.0".into();
        let mut request = Client::new().post(&self.url).timeout(PATIENCE).json(&message);
        request = request.header("accept", "application/json, text/event-stream");
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
        }
        request.send().await.unwrap()
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        result(self.post(json!({ "method": method, "id": 1, "params": params })).await).await
    }
}

/// The answer in a response: the event that has an id.
async fn result(response: Response) -> Value {
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut values = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    values.rfind(|value| value.get("id").is_some()).unwrap_or_else(|| panic!("no answer in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_tools_and_what_was_said_is_a_resource() {
    let server = Server::with("[auth]\nrequired = true");
    let (one, other) = (token(&server, "t", "one", &[]), token(&server, "u", "one", &[]));
    let client = Plain::begin(&server, &one).await;
    let tools = client.ask("tools/list", json!({})).await;
    let names: Vec<&str> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ask_nyx", "ask_aria", "ask_sage"]);

    let call = json!({ "name": "ask_nyx", "arguments": { "message": "what is 6 times 7?", "conversation_id": "c" } });
    let answer = client.ask("tools/call", call).await;
    let answer = &answer["result"];
    assert!(answer["content"][0]["text"].as_str().unwrap().contains("42"), "{answer}");
    assert_eq!(answer["structuredContent"]["conversation_id"], "c", "{answer}");

    let listed = client.ask("resources/list", json!({})).await;
    assert_eq!(listed["result"]["resources"][0]["uri"], "callboard://conversations/c", "{listed}");
    let read = client.ask("resources/read", json!({ "uri": "callboard://conversations/c" })).await;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap();
    let said: Value = serde_json::from_str(text).unwrap();
    assert_eq!(said["messages"].as_array().unwrap().len(), 2, "{said}");

    // A wrong argument is the tool's result, which a model reads; a tool that is none is an error of the protocol.
    let wrong = client.ask("tools/call", json!({ "name": "ask_nyx", "arguments": {} })).await;
    assert_eq!(wrong["result"]["isError"], true, "{wrong}");
    let none = client.ask("tools/call", json!({ "name": "ask_nobody", "arguments": { "message": "x" } })).await;
    assert_eq!(none["error"]["code"], -32602, "{none}");

    // Another tenant has neither the conversation nor the session.
    let stranger = Plain::begin(&server, &other).await;
    let read = stranger.ask("resources/read", json!({ "uri": "callboard://conversations/c" })).await;
    assert!(read["error"]["code"].is_i64(), "{read}");
    let thief = Plain { session: client.session.clone(), ..stranger };
    assert_eq!(thief.post(json!({ "method": "ping", "id": 2 })).await.status().as_u16(), 404);
    let nobody = Plain { url: server.http("/mcp"), token: String::new(), session: None };
    assert_eq!(nobody.post(json!({ "method": "ping", "id": 3 })).await.status().as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_are_resources_for_those_who_may_read_them() {
    let server = Server::start();
    let (reader, talker) = (token(&server, "t", "r", &[]), token(&server, "t", "c", &["--scope", "chat"]));
    let mut socket = server.connect(&format!("/v1/ws?token={reader}&channel_id=news")).await;
    socket.send(json!({ "type": "message", "id": "m", "content": "hello" })).await;
    socket.until(json!({ "type": "ACK" })).await;
    let client = Plain::begin(&server, &reader).await;
    let first = client.ask("resources/list", json!({})).await;
    let cursor = first["result"]["nextCursor"].as_str().unwrap();
    let second = client.ask("resources/list", json!({ "cursor": cursor })).await;
    assert_eq!(second["result"]["resources"][0]["uri"], "callboard://channels/news", "{second}");
    let read = client.ask("resources/read", json!({ "uri": "callboard://channels/news" })).await;
    assert!(read["result"]["contents"][0]["text"].as_str().unwrap().contains("hello"), "{read}");
    let limited = Plain::begin(&server, &talker).await;
    let refused = limited.ask("resources/read", json!({ "uri": "callboard://channels/news" })).await;
    assert!(refused["error"].is_object(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_gets_nothing() {
    let server = Server::start();
    let ping = json!({ "jsonrpc": "2.0", "method": "ping", "id": 1 });
    let request = Client::new().post(server.http("/mcp")).timeout(PATIENCE).json(&ping);
    let request = request.header("accept", "application/json, text/event-stream");
    for (header, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let response = request.try_clone().unwrap().header(header, value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 403, "{header}");
    }
}

/// How the first server of tools is, once that holds.
async fn until(server: &Server, holds: impl Fn(&Value) -> bool) {
    let began = Instant::now();
    loop {
        let status = get(server, "/status", "").await["mcp"][0].clone();
        if holds(&status) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it never came to that: {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_an_agent_of_another_server() {
    let mut far = Server::with("[auth]\nrequired = true");
    let key = far.tool(&["key", "create", "--tenant", "t", "--name", "near"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let config = format!(
        "[mcp.far]\nurl = {:?}\ntoken_file = {:?}\nping = \"1s\"\n",
        far.http("/mcp"),
        file.display().to_string()
    );
    let near = Setup::with(&config).agent("nyx", "tools = []\nmcp = [\"far/ask_*\"]").start();
    until(&near, |status| status["status"] == "up").await;
    let mut client = near.client().await;
    let data = json!({ "instruction": "far_ask_nyx", "parameters": { "message": "what is 6 times 7?" } });
    let said = client.ask(json!({ "id": "a", "type": "command", "data": data })).await;
    assert!(said["data"]["message"].as_str().unwrap().contains("42"), "{said}");

    // It is gone: an error of that tool, told as one, and noticed.
    far.kill9();
    until(&near, |status| status["status"] == "down").await;
    let failed = client.ask(json!({ "id": "b", "type": "command", "data": data })).await;
    assert_eq!(failed["data"]["error"]["code"], "AGENT_FAILED", "{failed}");
    assert!(!near.printed().contains(&key), "the key was printed");
}
