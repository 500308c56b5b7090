//! A socket to `/ws`: frames of document 002 to a server and from it.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::rest::refused;
use super::{Fault, Server};

/// How long a server may take to let somebody in, and to answer what no agent works on.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A server pings every 15 s unless told otherwise; one that is silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Frames that may wait while a reply is awaited. As many as a server keeps for one session; past it the oldest goes.
const ASIDE: usize = 1024;

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while a reply was awaited.
    aside: VecDeque<Value>,
    /// Whether some of it had no room.
    overrun: bool,
    /// When the last frame was sent, by the server's clock.
    clock: String,
    ids: u64,
}

impl Socket {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn open(server: &Server) -> Result<Self, Fault> {
        let at = server.http("");
        let unreachable = |why: String| Fault::unreachable(at.clone(), why);
        let mut request = server.ws("/ws").into_client_request().map_err(|error| unreachable(error.to_string()))?;
        if let Some(value) = server.authorization() {
            let value = HeaderValue::from_str(&value).map_err(|_| Fault::Refused("no token looks like this".into()))?;
            request.headers_mut().insert("authorization", value);
        }
        let connecting = tokio_tungstenite::connect_async_tls_with_config(request, None, true, server.connector());
        match timeout(PATIENCE, connecting).await {
            Ok(Ok((stream, _))) => {
                Ok(Self { stream, aside: VecDeque::new(), overrun: false, clock: String::new(), ids: 0 })
            }
            Ok(Err(tungstenite::Error::Http(response))) => {
                let body = response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
                Err(refused(&at, response.status(), &body.unwrap_or_default()))
            }
            Ok(Err(tungstenite::Error::Io(error))) => Err(unreachable(error.to_string())),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable("it does not answer in time".to_owned())),
        }
    }

    /// An id that no other request of this socket has.
    pub fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("cli-{}", self.ids)
    }

    /// When the server sent the last frame that says so (RFC 3339); empty before the first.
    pub fn clock(&self) -> &str {
        &self.clock
    }

    /// Whether frames were lost because too many came while a reply was awaited.
    pub fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn send(&mut self, frame: &Value) -> Result<(), Fault> {
        match timeout(SILENCE, self.stream.send(Message::text(frame.to_string()))).await {
            Ok(sent) => sent.map_err(|error| Fault::Lost(error.to_string())),
            Err(_) => Err(Fault::Lost("the server does not read".to_owned())),
        }
    }

    /// The next frame that is not for keeping the connection. May be dropped while it waits, and loses nothing.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn next(&mut self) -> Result<Value, Fault> {
        match self.aside.pop_front() {
            Some(frame) => Ok(frame),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Value, Fault> {
        loop {
            let message = match timeout(SILENCE, self.stream.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return Err(Fault::Lost(error.to_string())),
                Ok(None) => return Err(Fault::Lost("the server ended it".to_owned())),
                Err(_) => return Err(Fault::Lost("the server has gone silent".to_owned())),
            };
            match message {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                    if let Some(at) = frame["timestamp"].as_str() {
                        self.clock = at.to_owned();
                    }
                    if frame["type"] != "ping" {
                        return Ok(frame);
                    }
                    self.send(&json!({ "type": "pong" })).await?;
                }
                Message::Close(frame) => {
                    let why = frame.filter(|frame| !frame.reason.is_empty());
                    return Err(Fault::Lost(
                        why.map_or_else(|| "the server ended it".into(), |f| f.reason.to_string()),
                    ));
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Sends a request that no agent works on, and returns its reply's data; what comes in between is kept for
    /// [`Socket::next`].
    ///
    /// # Errors
    /// The connection was lost, or the server answered with an error.
    pub async fn ask(&mut self, kind: &str, data: Value) -> Result<Value, Fault> {
        let id = self.next_id();
        self.send(&json!({ "type": kind, "id": id, "data": data })).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let read = tokio::time::timeout_at(deadline, self.read()).await;
            let mut frame = read.map_err(|_| Fault::Lost("the server does not answer in time".to_owned()))??;
            if frame["id"] == *id {
                let data = frame["data"].take();
                return if frame["type"] == "error" { Err(Fault::of(&data)) } else { Ok(data) };
            }
            if self.aside.len() == ASIDE {
                self.aside.pop_front();
                self.overrun = true;
            }
            self.aside.push_back(frame);
        }
    }

    /// Says goodbye; whether it is heard does not matter.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}
