//! The runtime without a socket, over a real journal: brains that panic, block or never answer cost their own run and
//! nothing else, and every request has exactly one end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use callboard_actors::agent::persona::Persona;
use callboard_actors::archive::Archive;
use callboard_actors::brain::{Brain, Brief, Placement, Sink};
use callboard_actors::house::Settings;
use callboard_actors::journal::Journal;
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::outbox::{Delivered, Outbox, Outlet};
use callboard_actors::protocol::*;
use callboard_actors::retention::{Keeper, Rule, Rules};
use callboard_actors::router::Cast;
use callboard_actors::runtime::Runtime;
use callboard_actors::tenant::SessionCard;
use callboard_actors::visit::Visit;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A brain that does what a test needs, by what it is told.
struct Fickle {
    placement: Placement,
    /// `wait` goes on with a permit of this.
    gate: Arc<Semaphore>,
    /// `block` ends when the other end of this is dropped.
    block: Mutex<Receiver<()>>,
}

#[async_trait]
impl Brain for Fickle {
    fn placement(&self) -> Placement {
        self.placement
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer> {
        let mut text = format!("{}: {}", brief.persona.name, brief.content);
        match brief.content.as_str() {
            "panic" => panic!("as told"),
            "never" => pending::<()>().await,
            "wait" => self.gate.acquire().await.unwrap().forget(),
            "block" => drop(self.block.lock().unwrap().recv()),
            "collapse" => {
                let _bomb = Bomb;
                pending::<()>().await;
            }
            "fail" => return Err(Error::new(Code::AgentFailed, "I cannot")),
            "talk" => {
                let pieces: Vec<String> = (0..10_000).map(|number| format!("{number} ")).collect();
                pieces.iter().for_each(|piece| sink.delta(piece));
                (0..1000).for_each(|_| sink.step(Step::now(StepKind::Action, "again", 0.5)));
                text = pieces.concat();
            }
            _ => {}
        }
        Ok(Answer { text, ..Answer::default() })
    }
}

/// Panics where nothing is caught: as a run that was given up is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as told");
    }
}

struct House {
    runtime: Runtime,
    journal: Arc<SledJournal>,
    gate: Arc<Semaphore>,
    /// Dropped, everything that blocks goes on.
    _release: Vec<Sender<()>>,
    _folder: TempDir,
}

impl House {
    /// Agents of these names; those beginning with `t` think on threads.
    fn new(agents: &[&str]) -> Self {
        Self::with(agents, "")
    }

    /// The same whose runs may take a second.
    fn hasty(agents: &[&str]) -> Self {
        Self::with(agents, "limits.run_seconds = 1")
    }

    fn with(agents: &[&str], more: &str) -> Self {
        Self::set(Settings::default(), agents, more)
    }

    fn set(settings: Settings, agents: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(folder.path(), Options::default()).unwrap();
        let gate = Arc::new(Semaphore::new(0));
        let mut release = Vec::new();
        let cast = agents.iter().map(|name| {
            let (sender, block) = channel();
            release.push(sender);
            let placement = if name.starts_with('t') { Placement::Thread } else { Placement::Inline };
            let text = format!("name = \"{name}\"\ntitle = \"\"\ndescription = \"\"\ngreeting = \"\"\n{more}");
            let persona: Persona = toml::from_str(&text).unwrap();
            let brain = Fickle { placement, gate: gate.clone(), block: Mutex::new(block) };
            Cast { persona: Arc::new(persona), brain: Arc::new(brain) }
        });
        let cast = cast.collect();
        let runtime = Runtime::new(journal.clone(), settings, cast, 2);
        Self { runtime, journal, gate, _release: release, _folder: folder }
    }

    fn guest(&self, number: u64) -> Guest {
        let (sender, deliveries) = channel();
        let principal = Arc::new(Principal::anonymous(Subject::trusted("guest")));
        let id = SessionId(number);
        let outbox = Outbox::new(id, Arc::new(Post(Mutex::new(sender))), None);
        let (subject, connected_at) = (principal.subject.clone(), Timestamp::now());
        let card = SessionCard { id, dialect: "test", subject, agent: None, connected_at };
        Guest { visit: self.runtime.enter(principal, outbox, card, 64), deliveries, next: 1 }
    }

