//! Who listens to a channel, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::rest::{call, get, token};
use crate::harness::server::Server;

/// Waits until this is who listens: sessions come and go on their own.
async fn present(server: &Server, token: &str, agents: Value, others: usize) {
    let expected = json!({ "channel_id": "news", "agents": agents, "others": others });
    while get(server, "/channels/news/presence", token).await != expected {}
}

async fn subscribed(client: &mut Client, kind: &str) {
    let reply = client.ask(json!({ "id": "s", "type": kind, "data": { "channels": ["news"] } })).await;
    assert_eq!(reply["type"], format!("{kind}d"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_tells_who_listens_to_it_and_to_no_other() {
    let server = Server::start();
    let (crow, wren) = (token(&server, "default", "crow", &[]), token(&server, "default", "wren", &[]));
    let first = server.connect(&format!("/v1/ws?token={crow}&channel_id=news")).await;
    let second = server.connect(&format!("/v1/ws?token={crow}&channel_id=news")).await;
    let elsewhere = server.connect(&format!("/v1/ws?token={wren}&channel_id=other")).await;
    let stranger = token(&server, "elsewhere", "jay", &[]);
    let foreign = server.connect(&format!("/v1/ws?token={stranger}&channel_id=news")).await;
    let mut person = server.client().await;
    present(&server, "", json!([{ "agent_id": "crow", "sockets": 2 }]), 0).await;
    present(&server, &stranger, json!([{ "agent_id": "jay", "sockets": 1 }]), 0).await;

    subscribed(&mut person, "subscribe").await;
    let mut listener = server.connect(&format!("/ws?token={wren}")).await;
    subscribed(&mut listener, "subscribe").await;
    let both = json!([{ "agent_id": "crow", "sockets": 2 }, { "agent_id": "wren", "sockets": 1 }]);
    present(&server, "", both, 1).await;

    subscribed(&mut person, "unsubscribe").await;
    first.close().await;
    listener.close().await;
    present(&server, "", json!([{ "agent_id": "crow", "sockets": 1 }]), 0).await;
    second.close().await;
    present(&server, "", json!([]), 0).await;
    let covered = token(&server, "default", "crow", &["--channel", "other"]);
    let (status, body) = call(&server, Method::GET, "/channels/news/presence", &covered, None).await;
    assert_eq!(status, 403, "{body}");
    drop((elsewhere, foreign));
}
