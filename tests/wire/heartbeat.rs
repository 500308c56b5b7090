//! Signs of life: those the server asks for, and what becomes of a peer that gives none.

use std::time::Instant;

use serde_json::json;

use crate::harness::server::Server;

/// After a while without a frame the server asks in JSON; a `pong` is taken silently, and the socket stays.
#[tokio::test]
async fn an_idle_client_is_asked_for_a_sign_of_life() {
    let server = Server::with("[heartbeat]\nping = \"200ms\"\nsilence = \"30s\"\nidle_ping = \"500ms\"");
    let mut client = server.client().await;
    for _ in 0..2 {
        client.expect(json!({ "type": "ping" })).await;
        client.send(json!({ "type": "pong" })).await;
    }
    let answer = client.ask(json!({ "id": "1", "type": "chat", "data": { "message": "compute 2 + 2" } })).await;
    assert!(answer["data"]["response"].as_str().unwrap().contains('4'), "{answer}");
}

/// A peer that does not even answer the pings of WebSocket is closed; one that does, and says nothing else, is not.
#[tokio::test]
async fn a_silent_peer_is_closed_and_a_quiet_one_is_not() {
    let server = Server::with("[heartbeat]\nping = \"300ms\"\nsilence = \"1s\"\nidle_ping = \"1h\"");
    let mut quiet = server.client().await;
    let mut silent = server.client().await;
    silent.quiet().await;
    let began = Instant::now();
    // The quiet one reads, and so answers pings; the silent one does nothing at all. The house knows when it is gone.
    loop {
        let house = quiet.ask(json!({ "id": "s", "type": "status" })).await;
        if house["data"]["sessions"] == 1 {
            break;
        }
        assert!(began.elapsed() < crate::harness::PATIENCE, "the silent peer stays: {house}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (code, reason) = silent.closed().await;
    assert_eq!((code, reason.as_str()), (1008, "silent"));
    // Longer than the time of silence, with nothing but pongs.
    let nothing = quiet.heard_within(std::time::Duration::from_millis(2500)).await;
    assert_eq!(nothing, None);
    quiet.quiet().await;
}
