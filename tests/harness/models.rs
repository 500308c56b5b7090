//! A server of models that does what a test tells it to, good or bad: real HTTP on a port of its own.

#![allow(dead_code)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};

/// What the server does in answer to one request, in order; then it closes the connection.
#[derive(Clone)]
pub enum Act {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Goes on when the test says so.
    Await(Arc<Notify>),
    /// Says nothing more until the client hangs up.
    Stall,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `POST /v1/chat/completions`.
    pub line: String,
    /// Lines of the head, as sent.
    pub head: String,
    /// The body.
    pub body: Value,
}

/// A server of models.
pub struct Models {
    /// Where it listens: `127.0.0.1:12345`.
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    count: watch::Receiver<usize>,
    hung_up: Arc<Semaphore>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Models {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Models {
    /// A server that answers the first request with the first script and so on; the last answers all that follow.
    pub async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let hung_up = Arc::new(Semaphore::new(0));
        let (told, count) = watch::channel(0);
        let (log, gone) = (asked.clone(), hung_up.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let Some(request) = read(&mut socket).await else { continue };
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(request);
                    log.len()
                };
                told.send_replace(number);
                let script = scripts[(number - 1).min(scripts.len() - 1)].clone();
                let gone = gone.clone();
                tokio::spawn(async move { play(socket, script, gone).await });
            }
        });
        Self { address, asked, count, hung_up, task }
    }

    /// The address that an OpenAI client takes.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub async fn asked_times(&self, times: usize) {
        self.count.clone().wait_for(|count| *count >= times).await.unwrap();
    }

    /// Waits until a client has hung up on a script that stalls.
    pub async fn hung_up(&self) {
        self.hung_up.acquire().await.unwrap().forget();
    }
}

async fn play(mut socket: TcpStream, script: Vec<Act>, gone: Arc<Semaphore>) {
    for act in script {
        match act {
            Act::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = socket.flush().await;
            }
            Act::Await(told) => told.notified().await,
            Act::Stall => {
                let mut rest = [0; 64];
                while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                gone.add_permits(1);
            }
        }
    }
}

async fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut more = [0; 4096];
        match socket.read(&mut more).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&more[..read]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.unwrap_or(0) {
        let mut more = [0; 4096];
        match socket.read(&mut more).await {
            Ok(read) if read > 0 => body.extend_from_slice(&more[..read]),
            _ => return None,
        }
    }
    let line = head.lines().next().unwrap_or_default();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, body: serde_json::from_slice(&body).unwrap_or(Value::Null), head })
}

/// The head of an answer that comes in pieces.
pub fn head(kind: &str) -> Act {
    let text =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    Act::Send(text.into_bytes())
}

/// A piece of the body.
pub fn piece(bytes: impl AsRef<[u8]>) -> Act {
    let bytes = bytes.as_ref();
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    Act::Send(framed)
}

/// The end of the body.
pub fn end() -> Act {
    Act::Send(b"0\r\n\r\n".to_vec())
}

/// A whole answer with a status.
pub fn status(status: u16, more_head: &str, body: &str) -> Vec<Act> {
    let text = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{more_head}\r\n{body}",
        body.len()
    );
    vec![Act::Send(text.into_bytes())]
}

/// One event of a stream.
pub fn event(data: &Value) -> Act {
    piece(format!("data: {data}\n\n"))
}

/// The head of OpenAI's stream.
pub fn begun() -> Act {
    head("text/event-stream")
}

/// Words of OpenAI's stream.
pub fn word(text: &str) -> Act {
    event(&json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }))
}

/// The reason to stop, with usage, and the end marker of OpenAI's stream.
pub fn stop(reason: &str) -> Vec<Act> {
    vec![
        event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })),
        event(&json!({ "choices": [], "usage": { "prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25 } })),
        piece("data: [DONE]\n\n"),
        end(),
    ]
}

/// A whole reply in words.
pub fn says(words: &[&str]) -> Vec<Act> {
    let mut acts = vec![begun()];
    acts.extend(words.iter().map(|text| word(text)));
    acts.extend(stop("stop"));
    acts
}

/// A whole reply that wants tools used: each with its arguments, which come in pieces of a few bytes.
pub fn calls(calls: &[(&str, &str)]) -> Vec<Act> {
    let mut acts = vec![begun()];
    for (index, (tool, arguments)) in calls.iter().enumerate() {
        let call = |function: Value, id: Option<String>| {
            let mut call = json!({ "index": index, "function": function });
            if let Some(id) = id {
                call["id"] = id.into();
                call["type"] = "function".into();
            }
            event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] }))
        };
        acts.push(call(json!({ "name": tool, "arguments": "" }), Some(format!("call-{index}"))));
        let letters: Vec<char> = arguments.chars().collect();
        acts.extend(letters.chunks(3).map(|part| call(json!({ "arguments": part.iter().collect::<String>() }), None)));
    }
    acts.extend(stop("tool_calls"));
    acts
}
