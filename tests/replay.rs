//! What a run was told and did is kept, shown, and can be played again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::process::Command;

use harness::client::Client;
use harness::models::{Models, calls, says};
use harness::pattern::{self, Captures};
use harness::server::{Server, Setup};
use serde_json::{Value, json};

/// A server whose nyx asks before it searches.
fn server() -> Server {
    let setup = Setup::default()
        .agent("nyx", r#"tools = ["search", "arithmetic", "remember", "recall", "clock"]"#)
        .agent("nyx", r#"approval = ["search"]"#)
        .agent("sage", r#"tools = ["recall"]"#);
    setup.file("src/a.rs", "fn toolbox() {}\n").start()
}

async fn get(server: &Server, path: &str) -> Value {
    let response = reqwest::get(server.http(path)).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

async fn record(server: &Server, run: &str) -> Value {
    get(server, &format!("/runs/{run}/record")).await
}

/// Asks nyx in a conversation; returns the id of the run when it has its answer.
async fn ask(client: &mut Client, conversation: &str, message: &str) -> String {
    let data = json!({ "message": message, "conversationId": conversation });
    let reply = client.ask(json!({ "type": "chat", "id": "c", "targetAgent": "nyx", "data": data })).await;
    assert_eq!(reply["type"], "chat_response", "{reply}");
    reply["data"]["messageId"].as_str().unwrap().replacen("msg-", "run-", 1)
}

/// Asks nyx for what it has to ask about; returns the id of the run that waits.
async fn ask_to_search(client: &mut Client) -> String {
    let data = json!({ "message": "search for toolbox in src", "conversationId": "c" });
    client.send(json!({ "type": "chat", "id": "s", "targetAgent": "nyx", "data": data })).await;
    let waits = client.until(json!({ "type": "approval_request", "id": "s" })).await;
    waits["data"]["runId"].as_str().unwrap().to_owned()
}

#[track_caller]
fn expect(actual: &Value, pattern: Value) {
    if let Err(why) = pattern::matches(&pattern, actual, &mut Captures::default()) {
        panic!("{why}\nexpected {pattern}\nbut came {actual}");
    }
}

/// Runs `callboard replay` on a record; its exit status and what it prints.
fn replay(record: &Value, more: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.json");
    std::fs::write(&file, record.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    let output = command.env_clear().arg("replay").arg(&file).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_run_is_recorded_and_comes_out_the_same_when_it_is_played_again() {
    let mut server = server();
    let mut client = server.client().await;
    ask(&mut client, "c", "remember that the deploy is on Friday").await;
    let run = ask(&mut client, "c", "compute 15% of 240 and recall what I said about the deploy").await;
    let shown = record(&server, &run).await;
    let said = |role: &str| json!({ "role": role, "seq": "<int>", "content": "<text>", "created_at": "<time>" });
    let tool = |tool: &str| json!({ "type": "tool", "tool": tool, "arguments": "<object>", "result": { "text": "<text>" }, "at": "<time>", "ms": "<int>" });
    expect(
        &shown,
        json!({
            "version": 1, "callboard": "<text>",
            "run": { "id": run, "kind": "chat", "agent": "nyx", "conversation_id": "c", "request_id": "c",
                     "turn": { "index": 1, "of": 1 }, "created_at": "<time>" },
            "opening": { "agent": { "name": "nyx", "approval": ["search"] }, "content": "~15%", "history": [1, 2],
                         "mood": "<object>", "colleagues": [["sage", []]], "private": false, "at": "<time>" },
            "messages": [said("user"), said("assistant")], "question": said("user"),
            "known": [{ "agent": "nyx", "text": "the deploy is on Friday", "importance": "<number>", "at": "<time>" }],
            "takes": [{ "type": "plan", "calls": [{ "tool": "arithmetic" }, { "tool": "recall" }] }, tool("arithmetic"), tool("recall")],
            "complete": true,
            "steps": [{ "kind": "planning" }, { "kind": "action" }, { "kind": "action" }, { "kind": "answer" }],
            "outcome": { "status": "completed", "answer": "~36", "data": "<object>", "error": "<absent>" },
            "tokens": { "input": 0, "output": 0 },
            "timings": { "queue_ms": "<int>", "model_ms": 0, "tool_ms": "<int>", "approval_ms": 0, "total_ms": "<int>" },
        }),
    );
    server.kill9();
    server.restart();
    assert_eq!(record(&server, &run).await, shown, "it is durable");
    let (status, said) = replay(&shown, &[]);
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");
    assert!(said.contains("comes out the same"), "{said}");
    assert_eq!(reqwest::get(server.http("/runs/run-1-1-1/record")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_run_that_comes_out_differently_is_told_with_the_difference() {
    let server = server();
    let mut client = server.client().await;
    let run = ask(&mut client, "c", "what is 15% of 240?").await;
    let good = record(&server, &run).await;
    let altered = |path: &str, value: Value| {
        let mut record = good.clone();
        *record.pointer_mut(path).unwrap_or_else(|| panic!("{path} in {good}")) = value;
        record
    };
    // The tool brings something else, so the answer is another.
    let (status, said) = replay(&altered("/takes/1/result/text", json!("15% of 240 = 37")), &[]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("comes out differently"), "{said}");
    assert!(said.contains("\n- 15% of 240 = 36") && said.contains("\n+ 15% of 240 = 37"), "{said}");
    // The agent plans differently, and what it wants now is not on the record.
    let (status, said) = replay(&altered("/takes/1/arguments", json!({ "expression": "1 + 1" })), &[]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("not on the record\n+ arithmetic"), "{said}");
    assert!(said.contains("no longer asked for\n- arithmetic {\"expression\":\"1 + 1\"}"), "{said}");
    // Only the words on the way are others: told, and no failure.
    let (status, said) = replay(&altered("/steps/0/content", json!("I will guess.")), &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("steps\n- planning: I will guess.\n+ planning: I will"), "{said}");

    // With another configuration: the agent of that name there has no such tool.
    let folder = tempfile::tempdir().unwrap();
    let agents = folder.path().join("agents");
    std::fs::create_dir(&agents).unwrap();
    let file = "name = \"nyx\"\ntitle = \"t\"\ndescription = \"d\"\ngreeting = \"g\"\ntools = [\"clock\"]\n";
    std::fs::write(agents.join("nyx.toml"), file).unwrap();
    let config = folder.path().join("callboard.toml");
    std::fs::write(&config, format!("[server]\nagents_dir = {agents:?}\n")).unwrap();
    let (status, said) = replay(&good, &["--config", config.to_str().unwrap()]);
    assert_eq!(status, 1, "{said}");

    // What is no record is refused with one line.
    for (bad, why) in [
        (json!({}), "it has no version"),
        (json!({ "version": 2 }), "version 2"),
        (json!({ "version": 1 }), "not the record of a run"),
        (altered("/complete", json!(false)), "does not hold all"),
        (altered("/opening", Value::Null), "what the agent knew"),
    ] {
        let (status, said) = replay(&bad, &[]);
        assert_eq!((status, said.lines().count()), (2, 1), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn runs_that_waited_are_recorded_with_what_was_decided_and_played_again() {
    let server = server();
    let mut client = server.client().await;
    let approved = ask_to_search(&mut client).await;
    let waiting = record(&server, &approved).await;
    expect(
        &waiting,
        json!({
            "takes": [{ "type": "plan" }, { "type": "waited", "calls": [{ "tool": "search" }], "at": "<time>" }],
            "outcome": { "status": "input_required" },
        }),
    );
    let (status, said) = replay(&waiting, &[]);
    assert_eq!(status, 0, "{said}");
    client.send(json!({ "type": "approve", "data": { "runId": approved, "reason": "fine" } })).await;
    client.until(json!({ "type": "chat_response", "id": "s" })).await;
    let shown = record(&server, &approved).await;
    expect(
        &shown,
        json!({
            "takes": [
                { "type": "plan" }, { "type": "waited" },
                { "type": "decided", "approved": true, "by": "<text>", "reason": "fine", "at": "<time>" },
                { "type": "tool", "tool": "search", "result": { "text": "~src/a.rs" } },
            ],
            "outcome": { "status": "completed" }, "timings": { "approval_ms": "<int>" },
        }),
    );
    let (status, said) = replay(&shown, &[]);
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");

    let rejected = ask_to_search(&mut client).await;
    client.send(json!({ "type": "reject", "data": { "runId": rejected } })).await;
    client.until(json!({ "type": "error", "id": "s" })).await;
    let shown = record(&server, &rejected).await;
    expect(&shown, json!({ "outcome": { "status": "failed", "error": { "code": "REJECTED" } } }));
    let (status, said) = replay(&shown, &[]);
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");

    let cancelled = ask_to_search(&mut client).await;
    client.send(json!({ "type": "cancel", "data": { "id": "s" } })).await;
    client.until(json!({ "type": "error", "id": "s" })).await;
    let shown = record(&server, &cancelled).await;
    expect(&shown, json!({ "outcome": { "status": "cancelled", "error": { "code": "CANCELLED" } } }));
    let (status, said) = replay(&shown, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("ended from outside as cancelled"), "{said}");
}

/// A server whose nyx thinks with a model and asks before it computes.
fn with_model(models: &Models) -> Server {
    let lines = format!(
        "tools = [\"arithmetic\", \"clock\"]\napproval = [\"arithmetic\"]\nbrain = \"model\"\n\
         [model]\nname = \"tiny\"\nendpoint = {:?}\n",
        models.endpoint()
    );
    Setup::default().agent("nyx", &lines).start()
}

/// Has the model want to compute; returns the id of the run that waits.
async fn ask_to_compute(client: &mut Client) -> String {
    let data = json!({ "message": "What is 7 times 8?", "conversationId": "c" });
    client.send(json!({ "type": "chat", "id": "s", "targetAgent": "nyx", "data": data })).await;
    let waits = client.until(json!({ "type": "approval_request", "id": "s" })).await;
    expect(&waits, json!({ "data": { "calls": [{ "tool": "arithmetic", "arguments": { "expression": "7*8" } }] } }));
    waits["data"]["runId"].as_str().unwrap().to_owned()
}

/// Decides about a run after the server was killed and started again, and waits for its end.
async fn decide_after_a_restart(server: &mut Server, run: &str, decision: Value) {
    server.restart();
    expect(&get(server, &format!("/runs/{run}")).await, json!({ "status": "input_required" }));
    let mut watcher = server.client().await;
    watcher.send(json!({ "type": "subscribe", "id": "w", "data": { "events": ["run_status"] } })).await;
    watcher.until(json!({ "type": "subscribed", "id": "w" })).await;
    let decided = reqwest::Client::new().post(server.http(&format!("/runs/{run}/approval"))).json(&decision);
    let decided = decided.send().await.unwrap();
    assert_eq!(decided.status(), 200, "{}", decided.text().await.unwrap());
    watcher.until(json!({ "type": "event", "data": { "runId": run, "status": "completed" } })).await;
}

/// What the model was told in its latest question.
fn told(models: &Models) -> Value {
    models.asked().last().unwrap().body["messages"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_model_waits_over_a_restart_and_is_played_again() {
    let uses = calls(&[("clock", "{}"), ("arithmetic", r#"{"expression":"7*8"}"#)]);
    let models = Models::start(vec![uses, says(&["It ", "is 56."])]).await;
    let mut server = with_model(&models);
    let run = ask_to_compute(&mut server.client().await).await;
    decide_after_a_restart(&mut server, &run, json!({ "decision": "approve" })).await;
    assert_eq!(models.asked().len(), 2, "what it said before is not asked for again");
    let shown = record(&server, &run).await;
    let tokens = json!({ "input": 20, "output": 5 });
    expect(
        &shown,
        json!({
            "takes": [
                { "type": "context", "messages": 0, "left_out": 0 },
                { "type": "model", "request": { "model": "tiny", "said": "<array>" }, "result": { "tokens": tokens } },
                { "type": "tool", "tool": "clock" },
                { "type": "waited", "calls": [{ "tool": "arithmetic" }] },
                { "type": "decided", "approved": true },
                { "type": "tool", "tool": "arithmetic", "result": { "text": "~56" } },
                { "type": "model", "result": { "tokens": tokens } },
            ],
            "outcome": { "status": "completed", "answer": "It is 56." },
        }),
    );
    let (status, said) = replay(&shown, &[]);
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");
    // Had the model wanted something else, the run would have been another.
    let mut other = shown.clone();
    other["takes"][1]["result"]["response"]["calls"][1]["arguments"] = json!({ "expression": "7+8" });
    let (status, said) = replay(&other, &[]);
    assert!(status == 1 && said.contains("7+8"), "{said}");
    let mut other = shown;
    other["takes"][6]["result"]["response"]["text"] = json!("It is 15.");
    let (status, said) = replay(&other, &[]);
    assert!(status == 1 && said.contains("It is 15."), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_refused_a_tool_is_told_and_goes_on() {
    let uses = calls(&[("arithmetic", r#"{"expression":"7*8"}"#)]);
    let models = Models::start(vec![uses.clone(), says(&["I may not."]), uses, says(&["So be it."])]).await;
    let mut server = with_model(&models);
    let mut client = server.client().await;
    let run = ask_to_compute(&mut client).await;
    client.send(json!({ "type": "reject", "id": "no", "data": { "runId": run, "reason": "not today" } })).await;
    let answer = client.until(json!({ "type": "chat_response", "id": "s" })).await;
    assert_eq!(answer["data"]["response"], "I may not.");
    let result = told(&models).as_array().unwrap().last().unwrap()["content"].clone();
    let result = result.as_str().unwrap();
    assert!(result.contains("did not approve the use of arithmetic") && result.contains("not today"), "{result}");
    let shown = record(&server, &run).await;
    expect(&shown, json!({ "outcome": { "status": "completed", "answer": "I may not." } }));
    expect(&shown["steps"][2], json!({ "kind": "action", "content": "~not today" }));
    let (status, said) = replay(&shown, &[]);
    assert_eq!((status, said.lines().count()), (0, 1), "{said}");

    let run = ask_to_compute(&mut client).await;
    decide_after_a_restart(&mut server, &run, json!({ "decision": "reject", "reason": "nor tomorrow" })).await;
    assert!(told(&models).to_string().contains("nor tomorrow"), "{}", told(&models));
}

#[tokio::test]
async fn a_record_is_for_those_who_may_see_the_run() {
    let server = server();
    let token = |tenant: &str, agent: &str| server.tool(&["token", "--tenant", tenant, "--agent", agent]);
    let (ann, bob, other) = (token("t", "ann"), token("t", "bob"), token("u", "ann"));
    let mut client = server.connect(&format!("/chat/ws?token={ann}")).await;
    let mut socket = server.connect(&format!("/ws?token={ann}")).await;
    socket.ask(json!({ "type": "subscribe", "id": "s", "data": { "events": ["approval_request"] } })).await;
    let thread = "6a1f0f0e-2f4e-4d0c-9c55-3d2c7f2f4a11";
    client.send(json!({ "type": "message", "thread_id": thread, "content": "search for toolbox in src", "agent_id": "nyx" })).await;
    let received = client.until(json!({ "type": "message_received" })).await;
    let run = received["job_id"].as_str().unwrap();
    // The thread is hers alone: so are the run, its record and the decision.
    let http = reqwest::Client::new();
    let waits = async |token: &str| {
        let got = http.get(server.http(&format!("/runs/{run}"))).bearer_auth(token).send().await.unwrap();
        (got.status().as_u16(), got.json::<Value>().await.unwrap()["status"].clone())
    };
    socket.expect(json!({ "type": "event", "data": { "eventType": "approval_request", "runId": run } })).await;
    assert_eq!(waits(&ann).await.1, "input_required");
    for stranger in [&bob, &other] {
        assert_eq!(waits(stranger).await.0, 404);
        let got = http.get(server.http(&format!("/runs/{run}/record"))).bearer_auth(stranger).send().await.unwrap();
        assert_eq!(got.status(), 404);
        let body = json!({ "decision": "approve" });
        let post = http.post(server.http(&format!("/runs/{run}/approval"))).bearer_auth(stranger).json(&body);
        assert_eq!(post.send().await.unwrap().status(), 404);
        let mut theirs = server.connect(&format!("/ws?token={stranger}")).await;
        let refused = theirs.ask(json!({ "type": "approve", "id": "a", "data": { "runId": run } })).await;
        assert_eq!(refused["data"]["code"], "RUN_NOT_FOUND", "{refused}");
    }
    // On another socket of hers.
    let decided = socket.ask(json!({ "type": "approve", "id": "a", "data": { "runId": run } })).await;
    assert_eq!(decided["type"], "approved", "{decided}");
    client.until(json!({ "type": "message", "role": "assistant", "content": "~src/a.rs" })).await;
    let got = http.get(server.http(&format!("/runs/{run}/record"))).bearer_auth(&ann).send().await.unwrap();
    expect(&got.json().await.unwrap(), json!({ "opening": { "private": true }, "takes": "<array>" }));
}
