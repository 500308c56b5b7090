//! The end in order: what runs may finish, nothing new begins, and sockets are told to go.

use serde_json::json;

use crate::harness::client::Client;
use crate::harness::server::Setup;
use crate::harness::transcript::make_heavy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_finishes_what_it_has_begun() {
    let mut server = Setup::with("[server]\ndrain = \"60s\"").start();
    make_heavy(&server.workspace(), 40);
    let (mut worker, mut watcher) = (server.client().await, server.client().await);
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({
        "instruction": "analyze project structure", "parameters": { "path": "./heavy" }, "conversationId": "c",
    });
    worker.send(json!({ "id": "slow", "type": "command", "data": data })).await;
    watcher.until(json!({ "data": { "status": "processing" } })).await;

    server.begin_to_terminate();
    let ready = server.http("/health/ready");
    while reqwest::get(&ready).await.unwrap().status() != 503 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let chat = json!({ "id": "late", "type": "chat", "data": { "message": "hello", "conversationId": "c" } });
    let refused = watcher.ask(chat).await;
    assert_eq!((&refused["type"], &refused["data"]["code"]), (&json!("error"), &json!("UNAVAILABLE")), "{refused}");
    let Err((status, body)) = Client::try_connect(&format!("ws://{}/ws", server.address())).await else {
        panic!("a new session was let in");
    };
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("\"code\""), "{body}");

    let result = worker.until(json!({ "id": "slow" })).await;
    assert_eq!(result["data"]["status"], "completed", "{result}");
    assert_eq!(result["data"]["result"]["files"], 40, "{result}");
    assert_eq!(worker.closed().await.0, 1001);
    assert_eq!(watcher.closed().await.0, 1001);
    // A client that is told to go says goodbye as well, and the server need not wait for it.
    drop((worker, watcher));
    let status = tokio::task::spawn_blocking(move || (server.wait(), server)).await.unwrap();
    let (status, mut server) = status;
    assert_eq!(status.code(), Some(0), "{}", server.stderr());

    server.restart();
    let mut client = server.client().await;
    let history = client.ask(json!({ "id": "h", "type": "history", "data": { "conversationId": "c" } })).await;
    let messages = history["data"]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{history}");
    assert_eq!(messages[1]["content"], result["data"]["message"]);
    let run = reqwest::get(server.http(&format!("/runs/{}", result["data"]["commandId"].as_str().unwrap()))).await;
    let run: serde_json::Value = run.unwrap().json().await.unwrap();
    assert_eq!(run["status"], "completed", "{run}");
}

/// What cannot finish within its time is not waited for; it is never silently lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_in_time_is_interrupted() {
    let mut server = Setup::with("[server]\ndrain = \"1s\"").start();
    make_heavy(&server.workspace(), 3000);
    let mut client = server.client().await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({ "instruction": "analyze project structure", "parameters": { "path": "./heavy" } });
    client.send(json!({ "id": "slow", "type": "command", "data": data })).await;
    let run = client.until(json!({ "data": { "status": "processing" } })).await["data"]["runId"].clone();
    server.begin_to_terminate();
    // The request has its one ending, also now: here and at the run itself.
    let ending = client.until(json!({ "id": "slow" })).await;
    assert_eq!(ending["data"]["error"]["code"], "INTERRUPTED", "{ending}");
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    let (status, mut server) = tokio::task::spawn_blocking(move || (server.wait(), server)).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    server.restart();
    let run = reqwest::get(server.http(&format!("/runs/{}", run.as_str().unwrap()))).await.unwrap();
    let run: serde_json::Value = run.json().await.unwrap();
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("INTERRUPTED")), "{run}");
}