    /// No run is open, neither in memory nor in the journal.
    fn assert_settled(&self) {
        assert_eq!(self.runtime.house().open_runs(), 0);
        assert_eq!(self.journal.unfinished(), []);
    }

    fn report(&self, run: &RunId) -> callboard_actors::runs::RunReport {
        let principal = Principal::anonymous(Subject::trusted("guest"));
        Archive::new(&*self.journal, &principal).run(run).unwrap()
    }
}

struct Post(Mutex<Sender<Delivery>>);

impl Outlet for Post {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let sent = self.0.lock().unwrap().send(delivery);
        if sent.is_ok() { Delivered::Yes } else { Delivered::Gone }
    }
}

/// A session.
struct Guest {
    visit: Visit,
    deliveries: Receiver<Delivery>,
    next: u32,
}

impl Guest {
    fn send(&mut self, interest: Interest, command: Command) -> Token {
        let token = Token(self.next);
        self.next += 1;
        if let Some(reply) = self.visit.handle(token, interest, command) {
            panic!("answered at once: {reply:?}");
        }
        token
    }

    fn ask_with(&mut self, agent: Option<&str>, content: &str, change: impl FnOnce(&mut Ask)) -> Token {
        let mut ask = Ask {
            conversation: ConversationId::trusted("c"),
            agent: agent.map(AgentName::trusted),
            content: content.to_owned(),
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
        change(&mut ask);
        self.send(Interest::PROGRESS.and(Interest::DELTAS), Command::Ask(ask))
    }

    fn ask(&mut self, agent: &str, content: &str) -> Token {
        self.ask_with(Some(agent), content, |_| {})
    }

    /// What comes next in answer to a request.
    fn next(&self) -> (Token, Arc<Envelope>) {
        loop {
            let delivery = self.deliveries.recv_timeout(PATIENCE).expect("nothing comes");
            if let To::Requester(token) = delivery.to {
                return (token, delivery.envelope);
            }
        }
    }

    /// The end of a request; that of another one is a failure.
    fn end(&self, of: Token) -> Arc<Envelope> {
        loop {
            let (token, envelope) = self.next();
            if ends(&envelope.event) {
                assert_eq!(token, of, "{:?}", envelope.event);
                return envelope;
            }
        }
    }

    /// Waits until a run has begun.
    fn begun(&self) -> Arc<Run> {
        loop {
            if let Event::RunStarted { run } = &self.next().1.event {
                return run.clone();
            }
        }
    }
}

fn ends(event: &Event) -> bool {
    !matches!(
        event,
        Event::RunAccepted { .. }
            | Event::RunStarted { .. }
            | Event::RunStep { .. }
            | Event::RunDelta { .. }
            | Event::Noted
    )
}

fn text(event: &Event) -> String {
    match event {
        Event::RunAnswered { answer, .. } => answer.text().into_owned(),
        other => panic!("no answer: {other:?}"),
    }
}

fn failure(event: &Event) -> (Arc<Run>, RunStatus, Code) {
    match event {
        Event::RunFailed { run, status, error, .. } => (run.clone(), *status, error.code),
        other => panic!("no failure: {other:?}"),
    }
}

/// Has a runtime of its own for the time of a test, as the server has.
fn with_system(test: impl FnOnce()) {
    let system = actix::System::new();
    system.block_on(async { test() });
}

#[test]
fn a_brain_that_panics_costs_its_run_and_nothing_else() {
    with_system(|| {
        let house = House::new(&["inline", "thread", "other"]);
        let (mut guest, mut other) = (house.guest(1), house.guest(2));
        let waiting = other.ask_with(Some("other"), "wait", |ask| ask.conversation = ConversationId::trusted("d"));
        other.begun();
        for name in ["inline", "thread"] {
            for _ in 0..3 {
                let token = guest.ask(name, "panic");
                let (run, status, code) = failure(&guest.end(token).event);
                assert_eq!((status, code), (RunStatus::Failed, Code::AgentFailed), "{name}");
                let report = house.report(&run.id);
                assert_eq!(report.status, RunStatus::Failed);
                assert!(!report.error.unwrap().to_string().contains("as told"), "what a panic says is not for clients");
            }
            let token = guest.ask(name, "hello");
            assert_eq!(text(&guest.end(token).event), format!("{name}: hello"));
        }
        house.gate.add_permits(1);
        assert_eq!(text(&other.end(waiting).event), "other: wait");
        house.assert_settled();
    });
}

/// Nothing of a brain's should ever bring its agent down; if it does, the agent is started again.
#[test]
fn an_agent_that_is_lost_ends_its_runs_and_is_started_again() {
    with_system(|| {
        let house = House::hasty(&["inline", "other"]);
        let mut guest = house.guest(1);
        let token = guest.ask("inline", "collapse");
        let waiting = guest.ask("inline", "hello");
        let mut ended = Vec::new();
        while ended.len() < 2 {
            let (token, envelope) = guest.next();
            if ends(&envelope.event) {
                let (run, status, code) = failure(&envelope.event);
                assert_eq!((status, code), (RunStatus::Failed, Code::AgentFailed));
                assert_eq!(house.report(&run.id).status, RunStatus::Failed);
                ended.push(token);
            }
        }
        ended.sort_by_key(|token| token.0);
        assert_eq!(ended, [token, waiting]);
        let token = guest.ask("other", "hello");
        assert_eq!(text(&guest.end(token).event), "other: hello");
        // Between its end and its new beginning it takes nothing, and says so.
        let back = std::iter::repeat_with(|| {
            let token = guest.ask("inline", "hello");
            guest.end(token)
        });
        let answered = |envelope: &Arc<Envelope>| matches!(envelope.event, Event::RunAnswered { .. });
        let answer = back.take(10_000).find(answered);
        assert_eq!(text(&answer.unwrap().event), "inline: hello");
        house.assert_settled();
    });
}

#[test]
fn a_brain_that_does_not_come_back_is_given_up_and_its_agent_goes_on() {
    with_system(|| {
        let house = House::hasty(&["inline", "thread"]);
        let mut guest = house.guest(1);
        for (name, what) in [("inline", "never"), ("thread", "never"), ("thread", "block")] {
            let began = Instant::now();
            let token = guest.ask(name, what);
            let (run, status, code) = failure(&guest.end(token).event);
            assert_eq!((status, code), (RunStatus::Timeout, Code::Timeout), "{name} {what}");
            assert!(began.elapsed() >= Duration::from_secs(1));
            assert_eq!(house.report(&run.id).status, RunStatus::Timeout);
            let token = guest.ask(name, "hello");
            assert_eq!(text(&guest.end(token).event), format!("{name}: hello"));
        }
        house.assert_settled();
    });
}

#[test]
fn what_is_cancelled_ends_at_once_whatever_the_brain_does() {
    with_system(|| {
        let house = House::new(&["inline", "thread"]);
        let mut guest = house.guest(1);
        for (name, what) in [("inline", "never"), ("thread", "block"), ("inline", "wait")] {
            let token = guest.ask(name, what);
            let run = guest.begun();
            let queued = guest.ask(name, "hello");
            let target = CancelTarget::Named(run.id.to_string());
            guest.send(Interest::NOTHING, Command::Cancel { target });
            let (_, status, code) = failure(&guest.end(token).event);
            assert_eq!((status, code), (RunStatus::Cancelled, Code::Cancelled), "{name} {what}");
            assert_eq!(text(&guest.end(queued).event), format!("{name}: hello"));
        }
        house.assert_settled();
    });
}

#[test]
fn among_several_one_that_fails_does_not_keep_the_others_from_answering() {
    with_system(|| {
        let house = House::hasty(&["a", "b", "c"]);
        let mut guest = house.guest(1);
        let agents: Vec<AgentName> = ["a", "b", "c"].map(AgentName::trusted).to_vec();
        let conversation = ConversationId::trusted("c");
        let joined = guest.send(Interest::NOTHING, Command::Join { conversation, agents, mode: None });
        guest.end(joined);
        for what in ["panic", "never", "fail"] {
            let token = guest.ask_with(None, what, |_| {});
            for index in 1..=3 {
                let (run, _, code) = failure(&guest.end(token).event);
                assert_eq!(run.turn, Turn { index, of: 3 });
                assert_eq!(code == Code::Timeout, what == "never");
            }
        }
        let token = guest.ask_with(None, "hello", |_| {});
        let said: Vec<String> = (0..3).map(|_| text(&guest.end(token).event)).collect();
        assert_eq!(said, ["a: hello", "b: hello", "c: hello"]);
        house.assert_settled();
    });
}

#[test]
fn what_waits_is_served_by_priority_and_in_the_order_it_came() {
    with_system(|| {
        let house = House::new(&["a"]);
        let mut guest = house.guest(1);
        let first = guest.ask("a", "wait");
        guest.begun();
        use Priority::{High, Low, Normal, Urgent};
        // Nothing comes before this one, which waits as well: by the time it goes on, all the others are with the agent.
        let barrier = guest.ask_with(Some("a"), "wait", |ask| ask.priority = Urgent);
        let asked = [Low, Normal, Urgent, High, Low, Urgent, High, Normal];
        let mut expected: Vec<(Priority, Token)> = Vec::new();
        for priority in asked {
            expected.push((priority, guest.ask_with(Some("a"), "hello", |ask| ask.priority = priority)));
        }
        for _ in 0..=asked.len() {
            while !matches!(guest.next().1.event, Event::RunAccepted { .. }) {}
        }
        // What comes behind them is handled when all of them are on their way to the agent.
        let conversation = ConversationId::trusted("c");
        let joined = guest.send(Interest::NOTHING, Command::Join { conversation, agents: Vec::new(), mode: None });
        guest.end(joined);
        house.gate.add_permits(2);
        guest.end(first);
        guest.end(barrier);
        let rank = |priority: Priority| [Urgent, High, Normal, Low].iter().position(|known| *known == priority);
        expected.sort_by_key(|(priority, _)| rank(*priority));
        for (_, token) in expected {
            guest.end(token);
        }
        house.assert_settled();
    });
}

#[test]
fn a_brain_that_talks_without_end_is_bounded_and_its_pieces_are_its_answer() {
    with_system(|| {
        let house = House::new(&["thread"]);
        let mut guest = house.guest(1);
        let token = guest.ask_with(Some("thread"), "talk", |ask| ask.stream = true);
        let (mut joined, mut pieces) = (String::new(), 0);
        let answer = loop {
            let (_, envelope) = guest.next();
            match &envelope.event {
                Event::RunDelta { delta, index, .. } => {
                    assert_eq!(u64::from(*index), pieces);
                    joined.push_str(delta);
                    pieces += 1;
                }
                event if ends(event) => break text(event),
                _ => {}
            }
        };
        assert_eq!(joined, answer);
        assert!(pieces < 5000, "{pieces} pieces");
        let again = guest.ask("thread", "hello");
        assert!(again != token);
        guest.end(again);
        house.assert_settled();
    });
}

#[test]
fn a_drain_that_runs_out_of_time_ends_what_is_open() {
    let system = actix::System::new();
    system.block_on(async {
        let house = House::new(&["inline", "thread"]);
        let mut guest = house.guest(1);
        let running = [guest.ask("inline", "wait"), guest.ask("thread", "block")];
        let _ = (guest.begun(), guest.begun());
        let queued = [guest.ask("inline", "hello"), guest.ask_with(Some("thread"), "hello", |ask| ask.serial = true)];
        for _ in queued {
            while !matches!(guest.next().1.event, Event::RunAccepted { .. }) {}
        }
        assert_eq!(house.runtime.drain(Duration::from_millis(1)).await, 4);
        let mut ended = Vec::new();
        while ended.len() < 4 {
            let (token, envelope) = guest.next();
            if ends(&envelope.event) {
                let (run, status, code) = failure(&envelope.event);
                assert_eq!((status, code), (RunStatus::Failed, Code::Interrupted));
                assert_eq!(house.report(&run.id).error.unwrap().code, Code::Interrupted);
                ended.push(token);
            }
        }
        ended.sort_by_key(|token| token.0);
        assert_eq!(ended, [running, queued].concat());
        let late = guest.ask("inline", "hello");
        match &guest.end(late).event {
            Event::Refused { error } => assert_eq!(error.code, Code::Unavailable),
            other => panic!("{other:?}"),
        }
        house.assert_settled();
    });
}

impl Guest {
    fn publish(&mut self, number: u64) -> Token {
        let what = Publish {
            channel: Some(ChannelId::trusted("log")),
            id: Some(MessageId::trusted(format!("m{number}"))),
            kind: "message".to_owned(),
            content: format!("\"{}{number}\"", "x".repeat(usize::try_from(number % 97).unwrap() * 20)),
            metadata: None,
            reply_to: None,
        };
        self.send(Interest::NOTHING, Command::Publish(what))
    }

