//! Too much of everything that is good in itself: frames, pings, connections, sessions, half-finished requests.

use std::time::Instant;

use serde_json::{Value, json};

use super::endpoints;
use crate::harness::PATIENCE;
use crate::harness::client::Client;
use crate::harness::quiet::Quiet;
use crate::harness::raw::{Raw, frame};
use crate::harness::rest::{counted, token};
use crate::harness::server::Server;

/// A session that stays over its rate for a second is closed; the rate of channels is that of the others, which a slow
/// machine can exceed as well.
const IMPATIENT: &str = "[rate]\nclose_after = \"1s\"\nchannel_frames_per_second = 200\nchannel_frames_burst = 400\n[log]\nfilter = \"warn\"";

/// Sends these bytes again and again until the server hangs up, and reads what comes meanwhile: the text frames, and the
/// code of the end.
pub(super) fn flood(mut client: Raw, bytes: &[u8]) -> (Vec<Value>, u16) {
    let mut writer = Raw { stream: client.stream.try_clone().unwrap(), head: String::new() };
    let bytes = bytes.repeat(16);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let since = Instant::now();
            while writer.put(&bytes) {
                assert!(since.elapsed() < PATIENCE, "it may go on for ever");
            }
        });
        let mut heard = Vec::new();
        let code = loop {
            match client.read() {
                Some((0x81, text)) => heard.push(serde_json::from_slice(&text).unwrap()),
                Some((0x88, payload)) => break payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)),
                Some(_) => {}
                None => break 1006,
            }
        };
        // The server reads no more; without this the writer would wait for it.
        let _ = client.stream.shutdown(std::net::Shutdown::Both);
        (heard, code)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_frames_is_told_which_were_refused_and_closed() {
    let server = Server::with(IMPATIENT);
    let quiet = Quiet::begin(&server).await;
    let frames = [
        r#"{"type":"status","id":"flood","targetAgent":"nobody"}"#,
        r#"{"type":"client","message_id":"flood","message":5}"#,
        r#"{"type":"ACK","id":"flood","content":5}"#,
        r#"{"type":"message","content":5}"#,
    ];
    for (path, text) in endpoints(&server).iter().zip(frames) {
        let (heard, code) = flood(Raw::connect(server.address(), path, ""), &frame(0x81, text.as_bytes()));
        assert_eq!(code, 1008, "{path}");
        let refused: Vec<&Value> =
            heard.iter().filter(|frame| frame.to_string().contains("Too many messages")).collect();
        assert!(!refused.is_empty(), "{path}: {:?}", heard.last());
        for error in refused.iter().take(100) {
            // The document of the threads has no id in its errors.
            let named = path.starts_with("/chat/ws") || error.to_string().contains(r#""flood""#);
            assert!(named, "{path}: {error}");
        }
        quiet.goes_on().await;
    }
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_is_closed() {
    let server = Server::with(IMPATIENT);
    let quiet = Quiet::begin(&server).await;
    for (path, opcode) in endpoints(&server).iter().zip([0x89, 0x8A, 0x89, 0x8A]) {
        let (_, code) = flood(Raw::connect(server.address(), path, ""), &frame(opcode, b"again and again"));
        assert_eq!(code, 1008, "{path}");
        quiet.goes_on().await;
    }
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_sessions_and_connections_and_no_more() {
    // None of the silent ones is to leave by itself meanwhile.
    let server = Server::with("[server]\nmax_sessions_per_address = 20\nhead_time = \"10m\"\n[log]\nfilter = \"warn\"");
    let quiet = Quiet::begin(&server).await;
    let mut sessions: Vec<Raw> = (0..20).map(|_| Raw::dial_from(server.address(), 2).upgraded("/ws", "")).collect();
    assert!(sessions.iter().all(Raw::is_upgraded));
    let refused = Raw::dial_from(server.address(), 2).upgraded("/ws", "");
    assert!(refused.head.starts_with("HTTP/1.1 429 "), "{}", refused.head);
    assert!(refused.head.to_lowercase().contains("retry-after: "), "{}", refused.head);
    assert!(Raw::dial_from(server.address(), 3).upgraded("/ws", "").is_upgraded(), "another address is not to blame");
    assert!(counted(&server, "callboard_turned_away_total", "sessions_of_address").await >= 1.0);
    quiet.goes_on().await;
    // One that leaves makes room for one.
    sessions.pop();
    while !Raw::dial_from(server.address(), 2).upgraded("/ws", "").is_upgraded() {}

    // Connections that say nothing: 20 and 256 beside, the rest is cut at once.
    let silent: Vec<Raw> = (0..300).map(|_| Raw::dial_from(server.address(), 4)).collect();
    while counted(&server, "callboard_turned_away_total", "connections_of_address").await < 24.0 {}
    assert_eq!(counted(&server, "callboard_turned_away_total", "connections_of_address").await, 24.0);
    quiet.goes_on().await;
    drop(silent);
    let open = |raw: &mut Raw| {
        raw.put(b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n") && matches!(raw.stream.peek(&mut [0]), Ok(1))
    };
    while !open(&mut Raw::dial_from(server.address(), 4)) {}
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_principal_has_so_many_sessions_and_no_more() {
    let server = Server::with("[server]\nmax_sessions_per_principal = 3\n[log]\nfilter = \"warn\"");
    let quiet = Quiet::begin(&server).await;
    let (ann, again) = (token(&server, "t", "ann", &[]), token(&server, "t", "ann", &["--ttl", "2h"]));
    let url = |path: &str, token: &str| format!("ws://{}{path}?token={token}", server.address());
    let mut sessions = Vec::new();
    for path in ["/ws", "/v1/ws", "/chat/ws"] {
        sessions.push(Client::connect(&url(path, &ann)).await);
    }
    for (path, token) in [("/ws", &ann), ("/v1/ws", &again), ("/chat/ws", &again), ("/chat/c", &ann)] {
        let Err((status, body)) = Client::try_connect(&url(path, token)).await else { panic!("{path} was let in") };
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["error"]["code"]), (429, &json!("RATE_LIMIT_EXCEEDED")), "{path}: {body}");
    }
    for (tenant, agent) in [("t", "bob"), ("other", "ann")] {
        Client::connect(&url("/ws", &token_of(&server, tenant, agent))).await.quiet().await;
    }
    quiet.goes_on().await;
    sessions.pop().unwrap().close().await;
    while Client::try_connect(&url("/ws", &ann)).await.is_err() {}
    quiet.end().await;
}

fn token_of(server: &Server, tenant: &str, agent: &str) -> String {
    token(server, tenant, agent, &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_finished_upgrades_and_bodies_are_ended() {
    let times = "[server]\nhead_time = \"1s\"\nbody_time = \"1s\"\n[log]\nfilter = \"warn\"";
    let server = Server::with(times);
    let quiet = Quiet::begin(&server).await;
    let head = "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhl";
    let body =
        "POST /agent/run HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    let mut half: Vec<(Raw, &str)> = Vec::new();
    for number in 0..400 {
        let mut raw = Raw::dial(server.address());
        let begun = if number % 2 == 0 { head } else { body };
        assert!(raw.put(begun.as_bytes()));
        half.push((raw, begun));
    }
    quiet.goes_on().await;
    // A byte now and then does not keep one open.
    while half.iter_mut().take(10).any(|(raw, _)| raw.put(b"x") && !has_ended(raw)) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for (raw, begun) in &mut half {
        assert!(raw.is_at_its_end(), "{begun:?} stays open");
    }
    quiet.end().await;
}

fn has_ended(raw: &mut Raw) -> bool {
    raw.stream.set_nonblocking(true).unwrap();
    let ended = raw.is_at_its_end();
    raw.stream.set_nonblocking(false).unwrap();
    ended
}
