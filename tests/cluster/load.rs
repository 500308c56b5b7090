//! Clients that say one thing after the other, and note what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::client::{Client, Heard};
use crate::harness::server::Server;
use crate::patience::{PATIENCE, until};

/// The channel that all publish in.
pub const CHANNEL: &str = "shared";

/// How a request may be refused: the log takes nothing, the server is leaving, or it left before a run had ended.
const REFUSALS: [&str; 3] = ["STORE_UNAVAILABLE", "UNAVAILABLE", "INTERRUPTED"];

/// What clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// What is in a conversation, in this order.
    pub messages: BTreeMap<String, Vec<String>>,
    /// Runs that ended.
    pub runs: BTreeSet<String>,
    /// What is in the channel, by `seq`.
    pub publications: BTreeMap<u64, String>,
    /// Publications that were refused, which are not in the channel.
    pub refused: Vec<String>,
    /// Publications with ids that nothing was said about: they may be sent again.
    pub unsure: Vec<String>,
}

/// Clients at work.
pub struct Load {
    clients: Vec<JoinHandle<Told>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
}

struct Talker {
    client: Client,
    name: String,
    told: Told,
    shared: Arc<Shared>,
}

/// How a request ended.
enum End {
    Done(Value),
    Refused,
    Gone,
}

impl Told {
    /// Takes in what others were told, later.
    pub fn add(&mut self, other: Self) {
        for (conversation, messages) in other.messages {
            self.messages.entry(conversation).or_default().extend(messages);
        }
        self.runs.extend(other.runs);
        for (seq, content) in other.publications {
            let before = self.publications.insert(seq, content.clone());
            assert!(before.is_none_or(|before| before == content), "{seq} was given twice");
        }
        self.refused.extend(other.refused);
        self.unsure.extend(other.unsure);
    }
}

impl Load {
    /// Two that talk and two that publish; what they say has `name` in it.
    pub async fn begin(server: &Server, token: &str, name: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let mut clients = Vec::new();
        for number in 0..4 {
            let publishes = number % 2 == 1;
            let path = match publishes {
                true => format!("/v1/ws?token={token}&channel_id={CHANNEL}"),
                false => format!("/ws?token={token}"),
            };
            let client = server.connect(&path).await;
            let name = format!("{name}-{number}");
            let talker = Talker { client, name, told: Told::default(), shared: shared.clone() };
            clients.push(tokio::spawn(async move {
                match publishes {
                    true => talker.publish().await,
                    false => talker.talk().await,
                }
            }));
        }
        Self { clients, shared }
    }

    /// Waits until so many more things were acknowledged.
    pub async fn more(&self, count: usize) {
        let enough = self.shared.acknowledged.load(Ordering::Relaxed) + count;
        until("more is acknowledged", async || {
            assert!(!self.clients.iter().any(JoinHandle::is_finished), "a client ended before its time");
            self.shared.acknowledged.load(Ordering::Relaxed) >= enough
        })
        .await;
    }

    /// Waits until somebody was refused.
    pub async fn refused(&self) {
        until("somebody is refused", async || self.refusals() > 0).await;
    }

    /// How many were refused.
    pub fn refusals(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Ends it, unless the server's end did; what its clients were told.
    pub async fn end(self) -> Told {
        self.shared.over.store(true, Ordering::Relaxed);
        let mut told = Told::default();
        for client in self.clients {
            told.add(client.await.unwrap());
        }
        told
    }
}

impl Talker {
    /// Document 002: chats, commands and publications in turn.
    async fn talk(mut self) -> Told {
        for number in 0.. {
            if self.shared.over.load(Ordering::Relaxed) {
                break;
            }
            let (id, name) = (format!("a{number}"), self.name.clone());
            let end = match number % 3 {
                0 => self.chat(id, name, format!("compute {number} + 3")).await,
                1 => self.command(id, name, format!("compute {number} + 4")).await,
                _ => {
                    let content = format!("{name} {number}");
                    let data = json!({ "channel": CHANNEL, "content": content });
                    let asked = json!({ "id": id, "type": "publish", "data": data });
                    let end = self.ask(asked, |frame| frame["id"] == id && frame["type"] != "event").await;
                    self.published(content, end, |done| done["data"]["seq"].as_u64())
                }
            };
            if end.is_none() {
                break;
            }
        }
        self.told
    }

