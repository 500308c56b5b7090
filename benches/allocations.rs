//! How often memory is asked for, and for how much: `cargo bench --bench allocations`.
//!
//! `chat` is a whole durable turn with the brain `echo`: a frame of document 002 decoded, the question and the answer
//! synced to the journal, the reply encoded. `delivery` is one durable publication for so many listeners, encoded once;
//! the figures are those of the whole publication, then a listener's share. Every thread counts, the journal's too; the
//! socket and its actor do not take part. What one asked for and gave back again counts all the same.

#![allow(clippy::unwrap_used, missing_docs)]

use std::alloc::System;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use actix::{System as Actix, SystemRunner};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

use callboard::dialect::agents::Agents;
use callboard::dialect::{Asked, Audience, Bounds, Call, Dialect, Inbound};
use callboard_actors::agent::persona::{Limits, Persona};
use callboard_actors::brain::echo::Echo;
use callboard_actors::house::Settings;
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::outbox::{Delivered, Outbox, Outlet};
use callboard_actors::protocol::{
    AgentName, ChannelId, Command, ConversationId, Delivery, Event, Interest, Principal, RunKind, SessionId, Subject,
    TenantId, To, Token,
};
use callboard_actors::request::Request;
use callboard_actors::router::Cast;
use callboard_actors::runtime::Runtime;
use callboard_actors::tenant::Tenant;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BOUNDS: Bounds = Bounds { content: 256 * 1024, batch: 100 };

/// Requests between a beginning and an end of counting.
const REQUESTS: usize = 4096;

/// The way to a session, as far as its dialect: encodes what arrives, an event for members once for all of them.
struct Encoding {
    dialect: Agents,
    asked: Asked,
    ends: mpsc::SyncSender<()>,
}

impl Outlet for Encoding {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let envelope = &delivery.envelope;
        match delivery.to {
            To::Requester(_) => {
                let frames = self.dialect.encode(&envelope.event, envelope.at, Audience::Requester(&self.asked));
                std::hint::black_box(frames);
            }
            To::Member => {
                let make = || self.dialect.encode(&envelope.event, envelope.at, Audience::Member);
                std::hint::black_box(envelope.form(self.dialect.slot(), make));
            }
            To::Subscriber => {}
        }
        if envelope.event.ends_request() {
            // Nobody waits for the end of a listener's attaching.
            let _ = self.ends.try_send(());
        }
        Delivered::Yes
    }
}

/// A listener: encodes as `Encoding` does, and tells when all have the publication.
struct Listening {
    encoding: Encoding,
    seen: AtomicUsize,
    of: usize,
    all: mpsc::SyncSender<()>,
}

impl Outlet for Listening {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let published = matches!(delivery.envelope.event, Event::Published { .. });
        self.encoding.deliver(delivery);
        if published && (self.seen.fetch_add(1, Ordering::AcqRel) + 1).is_multiple_of(self.of) {
            self.all.send(()).unwrap();
        }
        Delivered::Yes
    }
}

struct World {
    _folder: tempfile::TempDir,
    _system: SystemRunner,
    tenant: Arc<Tenant>,
    principal: Arc<Principal>,
    dialect: Agents,
}

impl World {
    fn new() -> Self {
        let (folder, system) = (tempfile::tempdir().unwrap(), Actix::new());
        let journal = SledJournal::open(&folder.path().join("journal"), Options::default()).unwrap();
        let persona = Arc::new(Persona {
            name: AgentName::trusted("echo"),
            title: "echo".into(),
            description: "I answer with what I was told.".into(),
            specialities: Vec::new(),
            greeting: "Hello.".into(),
            tools: Vec::new(),
            mcp: Vec::new(),
            approval: Vec::new(),
            brain: "echo".into(),
            model: None,
            limits: Limits::default(),
        });
        let cast = vec![Cast { persona, brain: Arc::new(Echo) }];
        let tenant = system.block_on(async {
            let runtime = Runtime::new(journal, Settings::default(), cast, 1);
            runtime.tenant(&TenantId::default_tenant())
        });
        let principal = Arc::new(Principal::anonymous(Subject::trusted("bench")));
        Self { _folder: folder, _system: system, tenant, principal, dialect: dialect() }
    }

    /// What a frame asks for.
    fn decode(&self, frame: &str) -> Call {
        let Ok(Inbound::Call(call)) = self.dialect.decode(frame, &BOUNDS) else { panic!("not a request: {frame}") };
        call
    }

