//! One runtime under five documents: what is done through one is seen through the others.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::rest::{call, get, token};
use crate::harness::server::Server;

const SHARED: &str = "0b7e2c1e-52d7-4f0e-9c43-7a2b9f6f4a10";
const PRIVATE: &str = "5d3c9a54-1a5e-4a77-8f0b-2f1c6d9e8b21";

/// The messages of a conversation over HTTP, oldest first.
async fn messages(server: &Server, conversation: &str, token: &str) -> Vec<Value> {
    let page = get(server, &format!("/conversations/{conversation}/messages?limit=1000"), token).await;
    page["messages"].as_array().unwrap().clone()
}

/// What is said in a thread of document 004, until its end.
async fn thread(client: &mut Client, thread: &str) -> Vec<Value> {
    client.send(json!({ "type": "history", "thread_id": thread })).await;
    let mut said = Vec::new();
    loop {
        let frame = client.next().await;
        match frame["type"].as_str().unwrap() {
            "message" => said.push(frame),
            "history_end" => {
                assert_eq!(frame["count"].as_u64().unwrap(), said.len() as u64, "{frame}");
                return said;
            }
            other => panic!("{other}: {frame}"),
        }
    }
}

/// Asks through document 002 and returns the answer.
async fn chat(client: &mut Client, id: &str, conversation: &str, message: &str) -> Value {
    let data = json!({ "message": message, "conversationId": conversation });
    let answer = client.ask(json!({ "id": id, "type": "chat", "data": data })).await;
    assert_eq!(answer["type"], "chat_response", "{answer}");
    answer
}

fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_the_same_through_every_door() {
    let server = Server::start();
    let someone = token(&server, "default", "someone", &[]);
    let mut steps = server.connect(&format!("/chat/{SHARED}")).await;
    steps.send(json!({ "type": "client", "message": "compute 6 * 7", "message_id": "first" })).await;
    let first = steps.until(json!({ "type": "agent_step", "step_type": "FinalAnswerStep" })).await;
    steps.expect(json!({ "type": "message_end", "message_id": "first", "chat_id": SHARED })).await;

    let mut agents = server.client().await;
    let data = json!({ "conversationId": SHARED });
    agents.ask(json!({ "id": "j", "type": "join_conversation", "data": data })).await;
    let second = chat(&mut agents, "second", SHARED, "compute 6 * 8").await;
    assert_eq!((&second["data"]["conversationId"], &second["data"]["agentId"]), (&json!(SHARED), &json!("nyx")));
    let seen = steps.until(json!({ "type": "agent_step", "step_type": "FinalAnswerStep" })).await;
    assert_eq!((&seen["message"], &seen["message_id"]), (&second["data"]["response"], &json!("second")));

    let mut threads = server.connect(&format!("/chat/ws?token={someone}")).await;
    let read = thread(&mut threads, SHARED).await;
    let so_far = [
        "compute 6 * 7",
        first["message"].as_str().unwrap(),
        "compute 6 * 8",
        second["data"]["response"].as_str().unwrap(),
    ];
    assert_eq!(contents(&read), so_far);
    let roles: Vec<&Value> = read.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);

    threads.send(json!({ "type": "message", "thread_id": SHARED, "content": "compute 6 * 9" })).await;
    let received = threads.expect(json!({ "type": "message_received", "job_id": "<id>" })).await;
    let third = threads.expect(json!({ "type": "message", "role": "assistant", "content": "~54" })).await;
    steps.until(json!({ "type": "agent_step", "step_type": "FinalAnswerStep", "message": third["content"] })).await;
    let heard = json!({ "type": "conversation_message", "data": { "message": { "id": third["id"] } } });
    agents.until(heard).await;

    // The same ids, the same words, in one order.
    let whole = messages(&server, SHARED, "").await;
    assert_eq!(whole, messages(&server, SHARED, &someone).await);
    assert_eq!(contents(&whole), [&so_far[..], &["compute 6 * 9", third["content"].as_str().unwrap()]].concat());
    let ids = |list: &[Value]| list.iter().map(|message| message["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&whole), ids(&thread(&mut threads, SHARED).await));
    assert_eq!((&whole[4]["id"], &whole[3]["id"]), (&received["id"], &second["data"]["messageId"]));
    let page = agents.ask(json!({ "id": "h", "type": "history", "data": { "conversationId": SHARED } })).await;
    assert_eq!(page["data"]["messages"].as_array().unwrap(), &whole);
    let listed = get(&server, &format!("/history/{SHARED}"), "").await;
    let spoken = |entry: &&Value| entry["role"] == "user" || entry["step_type"] == "FinalAnswerStep";
    let spoken: Vec<Value> = listed.as_array().unwrap().iter().filter(spoken).cloned().collect();
    assert_eq!(contents(&spoken), contents(&whole));
    let summary = get(&server, &format!("/conversations/{SHARED}"), "").await;
    assert_eq!((&summary["messages"], &summary["private"]), (&json!(6), &json!(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_of_document_004_is_its_subjects_alone() {
    let server = Server::start();
    let (ann, bob) = (token(&server, "default", "ann", &[]), token(&server, "default", "bob", &[]));
    let mut threads = server.connect(&format!("/chat/ws?token={ann}")).await;
    threads.send(json!({ "type": "message", "thread_id": PRIVATE, "content": "compute 6 * 7" })).await;
    let received = threads.expect(json!({ "type": "message_received" })).await;
    threads.expect(json!({ "type": "message", "role": "assistant", "content": "~42" })).await;
    let job = format!("/runs/{}", received["job_id"].as_str().unwrap());
    let conversation = format!("/conversations/{PRIVATE}");

    // Its own subject reads it through every document.
    let own = format!("?token={ann}");
    let mut agents = server.connect(&format!("/ws{own}")).await;
    let page = agents.ask(json!({ "id": "h", "type": "history", "data": { "conversationId": PRIVATE } })).await;
    assert_eq!(page["data"]["messages"].as_array().unwrap(), &messages(&server, PRIVATE, &ann).await);
    let mut steps = server.connect(&format!("/chat/{PRIVATE}{own}")).await;
    steps.send(json!({ "type": "get_history" })).await;
    let listed = steps.expect(json!({ "type": "chat_history" })).await;
    assert_eq!(listed["history"][0]["content"], "compute 6 * 7");
    assert_eq!(listed["history"], get(&server, &format!("/history/{PRIVATE}"), &ann).await);
    assert_eq!(get(&server, &job, &ann).await["status"], "completed");

    for stranger in ["", &bob] {
        let query = if stranger.is_empty() { String::new() } else { format!("?token={stranger}") };
        let mut agents = server.connect(&format!("/ws{query}")).await;
        let asked = json!({ "id": "h", "type": "history", "data": { "conversationId": PRIVATE } });
        let refused = agents.ask(asked).await;
        assert_eq!(refused["data"]["code"], "CONVERSATION_NOT_FOUND", "{refused}");
        let mut steps = server.connect(&format!("/chat/{PRIVATE}{query}")).await;
        steps.send(json!({ "type": "get_history" })).await;
        steps.expect(json!({ "type": "chat_history", "chat_id": PRIVATE, "history": [] })).await;
        for path in [&conversation, &format!("{conversation}/messages"), &job] {
            let (status, body) = call(&server, reqwest::Method::GET, path, stranger, None).await;
            assert_eq!(status, 404, "{path}: {body}");
        }
        assert_eq!(get(&server, "/conversations", stranger).await["conversations"], json!([]));
        assert_eq!(get(&server, &format!("/history/{PRIVATE}"), stranger).await, json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_one_for_documents_002_and_003_and_over_http() {
    let server = Server::start();
    let (robot, reader) = (token(&server, "acme", "robot", &[]), token(&server, "acme", "reader", &[]));
    let mut channel = server.connect(&format!("/v1/ws?token={robot}&channel_id=builds")).await;
    let mut agents = server.connect(&format!("/ws?token={reader}")).await;
    agents.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["builds"] } })).await;

    let content = json!({ "build": 7, "ok": true });
    channel.send(json!({ "id": "m-1", "type": "message", "content": content, "metadata": { "by": "ci" } })).await;
    channel.expect(json!({ "type": "ACK", "message_id": "m-1", "seq": 1 })).await;
    let copy = channel.expect(json!({ "type": "message", "id": "m-1", "seq": 1, "agent_id": "robot" })).await;
    let heard = agents.expect(json!({ "type": "channel_message" })).await;
    assert_eq!(heard["data"], copy);

    let data = json!({ "channel": "builds", "content": [1, 2.5, null], "metadata": { "by": "hand" } });
    let published = agents.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
    assert_eq!(published["data"]["seq"], 2, "{published}");
    let second = channel.expect(json!({ "type": "message", "seq": 2, "content": [1, 2.5, null] })).await;
    assert_eq!((&second["id"], &second["tenant_id"]), (&published["data"]["messageId"], &json!("acme")));
    assert_eq!(second["metadata"], json!({ "by": "hand" }));

    let body = Some(json!({ "content": "over HTTP" }));
    let (status, answer) = call(&server, reqwest::Method::POST, "/v1/channels/builds/messages", &robot, body).await;
    assert_eq!(status, 200, "{answer}");
    let third = channel.expect(json!({ "type": "message", "seq": 3, "content": "over HTTP" })).await;
    agents.until(json!({ "type": "channel_message", "data": third })).await;
    for path in ["/v1/channels/builds/messages", "/api/v1/channels/builds/messages", "/channels/builds/messages"] {
        assert_eq!(get(&server, path, &reader).await["messages"], json!([copy, second, third]), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handoff_is_seen_through_every_door() {
    let server = Server::start();
    let someone = token(&server, "default", "someone", &[]);
    let (mut ann, mut bob, mut watcher) = (server.client().await, server.client().await, server.client().await);
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["agent_handoff"] } })).await;
    for client in [&mut ann, &mut bob] {
        let data = json!({ "conversationId": SHARED, "agents": ["nyx"] });
        client.ask(json!({ "id": "j", "type": "join_conversation", "data": data })).await;
    }
    let mut threads = server.connect(&format!("/chat/ws?token={someone}")).await;

    let data = json!({ "fromAgent": "nyx", "toAgent": "sage", "conversationId": SHARED, "reason": "words matter" });
    let done = json!({
        "conversationId": SHARED, "fromAgent": "nyx", "toAgent": "sage", "reason": "words matter", "status": "completed",
    });
    let told = ann.ask(json!({ "id": "hand", "type": "agent_handoff", "data": data })).await;
    assert_eq!((&told["type"], &told["data"]), (&json!("agent_handoff"), &done));
    let seen = bob.until(json!({ "type": "agent_handoff" })).await;
    assert_eq!(seen["data"], done);
    let event = json!({
        "type": "event",
        "data": { "eventType": "agent_handoff", "conversationId": SHARED, "fromAgent": "nyx", "toAgent": "sage" },
    });
    watcher.expect(event).await;

    let whole = messages(&server, SHARED, "").await;
    assert_eq!((whole.len(), &whole[0]["role"]), (1, &json!("system")));
    let words = whole[0]["content"].clone();
    assert!(words.as_str().unwrap().contains("words matter"), "{words}");
    let page = bob.ask(json!({ "id": "h", "type": "history", "data": { "conversationId": SHARED } })).await;
    assert_eq!(page["data"]["messages"].as_array().unwrap(), &whole);
    let mut steps = server.connect(&format!("/chat/{SHARED}")).await;
    steps.send(json!({ "type": "get_history" })).await;
    let listed = steps.expect(json!({ "type": "chat_history" })).await;
    assert_eq!(listed["history"][0]["content"], words);
    assert_eq!(get(&server, &format!("/history/{SHARED}"), "").await, listed["history"]);
    let read = thread(&mut threads, SHARED).await;
    assert_eq!((read.len(), &read[0]["content"], &read[0]["role"]), (1, &words, &json!("system")));
    assert_eq!(get(&server, &format!("/conversations/{SHARED}"), "").await["lead"], "sage");

    // Whoever asks next, by whichever document, is answered by the agent that took over.
    steps.send(json!({ "type": "client", "message": "Why did you take over?", "message_id": "why" })).await;
    steps.until(json!({ "type": "agent_step", "step_type": "FinalAnswerStep", "message": "~words matter" })).await;
    let last = messages(&server, SHARED, "").await.pop().unwrap();
    assert_eq!(last["agent"], "sage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documents_requests_are_runs() {
    let server = Server::start();
    let someone = token(&server, "default", "someone", &[]);
    let mut client = server.client().await;
    client.send(json!({ "type": "task", "content": "compute 2 + 3", "id": "t" })).await;
    let result = client.until(json!({ "type": "result", "data": { "task_id": "<id>" } })).await;
    client.expect(json!({ "type": "final_answer" })).await;
    let data = json!({ "instruction": "compute 6 * 7" });
    let command = client.ask(json!({ "id": "c", "type": "command", "data": data })).await;
    let mut threads = server.connect(&format!("/chat/ws?token={someone}")).await;
    threads.send(json!({ "type": "message", "thread_id": PRIVATE, "content": "compute 4 + 4" })).await;
    let received = threads.expect(json!({ "type": "message_received" })).await;
    threads.expect(json!({ "type": "message", "role": "assistant" })).await;

    for (id, kind, token) in [
        (&result["data"]["task_id"], "task", ""),
        (&command["data"]["commandId"], "command", ""),
        (&received["job_id"], "chat", &someone),
    ] {
        let run = get(&server, &format!("/runs/{}", id.as_str().unwrap()), token).await;
        assert_eq!((&run["id"], &run["kind"], &run["status"]), (id, &json!(kind), &json!("completed")), "{run}");
        assert!(!run["steps"].as_array().unwrap().is_empty(), "{run}");
    }
}
