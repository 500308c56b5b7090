//! What the server prints, whatever it is told to log: no credential, no line that a client wrote, nothing of its inside.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::harness::client::Client;
use crate::harness::raw::Raw;
use crate::harness::rest::{call, token};
use crate::harness::server::Server;

/// Everything that can be logged, is.
const TALKATIVE: &str = "[auth]\nrequired = true\n[log]\nfilter = \"trace\"";

/// Every way to bring a credential, with it in its place: the path's query and the headers.
fn ways(credential: &str) -> Vec<(String, Vec<(&'static str, String)>)> {
    let escaped: String = credential.bytes().map(|byte| format!("%{byte:02X}")).collect();
    vec![
        (format!("?token={credential}"), vec![]),
        (format!("?key={credential}"), vec![]),
        (format!("?since=1&TOKEN=x&token={escaped}"), vec![]),
        (String::new(), vec![("authorization", format!("Bearer {credential}"))]),
        (String::new(), vec![("sec-websocket-protocol", format!("callboard, bearer.{credential}"))]),
        (format!("?access_token={credential}&password={credential}"), vec![("cookie", format!("token={credential}"))]),
        (String::new(), vec![("authorization", format!("Basic {credential}")), ("x-api-key", credential.to_owned())]),
    ]
}

/// Brings a credential in every way to sockets and resources, and uses what it opens.
async fn bring(server: &Server, credential: &str) {
    for (query, headers) in ways(credential) {
        for path in ["/ws", "/chat/somewhere", "/v1/ws", "/chat/ws", "/v1/ws/tenant/t/agent/ann/channel/c"] {
            let mut request = format!("ws://{}{path}{query}", server.address()).into_client_request().unwrap();
            for (name, value) in &headers {
                request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
            }
            let _ = tokio_tungstenite::connect_async(request).await;
        }
        for path in ["/agents", "/metrics", "/v1/channels", "/nothing/here", "/history/x", "/"] {
            let mut request = reqwest::Client::new().get(server.http(&format!("{path}{query}")));
            for (name, value) in headers.iter().filter(|(name, _)| *name != "sec-websocket-protocol") {
                request = request.header(*name, value);
            }
            let body = request.send().await.unwrap().text().await.unwrap();
            assert!(!body.contains(credential), "{path}{query} gives it back: {body}");
        }
    }
    // A handshake that is none, and one that is garbled.
    for more in
        [format!("Authorization: Bearer {credential}\r\nOrigin: https://evil.example\r\n"), "Bad header\r\n".into()]
    {
        let mut raw = Raw::dial(server.address());
        raw.put(format!("GET /ws?token={credential} HTTP/1.1\r\nHost: test\r\n{more}\r\n").as_bytes());
        raw.put(format!("NONSENSE {credential}\r\n\r\n").as_bytes());
        drop(raw);
    }
}

/// Where a credential is misplaced: in frames.
async fn blurt_out(server: &Server, opening: &str, credential: &str) {
    let mut client = server.connect(&format!("/ws?token={opening}")).await;
    for frame in [
        json!({ "type": credential, "id": "1" }),
        json!({ "type": "chat", "id": credential.replace('.', " "), "data": { "message": 5 } }),
        json!({ "type": "status", "id": "3", "targetAgent": credential.replace('.', "-") }),
    ] {
        client.send(frame).await;
        client.next().await;
    }
    client.send_binary(credential.as_bytes().to_vec()).await;
    client.next().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credential_is_among_what_a_server_prints() {
    let mut server = Server::with(TALKATIVE);
    let good = token(&server, "t", "ann", &[]);
    let expired = token(&server, "t", "ann", &["--ttl", "1s"]);
    let key = server.tool(&["key", "create", "--tenant", "t", "--name", "robot"]);
    let revoked = server.tool(&["key", "create", "--tenant", "t", "--name", "gone"]);
    server.tool(&["key", "revoke", "gone"]);
    let secret = std::fs::read_dir(server.data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("secret")))
        .map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned())
        .expect("the data folder holds the secret of the tokens");
    let hash = std::fs::read_to_string(server.data().join("keys.json")).unwrap();
    let hash: Value = serde_json::from_str(&hash).unwrap();
    let foreign = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjQwMDAwMDAwMDB9.c29tZWJvZHktZWxzZS1zaWduZWQtdGhpcw";
    let wrong = [foreign, "cbk_0123456789ab_00112233445566778899aabbccddeeff", "hunter2-is-no-token-at-all"];
    for credential in [&good, &expired, &key, &revoked].into_iter().map(String::as_str).chain(wrong) {
        bring(&server, credential).await;
    }
    for credential in [&good, &key, &secret] {
        blurt_out(&server, &good, credential).await;
    }
    let body = json!({ "task": "hello", "token": good, "key": key });
    call(&server, Method::POST, "/agent/run", &good, Some(body)).await;
    assert!(server.terminate().success());

    let printed = server.printed();
    assert!(printed.contains("TRACE") && printed.contains("access: "), "it was not talkative");
    let hidden = [&good, &expired, &key, &revoked, &secret].into_iter().map(String::as_str).chain(wrong);
    let hashes = hash["keys"].as_array().unwrap().iter().map(|key| key["hash"].as_str().unwrap());
    for credential in hidden.chain(hashes) {
        for part in credential.split(['.', '_']).filter(|part| part.len() > 15) {
            let line = printed.lines().find(|line| line.contains(part));
            assert!(line.is_none(), "{part} of {credential} was printed: {}", line.unwrap_or_default());
        }
    }
}

