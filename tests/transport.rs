//! The transport over real sockets: a server with a session actor of its own, and clients that behave or do not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_web::{App, HttpRequest, HttpServer, web};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};
use callboard::ws::{
    Frame, Gate, Incoming, Nudge, Overflow, Queue, Reaper, Rules, Terms, Ticket, Wire, close, cord, echo, upgrade,
};
use tokio_tungstenite::tungstenite::{self, Message as Theirs, protocol::frame::coding::CloseCode};

const PATIENCE: Duration = Duration::from_secs(20);

/// A session as the server's own: messages come from its client and, through the gate, from other threads.
struct Probe {
    wire: Wire,
    events: Sender<Happened>,
}

/// What a test hears of a session.
enum Happened {
    Started(Addr<Probe>, Arc<Gate>),
    Ended,
}

/// Something another thread sends to a session's client.
#[derive(Message)]
#[rtype(result = "()")]
struct Deliver(Ticket, Frame);

impl Actor for Probe {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wire.attach(ctx);
        let _ = self.events.send(Happened::Started(ctx.address(), self.wire.gate().clone()));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.events.send(Happened::Ended);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Probe {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        match self.wire.incoming(item, ctx) {
            Some(Incoming::Text(text)) => self.wire.send(Frame::text(text)),
            Some(Incoming::Binary(bytes)) => self.wire.send(Frame::binary(bytes)),
            Some(Incoming::Closed(_)) | None => {}
        }
    }
}

impl Handler<Deliver> for Probe {
    type Result = ();

    fn handle(&mut self, Deliver(ticket, frame): Deliver, _: &mut Self::Context) {
        self.wire.deliver(ticket, frame);
    }
}

impl Handler<Nudge> for Probe {
    type Result = ();

    fn handle(&mut self, nudge: Nudge, ctx: &mut Self::Context) {
        self.wire.nudged(nudge, ctx);
    }
}

/// A server of its own for one test, on a free port.
struct Server {
    address: SocketAddr,
    reaper: Arc<Reaper>,
    events: Receiver<Happened>,
}

impl Server {
    fn start(rules: Rules, terms: Terms) -> Self {
        let reaper = Reaper::new(rules);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = channel();
        let watch = reaper.clone();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                actix_web::rt::spawn(watch.clone().run());
                let app = move || {
                    let (reaper, events) = (watch.clone(), sender.clone());
                    let probe = move |req: HttpRequest, payload: web::Payload| {
                        let events = events.clone();
                        let answer = upgrade(&req, payload, &terms, &reaper, |wire| Probe { wire, events });
                        async move { answer }
                    };
                    let echo = watch.clone();
                    App::new().configure(move |cfg| echo::echo_route(cfg, echo)).route("/probe", web::to(probe))
                };
                let server = HttpServer::new(app).on_connect(cord::on_connect).workers(1).disable_signals();
                // Longer than anybody here waits: no close may depend on it.
                let server = server.client_disconnect_timeout(3 * PATIENCE);
                server.listen(listener).unwrap().run().await.unwrap();
            });
        });
        Self { address, reaper, events }
    }

    fn usual() -> Self {
        Self::start(Rules::default(), Terms::default())
    }

    fn raw(&self, path: &str, more: &str) -> Raw {
        Raw::connect(self.address, path, more)
    }

    fn started(&self) -> (Addr<Probe>, Arc<Gate>) {
        match self.events.recv_timeout(PATIENCE).expect("a session starts") {
            Happened::Started(actor, gate) => (actor, gate),
            Happened::Ended => panic!("a session ended before it started"),
        }
    }

    fn ended(&self) {
        match self.events.recv_timeout(PATIENCE).expect("the session ends") {
            Happened::Ended => {}
            Happened::Started(..) => panic!("another session started"),
        }
    }
}

/// A client that writes whatever bytes it likes.
struct Raw {
    stream: TcpStream,
    /// The head of the answer to the upgrade.
    head: String,
}

impl Raw {
    fn connect(address: SocketAddr, path: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        Self { stream, head: String::from_utf8(head).unwrap() }
    }

