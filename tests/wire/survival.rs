//! What was acknowledged outlives the process, however it ends.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::server::Server;
use crate::harness::transcript::make_heavy;

async fn join(client: &mut Client, agents: &[&str]) -> Value {
    let data = json!({ "conversationId": "team", "agents": agents });
    client.ask(json!({ "id": "j", "type": "join_conversation", "data": data })).await
}

async fn history(client: &mut Client, conversation: &str) -> Vec<Value> {
    let data = json!({ "conversationId": conversation, "limit": 1000 });
    let page = client.ask(json!({ "id": "h", "type": "history", "data": data })).await;
    match page["data"]["messages"].as_array() {
        Some(messages) => messages.clone(),
        None => panic!("{conversation}: {page}"),
    }
}

/// Two clients and three agents, one of whom hands over: all of it is there after a crash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_survives_a_crash_with_all_that_belongs_to_it() {
    let mut server = Server::start();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    join(&mut ann, &["nyx", "aria", "sage"]).await;
    let joined = join(&mut bob, &[]).await;
    assert_eq!((&joined["data"]["mode"], &joined["data"]["lead"]), (&json!("all"), &json!("nyx")));

    let chat = |id: &str, text: &str| json!({ "id": id, "type": "chat", "data": { "message": text, "conversationId": "team" } });
    ann.send(chat("1", "compute 6 * 7")).await;
    for turn in 1..=3 {
        let answer = ann.until(json!({ "type": "chat_response", "id": "1" })).await;
        assert_eq!(answer["data"]["turn"], json!({ "index": turn, "of": 3 }));
    }
    let data = json!({ "fromAgent": "nyx", "toAgent": "sage", "conversationId": "team", "reason": "memory is needed" });
    ann.ask(json!({ "id": "2", "type": "agent_handoff", "data": data })).await;
    let kept = bob.ask(chat("3", "remember that the deploy is on Friday at noon")).await;
    assert_eq!(kept["data"]["agentId"], "sage", "{kept}");
    for seq in 1..=3 {
        let data = json!({ "channel": "news", "content": { "number": seq } });
        let published = bob.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
        assert_eq!(published["data"]["seq"], seq);
    }
    let before = history(&mut ann, "team").await;
    assert_eq!(before.len(), 4 + 1 + 2, "{before:?}");

    server.kill9();
    server.restart();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    let joined = join(&mut ann, &[]).await;
    assert_eq!(joined["data"]["agents"], json!(["nyx", "aria", "sage"]));
    assert_eq!((&joined["data"]["mode"], &joined["data"]["lead"]), (&json!("lead"), &json!("sage")));
    assert_eq!(joined["data"]["messages"], json!(before));
    assert_eq!(join(&mut bob, &[]).await["data"], joined["data"], "every member sees the same");
    assert_eq!(history(&mut bob, "team").await, before);

    let recalled = ann.ask(chat("4", "When is the deploy?")).await;
    assert_eq!(recalled["data"]["agentId"], "sage");
    assert!(recalled["data"]["response"].as_str().unwrap().contains("Friday at noon"), "{recalled}");
    bob.until(json!({ "type": "conversation_message", "data": { "message": { "seq": 9, "agent": "sage" } } })).await;

    let subscribe = json!({ "channels": ["news"], "since": 0 });
    bob.ask(json!({ "id": "s", "type": "subscribe", "data": subscribe })).await;
    for seq in 1..=3 {
        bob.expect(json!({ "type": "channel_message", "data": { "seq": seq, "content": { "number": seq } } })).await;
    }
    let data = json!({ "channel": "news", "content": 4 });
    let published = ann.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
    assert_eq!(published["data"]["seq"], 4, "{published}");
}

/// A run outlives the socket that asked for it: its answer is in the history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_outlives_its_socket() {
    let server = Server::start();
    make_heavy(&server.workspace(), 10);
    let (mut asker, mut watcher) = (server.client().await, server.client().await);
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({
        "instruction": "analyze project structure", "parameters": { "path": "./heavy" }, "conversationId": "left",
    });
    asker.send(json!({ "id": "slow", "type": "command", "data": data })).await;
    watcher.until(json!({ "data": { "status": "processing" } })).await;
    asker.close().await;
    let end = watcher.until(json!({ "data": { "status": "completed" } })).await;
    let messages = history(&mut watcher, "left").await;
    assert!(messages[1]["content"].as_str().unwrap().contains("10 files"), "{messages:?}");
    let run = reqwest::get(server.http(&format!("/runs/{}", end["data"]["runId"].as_str().unwrap()))).await.unwrap();
    let run: Value = run.json().await.unwrap();
    assert_eq!(run["status"], "completed", "{run}");
}
