//! One order: that of a conversation, the same for every reader, and that of one client's requests to one agent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::server::Server;

const CLIENTS: usize = 4;
const EACH: usize = 20;

/// Sends everything at once, then reads until it has its answers and as much of the others as there will be.
/// Returns the ids of its answers and the messages of others, both in the order they came.
async fn talk(mut client: Client, number: usize) -> (Vec<String>, Vec<(u64, Value)>) {
    for index in 0..EACH {
        let data = json!({ "message": format!("compute {number} + {index}"), "conversationId": "c" });
        let chat = json!({ "id": format!("{number}.{index}"), "type": "chat", "targetAgent": "aria", "data": data });
        client.send(chat).await;
    }
    let (mut answers, mut heard) = (Vec::new(), Vec::new());
    while answers.len() < EACH || heard.len() < 2 * EACH * (CLIENTS - 1) {
        let frame = client.next().await;
        match frame["type"].as_str().unwrap() {
            "chat_response" => answers.push(frame["id"].as_str().unwrap().to_owned()),
            "conversation_message" => {
                let message = frame["data"]["message"].clone();
                heard.push((message["seq"].as_u64().unwrap(), message));
            }
            "typing_start" | "typing_stop" => {}
            other => panic!("{other}: {frame}"),
        }
    }
    (answers, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_sees_a_conversation_in_the_same_order() {
    let server = Server::start();
    let join = json!({ "id": "j", "type": "join_conversation", "data": { "conversationId": "c", "agents": ["aria"] } });
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = server.client().await;
        client.ask(join.clone()).await;
        clients.push(client);
    }
    let talks: Vec<_> =
        clients.into_iter().enumerate().map(|(number, client)| tokio::spawn(talk(client, number))).collect();
    let mut told = Vec::new();
    for talk in talks {
        told.push(talk.await.unwrap());
    }
    let mut reader = server.client().await;
    let history = json!({ "id": "h", "type": "history", "data": { "conversationId": "c", "limit": 1000 } });
    let page = reader.ask(history).await;
    let messages: BTreeMap<u64, &Value> = page["data"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["seq"].as_u64().unwrap(), message))
        .collect();
    assert_eq!(messages.len(), 2 * EACH * CLIENTS);
    for (number, (answers, heard)) in told.into_iter().enumerate() {
        let sent: Vec<String> = (0..EACH).map(|index| format!("{number}.{index}")).collect();
        assert_eq!(answers, sent, "what one client sends to one agent is answered in the order sent");
        assert!(heard.is_sorted_by(|(before, _), (after, _)| before < after), "client {number}");
        for (seq, message) in heard {
            assert_eq!(*messages[&seq], message);
        }
    }
}
