//! What the ways through the runtime cost: `cargo bench -p callboard-actors --bench runtime`.
//!
//! `request` sends one request to a conversation in use and waits for its reply: two hops between threads. `chat` is a
//! whole durable turn with the brain `echo`: two synced records. `fan-out` is one durable publication handed to the
//! outboxes of so many listeners.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use actix::prelude::*;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;

use callboard_actors::agent::persona::{Limits, Persona};
use callboard_actors::agent::queue::Queue;
use callboard_actors::brain::echo::Echo;
use callboard_actors::house::Settings;
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::outbox::{Delivered, Outbox, Outlet};
use callboard_actors::protocol::{
    AgentName, Ask, ChannelId, Command, ConversationId, Delivery, Event, Interest, Principal, Priority, Publish,
    RunKind, SessionId, Subject, TenantId, Token,
};
use callboard_actors::request::Request;
use callboard_actors::router::Cast;
use callboard_actors::runtime::Runtime;
use callboard_actors::tenant::Tenant;

/// Counts what comes and tells of each end.
struct Ends(mpsc::SyncSender<()>);

impl Outlet for Ends {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        if delivery.envelope.event.ends_request() {
            let _ = self.0.send(());
        }
        Delivered::Yes
    }
}

/// Counts publications; tells when all listeners have one.
struct Count {
    seen: Arc<AtomicUsize>,
    of: usize,
    all: mpsc::SyncSender<()>,
}

impl Outlet for Count {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        if matches!(delivery.envelope.event, Event::Published { .. })
            && (self.seen.fetch_add(1, Ordering::AcqRel) + 1).is_multiple_of(self.of)
        {
            let _ = self.all.send(());
        }
        Delivered::Yes
    }
}

struct World {
    _folder: tempfile::TempDir,
    _system: SystemRunner,
    tenant: Arc<Tenant>,
    principal: Arc<Principal>,
}

impl World {
    fn new() -> Self {
        let (folder, system) = (tempfile::tempdir().unwrap(), System::new());
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
        Self { _folder: folder, _system: system, tenant, principal }
    }

    fn request(&self, outlet: Arc<dyn Outlet>, session: u64, command: Command) -> Request {
        let outbox = Outbox::new(SessionId(session), outlet, None);
        let (principal, interest) = (self.principal.clone(), Interest::NOTHING);
        Request { token: Token(1), principal, outbox, interest, command }
    }
}

fn requests(c: &mut Criterion) {
    let world = World::new();
    let (tell, told) = mpsc::sync_channel(1024);
    let outlet: Arc<dyn Outlet> = Arc::new(Ends(tell));
    let id = ConversationId::trusted("bench");
    let join = Command::Join { conversation: id.clone(), agents: Vec::new(), mode: None };
    world.tenant.to_conversation(&id, world.request(outlet.clone(), 1, join));
    told.recv().unwrap();

    c.bench_function("request", |b| {
        b.iter(|| {
            let typing = Command::Typing { conversation: id.clone(), user: None, typing: false };
            world.tenant.to_conversation(&id, world.request(outlet.clone(), 1, typing));
            told.recv().unwrap();
        });
    });
    c.bench_function("chat", |b| {
        b.iter(|| {
            let ask = Ask {
                conversation: id.clone(),
                agent: None,
                content: "x".repeat(256),
                parameters: Value::Null,
                kind: RunKind::Chat,
                priority: Priority::Normal,
                stream: false,
                serial: false,
                request_id: None,
                private: false,
                context: Vec::new(),
                trace: None,
            };
            world.tenant.to_conversation(&id, world.request(outlet.clone(), 1, Command::Ask(ask)));
            told.recv().unwrap();
        });
    });
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan-out");
    for listeners in [1, 100, 1_000, 10_000] {
        let world = World::new();
        let channel = ChannelId::trusted("bench");
        let (tell, told) = mpsc::sync_channel(16);
        let (attached, attach_told) = mpsc::sync_channel(16);
        let noted: Arc<dyn Outlet> = Arc::new(Ends(attached));
        let count = Arc::new(Count { seen: Arc::default(), of: listeners, all: tell });
        for session in 1..=listeners {
            let attach = Command::Attach { channel: Some(channel.clone()), since: None, member: true };
            world.tenant.to_channel(&channel, world.request(count.clone(), session as u64, attach));
            if session % 512 == 0 {
                // The mailbox is bounded: let it drain, in the order of the requests.
                let detach = Command::Detach { channel: Some(channel.clone()) };
                world.tenant.to_channel(&channel, world.request(noted.clone(), u64::MAX, detach));
                attach_told.recv().unwrap();
            }
        }
        group.throughput(Throughput::Elements(listeners as u64));
        group.bench_function(BenchmarkId::from_parameter(listeners), |b| {
            b.iter(|| {
                let publish = Publish {
                    channel: Some(channel.clone()),
                    id: None,
                    kind: "message".into(),
                    content: "\"x\"".into(),
                    metadata: None,
                    reply_to: None,
                };
                world.tenant.to_channel(&channel, world.request(noted.clone(), u64::MAX, Command::Publish(publish)));
                told.recv().unwrap();
                attach_told.recv().unwrap();
            });
        });
    }
}

fn queue(c: &mut Criterion) {
    let mut queue = Queue::new(std::time::Duration::from_secs(30));
    let now = std::time::Instant::now();
    for number in 0..1024 {
        queue.push(Priority::ALL[number % 4], number, now);
    }
    c.bench_function("queue", |b| {
        b.iter(|| {
            let number = queue.pop(now).unwrap();
            queue.push(Priority::ALL[number % 4], number, now);
        });
    });
}

criterion_group!(benches, requests, fan_out, queue);
criterion_main!(benches);
