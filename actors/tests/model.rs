//! The brain with a model, against a server that does what each test wants of it, good and bad.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/harness/models.rs"]
mod models;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callboard_actors::agent::persona::Persona;
use callboard_actors::brain::company::Nobody;
use callboard_actors::brain::materials::Materials;
use callboard_actors::brain::{Brief, Sink, maker, think};
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::ledger::Ledger;
use callboard_actors::memory::Memory;
use callboard_actors::protocol::{
    AgentId, AgentName, Answer, Code, ConversationId, Error, Event, MessageId, Mood, Run, RunId, RunKind, Step,
    StepKind, TenantId, Timestamp, Trail, Turn,
};
use callboard_actors::spans::Trace;
use models::{Act, Models, begun, calls, end, event, head, piece, says, status, stop, word};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Heard {
    steps: Mutex<Vec<Step>>,
    pieces: Mutex<String>,
    spoke: Notify,
}

impl Sink for Heard {
    fn step(&self, step: Step) {
        self.steps.lock().unwrap().push(step);
    }

    fn delta(&self, piece: &str) {
        self.pieces.lock().unwrap().push_str(piece);
        self.spoke.notify_one();
    }

    fn notice(&self, _event: Event) {}
}

/// An agent with a model, and what it is told.
struct Agent {
    persona: Persona,
    materials: Materials,
    stream: bool,
    content: String,
    cancelled: CancellationToken,
    colleagues: Vec<(AgentName, Vec<String>)>,
    _folder: tempfile::TempDir,
}

impl Agent {
    /// An agent whose model is at `endpoint`; `more` is put into its table `[model]`.
    fn new(endpoint: &str, more: &str) -> Self {
        let text = format!(
            "name = \"nyx\"\ntitle = \"t\"\ndescription = \"d\"\ngreeting = \"g\"\n\
             tools = [\"arithmetic\", \"clock\"]\nbrain = \"model\"\n\
             [model]\nname = \"tiny\"\nendpoint = \"{endpoint}\"\n{more}\n"
        );
        let persona: Persona = toml::from_str(&text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(folder.path(), Options::default()).unwrap();
        let memory = Arc::new(Memory::new(journal.clone()));
        let materials = Materials::new(".".into(), memory, Arc::new(Ledger::new(journal)));
        let content = "What is 7 times 8?".to_owned();
        let (cancelled, colleagues) = (CancellationToken::new(), Vec::new());
        Self { persona, materials, stream: true, content, cancelled, colleagues, _folder: folder }
    }

    fn brief(&self) -> Brief {
        let (tenant, name) = (TenantId::trusted("t"), self.persona.name.clone());
        let run = Run {
            id: RunId::trusted("run-1-1-1"),
            kind: RunKind::Chat,
            agent_id: AgentId::of(&tenant, &name),
            agent: name,
            conversation: ConversationId::trusted("c"),
            asked_by: MessageId::random(),
            asked_at: 1,
            request_id: None,
            turn: Turn::ONLY,
            created_at: Timestamp::now(),
        };
        Brief {
            run: Arc::new(run),
            tenant,
            owner: None,
            persona: Arc::new(self.persona.clone()),
            mood: Mood::default(),
            colleagues: self.colleagues.clone().into(),
            content: self.content.clone(),
            parameters: Value::Null,
            history: Vec::new(),
            stream: self.stream,
            deadline: Instant::now() + Duration::from_secs(600),
            cancelled: self.cancelled.clone(),
            trail: Trail::default(),
            company: Arc::new(Nobody),
            tape: Arc::default(),
            trace: Trace::default(),
        }
    }

    async fn ask(&self) -> (Result<Answer, Error>, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        let brain = maker::make(&self.persona, &self.materials).unwrap();
        (think(brain, self.brief(), heard.clone()).await, heard)
    }

    async fn fails(&self) -> Error {
        self.ask().await.0.unwrap_err()
    }
}

/// An address that nobody listens at and nobody else can have meanwhile.
struct Gone(tokio::net::TcpSocket);

impl Gone {
    fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    fn endpoint(&self) -> String {
        format!("http://{}/v1", self.0.local_addr().unwrap())
    }
}

/// Retries without waiting to speak of.
const SWIFT: &str = "[model.retries]\nfirst_seconds = 0.001\n";
/// None.
const ONCE: &str = "[model.retries]\ntimes = 0\n";

#[tokio::test]
async fn an_answer_comes_in_pieces_and_is_counted() {
    let server = Models::start(vec![says(&["It ", "is ", "56."])]).await;
    let agent = Agent::new(&server.endpoint(), "temperature = 0.5\nmax_tokens = 99\ninstructions = \"Be kind.\"");
    let (answer, heard) = agent.ask().await;
    assert_eq!(answer.unwrap().text, "It is 56.");
    assert_eq!(*heard.pieces.lock().unwrap(), "It is 56.");
    let steps = heard.steps.lock().unwrap().clone();
    assert_eq!(steps.iter().map(|step| step.kind).collect::<Vec<_>>(), [StepKind::Answer]);
    let tokens = steps[0].tokens.unwrap();
    assert_eq!((tokens.input, tokens.output), (20, 5));
    let used = agent.materials.ledger.used(&TenantId::trusted("t"), &agent.persona.name, Timestamp::now()).unwrap();
    assert_eq!((used.agent, used.tenant), (25, 25));

    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /v1/chat/completions");
    let body = &asked[0].body;
    assert_eq!((&body["model"], &body["temperature"], &body["max_tokens"]), (&json!("tiny"), &json!(0.5), &json!(99)));
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("You are nyx, t. d") && system.contains("Be kind."), "{system}");
    assert_eq!(body["messages"][1]["content"], "What is 7 times 8?");
    let tools: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(tools, ["arithmetic", "clock"]);
}

