//! The clients: each connects, has a few exchanges in which it checks everything it is told, goes, and comes again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::client::{Client, Heard};
use crate::{Scene, random};

/// Agents that come with the server.
const AGENTS: [&str; 3] = ["nyx", "aria", "sage"];

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A session, with what it has been told the end of.
struct Session {
    client: Client,
    ended: HashSet<String>,
    next: u64,
}

impl Session {
    async fn connect(scene: &Scene, path: &str) -> Self {
        scene.ledger.count("sessions");
        Self { client: Client::connect(&scene.url(path)).await, ended: HashSet::new(), next: 0 }
    }

    /// The next frame. A machine that is busy with other things is slow, and that is no fault of the server.
    async fn hear(&mut self) -> Value {
        match self.client.heard_within(PATIENCE).await {
            Some(Heard::Json(frame)) => frame,
            Some(Heard::Closed(code, reason)) => panic!("the socket was closed: {code} {reason}"),
            None => panic!("nothing came for {PATIENCE:?}"),
        }
    }

    /// Sends a request of documents 000 or 002 and returns its end; a second end of an earlier one is a failure.
    async fn ask(&mut self, mut frame: Value) -> Value {
        self.next += 1;
        let id = format!("r{}", self.next);
        frame["id"] = json!(id);
        self.client.send(frame).await;
        loop {
            let reply = self.hear().await;
            let kind = reply["type"].as_str().unwrap_or_default();
            let on_the_way = ["chat_chunk", "status", "log", "agent_called", "agent_output", "result"].contains(&kind);
            let Some(of) = reply["id"].as_str().filter(|_| !on_the_way) else { continue };
            assert!(self.ended.insert(of.to_owned()), "a second end: {reply}");
            if of == id {
                return reply;
            }
        }
    }

    /// Goes: one in three without a word.
    async fn leave(self) {
        if random(3) > 0 {
            self.client.close().await;
        }
    }
}

/// A sum, and its result.
fn sum() -> (String, String) {
    let (a, b) = (random(100_000), random(100_000));
    (format!("compute {a} + {b}"), (a + b).to_string())
}

/// Document 000.
pub async fn tasks(scene: Arc<Scene>, _: usize) {
    let mut session = Session::connect(&scene, "/ws").await;
    for _ in 0..=random(5) {
        let (asked, result) = sum();
        let end = session.ask(json!({ "type": "task", "content": asked, "agent": "aria" })).await;
        assert_eq!(end["type"], "final_answer", "{end}");
        assert!(end["message"].as_str().unwrap().contains(&result), "{asked}: {end}");
        scene.ledger.count("tasks");
        scene.pause(random(600)).await;
    }
    session.leave().await;
}

/// Document 001.
pub async fn steps(scene: Arc<Scene>, number: usize) {
    let chat = format!("steps-{number}-{}", random(1000));
    let mut session = Session::connect(&scene, &format!("/chat/{chat}")).await;
    for round in 0..=random(5) {
        let ((asked, result), id) = (sum(), format!("m{round}"));
        session.client.send(json!({ "type": "client", "message": asked, "message_id": id })).await;
        let mut last = Value::Null;
        loop {
            let frame = session.hear().await;
            assert_eq!((&frame["chat_id"], &frame["message_id"]), (&json!(chat), &json!(id)), "{frame}");
            match frame["type"].as_str().unwrap() {
                "agent_step" => last = frame,
                "message_end" => break,
                other => panic!("{other}: {frame}"),
            }
        }
        let answered = last["step_type"] == "FinalAnswerStep" && last["message"].to_string().contains(&result);
        assert!(answered, "{asked}: {last}");
        scene.ledger.count("steps' answers");
        scene.pause(random(600)).await;
    }
    session.leave().await;
}

/// Document 002: chats in conversations that several share, with handoffs, and with agents of other processes.
pub async fn agents(scene: Arc<Scene>, number: usize) {
    let mut session = Session::connect(&scene, "/ws").await;
    let team = format!("team-{}", number % 8);
    let data = json!({ "conversationId": team, "agents": AGENTS, "mode": "lead" });
    let joined = session.ask(json!({ "type": "join_conversation", "data": data })).await;
    assert_eq!(joined["type"], "conversation_joined", "{joined}");
    for _ in 0..=random(6) {
        match random(4) {
            0 => hand_off(&scene, &mut session, &team).await,
            1 => ask_a_process(&scene, &mut session).await,
            _ => chat(&scene, &mut session, &team).await,
        }
        scene.pause(random(600)).await;
    }
    session.leave().await;
}

async fn chat(scene: &Scene, session: &mut Session, team: &str) {
    let (asked, result) = sum();
    let data = json!({ "message": asked, "conversationId": team, "stream": random(2) == 0 });
    let end = session.ask(json!({ "type": "chat", "targetAgent": "aria", "data": data })).await;
    assert_eq!(end["type"], "chat_response", "{end}");
    assert!(end["data"]["response"].as_str().unwrap().contains(&result), "{asked}: {end}");
    scene.ledger.answered(team, end["data"]["messageId"].as_str().unwrap());
    scene.ledger.count("chats");
}

async fn hand_off(scene: &Scene, session: &mut Session, team: &str) {
    let from = AGENTS[random(3)];
    let to = AGENTS[random(3)];
    let data = json!({ "conversationId": team, "fromAgent": from, "toAgent": to, "reason": "as told" });
    let end = session.ask(json!({ "type": "agent_handoff", "data": data })).await;
    assert!(end["type"] == "agent_handoff" || from == to, "{end}");
    scene.ledger.count("handoffs");
}