    /// Sends a masked frame.
    fn send(&mut self, first: u8, payload: &[u8]) {
        let key = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match payload.len() {
            small @ 0..=125 => bytes.push(0x80 | small as u8),
            large => {
                bytes.push(0xFF);
                bytes.extend((large as u64).to_be_bytes());
            }
        }
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next frame: its first byte and its payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => self.number::<2>(),
            127 => self.number::<8>(),
            small => u64::from(small),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    fn number<const N: usize>(&mut self) -> u64 {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Reads on to the close frame: its code and its words.
    fn closed(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.frame();
            if first == 0x88 {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                return (code, String::from_utf8(payload[2..].to_vec()).unwrap());
            }
        }
    }

    /// The code of the close frame that answers `bytes`.
    fn refused(mut self, bytes: &[u8]) -> u16 {
        self.stream.write_all(bytes).unwrap();
        self.closed().0
    }
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn tungstenite(server: &Server, path: &str) -> tungstenite::WebSocket<TcpStream> {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    tungstenite::client(format!("ws://{}{path}", server.address), stream).unwrap().0
}

#[test]
fn an_independent_client_is_echoed_and_closed_in_order() {
    let server = Server::usual();
    let mut client = tungstenite(&server, "/probe");
    client.send(Theirs::text("hello")).unwrap();
    assert_eq!(client.read().unwrap(), Theirs::text("hello"));
    let large = vec![9; 1 << 20];
    client.send(Theirs::binary(large.clone())).unwrap();
    assert_eq!(client.read().unwrap(), Theirs::binary(large));
    client.send(Theirs::Ping("are you there".into())).unwrap();
    assert_eq!(client.read().unwrap(), Theirs::Pong("are you there".into()));
    client.close(Some(tungstenite::protocol::CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).unwrap();
    let Theirs::Close(Some(answer)) = client.read().unwrap() else { panic!("not closed") };
    assert_eq!(answer.code, CloseCode::Normal);
    assert!(matches!(client.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn text_may_be_cut_anywhere_with_pings_between() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "");
    let euro = "€".as_bytes();
    client.send(0x01, &euro[..1]);
    client.send(0x89, b"between");
    client.send(0x00, &euro[1..2]);
    client.send(0x80, &euro[2..]);
    assert_eq!(client.frame(), (0x8A, b"between".to_vec()));
    assert_eq!(client.frame(), (0x81, euro.to_vec()));
}

#[test]
fn what_the_protocol_forbids_is_closed_with_its_code() {
    let server = Server::usual();
    let refused = |bytes: &[u8]| server.raw("/echo", "").refused(bytes);
    assert_eq!(refused(&[0x81, 0x01, b'a']), 1002, "unmasked");
    assert_eq!(refused(&[0xC1, 0x81, 0, 0, 0, 0, b'a']), 1002, "a reserved bit");
    assert_eq!(refused(&[0x83, 0x80, 0, 0, 0, 0]), 1002, "an unknown opcode");
    assert_eq!(refused(&[0x09, 0x80, 0, 0, 0, 0]), 1002, "a fragmented ping");
    assert_eq!(refused(&[0x80, 0x80, 0, 0, 0, 0]), 1002, "a continuation of nothing");
    assert_eq!(refused(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xED]), 1002, "a close with 1005");
    assert_eq!(refused(&[0x81, 0x81, 0, 0, 0, 0, 0xFF]), 1007, "text that is not UTF-8");
    assert_eq!(refused(&[0x01, 0x81, 0, 0, 0, 0, 0xFF]), 1007, "a fragment that is not UTF-8");
}

#[test]
fn what_came_before_a_fault_is_answered() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "");
    client.stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i', 0x83, 0x80]).unwrap();
    assert_eq!(client.frame(), (0x81, b"hi".to_vec()));
    assert_eq!(client.closed().0, 1002);
}

#[test]
fn memory_does_not_follow_a_frame_that_declares_too_much() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "");
    let before = resident();
    client.stream.write_all(&[0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    let junk = vec![0; 64 * 1024];
    let mut sent = 0;
    while sent < 64 << 20 {
        match client.stream.write(&junk) {
            Ok(count) => sent += count,
            // The server has hung up: sooner than it read it all.
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
                break;
            }
        }
    }
    server.started();
    server.ended();
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes grown while {sent} were sent");
}

#[test]
fn too_much_is_told_with_1009() {
    let server = Server::usual();
    let declared = [0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4];
    assert_eq!(server.raw("/probe", "").refused(&declared), 1009);
    let mut client = server.raw("/probe", "");
    client.send(0x02, &vec![0; 700_000]);
    client.send(0x80, &vec![0; 700_000]);
    assert_eq!(client.closed().0, 1009);
}

#[test]
fn what_was_sent_before_a_hang_up_is_taken() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "");
    client.send(0x81, b"last words");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.frame(), (0x81, b"last words".to_vec()));
    server.started();
    server.ended();
}

