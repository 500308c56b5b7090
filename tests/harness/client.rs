//! A client: another implementation of WebSocket than the server's, and nothing of the server's code.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::PATIENCE;
use super::pattern::{self, Captures};

/// What comes from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A text frame of JSON.
    Json(Value),
    /// The end, with close code and reason; 1006 if the connection just ended.
    Closed(u16, String),
}

/// A client's socket.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The next frame, if it was looked at already.
    ahead: Option<Heard>,
}

impl Client {
    /// Connects to an address of scheme `ws`; the test fails if it is refused.
    pub async fn connect(url: &str) -> Self {
        Self::try_connect(url).await.unwrap_or_else(|(status, body)| panic!("{url}: refused with {status}: {body}"))
    }

    /// Connects with a receive buffer that holds next to nothing, as a thin line does.
    pub async fn connect_narrow(url: &str) -> Self {
        let request = url.into_client_request().unwrap();
        let address = request.uri().authority().unwrap().as_str().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(address).await.unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Self { socket, ahead: None }
    }

    /// Connects, or says with which status and body the server refused.
    pub async fn try_connect(url: &str) -> Result<Self, (u16, String)> {
        let request = url.into_client_request().unwrap();
        let config = WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        match tokio::time::timeout(PATIENCE, connecting).await.expect("connecting takes too long") {
            Ok((socket, _)) => Ok(Self { socket, ahead: None }),
            Err(tungstenite::Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(error) => Err((0, error.to_string())),
        }
    }

    /// Sends a frame of JSON.
    pub async fn send(&mut self, frame: Value) {
        self.send_raw(&frame.to_string()).await;
    }

    /// Sends a text frame as it is.
    pub async fn send_raw(&mut self, text: &str) {
        self.try_send_raw(text).await.unwrap_or_else(|error| panic!("cannot send {text}: {error}"));
    }

    /// Sends a text frame as it is, unless the connection is over.
    pub async fn try_send_raw(&mut self, text: &str) -> Result<(), tungstenite::Error> {
        let sending = self.socket.send(Message::text(text));
        tokio::time::timeout(PATIENCE, sending).await.expect("sending takes too long")
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// Says goodbye and waits until the server has done so as well.
    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
        while let Some(Ok(_)) = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("no goodbye") {}
    }

    /// What comes next, text or the end, without taking it.
    pub async fn peek(&mut self) -> &Heard {
        if self.ahead.is_none() {
            self.ahead = Some(self.heard_within(PATIENCE).await.expect("nothing comes"));
        }
        self.ahead.as_ref().unwrap()
    }

    /// What comes next, text or the end.
    pub async fn heard(&mut self) -> Heard {
        match self.ahead.take() {
            Some(heard) => heard,
            None => self.heard_within(PATIENCE).await.expect("nothing comes"),
        }
    }

    /// What comes next within a time, if anything does. Frames of WebSocket itself are answered on the way.
    pub async fn heard_within(&mut self, limit: Duration) -> Option<Heard> {
        if let Some(heard) = self.ahead.take() {
            return Some(heard);
        }
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let message = tokio::time::timeout_at(deadline, self.socket.next()).await.ok()?;
            match message {
                Some(Ok(Message::Text(text))) => {
                    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
                    return Some(Heard::Json(value));
                }
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) =
                        frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                    return Some(Heard::Closed(code, reason));
                }
                Some(Ok(Message::Binary(_))) => panic!("a binary frame came"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(Heard::Closed(1006, error.to_string())),
                None => return Some(Heard::Closed(1006, String::new())),
            }
        }
    }

    /// The next frame; the end is a failure.
    pub async fn next(&mut self) -> Value {
        match self.heard().await {
            Heard::Json(value) => value,
            Heard::Closed(code, reason) => panic!("the socket was closed: {code} {reason}"),
        }
    }

    /// The next frame, which must match.
    pub async fn expect(&mut self, pattern: Value) -> Value {
        let frame = self.next().await;
        if let Err(why) = pattern::matches(&pattern, &frame, &mut Captures::default()) {
            panic!("{why}\nexpected {pattern}\nbut came {frame}");
        }
        frame
    }

    /// The first frame that matches; those before it are passed over.
    pub async fn until(&mut self, pattern: Value) -> Value {
        loop {
            let frame = self.next().await;
            if pattern::matches(&pattern, &frame, &mut Captures::default()).is_ok() {
                return frame;
            }
        }
    }

    /// Sends a request and returns the first frame with its id that is not on the way to the end.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let id = frame["id"].clone();
        assert!(id.is_string(), "a request needs an id: {frame}");
        self.send(frame).await;
        loop {
            let reply = self.next().await;
            let kind = reply["type"].as_str().unwrap_or_default();
            let on_the_way = ["chat_chunk", "status", "log", "agent_called", "agent_output", "result"].contains(&kind);
            if reply["id"] == id && !on_the_way {
                return reply;
            }
        }
    }

    /// Sends a request and returns the frame that ends it, whether or not it could be told by its id.
    pub async fn ask_any(&mut self, frame: Value) -> Value {
        self.send(frame).await;
        loop {
            let reply = self.next().await;
            let last = ["error", "chat_response", "command_result", "published", "status_update", "final_answer"];
            if last.contains(&reply["type"].as_str().unwrap_or_default()) {
                return reply;
            }
        }
    }

    /// How the server ends the connection; frames before that are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Heard::Closed(code, reason) = self.heard().await {
                return (code, reason);
            }
        }
    }

    /// Everything that was sent before has been taken: the answer to a ping is the next frame.
    pub async fn quiet(&mut self) {
        self.send(serde_json::json!({ "type": "ping" })).await;
        self.expect(serde_json::json!({ "type": "pong" })).await;
    }
}
