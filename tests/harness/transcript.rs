//! Transcripts: what is said on the wire, in files that people read and this runs.
//!
//! A transcript opens with a comment that says what it shows. Then, one directive a line; a line that begins with a
//! space goes on with the one before. `A` is the name of a socket, a capital letter and maybe a digit; without one it
//! is the only one. A socket that was not connected explicitly is on `/ws` from its first use.
//!
//! | line | meaning |
//! | --- | --- |
//! | `# text` | a comment |
//! | `! line` | a line of the server's configuration (these come first) |
//! | `!agent NAME line` | a line of the file of an agent; with any, these are all the agents there are |
//! | `!file PATH text` | a file of the workspace; `\n` in the text ends a line |
//! | `!heavy N` | N files of nearly 2 MiB of source in `heavy/` of the workspace: analysing them takes a while |
//! | `token NAME args…`, `key NAME args…` | runs `callboard token args…`, keeps the token as `$NAME` |
//! | `A connect PATH` | connects; `$NAME` in the path is filled in |
//! | `A refused PATH STATUS {…}` | connecting is refused with this status and a body that matches |
//! | `A> {…}` | sends; `A> "text"` or `A>raw text` sends anything else; `A>binary text` its bytes as a binary frame |
//! | `A< {…}` | the next frame matches |
//! | `A<= {…}` | the next frame matches and has no other fields |
//! | `A<? {…}`, `A<* {…}` | before the next `A<` one such frame, or any number of them, may come |
//! | `A<+ {…}` | the following frames match these consecutive lines, in any order |
//! | `A<ignore {…}` | from here on such frames are passed over |
//! | `A<closed CODE text` | the server closes with this code; the reason has the text in it |
//! | `A close` | closes |
//! | `GET /path`, `POST /path {…}`, `DELETE /path` | an HTTP request |
//! | `= STATUS {…}` | its answer |
//! | `restart`, `kill` | the server is stopped with SIGTERM, or killed, and started again; sockets are gone |
//!
//! Each frame that comes must be what `/asyncapi.json` says of it, with no other fields.
//!
//! At the end every socket must be silent: the answer to a ping is the next frame. Patterns are described in `pattern`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::Value;

use super::client::{Client, Heard};
use super::frames::Frames;
use super::pattern::{self, Captures};
use super::server::{Server, Setup};

/// A transcript that was read.
pub struct Transcript {
    name: String,
    setup: Setup,
    heavy: usize,
    lines: Vec<(usize, Line)>,
}

enum Line {
    Tool { command: String, name: String, args: String },
    Connect { socket: String, path: String },
    Refused { socket: String, path: String, status: u16, body: Value },
    Send { socket: String, frame: Value, verbatim: String },
    Raw { socket: String, text: String },
    Binary { socket: String, text: String },
    Next { socket: String, pattern: Value, exact: bool },
    MayCome { socket: String, pattern: Value, often: bool },
    AnyOrder { socket: String, pattern: Value },
    Ignore { socket: String, pattern: Value },
    Closed { socket: String, code: u16, reason: String },
    Close { socket: String },
    Request { method: String, path: String, body: Option<Value> },
    Answer { status: u16, body: Option<Value> },
    Restart { kill: bool },
}

/// Reads a transcript; the error names file and line.
pub fn read(path: &Path) -> Result<Transcript, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    if !text.starts_with('#') {
        return Err(format!("{name}:1: a transcript opens with a comment that says what it shows"));
    }
    let mut joined: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match joined.last_mut() {
            Some((_, before)) if line.starts_with(' ') => {
                before.push('\n');
                before.push_str(line);
            }
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => joined.push((number, line.to_owned())),
        }
    }
    let mut transcript = Transcript { name, setup: Setup::default(), heavy: 0, lines: Vec::new() };
    for (number, line) in joined {
        transcript.take(number, &line).map_err(|why| format!("{}:{number}: {why}", transcript.name))?;
    }
    if transcript.lines.is_empty() {
        return Err(format!("{}: nothing is said", transcript.name));
    }
    Ok(transcript)
}

