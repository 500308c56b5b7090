#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;
use crate::agent::persona::Persona;
use crate::brain::company::Nobody;
use crate::ledger::tests::ledger;
use crate::memory::tests::memory;
use crate::protocol::{
    AgentId, AgentName, ConversationId, MessageId, Mood, Run, RunId, TenantId, Timestamp, Trail, Turn,
};
use crate::spans::Trace;
use crate::tool::tests::message;
use crate::tool::toolbox::all;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Heard {
    steps: Mutex<Vec<Step>>,
    pieces: Mutex<String>,
    notices: Mutex<Vec<Event>>,
}

impl Sink for Heard {
    fn step(&self, step: Step) {
        self.steps.lock().unwrap().push(step);
    }
    fn delta(&self, piece: &str) {
        self.pieces.lock().unwrap().push_str(piece);
    }
    fn notice(&self, event: Event) {
        self.notices.lock().unwrap().push(event);
    }
}

fn persona(name: &str) -> Persona {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../config/agents/{name}.toml"));
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// An agent of the house, with a memory of its own and this crate as the workspace.
struct Agent {
    brain: Builtin,
    brief: Brief,
}

impl Agent {
    fn new(name: &str) -> Self {
        let persona = Arc::new(persona(name));
        let materials = Materials::new(env!("CARGO_MANIFEST_DIR").into(), memory(), ledger());
        let colleagues = ["nyx", "aria", "sage"].map(|name| {
            let persona = super::tests::persona(name);
            (persona.name, persona.specialities)
        });
        let tenant = TenantId::trusted("t");
        let run = Run {
            id: RunId::trusted("r"),
            kind: RunKind::Chat,
            agent: persona.name.clone(),
            agent_id: AgentId::of(&tenant, &persona.name),
            conversation: ConversationId::trusted("c"),
            asked_at: 1,
            asked_by: MessageId::random(),
            request_id: None,
            turn: Turn::ONLY,
            created_at: Timestamp::now(),
        };
        let brief = Brief {
            run: Arc::new(run),
            tenant,
            owner: None,
            persona: Arc::clone(&persona),
            mood: Mood::default(),
            colleagues: Arc::new(colleagues),
            content: String::new(),
            parameters: Value::Null,
            history: Vec::new(),
            stream: false,
            deadline: Instant::now() + Duration::from_secs(60),
            cancelled: CancellationToken::new(),
            trail: Trail::default(),
            company: Arc::new(Nobody),
            tape: Arc::default(),
            trace: Trace::default(),
        };
        Self { brain: Builtin::new(&persona.tools, materials).unwrap(), brief }
    }

    fn of_kind(mut self, kind: RunKind) -> Self {
        Arc::make_mut(&mut self.brief.run).kind = kind;
        self
    }

    fn ask(&mut self, content: &str) -> (Result<Answer, Error>, Heard) {
        self.brief.content = content.to_owned();
        let heard = Arc::new(Heard::default());
        let sink: Arc<dyn Sink> = heard.clone();
        let answer = futures_util::FutureExt::now_or_never(self.brain.think(&self.brief, &sink)).unwrap();
        drop(sink);
        (answer, Arc::try_unwrap(heard).ok().unwrap())
    }

    fn tool_for(&mut self, content: &str) -> Vec<String> {
        let (_, heard) = self.ask(content);
        let steps = heard.steps.into_inner().unwrap();
        let calls: Vec<ToolCall> = steps.into_iter().filter_map(|step| step.call).collect();
        for call in &calls {
            let tool = all().into_iter().find(|tool| tool.name() == call.tool).unwrap();
            let (schema, arguments) = (tool.parameters(), serde_json::from_str::<Value>(&call.arguments).unwrap());
            for name in arguments.as_object().unwrap().keys() {
                assert!(schema["properties"][name].is_object(), "{} has no parameter {name}", call.tool);
            }
        }
        calls.into_iter().map(|call| call.tool).collect()
    }

    fn says(&mut self, content: &str) -> String {
        self.ask(content).0.unwrap().text
    }
}

#[test]
fn it_chooses_by_what_is_asked() {
    let phrases: [(&str, &[&str]); 10] = [
        (
            "project",
            &[
                "analyze project structure",
                "how big is this codebase",
                "what languages is it written in",
                "count the files in ./src",
                "Please give me an overview of the repository",
                "how many lines of code are in the workspace?",
                "Tell me the size of the project",
                "Hello! Could you analyse the source tree for me?",
                "what's the total size of ./src?",
            ],
        ),
        (
            "search",
            &[
                "where is the function toolbox defined",
                "find TODO in the code",
                "search for 'Journal' in src",
                "grep for unwrap in ./src",
                "which files mention Envelope?",
                "look for \"fn main\" in the repository",
                "find the definition of Persona",
                "show me all usages of Timestamp in the project",
                "search the codebase for tenant isolation",
            ],
        ),
        (
            "arithmetic",
            &[
                "what's 15% of 240",
                "please multiply 6 by 7",
                "12 * (3 + 4)",
                "how much is 1,000 * 3?",
                "seven times eight",
                "what is 2 to the power of 10?",
                "calculate the square root of 2",
                "Can you compute 0.1 + 0.2 for me?",
                "what is the sum of 3, 4 and 5?",
                "compute 10/4",
            ],
        ),
        (
            "sentiment",
            &[
                "Analyze the sentiment of the following text: 'I love this product!'",
                "how do you feel about this: the food was cold",
                "how does this sound: “we regret to inform you”",
                "is this review positive? 'It broke at once'",
                "What's the sentiment of 'not good at all'?",
                "Is the following message angry or friendly: leave me alone",
                "determine the tone of 'I am thrilled'",
                "would you say that this comment is negative: 'meh'",
            ],
        ),
        (
            "summary",
            &[
                "summarize",
                "give me the gist of: Bees make honey. It is sweet. Bears like it.",
                "tl;dr",
                "please summarise our conversation",
                "what are the main points of 'One. Two. Three.'",
                "Can you recap what we said?",
                "sum up the discussion so far",
                "condense this text: One. Two. Three.",
            ],
        ),
        (
            "remember",
            &[
                "remember that my favourite colour is teal",
                "keep in mind that the deploy is on Friday",
                "note: the office closes at 18:00",
                "don't forget that I am allergic to nuts",
                "make a note that we meet at 10:30 on 2026-11-21",
                "please remember I live in Berlin",
                "Can you remember that my name is Ada?",
                "note that 3 + 4 is my favourite sum",
            ],
        ),
        (
            "recall",
            &[
                "do you remember my name?",
                "what did I say about the deploy?",
                "What's my favourite colour?",
                "did I mention Berlin?",
                "remind me what we discussed about the budget",
                "what do you remember?",
                "search your memory for nuts",
                "What was my first question?",
                "when is our meeting?",
            ],
        ),
        (
            "clock",
            &[
                "what time is it",
                "what day is it today",
                "What's today's date?",
                "tell me the time in UTC+2",
                "how many days until 2026-12-25?",
                "what's the current time?",
                "which weekday is 2027-01-01?",
                "how long until Christmas?",
            ],
        ),
        (
            "forget",
            &[
                "forget that my favourite colour is teal",
                "please forget what I said about nuts",
                "delete the note about Berlin",
            ],
        ),
        (
            "keywords",
            &[
                "what are the key terms in 'the compiler checks ownership'?",
                "extract the keywords from: the compiler checks ownership",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (tool, texts) in phrases {
        for text in texts {
            let used = Agent::new(if tool == "keywords" { "aria" } else { "nyx" }).tool_for(text);
            if used != [tool] {
                wrong.push(format!("{text}: {used:?} instead of {tool}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_tool_is_used_where_none_is_meant() {
    for text in [
        "Hello, agent!",
        "What can you help me with?",
        "thanks",
        "Thanks, that was a great analysis of the project",
        "First question",
        "Your task description here",
        "tell me about black holes",
        "what happened on 2026-11-21?",
        "call me at 555-1234",
        "version 1.2.3",
        "see https://example.com/2024/01/02?a=1-2",
        "goodbye",
        "who are you?",
        "I have 3 cats and 4 dogs",
        "ok",
        "",
        "???",
        "Write me a poem about the sea",
    ] {
        let used = Agent::new("nyx").tool_for(text);
        assert!(used.is_empty(), "{text}: {used:?}");
    }
}

#[test]
fn it_finds_the_fitting_word() {
    let mut nyx = Agent::new("nyx");
    assert_eq!(nyx.says("Hello, agent!"), persona("nyx").greeting);
    assert!(nyx.says("who are you?").contains("nyx"));
    let can = nyx.says("What can you help me with?");
    assert!(can.contains("sentiment") && can.contains("project"), "{can}");
    assert!(nyx.says("thank you so much!").contains("welcome"));
    assert!(nyx.says("good bye").contains("Goodbye"));
    assert!(nyx.says("how are you?").contains("well"));
    let cannot = nyx.says("tell me about black holes");
    for word in ["black holes", "cannot", "no general knowledge", "calculate", "config/agents/nyx.toml", "WebSocket"] {
        assert!(cannot.contains(word), "{word}: {cannot}");
    }
}

#[test]
fn a_command_uses_its_parameters_and_tells_programs_the_result() {
    let mut nyx = Agent::new("nyx").of_kind(RunKind::Command);
    nyx.brief.parameters = json!({ "path": "./src" });
    let (answer, heard) = nyx.ask("analyze project structure");
    let data = answer.unwrap().data;
    assert!(data["files"].as_u64().unwrap() > 10 && data["path"] == "./src", "{data}");
    assert!(data["totalSize"].as_str().unwrap().ends_with('B') && data["directories"].is_u64(), "{data}");
    let steps = heard.steps.into_inner().unwrap();
    let kinds: Vec<StepKind> = steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Planning, StepKind::Action, StepKind::Answer]);
    let importance: Vec<f32> = steps.iter().map(|step| step.importance).collect();
    assert_eq!(importance, [0.6, 0.8, 1.0]);
    let call = steps.into_iter().find_map(|step| step.call).unwrap();
    assert_eq!((call.tool.as_str(), call.arguments.as_str(), call.ok), ("project", r#"{"path":"./src"}"#, true));

    nyx.brief.parameters = json!({ "text": "I hate it" });
    assert_eq!(nyx.ask("sentiment").0.unwrap().data["sentiment"], "negative");
    nyx.brief.parameters = json!({ "text": "One. Two. Three.", "sentences": 1 });
    assert_eq!(nyx.ask("summarize").0.unwrap().data["of"], 3);
    nyx.brief.parameters = json!({ "expression": "6 * 7" });
    assert_eq!(nyx.ask("calculate").0.unwrap().data["result"], "42");
}

#[test]
fn what_fails_is_an_answer_in_a_chat_and_an_error_elsewhere() {
    for (text, word) in
        [("what is 1/0?", "zero"), ("count the files in ../..", "outside"), ("how big is ./nowhere?", "no “./nowhere”")]
    {
        let said = Agent::new("nyx").says(text);
        assert!(said.contains(word), "{said}");
        for kind in [RunKind::Command, RunKind::Task] {
            let (answer, heard) = Agent::new("nyx").of_kind(kind).ask(text);
            assert!(answer.unwrap_err().to_string().contains(word));
            let steps = heard.steps.into_inner().unwrap();
            assert!(steps.iter().any(|step| step.importance == 0.9 && step.call.as_ref().is_some_and(|call| !call.ok)));
        }
    }
    let unknown = Agent::new("nyx").of_kind(RunKind::Command).ask("brew coffee").0.unwrap_err();
    assert_eq!(unknown.code, Code::AgentFailed);
    assert!(Agent::new("nyx").of_kind(RunKind::Task).ask("brew coffee").0.is_ok());
}

#[test]
fn several_requests_take_several_steps() {
    let mut nyx = Agent::new("nyx");
    assert_eq!(nyx.tool_for("compute 3*4 and tell me the sentiment of 'great'"), ["arithmetic", "sentiment"]);
    let (answer, _) = nyx.ask("what time is it? And what is 2+2?");
    let answer = answer.unwrap();
    assert!(answer.text.contains("UTC") && answer.text.contains("2 + 2 = 4"), "{}", answer.text);
    assert_eq!(answer.data["results"][1]["tool"], "arithmetic");
    assert_eq!(nyx.tool_for("remember that I cook and find it fun"), ["remember"]);
    let many: String = (1..12).map(|number| format!("compute {number}*2. ")).collect();
    assert_eq!(nyx.tool_for(&many).len(), 8);
    assert!(nyx.says(&many).contains("at most eight"));
}

#[test]
fn the_pieces_joined_are_the_answer() {
    let mut nyx = Agent::new("nyx");
    nyx.brief.stream = true;
    for text in ["what can you do?", "what is 2^200?", "Hello"] {
        let (answer, heard) = nyx.ask(text);
        assert_eq!(heard.pieces.into_inner().unwrap(), answer.unwrap().text);
    }
}

#[test]
fn what_is_remembered_is_told_to_those_who_watch_and_found_again() {
    let mut sage = Agent::new("sage");
    let (answer, heard) = sage.ask("Remember that my favourite colour is teal.");
    assert!(answer.unwrap().text.contains("teal"));
    let notices = heard.notices.into_inner().unwrap();
    assert!(
        matches!(notices.as_slice(), [Event::MemoryChanged { kept: true, content, .. }] if content.contains("teal"))
    );
    assert!(sage.says("What's my favorite color?").contains("teal"));
    assert!(sage.says("Forget my favourite colour").contains("forgotten"));
    assert!(sage.says("What's my favorite color?").contains("nothing about"));
}

#[test]
fn a_colleague_is_named_who_can() {
    let said = Agent::new("aria").says("analyze project structure");
    assert!(said.contains("@nyx"), "{said}");
    let said = Agent::new("nyx").says("extract the keywords of 'the compiler checks ownership'");
    assert!(said.contains("@aria"), "{said}");
    let said = Agent::new("aria").says("compute 3*4 and analyze the project structure");
    assert!(said.starts_with("3 * 4 = 12") && said.contains("@nyx"), "{said}");
    let refused = Agent::new("aria").of_kind(RunKind::Command).ask("analyze project structure").0.unwrap_err();
    assert!(refused.code == Code::AgentFailed && refused.message.contains("nyx"), "{refused}");
}

/// `cargo test -p callboard-actors -- --ignored --nocapture what_a_request_costs`
#[test]
#[ignore = "a measurement"]
fn what_a_request_costs() {
    for text in ["Hello, agent!", "what is 12 * (3 + 4)?", "sentiment of 'I love this'", "tell me about black holes"] {
        let mut nyx = Agent::new("nyx");
        nyx.says(text);
        let start = Instant::now();
        for _ in 0..1000 {
            nyx.says(text);
        }
        println!("{:?} {text}", start.elapsed() / 1000);
    }
}

#[test]
fn who_took_over_knows_why() {
    let mut sage = Agent::new("sage");
    sage.brief.history = vec![message(1, Role::System, "nyx handed over to sage: Specialized knowledge required")];
    assert!(sage.says("Why did you take over?").contains("Specialized knowledge required"));
}

#[test]
fn agents_in_turn_do_not_parrot() {
    let mut aria = Agent::new("aria");
    let mut earlier = (*message(2, Role::Assistant, "2 + 2 = 4")).clone();
    earlier.agent = Some(AgentName::trusted("nyx"));
    aria.brief.history = vec![message(1, Role::User, "what is 2+2?"), Arc::new(earlier)];
    Arc::make_mut(&mut aria.brief.run).turn = Turn { index: 2, of: 3 };
    assert_eq!(aria.says("what is 2+2?"), "I come to the same as nyx: 2 + 2 = 4");
    assert!(aria.says("Hello").contains("aria"));
    assert!(aria.says("brew coffee").contains("nothing to add"));
}

#[test]
fn hostile_texts_cost_little_and_break_nothing() {
    let start = Instant::now();
    for piece in ["\"a „b ", "1+", "in x ", "a. what is ", "sentiment of "] {
        let mut nyx = Agent::new("nyx");
        nyx.brief.history = (0..10).map(|seq| message(seq, Role::User, &piece.repeat(4096))).collect();
        let (answer, _) = nyx.ask(&format!("what did I say about {}", piece.repeat((64 << 10) / piece.len())));
        assert!(!answer.unwrap().text.is_empty(), "{piece}");
    }
    // A few seconds on a busy machine; anything quadratic in 64 KiB takes far longer.
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_echo_brain_says_what_it_was_told() {
    let mut agent = Agent::new("nyx");
    agent.brief.content = "word ".repeat(100);
    agent.brief.stream = true;
    let heard = Arc::new(Heard::default());
    let sink: Arc<dyn Sink> = heard.clone();
    let thought = crate::brain::echo::Echo.think(&agent.brief, &sink);
    let answer = futures_util::FutureExt::now_or_never(thought).unwrap().unwrap();
    assert_eq!(answer.text, agent.brief.content);
    assert_eq!(*heard.pieces.lock().unwrap(), agent.brief.content);
    let kinds: Vec<StepKind> = heard.steps.lock().unwrap().iter().map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::Answer]);
}

#[test]
fn it_stops_when_told_to() {
    let mut nyx = Agent::new("nyx");
    nyx.brief.cancelled.cancel();
    assert_eq!(nyx.ask("what is 2+2?").0.unwrap_err().code, Code::Cancelled);
    let mut late = Agent::new("nyx");
    late.brief.deadline = Instant::now();
    assert_eq!(late.ask("what is 2+2?").0.unwrap_err().code, Code::Timeout);
}

#[test]
fn brains_are_made_by_name() {
    let materials = Materials::new(".".into(), memory(), ledger());
    for name in ["nyx", "aria", "sage"] {
        let made = crate::brain::maker::make(&persona(name), &materials).unwrap();
        assert_eq!(made.placement(), Placement::Thread);
    }
    let echo = Persona { brain: "echo".to_owned(), ..persona("nyx") };
    assert_eq!(crate::brain::maker::make(&echo, &materials).unwrap().placement(), Placement::Inline);
    let odd = Persona { brain: "oracle".to_owned(), ..persona("nyx") };
    let error = crate::brain::maker::make(&odd, &materials).err().unwrap().to_string();
    assert!(error.contains("oracle") && error.contains("builtin"), "{error}");
}