    fn request(&self, outlet: Arc<dyn Outlet>, session: usize, command: Command) -> Request {
        let outbox = Outbox::new(SessionId(session as u64), outlet, None);
        let (principal, interest) = (self.principal.clone(), Interest::NOTHING);
        Request { token: Token(1), principal, outbox, interest, command }
    }
}

fn dialect() -> Agents {
    Agents::new(ConversationId::trusted("own"))
}

fn encoding(kind: Option<RunKind>) -> (Encoding, mpsc::Receiver<()>) {
    let (ends, told) = mpsc::sync_channel(REQUESTS);
    let asked = Asked { id: Some("m1".into()), kind, ..Asked::default() };
    (Encoding { dialect: dialect(), asked, ends }, told)
}

/// What `REQUESTS` runs of `start` take, `in_flight` at a time; once before, to warm up.
fn count(in_flight: usize, start: impl Fn(), told: impl Fn()) -> Stats {
    let all = || {
        (0..in_flight).for_each(|_| start());
        (in_flight..REQUESTS).for_each(|_| {
            told();
            start();
        });
        (0..in_flight).for_each(|_| told());
    };
    all();
    let region = Region::new(ALLOCATOR);
    all();
    region.change()
}

fn print(what: &str, share: usize, stats: Stats) {
    let each = |number: usize| number as f64 / (REQUESTS * share) as f64;
    let (times, again, bytes) = (each(stats.allocations), each(stats.reallocations), each(stats.bytes_allocated));
    println!("{what:44} {times:9.2} allocations, {again:7.2} reallocations, {bytes:10.0} bytes");
}

/// Chats of 64 conversations.
fn chat(in_flight: usize) {
    let world = World::new();
    let (outlet, told) = encoding(Some(RunKind::Chat));
    let outlet: Arc<dyn Outlet> = Arc::new(outlet);
    let text = "x".repeat(256);
    let frames: Vec<_> = (0..64)
        .map(|number| {
            format!(
                r#"{{"type":"chat","id":"m1","targetAgent":"echo","data":{{"conversationId":"c{number}","message":"{text}"}}}}"#
            )
        })
        .collect();
    let next = AtomicUsize::new(0);
    let start = || {
        let session = next.fetch_add(1, Ordering::Relaxed) % frames.len();
        let Command::Ask(ask) = world.decode(&frames[session]).command else { panic!("not a chat") };
        let id = ask.conversation.clone();
        world.tenant.to_conversation(&id, world.request(outlet.clone(), session, Command::Ask(ask)));
    };
    print(&format!("chat, {in_flight} in flight"), 1, count(in_flight, start, || told.recv().unwrap()));
}

/// Publications to so many listeners.
fn delivery(listeners: usize) {
    let world = World::new();
    let channel = ChannelId::trusted("c");
    let (sender, ended) = encoding(None);
    let sender: Arc<dyn Outlet> = Arc::new(sender);
    let (all, heard) = mpsc::sync_channel(REQUESTS);
    let (encoding, _) = encoding(None);
    let listening = Arc::new(Listening { encoding, seen: AtomicUsize::new(0), of: listeners, all });
    for session in 1..=listeners {
        let attach = Command::Attach { channel: Some(channel.clone()), since: None, member: true };
        world.tenant.to_channel(&channel, world.request(listening.clone(), session, attach));
        if session % 512 == 0 || session == listeners {
            // The mailbox is bounded: let it drain, in the order of the requests.
            let detach = Command::Detach { channel: Some(channel.clone()) };
            world.tenant.to_channel(&channel, world.request(sender.clone(), usize::MAX, detach));
            ended.recv().unwrap();
        }
    }
    let frame = format!(r#"{{"type":"publish","data":{{"channel":"c","content":"{}"}}}}"#, "x".repeat(256));
    let start = || {
        let command = world.decode(&frame).command;
        world.tenant.to_channel(&channel, world.request(sender.clone(), listeners + 1, command));
    };
    let stats = count(8, start, || {
        heard.recv().unwrap();
        ended.recv().unwrap();
    });
    print(&format!("publication to {listeners}"), 1, stats);
    print(&format!("publication to {listeners}, a delivery"), listeners, stats);
}

fn main() {
    [1, 256].into_iter().for_each(chat);
    [1, 100, 1000].into_iter().for_each(delivery);
}