impl Transcript {
    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(setting) = line.strip_prefix('!') {
            if !self.lines.is_empty() {
                return Err("settings come first".to_owned());
            }
            return self.set(setting);
        }
        self.lines.push((number, directive(line)?));
        Ok(())
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let setup = std::mem::take(&mut self.setup);
        let (word, rest) = setting.split_once(' ').ok_or("a setting is missing")?;
        self.setup = match (word, rest.split_once(' ')) {
            ("", _) => Setup { config: format!("{}{rest}\n", setup.config), ..setup },
            ("agent", Some((name, line))) => setup.agent(name, line),
            ("file", Some((path, text))) => setup.file(path, &text.replace("\\n", "\n")),
            ("heavy", None) => {
                self.heavy = rest.parse().map_err(|_| "!heavy takes a number")?;
                setup
            }
            _ => return Err(format!("unknown setting: !{setting}")),
        };
        Ok(())
    }

    /// Runs the transcript against a server of its own; the error names file and line.
    pub async fn run(self) -> Result<(), String> {
        let (setup, heavy) = (self.setup, self.heavy);
        let start = move || {
            let server = setup.start();
            if heavy > 0 {
                make_heavy(&server.workspace(), heavy);
            }
            server
        };
        let server = tokio::task::spawn_blocking(start).await.map_err(|error| format!("{}: {error}", self.name))?;
        let mut stage = Stage { server, sockets: BTreeMap::new(), captures: Captures::new(), answer: None };
        let mut lines = self.lines.into_iter().peekable();
        while let Some((number, line)) = lines.next() {
            let fail = |why: String| format!("{}:{number}: {why}", self.name);
            if let Line::AnyOrder { socket, pattern } = line {
                let mut set = vec![pattern];
                while let Some((_, Line::AnyOrder { pattern, .. })) =
                    lines.next_if(|(_, next)| matches!(next, Line::AnyOrder { socket: other, .. } if *other == socket))
                {
                    set.push(pattern);
                }
                stage.any_order(&socket, set).await.map_err(fail)?;
            } else {
                stage.perform(line).await.map_err(fail)?;
            }
        }
        stage.end().await.map_err(|why| format!("{}: at the end: {why}", self.name))
    }
}

fn directive(line: &str) -> Result<Line, String> {
    let (first, rest) = line.split_once(' ').map_or((line, ""), |(first, rest)| (first, rest.trim()));
    match first {
        "GET" | "POST" | "DELETE" | "PUT" => {
            let (path, body) = rest.split_once(' ').map_or((rest, None), |(path, body)| (path, Some(body)));
            let body = body.map(json).transpose()?;
            return Ok(Line::Request { method: first.to_owned(), path: path.to_owned(), body });
        }
        "=" => {
            let (status, body) = rest.split_once(' ').map_or((rest, None), |(status, body)| (status, Some(body)));
            let status = status.parse().map_err(|_| "= takes a status")?;
            return Ok(Line::Answer { status, body: body.map(json).transpose()? });
        }
        "restart" | "kill" if rest.is_empty() => return Ok(Line::Restart { kill: first == "kill" }),
        "token" | "key" => {
            let (name, args) = rest.split_once(' ').ok_or("a name and arguments are missing")?;
            return Ok(Line::Tool { command: first.to_owned(), name: name.to_owned(), args: args.to_owned() });
        }
        _ => {}
    }
    let end = line.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit())).unwrap_or(line.len());
    let (name, said) = line.split_at(end);
    if name.len() > 2 || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("unknown directive: {line}"));
    }
    let socket = name.to_owned();
    let (word, rest) = said.trim_start().split_once(' ').map_or((said.trim(), ""), |(word, rest)| (word, rest.trim()));
    Ok(match word {
        ">" => Line::Send { socket, frame: json(rest)?, verbatim: rest.to_owned() },
        ">raw" => Line::Raw { socket, text: rest.to_owned() },
        ">binary" => Line::Binary { socket, text: rest.to_owned() },
        "<" => Line::Next { socket, pattern: json(rest)?, exact: false },
        "<=" => Line::Next { socket, pattern: json(rest)?, exact: true },
        "<?" => Line::MayCome { socket, pattern: json(rest)?, often: false },
        "<*" => Line::MayCome { socket, pattern: json(rest)?, often: true },
        "<+" => Line::AnyOrder { socket, pattern: json(rest)? },
        "<ignore" => Line::Ignore { socket, pattern: json(rest)? },
        "<closed" => {
            let (code, reason) = rest.split_once(' ').map_or((rest, ""), |pair| pair);
            Line::Closed {
                socket,
                code: code.parse().map_err(|_| "a close code is missing")?,
                reason: reason.to_owned(),
            }
        }
        "connect" if rest.starts_with('/') => Line::Connect { socket, path: rest.to_owned() },
        "close" if rest.is_empty() => Line::Close { socket },
        "refused" => {
            let mut words = rest.splitn(3, ' ');
            let path = words.next().unwrap_or_default().to_owned();
            let status = words.next().and_then(|status| status.parse().ok()).ok_or("a status is missing")?;
            Line::Refused { socket, path, status, body: json(words.next().unwrap_or("\"<any>\""))? }
        }
        _ => return Err(format!("unknown directive: {line}")),
    })
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))
}

