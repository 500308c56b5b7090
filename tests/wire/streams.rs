//! Answers piece by piece.

use serde_json::json;

use crate::harness::server::Server;

/// The pieces in their order are the answer, to the letter, for one answer and for several.
#[tokio::test]
async fn the_deltas_joined_are_the_response() {
    let server = Server::start();
    let mut client = server.client().await;
    let mut watcher = server.client().await;
    watcher.ask(json!({ "id": "w", "type": "subscribe", "data": { "stream": "tokens" } })).await;
    client
        .ask(json!({ "id": "j", "type": "join_conversation", "data": { "conversationId": "c", "agents": ["nyx", "aria"] } }))
        .await;
    let data = json!({ "message": "What can you help me with?", "conversationId": "c", "stream": true });
    client.send(json!({ "id": "s", "type": "chat", "data": data })).await;
    for agent in ["nyx", "aria"] {
        let (mut joined, mut pieces) = (String::new(), 0);
        let response = loop {
            let frame = client.next().await;
            match frame["type"].as_str().unwrap() {
                "chat_chunk" => {
                    assert_eq!((&frame["id"], &frame["data"]["index"]), (&json!("s"), &json!(pieces)), "{frame}");
                    assert_eq!(frame["data"]["agentId"], agent);
                    assert_eq!(frame["data"]["conversationId"], "c");
                    joined.push_str(frame["data"]["delta"].as_str().unwrap());
                    pieces += 1;
                }
                "chat_response" => break frame,
                other => assert!(other.starts_with("typing_"), "{frame}"),
            }
        };
        assert_eq!(response["data"]["agentId"], agent);
        assert_eq!(response["data"]["response"], joined);
        assert!(pieces > 1, "an answer of {} bytes in one piece", joined.len());

        let mut watched = String::new();
        while watched.len() < joined.len() {
            let frame = watcher.next().await;
            assert_eq!(
                (&frame["type"], &frame["data"]["stream"]),
                (&json!("stream_data"), &json!("tokens")),
                "{frame}"
            );
            assert_eq!(frame["data"]["agentId"], agent);
            watched.push_str(frame["data"]["content"].as_str().unwrap());
        }
        assert_eq!(watched, joined);
    }
    client.quiet().await;
}