#[test]
fn a_burst_over_the_queue_ends_with_slow_consumer() {
    let server =
        Server::start(Rules::default(), Terms { queue: Queue { frames: 64, bytes: 1 << 20 }, ..Terms::default() });
    let mut client = server.raw("/probe", "");
    let (actor, gate) = server.started();
    while let Ok(ticket) = gate.charge(5) {
        actor.try_send(Deliver(ticket, Frame::text("burst"))).unwrap();
    }
    assert_eq!(client.closed(), (1008, "slow consumer".into()));
    server.ended();
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_costs_little() {
    let rules = Rules { look: Duration::from_millis(20), grace: Duration::from_millis(200), ..Rules::default() };
    let server = Server::start(rules, Terms::default());
    let mut client = server.raw("/probe", "");
    let (actor, gate) = server.started();
    let before = resident();
    let frame = Frame::binary(vec![1; 64 * 1024]);
    let mut taken = 0;
    let mut deliver = || {
        let ticket = gate.charge(frame.size())?;
        actor.try_send(Deliver(ticket, frame.clone())).unwrap();
        taken += frame.size();
        Ok::<_, Overflow>(())
    };
    // First the kernel's buffers fill, at their own pace; then nothing moves, the actor is frozen, and the queue fills.
    let mut moved = Instant::now();
    while moved.elapsed() < Duration::from_millis(300) {
        if gate.load().0 < 8 {
            deliver().unwrap();
            moved = Instant::now();
        }
        std::thread::yield_now();
    }
    while deliver().is_ok() {}
    server.ended();
    let grown = resident().saturating_sub(before);
    assert!(taken < 32 << 20 && grown < 16 << 20, "{taken} bytes taken, {grown} grown");
    // What was on its way can still be read; then the socket is at its end, whether in order or not.
    let mut sink = vec![0; 64 * 1024];
    while matches!(client.stream.read(&mut sink), Ok(1..)) {}
}

#[test]
fn a_silent_client_is_pinged_then_closed() {
    let rules = Rules {
        look: Duration::from_millis(10),
        heartbeat: Duration::from_millis(100),
        silence: Duration::from_millis(300),
        ..Rules::default()
    };
    let server = Server::start(rules, Terms::default());
    let mut client = server.raw("/probe", "");
    assert_eq!(client.frame(), (0x89, Vec::new()));
    assert_eq!(client.closed(), (1008, "silent".into()));
    server.started();
    server.ended();
}

#[test]
fn draining_closes_everybody_with_1001() {
    let server = Server::usual();
    let mut clients: Vec<_> = (0..8).map(|_| server.raw("/probe", "")).collect();
    clients.iter().for_each(|_| drop(server.started()));
    server.reaper.close_all(&close::draining());
    for client in &mut clients {
        assert_eq!(client.closed(), (1001, "draining".into()));
    }
    clients.iter().for_each(|_| server.ended());
    assert_eq!(server.reaper.sessions(), 0);
}

#[test]
fn a_full_house_answers_503_and_only_the_own_protocol_is_echoed() {
    let server = Server::start(Rules { sessions: 1, ..Rules::default() }, Terms::default());
    let first = server.raw("/probe", "Sec-WebSocket-Protocol: bearer.secret, callboard\r\n");
    assert!(first.head.starts_with("HTTP/1.1 101"));
    assert!(first.head.to_lowercase().contains("sec-websocket-protocol: callboard\r\n"));
    assert!(!first.head.contains("secret"));
    let second = server.raw("/probe", "");
    assert!(second.head.starts_with("HTTP/1.1 503"), "{}", second.head);
    assert!(second.head.to_lowercase().contains("retry-after"));
}

#[test]
fn large_messages_leave_compressed_where_it_was_agreed_and_plain_elsewhere() {
    let server = Server::usual();
    let mut packed = server.raw("/probe", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    let (actor, gate) = server.started();
    let mut plain = server.raw("/probe", "");
    let (other, other_gate) = server.started();
    assert!(packed.head.contains("permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
    assert!(!plain.head.contains("permessage-deflate"));

    let text = "a line that comes again and again\n".repeat(1_000);
    let frame = Frame::text(text.clone());
    for (actor, gate) in [(&actor, &gate), (&other, &other_gate)] {
        actor.try_send(Deliver(gate.charge(frame.size()).unwrap(), frame.clone())).unwrap();
        actor.try_send(Deliver(gate.charge(5).unwrap(), Frame::text("short"))).unwrap();
    }
    let (first, payload) = packed.frame();
    assert_eq!(first, 0xC1);
    assert!(payload.len() < text.len() / 20);
    assert_eq!(packed.frame(), (0x81, b"short".to_vec()));
    assert_eq!(plain.frame(), (0x81, text.clone().into_bytes()));

    // Sent back as it came, it is the same text again.
    packed.send(0xC1, &payload);
    assert_eq!(packed.frame(), (0xC1, payload));
}

#[test]
fn a_bomb_is_refused_with_1009() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    let mut deflater = flate2::Compress::new(flate2::Compression::best(), false);
    let mut bomb = Vec::with_capacity(1 << 20);
    deflater.compress_vec(&vec![0; 64 << 20], &mut bomb, flate2::FlushCompress::Sync).unwrap();
    let before = resident();
    client.send(0xC2, &bomb[..bomb.len() - 4]);
    assert_eq!(client.closed().0, 1009);
    assert!(resident().saturating_sub(before) < 16 << 20);
}

#[test]
fn large_messages_may_follow_each_other_closely() {
    let server = Server::usual();
    let mut client = server.raw("/probe", "");
    // Each takes more than half of what may wait; a client that reads is no slow consumer for it.
    let payload = vec![5; 900_000];
    let mut writer = Raw { stream: client.stream.try_clone().unwrap(), head: String::new() };
    let writes = std::thread::spawn(move || (0..12).for_each(|_| writer.send(0x82, &payload)));
    for _ in 0..12 {
        assert_eq!(client.frame().1.len(), 900_000);
    }
    writes.join().unwrap();
}