/// Source that takes a while to count: links to one file, so that it costs no disk.
pub fn make_heavy(workspace: &Path, files: usize) {
    let folder = workspace.join("heavy");
    std::fs::create_dir_all(&folder).unwrap();
    let line = "let a = \"it\"; /* one /* in */ another */ let b = 'x'; // {}\n";
    let first = folder.join("0.rs");
    std::fs::write(&first, line.repeat((2 << 20) / line.len() - 1)).unwrap();
    (1..files).for_each(|n| std::fs::hard_link(&first, folder.join(format!("{n}.rs"))).unwrap());
}

struct Socket {
    client: Client,
    path: String,
    frames: &'static Frames,
    may_come: Vec<(Value, bool)>,
    ignored: Vec<Value>,
}

struct Stage {
    server: Server,
    sockets: BTreeMap<String, Socket>,
    captures: Captures,
    answer: Option<(u16, String)>,
}

impl Stage {
    async fn perform(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Tool { command, name, args } => {
                let mut words = vec![command.as_str()];
                words.extend((command == "key").then_some("create"));
                words.extend(args.split_whitespace());
                let made = self.server.tool(&words);
                self.captures.insert(name, made.into());
                Ok(())
            }
            Line::Connect { socket, path } => {
                let path = pattern::filled_text(&path, &self.captures)?;
                self.sockets.insert(socket, Socket::connect(&self.server, &path).await);
                Ok(())
            }
            Line::Refused { path, status, body, .. } => self.refused(&path, status, &body).await,
            Line::Send { socket, frame, verbatim } => {
                let text = match verbatim.contains('$') {
                    true => pattern::filled(&frame, &self.captures)?.to_string(),
                    false => verbatim,
                };
                self.say(&socket, &text).await
            }
            Line::Raw { socket, text } => self.say(&socket, &text).await,
            Line::Binary { socket, text } => {
                self.socket(&socket).await.client.send_binary(text.into_bytes()).await;
                Ok(())
            }
            Line::Next { socket, pattern, exact } => self.next(&socket, &pattern, exact).await,
            Line::MayCome { socket, pattern, often } => {
                let pattern = pattern::filled(&pattern, &self.captures)?;
                self.socket(&socket).await.may_come.push((pattern, often));
                Ok(())
            }
            Line::AnyOrder { socket, pattern } => self.any_order(&socket, vec![pattern]).await,
            Line::Ignore { socket, pattern } => {
                let pattern = pattern::filled(&pattern, &self.captures)?;
                self.socket(&socket).await.ignored.push(pattern);
                Ok(())
            }
            Line::Closed { socket, code, reason } => self.closed(&socket, code, &reason).await,
            Line::Close { socket } => {
                let socket = self.sockets.remove(&socket).ok_or("no such socket")?;
                socket.client.close().await;
                Ok(())
            }
            Line::Request { method, path, body } => self.request(&method, &path, body).await,
            Line::Answer { status, body } => self.answered(status, body),
            Line::Restart { kill } => self.restart(kill),
        }
    }

    async fn socket(&mut self, name: &str) -> &mut Socket {
        if !self.sockets.contains_key(name) {
            let socket = Socket::connect(&self.server, "/ws").await;
            self.sockets.insert(name.to_owned(), socket);
        }
        self.sockets.get_mut(name).expect("it is there")
    }

    async fn say(&mut self, socket: &str, text: &str) -> Result<(), String> {
        self.socket(socket).await.client.try_send_raw(text).await.map_err(|error| format!("cannot send: {error}"))
    }

    async fn next(&mut self, name: &str, pattern: &Value, exact: bool) -> Result<(), String> {
        let pattern = pattern::filled(pattern, &self.captures)?;
        let mut kept = self.captures.clone();
        let socket = self.socket(name).await;
        loop {
            let frame = socket.frame().await.map_err(|why| format!("expected {pattern}\n  but {why}"))?;
            let mut fresh = kept.clone();
            let matched = match exact {
                true => pattern::matches_exactly(&pattern, &frame, &mut fresh),
                false => pattern::matches(&pattern, &frame, &mut fresh),
            };
            match matched {
                Ok(()) => {
                    socket.may_come.clear();
                    self.captures = fresh;
                    return Ok(());
                }
                Err(_) if socket.may_pass(&frame, &mut kept) => {}
                Err(why) => return Err(format!("{why}\n  expected {pattern}\n  but came {frame}")),
            }
        }
    }

    async fn any_order(&mut self, name: &str, set: Vec<Value>) -> Result<(), String> {
        let fill = |pattern: &Value| pattern::filled(pattern, &self.captures);
        let mut left: Vec<Value> = set.iter().map(fill).collect::<Result<_, _>>()?;
        let mut kept = self.captures.clone();
        let socket = self.socket(name).await;
        while !left.is_empty() {
            let frame = socket.frame().await?;
            let fits = |pattern: &Value| {
                let mut fresh = kept.clone();
                pattern::matches(pattern, &frame, &mut fresh).is_ok().then_some(fresh)
            };
            match left.iter().enumerate().find_map(|(at, pattern)| Some((at, fits(pattern)?))) {
                Some((at, fresh)) => {
                    left.remove(at);
                    kept = fresh;
                }
                None if socket.may_pass(&frame, &mut kept) => {}
                None => {
                    let expected: Vec<String> = left.iter().map(Value::to_string).collect();
                    return Err(format!("expected one of\n    {}\n  but came {frame}", expected.join("\n    ")));
                }
            }
        }
        socket.may_come.clear();
        self.captures = kept;
        Ok(())
    }

    async fn closed(&mut self, name: &str, code: u16, reason: &str) -> Result<(), String> {
        let mut kept = self.captures.clone();
        let mut socket = self.sockets.remove(name).ok_or("no such socket")?;
        loop {
            match socket.client.heard().await {
                Heard::Closed(actual, said) if actual == code && said.contains(reason) => return Ok(()),
                Heard::Closed(actual, said) => return Err(format!("closed with {actual} {said:?}")),
                Heard::Json(frame) if socket.may_pass(&frame, &mut kept) => {}
                Heard::Json(frame) => return Err(format!("expected the end, but came {frame}")),
            }
        }
    }

    async fn refused(&mut self, path: &str, status: u16, body: &Value) -> Result<(), String> {
        let path = pattern::filled_text(path, &self.captures)?;
        match Client::try_connect(&format!("ws://{}{path}", self.server.address())).await {
            Ok(_) => Err("the upgrade was not refused".to_owned()),
            Err((actual, text)) if actual != status => Err(format!("refused with {actual}: {text}")),
            Err((_, text)) => {
                let actual = serde_json::from_str(&text).unwrap_or(Value::String(text));
                pattern::matches(body, &actual, &mut self.captures).map_err(|why| format!("{why}\n  in {actual}"))
            }
        }
    }

    async fn request(&mut self, method: &str, path: &str, body: Option<Value>) -> Result<(), String> {
        let url = self.server.http(&pattern::filled_text(path, &self.captures)?);
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = reqwest::Client::new().request(method, url).timeout(super::PATIENCE);
        if let Some(body) = body {
            request = request.json(&pattern::filled(&body, &self.captures)?);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        self.answer = Some((status, response.text().await.map_err(|error| error.to_string())?));
        Ok(())
    }

    fn answered(&mut self, status: u16, body: Option<Value>) -> Result<(), String> {
        let (actual, text) = self.answer.take().ok_or("no request was made")?;
        if actual != status {
            return Err(format!("the status is {actual}: {text}"));
        }
        let Some(body) = body else { return Ok(()) };
        let value = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
        let pattern = pattern::filled(&body, &self.captures)?;
        pattern::matches(&pattern, &value, &mut self.captures).map_err(|why| format!("{why}\n  in {value}"))
    }

    fn restart(&mut self, kill: bool) -> Result<(), String> {
        self.sockets.clear();
        if !kill {
            let status = self.server.terminate();
            if !status.success() {
                return Err(format!("the server ended with {status}"));
            }
        }
        self.server.restart();
        Ok(())
    }

    async fn end(mut self) -> Result<(), String> {
        let names: HashSet<String> = self.sockets.keys().cloned().collect();
        for name in names {
            self.say(&name, r#"{"type":"ping"}"#).await?;
            self.next(&name, &serde_json::json!({ "type": "pong" }), false).await?;
        }
        if self.answer.is_some() {
            return Err("an HTTP answer was not looked at".to_owned());
        }
        Ok(())
    }
}

impl Socket {
    async fn connect(server: &Server, path: &str) -> Self {
        let (client, frames) = (server.connect(path).await, Frames::of(server.address()).await);
        Self { client, path: path.to_owned(), frames, may_come: Vec::new(), ignored: Vec::new() }
    }

    async fn frame(&mut self) -> Result<Value, String> {
        match self.client.heard_within(super::PATIENCE).await {
            Some(Heard::Json(frame)) => self.frames.check(&self.path, &frame).map(|()| frame),
            Some(Heard::Closed(code, reason)) => Err(format!("the socket was closed: {code} {reason}")),
            None => Err("nothing came".to_owned()),
        }
    }

    /// Whether a frame is one of those that may come in between.
    fn may_pass(&mut self, frame: &Value, kept: &mut Captures) -> bool {
        if self.ignored.iter().any(|pattern| pattern::matches(pattern, frame, kept).is_ok()) {
            return true;
        }
        let found = self.may_come.iter().position(|(pattern, _)| pattern::matches(pattern, frame, kept).is_ok());
        let Some(found) = found else { return false };
        if !self.may_come[found].1 {
            self.may_come.remove(found);
        }
        true
    }
}
