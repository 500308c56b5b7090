//! Composition: configuration → journal → runtime → HTTP → drain.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, HttpServer, web};
use anyhow::{Context, bail};
use metrics_exporter_prometheus::PrometheusHandle;

use callboard_actors::brain::maker;
use callboard_actors::brain::materials::Materials;
use callboard_actors::house::{House, Settings};
use callboard_actors::journal::Journal;
use callboard_actors::ledger::Ledger;
use callboard_actors::memory::Memory;
use callboard_actors::retention::{self, Keeper, Rule};
use callboard_actors::router::Cast;
use callboard_actors::runtime::Runtime;
use callboard_actors::spans::{Recorder, Trace};
use callboard_actors::tool::Source;
use tokio::signal::unix::{SignalKind, signal};

use crate::auth::Authenticator;
use crate::config::{Config, ConfigError, RuleConfig};
use crate::greeting::Greeting;
use crate::http::app::{App, WorkerRelay};
use crate::http::mcp::Mcp;
use crate::http::rate::Rate;
use crate::http::{body, headers, openai, rate, routes, shape, trace};
use crate::journal;
use crate::listening;
use crate::mcp::Servers;
use crate::metrics;
use crate::standby;
use crate::telemetry::Otlp;
use crate::tls;
use crate::upkeep::control;
use crate::ws::reaper::Rules;
use crate::ws::{Reaper, close, echo};

/// How long sockets are given to say goodbye, of what the whole drain is given.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a connection without a request is kept: longer than a page or a poller pauses, and no burden.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How often samples of histograms are put into their buckets; until then each takes memory of its own.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the server until it is told to stop; `greet` is called once it is ready.
///
/// # Errors
/// What kept it from starting, or the journal from being closed.
pub async fn run(config: Config, greet: Greeting) -> anyhow::Result<()> {
    // Each session takes two descriptors; the usual soft limit of 1,024 would be 500 sessions.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        log::warn!("the limit of open files could not be raised: {error}");
    }
    let handle = metrics::install()?;
    // First, because it makes the data folder, for its owner alone.
    let auth = Authenticator::new(&config.auth, &config.server.data_dir)?;
    let mut told_to_end = std::pin::pin!(wait_for_the_end());
    let opened = open_journal(&config, told_to_end.as_mut()).await?;
    let (journal, recovered) = (opened.journal, opened.recovered);
    control::listen(&config.server.data_dir, &journal)?;
    let memory = Arc::new(Memory::new(journal.clone()));
    // Its client blocks, which a thread that serves others must not.
    let telemetry = config.telemetry.clone();
    let otlp = web::block(move || Otlp::new(&telemetry)).await.context("The telemetry could not be set up")??;
    let otlp = otlp.map(Arc::new);
    let spans = otlp.clone().map(|otlp| otlp as Arc<dyn Recorder>);
    let tools = Arc::new(Servers::new(&config.mcp, &config.agents)?);
    let runtime = Arc::new(build_runtime(&config, journal.clone(), memory.clone(), vec![tools.clone()], spans)?);
    let keeper = keep(&config, runtime.house())?;
    let reaper = Reaper::new(rules(&config));
    let drain = config.server.drain;
    let app = web::Data::new(App::new(config, runtime, memory, auth, reaper, handle, tools));
    let (limits, most) = (&app.config.limits, app.config.server.max_body);
    let mcp = Mcp::new(app.runtime.clone(), limits.content, most, app.config.debug.mcp_fixtures);
    let mcp = web::Data::new(mcp);
    let (server, addresses) = listen(&app, mcp.clone())?;
    actix_web::rt::spawn(app.reaper.clone().run());
    actix_web::rt::spawn(keep_up(app.metrics.clone()));

    app.tools.start();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    app.runtime.tenant(&callboard_actors::protocol::TenantId::default_tenant());
    app.runtime.restore(&recovered.waiting).await;
    app.set_ready(true);
    greet(&app.config, &addresses);

    tokio::select! {
        end = told_to_end => end?,
        by = journal::deposed(opened.log.as_deref()) => {
            hang_up(&app, handle).await;
            bail!("{by} leads now; started again, this server stands by");
        }
    }
    stop(&app, &mcp, handle, drain).await;
    let _ = serving.await;
    if let Some(otlp) = otlp {
        let _ = web::block(move || otlp.close()).await;
    }
    drop(keeper);
    let closed = web::block(move || journal.close()).await.context("The journal could not be closed")?;
    closed.map_err(|error| anyhow::anyhow!("The journal could not be closed: {error}"))?;
    log::info!("stopped");
    Ok(())
}

