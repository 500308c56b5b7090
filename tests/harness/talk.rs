//! What tests ask for through document 002, in a few words.

use serde_json::{Value, json};

use super::client::Client;

/// A rate that nobody who waits for answers reaches.
pub const FAST: &str = "[rate]\nframes_per_second = 10000\nframes_burst = 20000\n";

/// Publishes and waits for the acknowledgement; gives the `seq`.
pub async fn publish(client: &mut Client, channel: &str, content: Value) -> u64 {
    let data = json!({ "channel": channel, "content": content });
    let told = client.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
    told["data"]["seq"].as_u64().unwrap_or_else(|| panic!("{told}"))
}

/// Says something in a conversation and waits for the answer.
pub async fn chat(client: &mut Client, conversation: &str, words: &str) -> Value {
    let data = json!({ "message": words, "conversationId": conversation });
    let answer = client.ask(json!({ "id": "c", "type": "chat", "data": data })).await;
    assert_eq!(answer["type"], "chat_response", "{answer}");
    answer
}

/// Joins a conversation and waits until told so.
pub async fn join(client: &mut Client, conversation: &str) -> Value {
    client.ask(json!({ "id": "j", "type": "join_conversation", "data": { "conversationId": conversation } })).await
}
