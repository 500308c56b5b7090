//! Agents that think with models, on the wire: pieces, steps, handoffs, questions among agents, approval, keys.

use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::models::{Act, Models, begun, calls, end, says, status, word};
use crate::harness::server::{Server, Setup};

/// The lines of an agent whose model is at `endpoint`.
fn model(endpoint: &str, more: &str) -> String {
    format!(
        "tools = [\"arithmetic\", \"clock\"]\nbrain = \"model\"\n{more}\n\
         [model]\nname = \"tiny\"\nendpoint = \"{endpoint}\"\n[model.retries]\nfirst_seconds = 0.001\n"
    )
}

fn chat(id: &str, agent: &str, message: &str) -> Value {
    json!({ "type": "chat", "id": id, "targetAgent": agent, "data": { "message": message, "conversationId": "c" } })
}

async fn get(server: &Server, path: &str) -> Value {
    let response = reqwest::get(server.http(path)).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_models_words_stream_through_the_dialects() {
    let models = Models::start(vec![says(&["It ", "is ", "56."])]).await;
    let server = Setup::default().agent("nyx", &model(&models.endpoint(), "")).start();
    let mut client = server.client().await;
    let asked = json!({ "type": "chat", "id": "a", "targetAgent": "nyx",
        "data": { "message": "7 times 8?", "conversationId": "c", "stream": true } });
    client.send(asked).await;
    let mut said = String::new();
    while said != "It is 56." {
        let chunk = client.until(json!({ "type": "chat_chunk" })).await;
        said.push_str(chunk["data"]["delta"].as_str().unwrap());
    }
    let answer = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!(answer["data"]["response"], "It is 56.");

    let mut steps = server.connect("/chat/s1").await;
    steps.send(json!({ "type": "client", "message": "7 times 8?", "message_id": "m1" })).await;
    steps.until(json!({ "type": "message_end", "message_id": "m1" })).await;
    let history = get(&server, "/history/s1").await;
    assert_eq!(history.as_array().unwrap().last().unwrap()["content"], "It is 56.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_model_does_is_seen_as_it_happens_and_kept() {
    let first = calls(&[("arithmetic", r#"{"expression":"7*8"}"#)]);
    let models = Models::start(vec![first, says(&["56."])]).await;
    let server = Setup::default().agent("nyx", &model(&models.endpoint(), "")).start();
    let mut client = server.client().await;
    for stream in ["thoughts", "actions"] {
        client.send(json!({ "type": "subscribe", "id": "s", "data": { "stream": stream } })).await;
    }
    client.send(chat("a", "nyx", "7 times 8?")).await;
    let thought = client.until(json!({ "type": "stream_data" })).await;
    assert_eq!(thought["data"]["tokens"], json!({ "input": 20, "output": 5 }), "{thought}");
    let action = client.until(json!({ "type": "stream_data" })).await;
    assert_eq!((&action["data"]["tool"], &action["data"]["ok"]), (&json!("arithmetic"), &json!(true)), "{action}");
    assert_eq!(action["data"]["arguments"]["expression"], "7*8");
    assert!(action["data"]["result"].as_str().unwrap().contains("56"));
    let answer = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    let run = answer["data"]["messageId"].as_str().unwrap().replace("msg-", "run-");
    let report = get(&server, &format!("/runs/{run}")).await;
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps[0]["tokens"], json!({ "input": 20, "output": 5 }), "{report}");
    assert_eq!((&steps[1]["tool"], &steps[1]["ok"]), (&json!("arithmetic"), &json!(true)));
    assert!(steps[1]["result"].as_str().unwrap().contains("tool_output"), "{report}");
    let record = get(&server, &format!("/runs/{run}/record")).await.to_string();
    assert!(record.contains("\"model\"") && !record.contains(&models.address), "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_hands_over_and_the_taker_answers() {
    let reason = r#"{"reason":"Sage knows this."}"#;
    let models = Models::start(vec![calls(&[("transfer_to_sage", reason)]), says(&["I am sage."])]).await;
    let lines = model(&models.endpoint(), "");
    let server = Setup::default().agent("nyx", &lines).agent("sage", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "Who made this?")).await;
    let first = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!(first["data"]["response"], "I hand this over to sage: Sage knows this.");
    assert_eq!(first["data"]["turn"], json!({ "index": 1, "of": 2 }));
    let handoff = client.until(json!({ "type": "agent_handoff" })).await;
    assert_eq!((&handoff["data"]["fromAgent"], &handoff["data"]["toAgent"]), (&json!("nyx"), &json!("sage")));
    assert_eq!(handoff["data"]["reason"], "Sage knows this.");
    let second = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!((&second["data"]["agentId"], &second["data"]["response"]), (&json!("sage"), &json!("I am sage.")));

    // The taker saw the conversation and the reason, and what was asked.
    let told = models.asked()[1].body["messages"].to_string();
    for part in [
        "You are sage",
        "I hand this over",
        "nyx handed the conversation over to sage: Sage knows this.",
        "Who made this?",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let messages = get(&server, "/conversations/c/messages").await.to_string();
    assert!(messages.contains("nyx handed the conversation over to sage: Sage knows this."), "{messages}");

    // From here on the taker leads.
    client.send(json!({ "type": "chat", "id": "b", "data": { "message": "And now?", "conversationId": "c" } })).await;
    let third = client.until(json!({ "type": "chat_response", "id": "b" })).await;
    assert_eq!(third["data"]["agentId"], "sage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_hand_over_to_each_other_are_ended() {
    let over = |to: &str| calls(&[(to, r#"{"reason":"not mine"}"#)]);
    let mut scripts = Vec::new();
    for _ in 0..4 {
        scripts.extend([over("transfer_to_sage"), over("transfer_to_nyx")]);
    }
    let models = Models::start(scripts).await;
    let lines = model(&models.endpoint(), "");
    let server = Setup::default().agent("nyx", &lines).agent("sage", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "Whose is this?")).await;
    let error = client.until(json!({ "type": "error" })).await;
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(models.asked().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_another_and_goes_on_with_its_answer() {
    let question = calls(&[("ask_parrot", r#"{"question":"polly"}"#)]);
    let models = Models::start(vec![question, says(&["It said polly."])]).await;
    let lines = model(&models.endpoint(), "");
    let server = Setup::default().agent("nyx", &lines).agent("parrot", "brain = \"echo\"").start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "Ask the parrot.")).await;
    let answer = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!(answer["data"]["response"], "It said polly.");
    let told = models.asked()[1].body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    assert_eq!(told, "<tool_output tool=\"ask_parrot\">\npolly\n</tool_output>");
    let run = answer["data"]["messageId"].as_str().unwrap().replace("msg-", "run-");
    let steps = get(&server, &format!("/runs/{run}")).await["steps"].to_string();
    assert!(steps.contains("ask_parrot"), "{steps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_ask_each_other_do_not_wait_for_ever() {
    // nyx asks sage, and sage would ask nyx, who waits for this very answer.
    let ask = |to: &str| calls(&[(to, r#"{"question":"you?"}"#)]);
    let models =
        Models::start(vec![ask("ask_sage"), ask("ask_nyx"), says(&["I cannot ask."]), says(&["So be it."])]).await;
    let lines = model(&models.endpoint(), "");
    let server = Setup::default().agent("nyx", &lines).agent("sage", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "Well?")).await;
    let answer = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!(answer["data"]["response"], "So be it.");
    let refused = models.asked()[2].body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    assert!(refused.as_str().unwrap().contains("waits for this very answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_models_tool_waits_for_approval_and_is_used_once() {
    let first = calls(&[("clock", "{}"), ("arithmetic", r#"{"expression":"7*8"}"#)]);
    let models = Models::start(vec![first, says(&["56."])]).await;
    let lines = model(&models.endpoint(), "approval = [\"arithmetic\"]");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "7 times 8?")).await;
    let request = client.until(json!({ "type": "approval_request" })).await;
    let run = request["data"]["runId"].as_str().unwrap().to_owned();
    assert_eq!(models.asked().len(), 1);
    let decided = reqwest::Client::new().post(server.http(&format!("/runs/{run}/approval")));
    let decided = decided.json(&json!({ "decision": "approve" })).send().await.unwrap();
    assert!(decided.status().is_success(), "{}", decided.text().await.unwrap());
    let answer = client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert_eq!(answer["data"]["response"], "56.");
    assert_eq!(models.asked().len(), 2, "what it said before is not asked for again");
    let steps = get(&server, &format!("/runs/{run}")).await["steps"].clone();
    let used: Vec<_> = steps.as_array().unwrap().iter().filter_map(|step| step["tool"].as_str()).collect();
    assert_eq!(used, ["clock", "arithmetic"], "{steps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_as_a_whole_has_its_time_and_gives_the_model_up_after_it() {
    let models = Models::start(vec![vec![begun(), word("It"), Act::Stall]]).await;
    let server = Setup::default().agent("nyx", &model(&models.endpoint(), "limits.run_seconds = 3")).start();
    let mut client = server.client().await;
    client.send(chat("a", "nyx", "7 times 8?")).await;
    let error = client.until(json!({ "type": "error", "id": "a" })).await;
    assert_eq!(error["data"]["code"], "TIMEOUT", "{error}");
    models.hung_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_uses_tools_of_servers_and_a_dead_one_costs_their_use_alone() {
    let mut far = Setup::default().agent("parrot", "brain = \"echo\"").start();
    let ask = calls(&[("far_ask_parrot", r#"{"message":"polly"}"#), ("clock", "{}")]);
    let models = Models::start(vec![ask.clone(), says(&["It said polly."]), ask, says(&["It is away."])]).await;
    let setup = Setup::with(&format!("[mcp.far]\nurl = {:?}\n", far.http("/mcp")));
    let server = setup.agent("nyx", &model(&models.endpoint(), "mcp = [\"far\"]")).start();
    let began = std::time::Instant::now();
    while get(&server, "/status").await["mcp"][0]["status"] != "up" {
        assert!(began.elapsed() < PATIENCE, "it is not there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut client = server.client().await;
    let results = |request: usize| {
        let messages = models.asked()[request].body["messages"].clone();
        let told = messages.as_array().unwrap().iter().rev().take(2).map(|said| said["content"].to_string());
        told.collect::<Vec<_>>()
    };
    client.send(chat("a", "nyx", "Ask the parrot far away.")).await;
    client.until(json!({ "type": "chat_response", "id": "a" })).await;
    assert!(results(1)[1].contains("polly"), "{:?}", results(1));

    far.kill9();
    client.send(chat("b", "nyx", "And now?")).await;
    let answer = client.until(json!({ "type": "chat_response", "id": "b" })).await;
    assert_eq!(answer["data"]["response"], "It is away.");
    let told = results(3);
    assert!(told[1].contains("Error: ") && !told[0].contains("Error: "), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_told_what_it_remembers_until_that_is_forgotten() {
    let remember = calls(&[("remember", r#"{"text":"the deploy is on Friday"}"#)]);
    let models = Models::start(vec![remember, says(&["Noted."]), says(&["On Friday."]), says(&["I forgot."])]).await;
    let lines = model(&models.endpoint(), "").replace("\"clock\"", "\"remember\"");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    client.send(json!({ "type": "subscribe", "id": "s", "data": { "events": ["memory_update"] } })).await;
    client.send(chat("a", "nyx", "Remember that the deploy is on Friday.")).await;
    let update = client.until(json!({ "type": "event", "data": { "eventType": "memory_update" } })).await;
    client.until(json!({ "type": "chat_response", "id": "a" })).await;
    let asked = |id: &str| {
        json!({ "type": "chat", "id": id, "targetAgent": "nyx",
            "data": { "message": "When is the deploy?", "conversationId": id } })
    };
    let told = || models.asked().last().unwrap().body["messages"][0]["content"].to_string();
    client.send(asked("b")).await;
    client.until(json!({ "type": "chat_response", "id": "b" })).await;
    assert!(told().contains("the deploy is on Friday"), "{}", told());

    let memory = update["data"]["memoryId"].as_str().unwrap();
    let path = server.http(&format!("/agents/nyx/memory/{memory}"));
    let forgotten = reqwest::Client::new().delete(path).send().await.unwrap();
    assert!(forgotten.status().is_success(), "{}", forgotten.text().await.unwrap());
    client.send(asked("d")).await;
    client.until(json!({ "type": "chat_response", "id": "d" })).await;
    assert!(!told().contains("Friday"), "{}", told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_model_is_told_is_bounded_and_what_is_left_out_is_on_record() {
    let models = Models::start(vec![says(&["So it is."])]).await;
    let lines = model(&models.endpoint(), "").replace("[model.retries]", "context = { tokens = 400 }\n[model.retries]");
    let server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    let mut answer = Value::Null;
    for number in 0..12 {
        let id = format!("q{number}");
        client.send(chat(&id, "nyx", &format!("Fact {number}: {}", "the herons came back. ".repeat(8)))).await;
        answer = client.until(json!({ "type": "chat_response", "id": id })).await;
    }
    let messages = models.asked().last().unwrap().body["messages"].clone();
    assert!(messages.to_string().len() < 4 * 600 && messages[0]["content"].to_string().contains("You are nyx"));
    assert!(messages.as_array().unwrap().last().unwrap()["content"].to_string().contains("Fact 11"), "{messages}");
    let run = answer["data"]["messageId"].as_str().unwrap().replace("msg-", "run-");
    let record = get(&server, &format!("/runs/{run}/record")).await;
    let context = &record["takes"][0];
    let count = |name: &str| context[name].as_u64().unwrap();
    assert_eq!(context["type"], "context", "{record}");
    assert_eq!(count("messages") + count("summarized") + count("left_out"), 22, "{context}");
    assert!(count("messages") > 0 && count("messages") < 22 && count("tokens") <= 400, "{context}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_of_openai_are_told_has_the_models_tokens() {
    let first = calls(&[("arithmetic", r#"{"expression":"7*8"}"#)]);
    let models = Models::start(vec![first, says(&["It ", "is ", "56."])]).await;
    let server = Setup::default().agent("nyx", &model(&models.endpoint(), "")).start();
    let body = json!({ "model": "nyx", "messages": [{ "role": "user", "content": "7 times 8?" }] });
    let request = reqwest::Client::new().post(server.http("/v1/chat/completions")).timeout(PATIENCE).json(&body);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "It is 56.", "{answer}");
    let usage = &answer["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(40), &json!(10)), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_hangs_up_on_the_model() {
    let models = Models::start(vec![vec![begun(), word("It"), Act::Stall]]).await;
    let server = Setup::default().agent("nyx", &model(&models.endpoint(), "")).start();
    let mut client = server.client().await;
    let asked = json!({ "type": "chat", "id": "a", "targetAgent": "nyx",
        "data": { "message": "7 times 8?", "conversationId": "c", "stream": true } });
    client.send(asked).await;
    client.until(json!({ "type": "chat_chunk" })).await;
    client.send(json!({ "type": "cancel", "id": "x", "data": { "id": "a" } })).await;
    models.hung_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_shown_nowhere() {
    let echo = "{\"error\":{\"message\":\"wrong key sk-s3cret\"}}";
    let broken = vec![begun(), word("It"), end()];
    let models = Models::start(vec![status(401, "", echo), broken]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sk-s3cret").unwrap();
    let lines = model(&models.endpoint(), "").replace(
        "name = \"tiny\"",
        &format!("name = \"tiny\"\nkey_file = \"{}\"", folder.path().join("key").display()),
    );
    let server = Setup::with("log.filter = \"trace\"").agent("nyx", &lines).start();
    let mut client = server.client().await;
    for id in ["a", "b"] {
        client.send(chat(id, "nyx", "7 times 8?")).await;
        let error = client.until(json!({ "type": "error" })).await;
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(models.asked()[0].head.contains("sk-s3cret"));
    for path in ["/status", "/agents", "/metrics", "/conversations/c/messages"] {
        let text = reqwest::get(server.http(path)).await.unwrap().text().await.unwrap();
        assert!(!text.contains("s3cret") && !text.contains("key\""), "{path}: {text}");
    }
    let metrics = reqwest::get(server.http("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("callboard_model_requests_total"), "{metrics}");
    assert!(!server.stderr().contains("s3cret"), "{}", server.stderr());
}
