//! A cancel at any moment of a run's life ends it, once.

use std::time::Duration;

use serde_json::json;

use crate::harness::server::Server;
use crate::harness::transcript::make_heavy;

#[tokio::test]
async fn a_cancel_is_never_lost_whenever_it_comes() {
    let server = Server::start();
    make_heavy(&server.workspace(), 3000);
    let mut client = server.client().await;
    let data = json!({ "instruction": "analyze project", "parameters": { "path": "./heavy" } });
    for number in 0..100_u64 {
        let id = format!("n{number}");
        client.send(json!({ "id": id, "type": "command", "data": data })).await;
        // Before it is written down, while it is, before it begins, while it goes on.
        tokio::time::sleep(Duration::from_micros(number % 10 * 400)).await;
        client.send(json!({ "type": "cancel", "data": { "id": id } })).await;
        let end = client.next().await;
        assert_eq!((&end["id"], &end["data"]["status"]), (&json!(id), &json!("cancelled")), "{end}");
    }
    client.quiet().await;
    let status = client.ask(json!({ "id": "s", "type": "status", "targetAgent": "nyx" })).await;
    assert_eq!((&status["data"]["status"], &status["data"]["queueLength"]), (&json!("idle"), &json!(0)), "{status}");
}
