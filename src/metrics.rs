//! What the server counts, besides the runtime. Names and labels stand here and nowhere else; no label is an id.

use std::cell::RefCell;
use std::collections::BTreeMap;

use metrics::{Counter, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use callboard_actors::journal::Size;
use callboard_actors::metrics::{self as runtime, REMOTE};
use callboard_actors::protocol::Code;
use callboard_actors::runtime::Runtime;

/// Every metric that is documented, the runtime's with the server's.
pub const NAMES: [&str; 24] = [
    "callboard_actors",
    "callboard_agents",
    "callboard_brain_threads",
    "callboard_channels",
    "callboard_commit_seconds",
    "callboard_compressed_total",
    "callboard_conversations",
    "callboard_errors_total",
    "callboard_frames_total",
    "callboard_http_request_seconds",
    "callboard_http_requests_total",
    "callboard_inboxes",
    "callboard_journal_bytes",
    "callboard_journal_queue_depth",
    "callboard_journal_records",
    "callboard_journal_records_total",
    "callboard_open_runs",
    "callboard_queue_depth",
    "callboard_run_seconds",
    "callboard_run_wait_seconds",
    "callboard_runs_total",
    "callboard_sessions",
    "callboard_turned_away_total",
    "callboard_uptime_seconds",
];

thread_local! {
    /// The counters of frames, which are looked up for each frame: by type and dialect, which are few.
    static FRAMES: RefCell<Vec<((&'static str, &'static str), Counter)>> = RefCell::default();
}

/// A client's frame was taken.
pub fn frame_in(dialect: &'static str, kind: &'static str) {
    FRAMES.with_borrow_mut(|frames| {
        if let Some((_, counter)) = frames.iter().find(|(known, _)| *known == (kind, dialect)) {
            return counter.increment(1);
        }
        let counter = metrics::counter!("callboard_frames_total", "dialect" => dialect, "type" => kind);
        counter.increment(1);
        frames.push(((kind, dialect), counter));
    });
}

/// A client was told of an error.
pub fn error_out(dialect: &'static str, code: Code) {
    metrics::counter!("callboard_errors_total", "dialect" => dialect, "code" => code.as_str()).increment(1);
}

/// A session began.
pub fn session_began(dialect: &'static str) {
    metrics::gauge!("callboard_sessions", "dialect" => dialect).increment(1.0);
}

/// A session ended.
pub fn session_ended(dialect: &'static str) {
    metrics::gauge!("callboard_sessions", "dialect" => dialect).decrement(1.0);
}

/// What there can be too many of, as a label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// Connections of one address.
    Connections,
    /// Sessions of one address.
    Address,
    /// Sessions of one principal.
    Principal,
    /// Sessions.
    House,
}

/// A connection or a session was turned away, because there were as many as there may be.
pub fn turned_away(full: Full) {
    turn_away(full, 1);
}

fn turn_away(full: Full, count: u64) {
    let label = match full {
        Full::Connections => "connections_of_address",
        Full::Address => "sessions_of_address",
        Full::Principal => "sessions_of_principal",
        Full::House => "sessions",
    };
    metrics::counter!("callboard_turned_away_total", "full" => label).increment(count);
}

/// A message was compressed.
pub fn compressed() {
    metrics::counter!("callboard_compressed_total").increment(1);
}

/// An HTTP request was answered; `class` is the first digit of the status, as `2xx`.
pub fn request(class: &'static str, seconds: f64) {
    metrics::counter!("callboard_http_requests_total", "status" => class).increment(1);
    metrics::histogram!("callboard_http_request_seconds").record(seconds);
}

/// What is read rather than counted: called before every look at the metrics.
pub fn refresh(runtime: &Runtime, journal: Size) {
    let house = runtime.house();
    // Those of other processes come and go; when all have gone, nothing waits for them.
    let mut queues = BTreeMap::from([(REMOTE.to_owned(), 0_usize)]);
    let (mut agents, mut conversations, mut channels, mut inboxes) = (0, 0, 0, 0);
    for tenant in runtime.tenants() {
        conversations += tenant.conversations.len();
        channels += tenant.channels.len();
        inboxes += tenant.inboxes.len();
        agents += tenant.directory.all().len();
        for listing in tenant.directory.all().iter() {
            let card = &listing.card;
            let agent = if card.remote { REMOTE } else { card.name().as_str() };
            *queues.entry(agent.to_owned()).or_default() += card.status().queue_length;
        }
    }
    for (agent, waiting) in queues {
        metrics::gauge!("callboard_queue_depth", "agent" => agent).set(float(waiting as u64));
    }
    metrics::gauge!("callboard_conversations").set(float(conversations as u64));
    metrics::gauge!("callboard_channels").set(float(channels as u64));
    metrics::gauge!("callboard_inboxes").set(float(inboxes as u64));
    metrics::gauge!("callboard_agents").set(float(agents as u64));
    metrics::gauge!("callboard_brain_threads").set(float(house.brain_threads() as u64));
    metrics::gauge!("callboard_open_runs").set(float(house.open_runs() as u64));
    metrics::gauge!("callboard_uptime_seconds").set(float(house.uptime_ms()) / 1000.0);
    metrics::gauge!("callboard_journal_bytes").set(float(journal.bytes));
    metrics::gauge!("callboard_journal_records").set(float(journal.records));
}

/// Installs the recorder that everything counted goes to, and returns where it is read.
///
/// Somebody must call `run_upkeep` on it every few seconds: until then it keeps every sample of its histograms.
///
/// # Errors
/// There is one already.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    const SECONDS: &[f64] =
        &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
    let handle = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
    describe();
    runtime::describe();
    // Shown from the beginning: an alarm on what is not there rings for nothing.
    for full in [Full::Connections, Full::Address, Full::Principal, Full::House] {
        turn_away(full, 0);
    }
    metrics::counter!("callboard_compressed_total").increment(0);
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!("callboard_frames_total", Unit::Count, "Frames from clients, by dialect and type.");
    counter!("callboard_errors_total", Unit::Count, "Errors that sessions were told of, by dialect and code.");
    counter!(
        "callboard_compressed_total",
        Unit::Count,
        "Messages compressed for sockets; one for many sessions is compressed once."
    );
    gauge!("callboard_sessions", Unit::Count, "WebSocket sessions, by dialect.");
    counter!(
        "callboard_turned_away_total",
        Unit::Count,
        "Connections and sessions turned away, by what there were too many of."
    );
    counter!("callboard_http_requests_total", Unit::Count, "HTTP requests answered, by class of status.");
    histogram!("callboard_http_request_seconds", Unit::Seconds, "From an HTTP request to the head of its answer.");
    gauge!("callboard_queue_depth", Unit::Count, "Accepted runs that wait for an agent, over all tenants.");
    gauge!("callboard_conversations", Unit::Count, "Conversations in use, over all tenants.");
    gauge!("callboard_channels", Unit::Count, "Channels in use, over all tenants.");
    gauge!("callboard_inboxes", Unit::Count, "Inboxes of agents in use, over all tenants.");
    gauge!("callboard_agents", Unit::Count, "Agents, those of other processes too, over all tenants.");
    gauge!("callboard_brain_threads", Unit::Count, "Threads that brains hold, those of runs given up too.");
    gauge!("callboard_open_runs", Unit::Count, "Accepted runs that have not ended.");
    gauge!("callboard_uptime_seconds", Unit::Seconds, "Since the server started.");
    gauge!("callboard_journal_bytes", Unit::Bytes, "What the journal takes on disk.");
    gauge!("callboard_journal_records", Unit::Count, "Records appended since the journal was made.");
}

#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}