    /// Comes in behind `since` and reads to `end`: places and ids, as they came.
    fn read(&mut self, since: u64, end: u64) -> Vec<(u64, String)> {
        let channel = Some(ChannelId::trusted("log"));
        let attach = Command::Attach { channel: channel.clone(), since: Some(since), member: true };
        let _ = self.visit.handle(Token::NONE, Interest::NOTHING, attach);
        let mut read = Vec::new();
        while read.last().map_or(since, |(seq, _)| *seq) < end {
            let delivery = self.deliveries.recv_timeout(PATIENCE).expect("nothing comes");
            match &delivery.envelope.event {
                Event::Published { publication } => read.push((publication.seq, publication.id.to_string())),
                Event::ReplayPaused { after, time, .. } => {
                    let go_on = Command::Replay { channel: channel.clone(), after: *after, time: *time };
                    let _ = self.visit.handle(Token::REPLAY, Interest::NOTHING, go_on);
                }
                _ => {}
            }
        }
        read
    }
}

/// From wherever somebody comes in, what is replayed and what then comes live are together the log: while others
/// publish, whether it is read from memory or from the disk, in one page or in several.
#[test]
fn a_replay_from_anywhere_is_the_log() {
    with_system(|| {
        let house = House::new(&["a"]);
        let mut writer = house.guest(1);
        let mut head = 600;
        for number in 1..=head {
            let token = writer.publish(number);
            writer.end(token);
        }
        let edges = [0, 1, 2, 255, 256, 257, 343, 344, 345, 598, 599, 600];
        for (guest, since) in (2..).zip(edges.into_iter().chain((3..600).step_by(41))) {
            let token = writer.publish(head + 1);
            let read = house.guest(guest).read(since, head + 1);
            writer.end(token);
            head += 1;
            let expected: Vec<_> = (since + 1..=head).map(|seq| (seq, format!("m{seq}"))).collect();
            assert_eq!(read, expected, "from {since}");
        }
    });
}

/// A keeper that lets no conversation live takes none away from under somebody who comes into it.
#[test]
fn a_conversation_goes_while_nobody_comes_for_it_and_everybody_who_comes_is_answered() {
    with_system(|| {
        let settings = Settings { idle: Duration::from_millis(1), ..Settings::default() };
        let house = House::set(settings, &["inline"], "");
        let rule = Rule { age: Some(Duration::ZERO), ..Rule::default() };
        let rules = Rules { conversations: rule, ..Rules::default() };
        let mut keeper = Keeper::new(house.journal.clone(), rules, house.runtime.house().horizons.clone());
        let (stop, stopped) = channel::<()>();
        let keeping = std::thread::spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                keeper.walk().unwrap();
            }
        });
        let mut guest = house.guest(1);
        let (mut asked, mut begun) = (0, 0);
        // Until it was made anew often enough, so that it went at some of all the moments at which it can.
        while begun < 300 {
            // None, one or more others in between, so that it is left alone for moments of every length.
            let conversation = ConversationId::trusted(format!("c{}", asked % (1 + asked / 64 % 8)));
            let token = guest.ask_with(Some("inline"), "hello", |ask| ask.conversation = conversation);
            let envelope = guest.end(token);
            assert_eq!(text(&envelope.event), "inline: hello", "behind {asked} that were answered");
            let Event::RunAnswered { run, .. } = &envelope.event else { unreachable!("it has a text") };
            begun += usize::from(run.asked_at == 1);
            asked += 1;
        }
        drop(stop);
        keeping.join().unwrap();
        house.assert_settled();
    });
}