/// Opens the journal; where several servers share a log, when it is this one's turn.
async fn open_journal(
    config: &Config,
    told_to_end: Pin<&mut impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<journal::Opened> {
    let settings = config.clone();
    let opening = web::block(move || journal::open(&settings));
    let probes = standby::listen(config)?;
    tokio::select! {
        opened = opening => {
            if let Some(probes) = probes {
                // Gone before the server itself listens there.
                probes.stop(false).await;
            }
            opened.context("The journal could not be opened")?
        }
        end = told_to_end => {
            end?;
            log::info!("stopped before its turn came");
            // A thread waits for that turn; it may end at any moment.
            std::process::exit(0);
        }
    }
}

/// Starts the keeper; it ends when what this gives is dropped.
fn keep(config: &Config, house: &House) -> anyhow::Result<mpsc::Sender<()>> {
    let (retention, runtime) = (&config.retention, &config.runtime);
    let named =
        |rules: &HashMap<String, RuleConfig>| rules.iter().map(|(id, rule)| (id.clone(), rule.rule())).collect();
    let inboxes = Rule { age: Some(runtime.inbox_keep), count: Some(runtime.inbox_messages as u64), bytes: None };
    let rules = retention::Rules {
        conversations: retention.usual_conversation().rule(),
        channels: retention.usual_channel().rule(),
        of_conversations: named(&retention.conversations),
        of_channels: named(&retention.channels),
        inboxes,
        dedup: runtime.dedup_window,
    };
    let (stop, stopped) = mpsc::channel();
    let (keeper, every) = (Keeper::new(house.journal.clone(), rules, house.horizons.clone()), retention.every);
    std::thread::Builder::new().name("retention".to_owned()).spawn(move || keeper.run(every, &stopped))?;
    Ok(stop)
}

fn build_runtime(
    config: &Config,
    journal: Arc<dyn Journal>,
    memory: Arc<Memory>,
    sources: Vec<Arc<dyn Source>>,
    spans: Option<Arc<dyn Recorder>>,
) -> anyhow::Result<Runtime> {
    let workspace = config.server.workspace.canonicalize().context("server.workspace cannot be resolved")?;
    let ledger = Arc::new(Ledger::new(journal.clone()));
    let usual = Materials::new(workspace, memory, ledger);
    let materials = Materials { unruly: config.debug.unruly, sources, ..usual };
    let mut cast = Vec::new();
    for persona in &config.agents {
        let brain = maker::make(persona, &materials)
            .map_err(|error| ConfigError::new(&format!("agent {}", persona.name), error.to_string()))?;
        cast.push(Cast { persona: Arc::new(persona.clone()), brain });
    }
    // The first of the cast leads where nobody else is named.
    cast.sort_by_key(|member| config.default_agent() != Some(&member.persona.name));
    let runtime = &config.runtime;
    let settings = Settings {
        aging: runtime.aging,
        typing: runtime.typing,
        dedup: runtime.dedup_window,
        inbox_keep: runtime.inbox_keep,
        inbox_max: runtime.inbox_messages,
        idle: runtime.idle,
        approval: runtime.approval,
        records: runtime.records,
        spans: Trace::new(spans),
    };
    Ok(Runtime::new(journal, settings, cast, arbiters(config)))
}

/// Half as many threads for actors as there are cores, unless the operator says otherwise: the other half serves sockets.
fn arbiters(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    if config.server.arbiters == 0 { (cores / 2).max(1) } else { config.server.arbiters }
}

fn rules(config: &Config) -> Rules {
    Rules {
        heartbeat: config.heartbeat.ping,
        silence: config.heartbeat.silence,
        sessions: config.server.max_sessions,
        ..Rules::default()
    }
}

fn listen(app: &web::Data<App>, mcp: web::Data<Mcp>) -> anyhow::Result<(Server, Vec<std::net::SocketAddr>)> {
    let (shared, door) = (app.clone(), app.clone());
    let settings = &app.config.server;
    let debug_echo = app.config.debug.echo;
    let tls = tls::server(&app.config.tls)?;
    let encrypted = tls.is_some();
    let rate = web::Data::new(Rate::new(app.config.rate.requests_per_second, app.config.rate.requests_burst));
    let mut server = HttpServer::new(move || {
        let mcp = mcp.clone();
        let (reaper, most) = (shared.reaper.clone(), shared.config.server.max_body);
        ActixApp::new()
            .app_data(shared.clone())
            .app_data(rate.clone())
            .app_data(mcp)
            .app_data(WorkerRelay::default())
            .app_data(web::PayloadConfig::new(most))
            .app_data(shape::path())
            // The last is the outermost.
            .wrap(from_fn(body::limit))
            .wrap(from_fn(rate::limit))
            .wrap(from_fn(shape::errors))
            .wrap(from_fn(openai::error::shaped))
            .wrap(headers::defaults(encrypted))
            .wrap(from_fn(trace::log))
            .configure(move |routes| {
                routes::mount(routes);
                if debug_echo {
                    echo::echo_route(routes, reaper);
                }
            })
    })
    .on_connect(move |stream, data| door.door.on_connect(stream, data))
    .client_request_timeout(settings.head_time)
    .tls_handshake_timeout(settings.head_time)
    .keep_alive(KEEP_ALIVE)
    .backlog(u32::try_from(settings.backlog).unwrap_or(u32::MAX))
    // Sockets beyond the sessions that are let in: room for HTTP, and to answer 503.
    .max_connections(settings.max_sessions.saturating_add(1024))
    .shutdown_timeout(FAREWELL.as_secs())
    .disable_signals();
    if settings.workers > 0 {
        server = server.workers(settings.workers);
    }
    let server = listening::at(server, &settings.bind, tls.as_ref())?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut beat = actix_web::rt::time::interval(UPKEEP);
    loop {
        beat.tick().await;
        metrics.run_upkeep();
    }
}

/// Waits for SIGTERM or SIGINT.
async fn wait_for_the_end() -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => log::info!("SIGTERM: draining"),
        _ = int.recv() => log::info!("SIGINT: draining"),
    }
    Ok(())
}

/// Ends at once: nothing that is still open can be acknowledged any more.
async fn hang_up(app: &web::Data<App>, server: ServerHandle) {
    app.set_ready(false);
    app.reaper.close_all(&close::draining());
    server.stop(false).await;
}

/// Not ready, no new runs, those that are open get their time, sockets are told to go.
async fn stop(app: &web::Data<App>, mcp: &Mcp, server: ServerHandle, grace: Duration) {
    app.set_ready(false);
    let left = app.runtime.drain(grace).await;
    if left > 0 {
        log::warn!("{left} runs did not end in time and were interrupted");
    }
    app.tools.stop();
    mcp.close();
    app.reaper.close_all(&close::draining());
    server.stop(true).await;
}
