//! What a collector of OpenTelemetry is told, and how a trace goes on from server to server.

use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::collector::{Collector, Kept};
use crate::harness::models::{Models, calls, says, status};
use crate::harness::rest::{get, token};
use crate::harness::server::{Server, Setup};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

fn telling(collector: &Collector, service: &str) -> String {
    format!("[telemetry]\notlp = {:?}\nservice = \"{service}\"\n", collector.address())
}

fn named(name: &str, trace: &str) -> impl Fn(&Kept) -> bool {
    move |kept| kept.span.name == name && kept.trace() == trace
}

async fn complete(server: &Server, content: &str, traceparent: Option<String>) -> Value {
    let body = json!({ "model": "nyx", "messages": [{ "role": "user", "content": content }] });
    let mut request = Client::new().post(server.http("/v1/chat/completions")).timeout(PATIENCE).json(&body);
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_and_its_tools_are_spans_in_the_trace_of_the_request() {
    let collector = Collector::start().await;
    let server = Server::with(&telling(&collector, "board"));
    let answer = complete(&server, "what is 6 times 7?", Some(traceparent("01"))).await;
    let run = collector.until(named("invoke_agent nyx", TRACE)).await;
    assert_eq!((run.service.as_str(), run.parent().as_str()), ("board", SPAN));
    for (name, value) in [
        ("gen_ai.operation.name", "invoke_agent"),
        ("gen_ai.agent.name", "nyx"),
        ("gen_ai.conversation.id", answer["metadata"]["conversation_id"].as_str().unwrap()),
        ("callboard.run.id", answer["metadata"]["run_id"].as_str().unwrap()),
    ] {
        assert_eq!(run.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let tool = collector.until(named("execute_tool arithmetic", TRACE)).await;
    assert_eq!(tool.parent(), run.id());
    assert_eq!(tool.attributes["gen_ai.tool.name"], "arithmetic");
    assert!(run.span.start_time_unix_nano <= tool.span.start_time_unix_nano);
    assert!(tool.span.end_time_unix_nano <= run.span.end_time_unix_nano);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_may_say_where_it_stands_in_a_trace_and_what_is_asked_of_others_says_it_too() {
    let collector = Collector::start().await;
    let server = Server::with(&telling(&collector, "board"));
    let token = token(&server, "default", "far", &[]);
    let mut agent = server.connect(&format!("/v1/ws?token={token}")).await;
    agent.send(json!({ "type": "heartbeat", "id": "here" })).await;
    agent.until(json!({ "type": "ACK" })).await;

    let mut client = server.client().await;
    let data = json!({ "message": "are you there?" });
    let chat =
        json!({ "id": "c", "type": "chat", "targetAgent": "far", "data": data, "traceparent": traceparent("01") });
    client.send(chat).await;
    let asked = agent.until(json!({ "metadata": { "run_id": "<id>" } })).await;
    let passed_on = asked["metadata"]["traceparent"].as_str().unwrap().to_owned();
    agent.send(json!({ "type": "message", "id": "r", "reply_to": asked["id"], "content": "yes" })).await;
    client.until(json!({ "type": "chat_response" })).await;
    let run = collector.until(named("invoke_agent far", TRACE)).await;
    assert_eq!(run.parent(), SPAN);
    assert_eq!(passed_on, format!("00-{TRACE}-{}-01", run.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_models_and_of_other_agents_stands_in_the_trace() {
    let collector = Collector::start().await;
    let question = calls(&[("ask_parrot", r#"{"question":"polly"}"#)]);
    let models = Models::start(vec![status(503, "", "{}"), question, says(&["It said polly."])]).await;
    let lines = format!(
        "tools = []\nbrain = \"model\"\n[model]\nname = \"tiny\"\nendpoint = {:?}\nmax_tokens = 77\n\
         [model.retries]\nfirst_seconds = 0.001\n",
        models.endpoint()
    );
    let server =
        Setup::with(&telling(&collector, "board")).agent("nyx", &lines).agent("parrot", "brain = \"echo\"").start();
    complete(&server, "ask the parrot", Some(traceparent("01"))).await;
    let run = collector.until(named("invoke_agent nyx", TRACE)).await;
    let told = |place: &Kept| format!("traceparent: 00-{TRACE}-{}-01", place.id());
    let mut asked = Vec::new();
    for request in models.asked() {
        // The question to the model that came with this header.
        let head = request.head.clone();
        asked.push(collector.until(move |kept| kept.span.name == "chat tiny" && head.contains(&told(kept))).await);
    }
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|chat| chat.parent() == run.id() && chat.span.kind == 3));
    assert_eq!(asked[0].attributes["error.type"], "AGENT_FAILED");
    let tokens = ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"];
    assert!(!asked[0].attributes.contains_key(tokens[0]), "{:?}", asked[0]);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "tiny"),
        ("gen_ai.request.max_tokens", "77"),
        (tokens[0], "20"),
        (tokens[1], "5"),
        ("gen_ai.response.finish_reasons", "tool_calls"),
    ] {
        assert_eq!(asked[1].attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let tool = collector.until(named("execute_tool ask_parrot", TRACE)).await;
    assert_eq!((tool.parent(), tool.attributes["gen_ai.tool.call.id"].as_str()), (run.id(), "call-0"));
    let other = collector.until(named("invoke_agent parrot", TRACE)).await;
    assert_eq!(other.parent(), tool.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_and_what_agents_send_each_other_stand_in_the_trace_too() {
    let collector = Collector::start().await;
    let server = Server::with(&telling(&collector, "board"));
    let task = Client::new().post(server.http("/agent/run")).timeout(PATIENCE);
    let task = task.header("traceparent", traceparent("01")).json(&json!({ "task": "what is 6 times 7?" }));
    assert_eq!(task.send().await.unwrap().status().as_u16(), 200);
    assert_eq!(collector.until(named("invoke_agent nyx", TRACE)).await.parent(), SPAN);

    let way = |name: &str| format!("/v1/ws?token={}", token(&server, "default", name, &[]));
    let (mut a, mut b) = (server.connect(&way("a")).await, server.connect(&way("b")).await);
    b.send(json!({ "type": "heartbeat", "id": "here" })).await;
    b.until(json!({ "type": "ACK" })).await;
    a.send(json!({ "type": "message", "target": "b", "content": "x", "traceparent": traceparent("01") })).await;
    let came = b.until(json!({ "type": "message" })).await;
    assert_eq!(came["metadata"]["traceparent"], traceparent("01"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_in_another_server() {
    let collector = Collector::start().await;
    let far = Server::with(&telling(&collector, "far"));
    let config = format!("{}[mcp.far]\nurl = {:?}\n", telling(&collector, "near"), far.http("/mcp"));
    let near = Setup::with(&config).agent("nyx", "tools = []\nmcp = [\"far\"]").start();
    let began = std::time::Instant::now();
    while get(&near, "/status", "").await["mcp"][0]["status"] != "up" {
        assert!(began.elapsed() < PATIENCE, "it is not there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut client = near.client().await;
    let data = json!({ "instruction": "far_ask_nyx", "parameters": { "message": "what is 6 times 7?" } });
    let command = json!({ "id": "c", "type": "command", "data": data, "traceparent": traceparent("01") });
    client.ask(command).await;
    let tool = collector.until(named("execute_tool far_ask_nyx", TRACE)).await;
    let beyond = collector.until(|kept| kept.service == "far" && kept.span.name == "invoke_agent nyx").await;
    assert_eq!((tool.service.as_str(), beyond.trace().as_str()), ("near", TRACE));
    assert_eq!(beyond.parent(), tool.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_that_nobody_keeps_is_not_told_and_the_last_spans_are() {
    let collector = Collector::start().await;
    let mut server = Server::with(&telling(&collector, "board"));
    complete(&server, "what is 6 times 7?", Some(traceparent("00"))).await;
    complete(&server, "what is 6 times 8?", None).await;
    // What a stopping server has not sent yet it sends.
    assert!(server.terminate().success());
    let kept = collector.kept();
    let runs: Vec<&Kept> = kept.iter().filter(|kept| kept.span.name == "invoke_agent nyx").collect();
    assert_eq!(runs.len(), 1, "{kept:#?}");
    assert!(runs[0].trace() != TRACE && runs[0].parent().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_keeps_nobody_from_working() {
    let mut server = Server::with("[telemetry]\notlp = \"http://127.0.0.1:9\"");
    for _ in 0..3 {
        complete(&server, "what is 6 times 7?", None).await;
    }
    assert!(server.terminate().success());
}
