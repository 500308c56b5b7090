//! The HTTP resources as programs and people meet them: the real server, its answers, its walls.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::client::Client;
use harness::pattern::{self, Captures};
use harness::server::{Server, Setup};
use harness::talk::chat;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// An answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// The answer is of that status and matches.
    #[track_caller]
    fn expect(&self, status: u16, pattern: Value) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let value = self.json();
        if let Err(why) = pattern::matches(&pattern, &value, &mut Captures::default()) {
            panic!("{why}\nexpected {pattern}\nbut came {value}");
        }
        value
    }

    /// The answer is an error of that status and code whose details hold `details`.
    #[track_caller]
    fn refuse(&self, status: u16, code: &str, details: &str) {
        let error = json!({ "code": code, "message": "<text>", "details": format!("~{details}") });
        self.expect(status, json!({ "error": error }));
        assert_eq!(self.header("content-type"), "application/json");
    }
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.timeout(harness::PATIENCE).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

async fn call(server: &Server, method: Method, path: &str, token: Option<&str>) -> Answer {
    let mut request = reqwest::Client::new().request(method, server.http(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    send(request).await
}

async fn get(server: &Server, path: &str) -> Answer {
    call(server, Method::GET, path, None).await
}

async fn get_as(server: &Server, path: &str, token: &str) -> Answer {
    call(server, Method::GET, path, Some(token)).await
}

fn token(server: &Server, tenant: &str, agent: &str, more: &[&str]) -> String {
    server.tool(&[&["token", "--tenant", tenant, "--agent", agent][..], more].concat())
}

/// The head of a request whose body does not say how long it is.
const CHUNKED: &str =
    "POST /agent/run HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What the server says to these bytes until it closes the connection.
fn exchange(server: &Server, bytes: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("the server keeps waiting");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Has an agent look into the workspace and waits for its result; returns the id of the run.
async fn analyze(client: &mut Client, conversation: &str) -> String {
    let data = json!({ "instruction": "analyze project structure", "conversationId": conversation });
    let reply = client.ask(json!({ "type": "command", "id": "look", "data": data, "targetAgent": "nyx" })).await;
    assert_eq!(reply["data"]["status"], "completed", "{reply}");
    reply["data"]["commandId"].as_str().unwrap().to_owned()
}

fn agent() -> Value {
    json!({
        "name": "<text>", "id": "<uuid>", "title": "<text>", "description": "<text>", "specialities": "<array>",
        "tools": "<array>", "brain": "<text>", "greeting": "<text>", "remote": false, "status": "idle",
        "current_task": null, "queue_length": 0, "mood": { "emotion": "<text>", "intensity": "<number>" },
        "uptime": "<int>",
    })
}

#[actix_web::test]
async fn the_house_and_its_agents_are_shown() {
    let server = Server::start();
    let agents = get(&server, "/agents").await.expect(200, json!({ "agents": [agent(), agent(), agent()] }));
    let nyx = agents["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == "nyx").unwrap().clone();
    for name in ["nyx", nyx["id"].as_str().unwrap(), &nyx["id"].as_str().unwrap().to_uppercase()] {
        let found = get(&server, &format!("/agents/{name}")).await.expect(200, agent());
        assert_eq!(found["id"], nyx["id"]);
    }
    get(&server, "/agents/nobody").await.refuse(404, "AGENT_NOT_FOUND", "nyx");
    get(&server, "/agents/no%0Abody%22").await.refuse(404, "AGENT_NOT_FOUND", "nyx");

    let mut client = server.client().await;
    chat(&mut client, "first", "hello").await;
    let shown = json!({
        "version": env!("CARGO_PKG_VERSION"), "status": "ready", "uptime": "<int>", "agents": [agent(), agent(), agent()],
        "sessions": 1, "conversations": 1, "channels": 0, "open_runs": 0,
        "journal": { "health": "ready", "bytes": "<int>", "records": "<int>" },
    });
    let status = get(&server, "/status").await.expect(200, shown);
    assert!(status["journal"]["records"].as_u64().unwrap() >= 2 && status["journal"]["bytes"].as_u64().unwrap() > 0);

    let session = json!({
        "id": "<int>", "dialect": "<text>", "subject": "anonymous", "agent": null, "connected_at": "<time>",
    });
    get(&server, "/sessions").await.expect(200, json!({ "sessions": [session], "next_after": null }));
    let _second = server.client().await;
    let page = get(&server, "/sessions?limit=1").await.expect(200, json!({ "sessions": [session] }));
    let next = page["next_after"].as_u64().expect("there is a next page");
    let page = get(&server, &format!("/sessions?after={next}")).await;
    page.expect(200, json!({ "sessions": [session], "next_after": null }));
}

#[actix_web::test]
async fn conversations_and_their_messages_come_in_pages() {
    let server = Server::start();
    let mut client = server.client().await;
    for conversation in ["a", "b", "c"] {
        chat(&mut client, conversation, "hello").await;
    }
    chat(&mut client, "b", "What is 6 * 7?").await;

    let conversation = json!({
        "id": "<id>", "agents": ["nyx"], "lead": "nyx", "mode": "lead", "private": false, "messages": 2,
        "created_at": "<time>", "updated_at": "<time>",
    });
    let page = get(&server, "/conversations?limit=1").await;
    page.expect(200, json!({ "conversations": [conversation], "next_after": "a" }));
    let page = get(&server, "/conversations?limit=2&after=a").await;
    page.expect(200, json!({ "conversations": [{ "id": "b", "messages": 4 }, { "id": "c" }], "next_after": null }));
    let page = get(&server, "/conversations?after=c").await;
    page.expect(200, json!({ "conversations": [], "next_after": null }));
    get(&server, "/conversations/a").await.expect(200, conversation);
    get(&server, "/conversations/z").await.refuse(404, "CONVERSATION_NOT_FOUND", "");
    get(&server, "/conversations/z/messages").await.refuse(404, "CONVERSATION_NOT_FOUND", "");

    let message = |seq: u64, role: &str| {
        let agent = if role == "user" { "<absent>" } else { "nyx" };
        json!({ "id": "<id>", "seq": seq, "role": role, "agent": agent, "content": "<text>", "created_at": "<time>" })
    };
    let page = get(&server, "/conversations/b/messages?limit=3").await;
    let expected = [message(2, "assistant"), message(3, "user"), message(4, "assistant")];
    let last = page.expect(200, json!({ "messages": expected, "next_before": 2 }));
    assert!(last["messages"][2]["content"].as_str().unwrap().contains("42"), "{last}");
    let page = get(&server, "/conversations/b/messages?before=2").await;
    page.expect(200, json!({ "messages": [message(1, "user")], "next_before": null }));
}

#[actix_web::test]
async fn channels_and_their_publications_come_in_pages() {
    let server = Server::start();
    let mut client = server.client().await;
    for number in 1..=3 {
        let data = json!({ "channel": "news", "content": { "number": number }, "metadata": { "from": "test" } });
        let reply = client.ask(json!({ "type": "publish", "id": format!("p{number}"), "data": data })).await;
        assert_eq!(reply["data"]["seq"], number, "{reply}");
    }
    let other = json!({ "channel": "other", "content": "hello" });
    client.ask(json!({ "type": "publish", "id": "p4", "data": other })).await;

    let channel = json!({
        "id": "news", "name": null, "description": null, "head": 3, "created_by": "anonymous", "created_at": "<time>",
    });
    let page = get(&server, "/channels?limit=1").await;
    page.expect(200, json!({ "channels": [channel], "next_after": "news" }));
    get(&server, "/channels?after=news")
        .await
        .expect(200, json!({ "channels": [{ "id": "other" }], "next_after": null }));
    get(&server, "/channels/news").await.expect(200, channel);
    get(&server, "/channels/none").await.refuse(404, "CHANNEL_NOT_FOUND", "");

    let publication = |number: u64| {
        json!({
            "id": "<id>", "type": "message", "content": { "number": number }, "tenant_id": "default",
            "channel_id": "news", "timestamp": "<time>", "seq": number, "metadata": { "from": "test" },
        })
    };
    let page = get(&server, "/channels/news/messages?limit=2").await;
    page.expect(200, json!({ "messages": [publication(1), publication(2)], "next_after": 2 }));
    let page = get(&server, "/channels/news/messages?after=2").await;
    page.expect(200, json!({ "messages": [publication(3)], "next_after": null }));
    for last in [u64::MAX - 1, u64::MAX] {
        let nothing = get(&server, &format!("/channels/news/messages?after={last}")).await;
        nothing.expect(200, json!({ "messages": [], "next_after": null }));
    }
}

/// A server whose workspace takes long to analyse, and a run that has begun there. Its session must be kept.
async fn busy() -> (Server, Client, String) {
    let server = Server::start();
    harness::transcript::make_heavy(&server.workspace(), 2000);
    let mut client = server.client().await;
    client.send(json!({ "type": "subscribe", "id": "s", "data": { "events": ["run_status"] } })).await;
    let data = json!({ "instruction": "analyze project structure", "parameters": { "path": "./heavy" } });
    client.send(json!({ "type": "command", "id": "long", "data": data, "targetAgent": "nyx" })).await;
    let event = client.until(json!({ "type": "event", "data": { "eventType": "run_status" } })).await;
    let id = event["data"]["runId"].as_str().unwrap().to_owned();
    (server, client, id)
}

#[actix_web::test]
async fn a_run_is_shown_while_it_lasts_cancelled_and_shown_after() {
    let (server, mut client, id) = busy().await;
    let path = format!("/runs/{id}");
    let run = json!({
        "id": id, "kind": "command", "agent": "nyx", "conversation_id": "<id>", "created_at": "<time>",
        "ended_at": null, "error": "<absent>", "steps": "<array>",
    });
    let shown = get(&server, &path).await.expect(200, run);
    assert!(["pending", "processing"].contains(&shown["status"].as_str().unwrap()), "{shown}");
    let cancelled = call(&server, Method::DELETE, &path, None).await;
    cancelled.expect(202, json!({ "id": id }));
    client.until(json!({ "type": "command_result", "data": { "status": "cancelled" } })).await;
    let ended = json!({
        "id": id, "status": "cancelled", "ended_at": "<time>",
        "error": { "code": "CANCELLED", "message": "<text>", "details": "<string>" },
    });
    get(&server, &path).await.expect(200, ended);
    call(&server, Method::DELETE, &path, None).await.refuse(409, "RUN_ENDED", "");
}

#[actix_web::test]
async fn a_run_that_ended_is_shown_with_its_steps() {
    let server = Server::start();
    let mut client = server.client().await;
    let id = analyze(&mut client, "work").await;
    let shown = json!({
        "id": id, "kind": "command", "agent": "nyx", "conversation_id": "work", "request_id": "look",
        "status": "completed", "created_at": "<time>", "started_at": "<time>", "ended_at": "<time>",
        "error": "<absent>", "steps": "<array>",
    });
    let shown = get(&server, &format!("/runs/{id}")).await.expect(200, shown);
    let steps = shown["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["kind"] == "action").unwrap_or_else(|| panic!("no action in {shown}"));
    let action = json!({
        "content": "<text>", "importance": "<number>", "at": "<time>", "tool": "project", "arguments": "<object>",
        "ok": true,
    });
    pattern::matches(&action, step, &mut Captures::default()).unwrap();
    for unknown in ["run-1-1-99", "run-ffff-1-1", "nothing"] {
        get(&server, &format!("/runs/{unknown}")).await.refuse(404, "RUN_NOT_FOUND", "");
        call(&server, Method::DELETE, &format!("/runs/{unknown}"), None).await.refuse(404, "RUN_NOT_FOUND", "");
    }
    get(&server, "/runs/a%20b").await.refuse(400, "INVALID_MESSAGE", "id: expected");
}

#[actix_web::test]
async fn a_run_that_a_crash_cut_off_has_failed() {
    let (mut server, _client, id) = busy().await;
    server.restart();
    let error = json!({ "code": "INTERRUPTED", "message": "<text>", "details": "<string>" });
    let failed = json!({ "id": id, "status": "failed", "error": error, "ended_at": "<time>" });
    get(&server, &format!("/runs/{id}")).await.expect(200, failed);
    call(&server, Method::DELETE, &format!("/runs/{id}"), None).await.refuse(409, "RUN_ENDED", "");
}

#[actix_web::test]
async fn nothing_is_seen_from_another_tenant() {
    let server = Server::start();
    let (ours, theirs) = (token(&server, "ours", "ann", &[]), token(&server, "theirs", "bob", &[]));
    let mut client = server.connect(&format!("/ws?token={ours}")).await;
    chat(&mut client, "secret", "hello").await;
    let data = json!({ "channel": "news", "content": "hello" });
    client.ask(json!({ "type": "publish", "id": "p", "data": data })).await;
    let run = analyze(&mut client, "secret").await;

    for path in [
        "/conversations/secret",
        "/conversations/secret/messages",
        "/channels/news",
        "/channels/news/messages",
        &format!("/runs/{run}"),
    ] {
        assert_eq!(get_as(&server, path, &ours).await.status, 200, "{path}");
        assert_eq!(get_as(&server, path, &theirs).await.status, 404, "{path}");
        assert_eq!(get(&server, path).await.status, 404, "{path}, the default tenant");
    }
    assert_eq!(call(&server, Method::DELETE, &format!("/runs/{run}"), Some(&theirs)).await.status, 404);
    for (path, list) in [("/conversations", "conversations"), ("/channels", "channels"), ("/sessions", "sessions")] {
        assert_eq!(get_as(&server, path, &ours).await.json()[list].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(get_as(&server, path, &theirs).await.json()[list], json!([]), "{path}");
    }
    let status = get_as(&server, "/status", &theirs).await;
    status.expect(200, json!({ "sessions": 0, "conversations": 0, "channels": 0, "journal": { "bytes": "<absent>" } }));
    let (one, other) = (get_as(&server, "/agents/nyx", &ours).await, get_as(&server, "/agents/nyx", &theirs).await);
    assert_ne!(one.json()["id"], other.json()["id"]);
}

#[actix_web::test]
async fn a_private_thread_is_seen_by_its_own_subject_alone() {
    let server = Server::start();
    let (ann, bob) = (token(&server, "t", "ann", &[]), token(&server, "t", "bob", &[]));
    let (first, second) = ("11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "33333333-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
    let thread = "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb";
    let mut client = server.connect(&format!("/ws?token={ann}")).await;
    for conversation in [first, second] {
        chat(&mut client, conversation, "hello").await;
    }
    let mut client = server.connect(&format!("/chat/ws?token={ann}")).await;
    client.send(json!({ "type": "message", "thread_id": thread, "content": "hello" })).await;
    let received = client.until(json!({ "type": "message_received", "job_id": "<id>" })).await;
    client.until(json!({ "type": "message", "role": "assistant" })).await;
    let run = received["job_id"].as_str().unwrap();

    let paths =
        [format!("/conversations/{thread}"), format!("/conversations/{thread}/messages"), format!("/runs/{run}")];
    for path in &paths {
        assert_eq!(get_as(&server, path, &ann).await.status, 200, "{path}");
        assert_eq!(get_as(&server, path, &bob).await.status, 404, "{path}");
    }
    assert_eq!(call(&server, Method::DELETE, &paths[2], Some(&ann)).await.status, 409);
    assert_eq!(call(&server, Method::DELETE, &paths[2], Some(&bob)).await.status, 404);
    let own = json!({ "conversations": [{ "id": first }, { "id": thread, "private": true }, { "id": second }] });
    get_as(&server, "/conversations", &ann).await.expect(200, own);

    // Page by page the thread neither appears nor shows in where the next page begins.
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get_as(&server, &format!("/conversations?limit=1{after}"), &bob).await;
        assert!(page.status == 200 && !page.text.contains("bbbb"), "{}", page.text);
        let page = page.json();
        seen.extend(page["conversations"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        let Some(next) = page["next_after"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, [first, second]);
}

#[actix_web::test]
async fn credentials_are_asked_for_and_their_scopes_hold() {
    let server = Server::with("[auth]\nrequired = true");
    let usual = token(&server, "t", "ann", &[]);
    let admin = token(&server, "t", "root", &["--scope", "admin"]);
    let narrow = token(&server, "t", "nan", &["--channel", "mine", "--scope", "channel:subscribe"]);
    for path in ["/status", "/agents", "/conversations", "/channels", "/sessions", "/metrics", "/runs/run-1-1-1"] {
        let answer = get(&server, path).await;
        answer.refuse(401, "UNAUTHORIZED", "");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        get_as(&server, path, "not.a.token").await.refuse(401, "UNAUTHORIZED", "");
    }
    for path in ["/sessions", "/metrics"] {
        get_as(&server, path, &usual).await.refuse(403, "UNAUTHORIZED", "");
        assert_eq!(get_as(&server, path, &admin).await.status, 200);
        assert_eq!(get(&server, &format!("{path}?token={admin}")).await.status, 200);
    }
    for path in ["/conversations", "/conversations/a", "/runs/run-1-1-1"] {
        get_as(&server, path, &narrow).await.refuse(403, "UNAUTHORIZED", "");
    }
    get_as(&server, "/channels", &admin).await.refuse(403, "UNAUTHORIZED", "");
    get_as(&server, "/channels/other", &narrow).await.refuse(403, "UNAUTHORIZED", "");
    get_as(&server, "/channels/other/messages", &narrow).await.refuse(403, "UNAUTHORIZED", "");
    get_as(&server, "/channels/mine", &narrow).await.refuse(404, "CHANNEL_NOT_FOUND", "");

    assert_eq!(get(&server, "/health/live").await.status, 200);
    assert_eq!(get(&server, "/health/ready").await.status, 200);
    let page = get(&server, "/").await;
    // The page is there for everybody, what it shows is not.
    assert!(page.status == 200 && !page.text.contains("sage"));
    let foreign = reqwest::Client::new().get(server.http("/agents")).bearer_auth(&usual);
    assert_eq!(send(foreign.header("origin", "https://elsewhere.example")).await.status, 403);
}

#[actix_web::test]
async fn whatever_is_refused_is_an_error_that_says_why() {
    let server = Server::with("[server]\nmax_body = \"1KiB\"");
    for path in ["/nothing", "/agents/", "/runs/", "/conversations/a/b", "//"] {
        get(&server, path).await.refuse(404, "NOT_FOUND", "path: /");
    }
    for (method, path) in [
        (Method::POST, "/agents"),
        (Method::PUT, "/runs/run-1-1-1"),
        (Method::DELETE, "/status"),
        (Method::PATCH, "/"),
        (Method::OPTIONS, "/metrics"),
        (Method::POST, "/ws"),
        (Method::DELETE, "/v1/agents"),
        (Method::PUT, "/api/v1/ws"),
        (Method::GET, "/agent/run"),
    ] {
        let answer = call(&server, method.clone(), path, None).await;
        answer.refuse(405, "METHOD_NOT_ALLOWED", method.as_str());
        let allowed = if path == "/agent/run" { "POST" } else { "GET" };
        assert!(answer.header("allow").contains(allowed), "{:?}", answer.headers);
    }
    for (path, field) in [
        ("/conversations?limit=0", "limit: expected a whole number from 1 to 1000"),
        ("/conversations?limit=1001", "limit: expected"),
        ("/conversations?after=a%2Fb", "after: expected"),
        ("/conversations/a/messages?before=x", "before: expected"),
        ("/conversations/a/messages?before=0", "before: expected a whole number from 1"),
        ("/channels/c/messages?after=-1", "after: expected"),
        ("/channels/c/messages?limit=ten", "limit: expected"),
        ("/sessions?after=x", "after: expected"),
        ("/conversations/a%2Fb", "id: expected"),
        ("/channels/%FF", "id: expected"),
    ] {
        get(&server, path).await.refuse(400, "INVALID_MESSAGE", field);
    }
    let large = reqwest::Client::new().post(server.http("/agents")).body("x".repeat(2000));
    send(large).await.refuse(413, "INVALID_MESSAGE", "at most 1024 bytes");
    let unmeasured = exchange(&server, &format!("{CHUNKED}800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800)));
    assert!(unmeasured.starts_with("HTTP/1.1 413 ") && unmeasured.contains("INVALID_MESSAGE"), "{unmeasured}");
    for (body, details) in [("{}", "task"), ("{\"task\":7}", "task"), ("[", "JSON")] {
        let task = reqwest::Client::new().post(server.http("/agent/run")).body(body);
        send(task).await.refuse(422, "INVALID_MESSAGE", details);
    }
    assert_eq!(get(&server, "/health/ready").await.status, 200);
}

#[actix_web::test]
async fn who_asks_too_fast_is_told_to_wait() {
    let server = Server::with("[rate]\nrequests_per_second = 1\nrequests_burst = 5");
    let mut refused = None;
    for _ in 0..20 {
        let answer = get(&server, "/agents").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("nobody was told to wait");
    refused.refuse(429, "RATE_LIMIT_EXCEEDED", "at most 1 a second");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    for _ in 0..20 {
        assert_eq!(get(&server, "/health/live").await.status, 200, "probes do not count");
    }
    server.client().await.quiet().await;
}

#[actix_web::test]
async fn every_request_has_an_id_and_a_line_without_its_query() {
    let mut server = Server::start();
    let asked = reqwest::Client::new().get(server.http("/agents?token=&key=&hush=hush"));
    let answer = send(asked.header("x-request-id", "mine-1")).await;
    assert_eq!(answer.header("x-request-id"), "mine-1");
    let made = get(&server, "/nothing%0A2026-01-01").await;
    assert_eq!(made.header("x-request-id").len(), 32);
    let forged = send(reqwest::Client::new().get(server.http("/agents")).header("x-request-id", "a b")).await;
    assert_eq!(forged.header("x-request-id").len(), 32);
    assert!(server.terminate().success());
    let log = server.stderr();
    assert!(log.contains(" access: GET /agents 200 ") && log.contains("ms mine-1\n"), "{log}");
    assert!(log.contains("GET /nothing%0A2026-01-01 404 ") && !log.contains("hush"), "{log}");
}

#[actix_web::test]
async fn the_console_loads_its_own_files_and_nothing_else() {
    let server = Server::start();
    let page = get(&server, "/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !page.text.contains("style=") && !page.text.contains("onload"), "{policy}");
    for path in ["/", "/agents", "/nothing", "/console/js/main.js", "/console/nothing.js"] {
        let answer = get(&server, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
    }
    // What the page is made of is there, of the type that a browser insists on, and none of it stands elsewhere.
    let mut files: Vec<_> =
        page.text.split("=\"/console/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(files.contains(&"js/main.js") && !page.text.contains("://"), "{}", page.text);
    files.push("vendor/preact.js");
    for file in files {
        let answer = get(&server, &format!("/console/{file}")).await;
        let kind = match file.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{file}");
    }
    get(&server, "/console/../Cargo.toml").await.refuse(404, "NOT_FOUND", "");
    get(&server, "/console/").await.refuse(404, "NOT_FOUND", "");
    let head = call(&server, Method::HEAD, "/agents", None).await;
    assert!(head.status == 200 && head.text.is_empty());
    // Loaded once, a file is loaded again only when it has changed.
    let tag = page.header("etag");
    let again = send(reqwest::Client::new().get(server.http("/")).header("if-none-match", tag)).await;
    assert!(again.status == 304 && again.text.is_empty() && again.header("etag") == tag);
    let other = send(reqwest::Client::new().get(server.http("/")).header("if-none-match", "\"other\"")).await;
    assert_eq!(other.status, 200);
}

#[actix_web::test]
async fn the_last_minutes_are_shown_to_each_tenant_its_own() {
    let server = Setup::with("[auth]\nrequired = true").start();
    let (ours, theirs) = (token(&server, "acme", "worker", &[]), token(&server, "other", "worker", &[]));
    let mut client = server.connect(&format!("/ws?token={ours}")).await;
    chat(&mut client, "a", "compute 6 * 7").await;
    let pulse = get_as(&server, "/pulse", &ours).await.expect(
        200,
        json!({
            "at": "<time>", "step": 5000, "agents": [{ "name": "nyx", "last_minute": 1, "answered": 1, "failed": 0 }],
        }),
    );
    for list in ["answered", "failed", "median", "p95"] {
        assert_eq!(pulse[list].as_array().unwrap().len(), 120, "{list}");
    }
    let sum = |value: &Value| value.as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!((sum(&pulse["answered"]), sum(&pulse["failed"])), (1, 0));
    assert_eq!(pulse["median"].as_array().unwrap().iter().filter(|median| median.is_u64()).count(), 1);
    let other = get_as(&server, "/pulse", &theirs).await.expect(200, json!({ "agents": [] }));
    assert_eq!(sum(&other["answered"]), 0);
    get(&server, "/pulse").await.refuse(401, "UNAUTHORIZED", "");
}

#[actix_web::test]
async fn the_configuration_is_shown_to_operators() {
    let server = Setup::with("[auth]\nrequired = true\n[limits]\nbatch = 7").start();
    let worker = token(&server, "acme", "worker", &[]);
    let operator = token(&server, "acme", "operator", &["--scope", "admin"]);
    get_as(&server, "/settings", &worker).await.refuse(403, "UNAUTHORIZED", "");
    let settings = json!({
        "auth": { "required": true }, "limits": { "batch": 7, "frame": "1MiB" }, "server": { "bind": ["<text>"] },
    });
    get_as(&server, "/settings", &operator).await.expect(200, settings);
    // Open to whoever uses a server that asks nobody.
    let open = Server::start();
    get(&open, "/settings").await.expect(200, json!({ "limits": { "batch": 100 } }));
}

#[actix_web::test]
async fn open_runs_are_listed_to_those_who_may_see_them() {
    let server = Server::start();
    let served = server.connect(&format!("/v1/ws?token={}", token(&server, "default", "slow", &[]))).await;
    let mut client = server.client().await;
    let mut watcher = server.client().await;
    watcher.ask(json!({ "type": "subscribe", "id": "s", "data": { "events": ["run_status"] } })).await;
    let data = json!({ "message": "hello", "conversationId": "a" });
    client.send(json!({ "type": "chat", "id": "c1", "data": data, "targetAgent": "slow" })).await;
    let id = loop {
        let event = watcher.next().await;
        if event["data"]["status"] == "processing" {
            break event["data"]["runId"].clone();
        }
    };
    let listed = get(&server, "/runs").await;
    listed.expect(
        200,
        json!({ "runs": [{ "id": id, "agent": "slow", "conversation_id": "a", "status": "processing" }] }),
    );
    let read_only = token(&server, "default", "reader", &["--scope", "channel:subscribe"]);
    get_as(&server, "/runs", &read_only).await.refuse(403, "UNAUTHORIZED", "");
    get_as(&server, "/runs", &token(&server, "other", "worker", &[])).await.expect(200, json!({ "runs": [] }));
    drop(served);
    let failed = client.next().await;
    assert_eq!(failed["data"]["code"], "AGENT_FAILED", "{failed}");
    get(&server, "/runs").await.expect(200, json!({ "runs": [] }));
}

#[actix_web::test]
async fn what_was_counted_is_shown_with_its_meaning() {
    let server = Server::start();
    let mut client = server.client().await;
    chat(&mut client, "a", "hello").await;
    client.ask(json!({ "type": "chat", "id": "bad", "data": {} })).await;
    get(&server, "/agents").await;
    let metrics = get(&server, "/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for name in callboard::metrics::NAMES {
        for line in [format!("# HELP {name} "), format!("# TYPE {name} ")] {
            assert!(metrics.text.contains(&line), "no {line:?} in\n{}", metrics.text);
        }
    }
    for line in [
        "callboard_runs_total{agent=\"nyx\",kind=\"chat\",outcome=\"completed\"} 1",
        "callboard_queue_depth{agent=\"nyx\"} 0",
        "callboard_open_runs 0",
        "callboard_run_seconds_count 1",
        "callboard_http_requests_total{status=\"2xx\"} ",
    ] {
        assert!(metrics.text.lines().any(|found| found.starts_with(line)), "no {line:?} in\n{}", metrics.text);
    }
    let counted =
        metrics.text.lines().find(|line| line.starts_with("callboard_frames_total{") && line.contains("chat"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{}", metrics.text);
    let commits = metrics.text.lines().find_map(|line| line.strip_prefix("callboard_commit_seconds_count "));
    assert!(commits.unwrap().parse::<u64>().unwrap() >= 2);
}

#[actix_web::test]
async fn a_page_whose_name_points_at_an_open_server_reads_nothing() {
    let server = Server::start();
    let port = server.address().rsplit(':').next().unwrap();
    for (host, status) in [(format!("localhost:{port}"), 200), (format!("evil.example:{port}"), 403)] {
        let head = format!("GET /conversations HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = exchange(&server, &head);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

#[actix_web::test]
async fn half_a_request_does_not_hold_its_connection() {
    let server = Server::start();
    let answer = exchange(&server, "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn the_server_describes_itself_to_programs_and_to_people() {
    let server = Server::start();
    let described = call(&server, Method::GET, "/openapi.json", None).await;
    assert_eq!(described.header("content-type"), "application/json");
    let document = described.expect(200, json!({ "openapi": "3.1.0", "info": { "title": "Callboard" } }));
    let answer = &document["paths"]["/runs/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(answer["$ref"], "#/components/schemas/Run");
    assert_eq!(document["components"]["schemas"]["Run"]["properties"]["steps"]["type"], "array");
    let page = call(&server, Method::GET, "/docs", None).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    for reference in page.text.split('"').filter(|piece| piece.starts_with("/docs/")) {
        let file = call(&server, Method::GET, reference, None).await;
        assert_eq!((file.status, file.text.is_empty()), (200, false), "{reference}");
    }
    call(&server, Method::GET, "/docs/nothing", None).await.refuse(404, "NOT_FOUND", "");
}