    async fn chat(&mut self, id: String, conversation: String, words: String) -> Option<()> {
        let data = json!({ "message": words, "conversationId": conversation });
        let asked = json!({ "id": id, "type": "chat", "targetAgent": "sage", "data": data });
        match self.ask(asked, |frame| frame["id"] == id && frame["type"] != "event").await {
            End::Done(answer) => {
                let said = answer["data"]["response"].as_str().unwrap().to_owned();
                self.told.messages.entry(conversation).or_default().extend([words, said]);
                Some(())
            }
            End::Refused => Some(()),
            End::Gone => None,
        }
    }

    async fn command(&mut self, id: String, conversation: String, words: String) -> Option<()> {
        let data = json!({ "instruction": words, "conversationId": conversation });
        let asked = json!({ "id": id, "type": "command", "targetAgent": "aria", "data": data });
        match self.ask(asked, |frame| frame["id"] == id && frame["type"] == "command_result").await {
            End::Done(done) => {
                self.told.runs.insert(done["data"]["commandId"].as_str().unwrap().to_owned());
                Some(())
            }
            End::Refused => Some(()),
            End::Gone => None,
        }
    }

    /// Document 003.
    async fn publish(mut self) -> Told {
        for number in 0.. {
            if self.shared.over.load(Ordering::Relaxed) {
                break;
            }
            let content = format!("{} {number}", self.name);
            let id = id_of(&content);
            let asked = json!({ "id": id, "type": "message", "content": content });
            let end = self.ask(asked, |frame| frame["type"] == "ACK" && frame["message_id"] == id).await;
            if self.published(content.clone(), end, |done| done["seq"].as_u64()).is_none() {
                self.told.unsure.push(content);
                break;
            }
        }
        self.told
    }

    fn published(&mut self, content: String, end: End, seq: impl Fn(&Value) -> Option<u64>) -> Option<()> {
        match end {
            End::Done(done) => {
                let before = self.told.publications.insert(seq(&done).unwrap(), content);
                assert!(before.is_none(), "given twice: {done}");
                Some(())
            }
            End::Refused => {
                self.told.refused.push(content);
                Some(())
            }
            End::Gone => None,
        }
    }

    /// Sends a frame and waits for its end, or the server's.
    async fn ask(&mut self, frame: Value, is_end: impl Fn(&Value) -> bool) -> End {
        if self.client.try_send_raw(&frame.to_string()).await.is_err() {
            return End::Gone;
        }
        loop {
            let frame = match self.client.heard_within(PATIENCE).await.expect("nothing comes") {
                Heard::Json(frame) => frame,
                Heard::Closed(..) => return End::Gone,
            };
            // A command that failed has a result that says so.
            let code = ["/data/code", "/code", "/data/error/code"].map(|at| frame.pointer(at).and_then(Value::as_str));
            if let Some(code) = code.into_iter().flatten().next() {
                assert!(REFUSALS.contains(&code), "{frame}");
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
                return End::Refused;
            }
            if is_end(&frame) {
                self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                return End::Done(frame);
            }
        }
    }
}

/// The id that a client gives a publication, so that it may send it again.
fn id_of(content: &str) -> String {
    content.replace(' ', ":")
}

/// Publishes again what a lost server said nothing about, under the same ids; where it is now.
pub async fn publish_again(server: &Server, token: &str, unsure: &[String]) -> BTreeMap<u64, String> {
    let mut client = server.connect(&format!("/v1/ws?token={token}&channel_id={CHANNEL}")).await;
    let mut now = BTreeMap::new();
    for content in unsure {
        let id = id_of(content);
        client.send(json!({ "id": id, "type": "message", "content": content })).await;
        let done = client.until(json!({ "type": "ACK", "message_id": id })).await;
        now.insert(done["seq"].as_u64().unwrap(), content.clone());
    }
    now
}