/// Asks an agent whose process may be killed at any moment: an answer or a failure, one of them.
async fn ask_a_process(scene: &Scene, session: &mut Session) {
    let agent = format!("worker-{}", random(scene.workers));
    let data = json!({ "message": format!("for {agent}") });
    let end = session.ask(json!({ "type": "chat", "targetAgent": agent, "data": data })).await;
    match end["type"].as_str().unwrap() {
        "chat_response" => {
            assert_eq!(end["data"]["response"], format!("for {agent}"), "{end}");
            scene.ledger.count("answers of agent processes");
        }
        _ => {
            let code = end["data"]["code"].as_str().unwrap_or_default();
            assert!(["AGENT_FAILED", "AGENT_NOT_FOUND", "TIMEOUT"].contains(&code), "{end}");
            scene.ledger.count("runs lost with an agent's process, and told so");
        }
    }
}

/// Document 003: publishes into a channel that several share, and sees all of it in order from where it came in.
pub async fn channels(scene: Arc<Scene>, number: usize) {
    let channel = format!("soak-{}", number % 8);
    let token = scene.token(&format!("publisher-{number}"));
    let mut session = Session::connect(&scene, &format!("/v1/ws?token={token}&channel_id={channel}")).await;
    let mut last: Option<u64> = None;
    for round in 0..=random(8) {
        let id = format!("{}-{round}", Uuid::new_v4());
        let content = "x".repeat(200 + random(2000));
        session.client.send(json!({ "id": id, "type": "message", "content": content })).await;
        let mut acknowledged = None;
        loop {
            let frame = session.hear().await;
            match frame["type"].as_str().unwrap() {
                "ACK" => {
                    let seq = frame["seq"].as_u64().unwrap();
                    assert_eq!(frame["message_id"], json!(id), "{frame}");
                    scene.ledger.published(&channel, seq, &id);
                    acknowledged = Some(seq);
                }
                "message" => {
                    let seq = frame["seq"].as_u64().unwrap();
                    assert!(last.is_none_or(|last| seq == last + 1), "{channel}: {seq} came after {last:?}");
                    last = Some(seq);
                    if acknowledged == Some(seq) {
                        assert!(frame["id"] == json!(id) && frame["content"] == json!(content), "{frame}");
                        break;
                    }
                }
                other => panic!("{other}: {frame}"),
            }
        }
        scene.ledger.count("publications");
        scene.pause(random(400)).await;
    }
    session.leave().await;
}

/// Document 004: a thread of its own, deleted half of the time.
pub async fn threads(scene: Arc<Scene>, number: usize) {
    let token = scene.token(&format!("threads-{number}"));
    let mut session = Session::connect(&scene, &format!("/chat/ws?token={token}")).await;
    let thread = Uuid::new_v4().to_string();
    let mut said = history(&mut session, &thread).await;
    assert_eq!(said, 1, "the greeting");
    for _ in 0..=random(4) {
        let (asked, result) = sum();
        session.client.send(json!({ "type": "message", "thread_id": thread, "content": asked })).await;
        let taken = session.hear().await;
        assert_eq!(taken["type"], "message_received", "{taken}");
        let answer = session.hear().await;
        assert!(answer["type"] == "message" && answer["content"].to_string().contains(&result), "{asked}: {answer}");
        said += 2;
        scene.ledger.count("threads' answers");
        scene.pause(random(600)).await;
    }
    assert_eq!(history(&mut session, &thread).await, said);
    if random(2) == 0 {
        session.client.send(json!({ "type": "delete_thread", "thread_id": thread })).await;
        let gone = session.hear().await;
        assert_eq!(gone["type"], "thread_deleted", "{gone}");
        scene.ledger.count("threads deleted");
    }
    session.leave().await;
}

async fn history(session: &mut Session, thread: &str) -> u64 {
    session.client.send(json!({ "type": "history", "thread_id": thread })).await;
    let mut said = 0;
    loop {
        let frame = session.hear().await;
        match frame["type"].as_str().unwrap() {
            "message" => said += 1,
            "history_end" => {
                assert_eq!(frame["count"], json!(said), "{frame}");
                return said;
            }
            other => panic!("{other}: {frame}"),
        }
    }
}

/// Listens to a busy channel from the first publication that is kept, and reads late, or not at all; what it reads is in order.
pub async fn slow(scene: Arc<Scene>, number: usize) {
    let token = scene.token(&format!("slow-{number}"));
    let channel = format!("soak-{}", number % 8);
    let mut session = Session::connect(&scene, &format!("/v1/ws?token={token}&channel_id={channel}&since=0")).await;
    scene.pause(2000 + random(4000)).await;
    let mut last: Option<u64> = None;
    for _ in 0..random(400) {
        match session.client.heard_within(Duration::from_millis(50)).await {
            Some(Heard::Json(frame)) => {
                let Some(seq) = frame["seq"].as_u64() else {
                    assert!(frame.to_string().contains("CURSOR_EXPIRED"), "{channel}: {frame}");
                    scene.ledger.count("slow readers that what is kept overtook");
                    return;
                };
                assert!(last.is_none_or(|last| seq == last + 1), "{channel}: {frame} came after {last:?}");
                last = Some(seq);
            }
            Some(Heard::Closed(code, reason)) => {
                assert!(code == 1008 || code == 1006, "{code} {reason}");
                scene.ledger.count("slow readers closed");
                return;
            }
            None => break,
        }
    }
    scene.ledger.count("slow readers that left");
}