#[tokio::test]
async fn tools_are_used_and_their_output_goes_back_as_data() {
    let first = calls(&[("arithmetic", r#"{"expression":"7*8"}"#), ("clock", "{}")]);
    let server = Models::start(vec![first, says(&["56."])]).await;
    let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
    assert_eq!(answer.unwrap().text, "56.");
    let steps = heard.steps.lock().unwrap().clone();
    let kinds: Vec<_> = steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Planning, StepKind::Action, StepKind::Action, StepKind::Answer]);
    let call = steps[1].call.as_ref().unwrap();
    assert_eq!((call.tool.as_str(), call.arguments.as_str(), call.ok), ("arithmetic", r#"{"expression":"7*8"}"#, true));
    assert!(call.result.contains("56") && steps[0].tokens.is_some());

    let asked = server.asked();
    let messages = asked[1].body["messages"].as_array().unwrap();
    let said = &messages[2]["tool_calls"];
    assert_eq!((&said[0]["id"], &said[1]["id"]), (&json!("call-0"), &json!("call-1")));
    assert_eq!(messages[3]["tool_call_id"], "call-0");
    let told = messages[3]["content"].as_str().unwrap();
    assert!(told.starts_with("<tool_output tool=\"arithmetic\">\n") && told.contains("56"), "{told}");
    assert_eq!(messages[4]["tool_call_id"], "call-1");
}

#[tokio::test]
async fn words_before_a_tool_are_the_beginning_of_the_answer() {
    let mut first = vec![begun(), word("Let me see.")];
    first.extend(calls(&[("clock", "{}")]).into_iter().skip(1));
    let server = Models::start(vec![first, says(&["It is late."])]).await;
    let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
    assert_eq!(answer.unwrap().text, "Let me see.\n\nIt is late.");
    assert_eq!(*heard.pieces.lock().unwrap(), "Let me see.\n\nIt is late.");
}

#[tokio::test]
async fn arguments_that_do_not_fit_go_back_once_and_then_fail_the_run() {
    for bad in [("arithmetic", "{\"expression\":"), ("arithmetic", "{\"expression\": 3}"), ("teapot", "{}")] {
        let right = calls(&[("arithmetic", r#"{"expression":"7*8"}"#)]);
        let server = Models::start(vec![calls(&[bad]), right, says(&["56."])]).await;
        let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
        assert_eq!(answer.unwrap().text, "56.", "{bad:?}");
        let steps = heard.steps.lock().unwrap().clone();
        assert!(!steps[1].call.as_ref().unwrap().ok);
        let told = server.asked()[1].body["messages"][3]["content"].to_string();
        assert!(told.contains("rror"), "{told}");

        let server = Models::start(vec![calls(&[bad]), calls(&[bad]), says(&["never"])]).await;
        let error = Agent::new(&server.endpoint(), "").fails().await;
        assert_eq!(error.code, Code::AgentFailed);
        assert!(error.details.contains("wrongly again"), "{error}");
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn a_model_that_only_uses_tools_is_ended_after_its_steps() {
    let server = Models::start(vec![calls(&[("clock", "{}")])]).await;
    let error = Agent::new(&server.endpoint(), "").fails().await;
    assert!(error.details.contains("8 times"), "{error}");
    assert_eq!(server.asked().len(), 8);
    let server = Models::start(vec![calls(&[("clock", "{}")])]).await;
    Agent::new(&server.endpoint(), "steps = 2").fails().await;
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn no_more_is_done_at_once_than_may_be() {
    let server = Models::start(vec![calls(&[("clock", "{}"); 11]), says(&["done"])]).await;
    let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
    answer.unwrap();
    let done: Vec<bool> = heard.steps.lock().unwrap().iter().filter_map(|step| Some(step.call.as_ref()?.ok)).collect();
    assert_eq!(done, [[true; 8].as_slice(), &[false; 3]].concat());
}

#[tokio::test]
async fn a_stream_without_its_end_marker_is_no_answer() {
    let openai = vec![begun(), word("It is"), end()];
    let stopped = vec![begun(), word("It is"), stop("stop").remove(0), end()];
    for script in [openai, stopped] {
        let server = Models::start(vec![script]).await;
        let (answer, heard) = Agent::new(&server.endpoint(), SWIFT).ask().await;
        let error = answer.unwrap_err();
        assert!(error.details.contains("before its end marker"), "{error}");
        assert_eq!(*heard.pieces.lock().unwrap(), "It is");
        assert_eq!(server.asked().len(), 1, "what was heard is not said again");
    }
}

#[tokio::test]
async fn other_protocols_have_end_markers_too() {
    let anthropic = |last: bool| {
        let mut acts = vec![begun()];
        let mut events = vec![
            json!({ "type": "message_start", "message": { "usage": { "input_tokens": 3, "output_tokens": 1 } } }),
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } }),
            json!({ "type": "content_block_stop", "index": 0 }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 2 } }),
        ];
        if last {
            events.push(json!({ "type": "message_stop" }));
        }
        acts.extend(events.iter().map(|event| {
            let kind = event["type"].as_str().unwrap();
            piece(format!("event: {kind}\ndata: {event}\n\n"))
        }));
        acts.push(end());
        acts
    };
    let gemini = |last: bool| {
        let mut part = json!({ "candidates": [{ "content": { "parts": [{ "text": "Hi" }], "role": "model" } }],
            "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5 } });
        if last {
            part["candidates"][0]["finishReason"] = "STOP".into();
        }
        vec![begun(), event(&part), end()]
    };
    let ollama = |last: bool| {
        let mut acts = vec![head("application/x-ndjson")];
        acts.push(piece(format!(
            "{}\n",
            json!({ "message": { "role": "assistant", "content": "Hi" }, "done": false })
        )));
        if last {
            let ended = json!({ "message": { "content": "" }, "done": true, "done_reason": "stop",
                "prompt_eval_count": 3, "eval_count": 2 });
            acts.push(piece(format!("{ended}\n")));
        }
        acts.push(end());
        acts
    };
    type Protocol<'a> = (&'a str, &'a dyn Fn(bool) -> Vec<Act>, &'a str);
    let protocols: [Protocol<'_>; 3] = [
        ("anthropic", &anthropic, "POST /v1/messages"),
        ("gemini", &gemini, "POST /v1/models/tiny:streamGenerateContent?alt=sse"),
        ("ollama", &ollama, "POST /v1/api/chat"),
    ];
    for (provider, script, line) in protocols {
        let more = format!("provider = \"{provider}\"\n{ONCE}");
        let server = Models::start(vec![script(true)]).await;
        let (answer, heard) = Agent::new(&server.endpoint(), &more).ask().await;
        assert_eq!(answer.expect(provider).text, "Hi", "{provider}");
        let tokens = heard.steps.lock().unwrap().last().unwrap().tokens.unwrap();
        assert_eq!((tokens.input, tokens.output), (3, 2), "{provider}");
        assert_eq!(server.asked()[0].line, line);

        let server = Models::start(vec![script(false)]).await;
        let error = Agent::new(&server.endpoint(), &more).fails().await;
        assert!(error.details.contains("before its end marker"), "{provider}: {error}");
    }
}

#[tokio::test]
async fn an_error_within_the_stream_is_a_failure() {
    let bad = json!({ "error": { "message": "out of memory, key sk-s3cret", "code": 500 } });
    let server = Models::start(vec![vec![begun(), word("It"), event(&bad), end()]]).await;
    let error = Agent::new(&server.endpoint(), SWIFT).fails().await;
    assert!(error.details.contains("reported an error within the reply"), "{error}");
    assert!(!error.to_string().contains("s3cret"));
    assert_eq!(server.asked().len(), 1);

    // Before a word has been heard it is tried again.
    let server = Models::start(vec![vec![begun(), event(&bad), end()], says(&["56."])]).await;
    assert_eq!(Agent::new(&server.endpoint(), SWIFT).ask().await.0.unwrap().text, "56.");
}

#[tokio::test]
async fn a_cut_chunk_is_a_failure() {
    let cut = Act::Send(b"40\r\ndata: {\"choi".to_vec());
    let server = Models::start(vec![vec![begun(), word("It"), cut]]).await;
    let error = Agent::new(&server.endpoint(), SWIFT).fails().await;
    assert_eq!(error.code, Code::AgentFailed);
    assert!(error.details.contains("broke off"), "{error}");
}

#[tokio::test]
async fn a_reply_that_makes_no_sense_is_a_failure() {
    for odd in ["data: {\"choices\": [\n\n", "data: hello\n\n"] {
        let server = Models::start(vec![vec![begun(), piece(odd), end()]]).await;
        let error = Agent::new(&server.endpoint(), ONCE).fails().await;
        assert!(error.details.contains("makes no sense"), "{error}");
    }
    for script in [says(&[]), status(200, "", "{\"choices\": []}")] {
        let server = Models::start(vec![script]).await;
        let error = Agent::new(&server.endpoint(), ONCE).fails().await;
        assert!(error.details.contains("empty") || error.details.contains("end marker"), "{error}");
    }
}

#[tokio::test]
async fn what_a_model_thinks_is_a_step_and_no_part_of_the_answer() {
    let thought = |text: &str| event(&json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": text } }] }));
    let mut script = vec![begun(), thought("Seven eights"), thought(" are 56.")];
    script.extend(says(&["56."]).into_iter().skip(1));
    let server = Models::start(vec![script]).await;
    let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
    assert_eq!(answer.unwrap().text, "56.");
    assert_eq!(*heard.pieces.lock().unwrap(), "56.");
    let steps = heard.steps.lock().unwrap().clone();
    assert_eq!((steps[0].kind, steps[0].content.as_str()), (StepKind::Planning, "Seven eights are 56."));
}

#[tokio::test]
async fn a_reply_that_was_cut_at_its_limit_of_tokens_says_so() {
    let mut script = vec![begun(), word("It is")];
    script.extend(stop("length"));
    let server = Models::start(vec![script]).await;
    let (answer, heard) = Agent::new(&server.endpoint(), "").ask().await;
    assert_eq!(answer.unwrap().text, "It is");
    assert!(heard.steps.lock().unwrap()[0].content.contains("cut off at the limit of tokens"));
}

#[tokio::test]
async fn a_tools_output_is_bounded() {
    let uses = calls(&[("arithmetic", r#"{"expression":"7^2000"}"#)]);
    let server = Models::start(vec![uses, says(&["done"])]).await;
    Agent::new(&server.endpoint(), "tool_bytes = 256").ask().await.0.unwrap();
    let messages = server.asked()[1].body["messages"].clone();
    let told = messages.as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    assert!(told.len() < 400 && told.contains("more bytes left out]"), "{told}");
}

#[tokio::test]
async fn letters_may_be_split_between_chunks() {
    let whole = format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": "grün — 猫" } }] }));
    let mut script = vec![begun()];
    script.extend(whole.as_bytes().chunks(1).map(piece));
    script.extend(stop("stop"));
    let server = Models::start(vec![script]).await;
    assert_eq!(Agent::new(&server.endpoint(), ONCE).ask().await.0.unwrap().text, "grün — 猫");
    let mut broken = vec![begun(), piece(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n")];
    broken.extend(stop("stop"));
    let server = Models::start(vec![broken]).await;
    Agent::new(&server.endpoint(), ONCE).fails().await;
}

#[tokio::test]
async fn a_stall_ends_at_its_limit() {
    // Long enough for the question to arrive on any machine.
    let times = "[model.timeouts]\nfirst_token_seconds = 3\nbetween_tokens_seconds = 0.2\n[model.retries]\ntimes = 0\n";
    // Pings keep the connection warm and say nothing.
    let ping = piece(": ping\n\n");
    let scripts = [vec![Act::Stall], vec![begun(), Act::Stall], vec![begun(), ping, Act::Stall]];
    futures_util::future::join_all(scripts.map(async |script| {
        let server = Models::start(vec![script]).await;
        let error = Agent::new(&server.endpoint(), times).fails().await;
        assert_eq!((error.code, error.details.as_str()), (Code::Timeout, "nothing came for 3 seconds"));
        server.hung_up().await;
    }))
    .await;
    let server = Models::start(vec![vec![begun(), word("It"), Act::Stall]]).await;
    let long = times.replace("first_token_seconds = 3", "first_token_seconds = 600");
    let (answer, heard) = Agent::new(&server.endpoint(), &long).ask().await;
    assert_eq!(answer.unwrap_err().code, Code::Timeout);
    assert_eq!(*heard.pieces.lock().unwrap(), "It");
    server.hung_up().await;
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again() {
    for (code, more) in [(429, "retry-after: 0\r\n"), (503, ""), (500, ""), (529, "")] {
        let busy = status(code, more, "{}");
        let server = Models::start(vec![busy.clone(), busy, says(&["56."])]).await;
        assert_eq!(Agent::new(&server.endpoint(), SWIFT).ask().await.0.unwrap().text, "56.", "{code}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_servers_wish_to_be_left_alone_is_honoured() {
    let server = Models::start(vec![status(429, "retry-after-ms: 700\r\n", "{}"), says(&["56."])]).await;
    let begun = Instant::now();
    Agent::new(&server.endpoint(), SWIFT).ask().await.0.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(700));

    let server = Models::start(vec![status(429, "retry-after: 3600\r\n", "{}")]).await;
    let error = Agent::new(&server.endpoint(), SWIFT).fails().await;
    assert_eq!((server.asked().len(), error.retry_after), (1, Some(3600)));
    assert!(error.details.contains("429"), "{error}");
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    for code in [400, 401, 403, 404, 422] {
        let server = Models::start(vec![status(code, "", "{\"error\":{\"message\":\"no, sk-s3cret\"}}")]).await;
        let error = Agent::new(&server.endpoint(), SWIFT).fails().await;
        assert!(error.details.contains(&code.to_string()) && !error.to_string().contains("s3cret"), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    let gone = Gone::new();
    let error = Agent::new(&gone.endpoint(), SWIFT).fails().await;
    assert_eq!(error.details, "its server refuses connections");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_as_such() {
    let error = Agent::new("http://no-such-host.invalid/v1", ONCE).fails().await;
    assert_eq!(error.details, "its server cannot be reached");
}

#[tokio::test]
async fn where_nobody_reads_along_a_broken_reply_is_asked_for_again() {
    let server = Models::start(vec![vec![begun(), word("It is"), end()], says(&["56."])]).await;
    let mut agent = Agent::new(&server.endpoint(), SWIFT);
    agent.stream = false;
    let (answer, heard) = agent.ask().await;
    assert_eq!(answer.unwrap().text, "56.");
    assert!(heard.pieces.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_fallback_answers_when_the_model_cannot_be_asked() {
    let gone = Gone::new();
    let more = format!("fallback = \"builtin\"\n{SWIFT}");
    assert_eq!(Agent::new(&gone.endpoint(), &more).ask().await.0.unwrap().text, "7 * 8 = 56");

    let other = Models::start(vec![says(&["From the other."])]).await;
    let more = format!("{SWIFT}[model.fallback]\nname = \"other\"\nendpoint = \"{}\"\n", other.endpoint());
    let (answer, heard) = Agent::new(&gone.endpoint(), &more).ask().await;
    assert_eq!(answer.unwrap().text, "From the other.");
    assert_eq!(*heard.pieces.lock().unwrap(), "From the other.");
    assert_eq!(other.asked()[0].body["model"], "other");

    // What somebody has heard is not begun anew by another.
    let broken = Models::start(vec![vec![begun(), word("It"), end()]]).await;
    let more = format!("fallback = \"builtin\"\n{SWIFT}");
    Agent::new(&broken.endpoint(), &more).fails().await;
}

#[tokio::test]
async fn budgets_end_runs_and_days() {
    let server = Models::start(vec![calls(&[("clock", "{}")])]).await;
    let error = Agent::new(&server.endpoint(), "[model.budget]\nrun = 50").fails().await;
    assert!(error.details.contains("50 tokens"), "{error}");
    assert_eq!(server.asked().len(), 2);

    let server = Models::start(vec![says(&["56."])]).await;
    for budget in ["day = 25", "tenant_day = 25"] {
        let agent = Agent::new(&server.endpoint(), &format!("[model.budget]\n{budget}"));
        agent.ask().await.0.unwrap();
        let error = agent.fails().await;
        assert_eq!(error.code, Code::RateLimitExceeded);
        assert!(error.retry_after.unwrap() <= 24 * 60 * 60);
        let more = format!("fallback = \"builtin\"\n[model.budget]\n{budget}");
        let mut other = Agent::new(&server.endpoint(), &more);
        other.materials = agent.materials.clone();
        assert_eq!(other.ask().await.0.unwrap().text, "7 * 8 = 56", "the builtin brain costs nothing");
    }
}

#[tokio::test]
async fn answers_fit_the_schema_that_the_file_names() {
    let schema = "[model.answer_schema]\ntype = \"object\"\nrequired = [\"result\"]\n\
                  [model.answer_schema.properties.result]\ntype = \"integer\"\n";
    let server = Models::start(vec![says(&["{\"result\":", " 56}"])]).await;
    let answer = Agent::new(&server.endpoint(), schema).ask().await.0.unwrap();
    assert_eq!(answer.data, json!({ "result": 56 }));
    let format = &server.asked()[0].body["response_format"];
    assert_eq!(format["json_schema"]["schema"]["properties"]["result"]["type"], "integer", "{format}");
    for odd in ["56", "{\"result\": \"56\"}", "It is 56."] {
        let server = Models::start(vec![says(&[odd])]).await;
        let error = Agent::new(&server.endpoint(), schema).fails().await;
        assert!(error.details.contains("schema"), "{error}");
    }
}

#[tokio::test]
async fn giving_up_hangs_up() {
    let server = Models::start(vec![vec![begun(), word("It"), Act::Stall]]).await;
    let agent = Agent::new(&server.endpoint(), "");
    let heard = Arc::new(Heard::default());
    let brain = maker::make(&agent.persona, &agent.materials).unwrap();
    let (brief, ear) = (agent.brief(), heard.clone());
    let thought = tokio::spawn(async move { think(brain, brief, ear).await });
    heard.spoke.notified().await;
    thought.abort();
    server.hung_up().await;
}

#[tokio::test]
async fn the_key_goes_to_the_server_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "sk-s3cret\n").unwrap();
    let refused = status(401, "", "{\"error\":{\"message\":\"wrong key sk-s3cret\"}}");
    let server = Models::start(vec![refused]).await;
    let agent = Agent::new(&server.endpoint(), &format!("key_file = \"{}\"", path.display()));
    let error = agent.fails().await;
    assert!(server.asked()[0].head.contains("Bearer sk-s3cret"));
    let brain = maker::make(&agent.persona, &agent.materials).unwrap();
    let shown = format!("{error} {error:?} {:?} {}", agent.persona, serde_json::to_string(&agent.persona).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
    drop(brain);

    // A variable that every process has.
    let agent = Agent::new(&server.endpoint(), "key_variable = \"PATH\"");
    agent.fails().await;
    assert!(server.asked()[1].head.contains(&format!("Bearer {}", std::env::var("PATH").unwrap())));

    for (more, part) in [
        ("key_file = \"/no/such/file\"", "model.key_file"),
        ("key_variable = \"NO_SUCH_VARIABLE_HERE\"", "model.key_variable"),
    ] {
        let agent = Agent::new(&server.endpoint(), more);
        let error = maker::make(&agent.persona, &agent.materials).err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
}