/// What clients write into logs: line breaks, escapes of terminals, a line that looks like one of the server's.
const FORGED: &str = "x\n2026-01-01T00:00:00.000Z ERROR callboard: forged\r\u{1b}[2J\u{85}\u{2028}\u{9b}31m";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_writes_a_line_of_the_log() {
    let mut server = Server::with("[log]\nfilter = \"trace\"");
    let escaped: String = FORGED.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for path in [format!("/{escaped}"), format!("/agents/{escaped}"), format!("/ws?{escaped}={escaped}")] {
        call(&server, Method::GET, &path, "", None).await;
    }
    let _ = Client::try_connect(&format!("ws://{}/chat/{escaped}", server.address())).await;
    let header = HeaderValue::from_bytes("a\u{85}\u{2028}forged\tb".as_bytes()).unwrap();
    for name in ["user-agent", "x-request-id", "referer", "origin", "x-forwarded-for"] {
        let _ = reqwest::Client::new().get(server.http("/agents")).header(name, header.clone()).send().await.unwrap();
    }
    let mut raw = Raw::dial(server.address());
    raw.put(format!("GET /{FORGED} HTTP/1.1\r\nHost: {FORGED}\r\nUser-Agent: {FORGED}\r\n\r\n").as_bytes());
    assert!(raw.is_at_its_end());
    let mut client = server.client().await;
    for frame in [
        json!({ "type": FORGED, "id": "1" }),
        json!({ "type": "status", "id": "2", "targetAgent": FORGED }),
        json!({ "type": "chat", "id": "3", "data": { "message": FORGED } }),
        json!({ "type": "command", "id": "4", "data": { "instruction": format!("analyze ./{FORGED}") } }),
        json!({ "type": "publish", "id": "5", "data": { "channel": "c", "content": FORGED, "metadata": { FORGED: FORGED } } }),
    ] {
        client.ask_any(frame).await;
    }
    let (frame, reason) = ([0x88, 0x80 | 40, 0, 0, 0, 0], format!("\u{3}\u{e8}{FORGED}"));
    let mut raw = Raw::connect(server.address(), "/ws", "");
    raw.put(&frame);
    raw.put(&reason.as_bytes()[..40]);
    drop(raw);
    assert!(server.terminate().success());

    let log = server.stderr();
    assert!(log.lines().count() > 20, "{log}");
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let time = words.next().unwrap_or_default();
        let is_own = time.len() == 24 && time.ends_with('Z') && !time.starts_with("2026-01-01T00:00:00.000Z");
        let level = words.next().unwrap_or_default();
        assert!(is_own && ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "a foreign line: {line:?}");
        let control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        assert!(!line.contains(control), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_tell_nothing_of_the_inside() {
    let server = Server::start();
    let good = token(&server, "default", "ann", &[]);
    let mut errors = Vec::new();
    for (method, path, body) in [
        (Method::GET, "/agents/%00", None),
        (Method::GET, "/runs/run-%2e%2e-1-1", None),
        (Method::GET, "/runs/run-x-18446744073709551615-1", None),
        (Method::GET, "/history/%2e%2e%2fetc", None),
        (Method::GET, "/channels?limit=-1", None),
        (Method::GET, "/conversations?after=%ff", None),
        (Method::POST, "/agent/run", Some(json!({ "task": 5 }))),
        (Method::POST, "/agent/run", Some(json!("x"))),
        (Method::POST, "/v1/channels/x/messages", Some(json!({ "content": null }))),
        (Method::PUT, "/agents", None),
        (Method::GET, "/assets/..%2f..%2fCargo.toml", None),
    ] {
        let (status, text) = call(&server, method, path, &good, body).await;
        assert!(status < 500, "{path}: {status} {text}");
        errors.push(text);
    }
    let mut client = server.client().await;
    for path in ["/etc/passwd", "../../etc/passwd", "..", "/proc/self/environ", "no/such", "./\u{0}"] {
        for instruction in ["analyze the project in", "search for root in", "summarize the file"] {
            let data = json!({ "instruction": format!("{instruction} {path}"), "parameters": { "path": path } });
            let answer = client.ask_any(json!({ "id": "c", "type": "command", "data": data })).await;
            assert!(!answer.to_string().contains("root:x:"), "{answer}");
            errors.push(answer.to_string());
        }
        let answer = client.ask_any(json!({ "id": "t", "type": "task", "content": format!("analyze {path}") })).await;
        errors.push(answer.to_string());
    }
    let world = server.data().parent().unwrap().to_str().unwrap().to_owned();
    for error in errors {
        for inside in
            [world.as_str(), env!("CARGO_MANIFEST_DIR"), ".rs:", "panicked", "RUST_BACKTRACE", "0x", "os error"]
        {
            assert!(!error.contains(inside), "{inside}: {error}");
        }
    }
}
