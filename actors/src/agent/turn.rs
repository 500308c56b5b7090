//! One run from its beginning to its end: the brain thinks, and is given up when it takes too long, is cancelled, panics
//! or produces too much.

mod sink;
mod threads;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::sink::TurnSink;
pub(super) use self::threads::Threads;
use crate::brain::{Brain, Brief, Placement, Sink};
use crate::protocol::{Answer, Code, Error};

/// Has the brain think about the brief and returns its answer, or why there is none; `interrupted` ends it as well.
///
/// A brain that blocks keeps its thread until it comes back by itself; the agent does not wait for it.
pub(super) async fn take(
    brain: Arc<dyn Brain>,
    brief: Brief,
    sink: Arc<TurnSink>,
    threads: Threads,
    interrupted: CancellationToken,
) -> Result<Answer, Error> {
    let name = brief.run.agent.clone();
    let deadline = Instant::from_std(brief.deadline);
    let cancelled = brief.cancelled.clone();
    let given_up = cancelled.child_token();
    let brief = Brief { cancelled: given_up.clone(), ..brief };
    let thought = think(brain, brief, sink.clone(), threads);
    let result = tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(Error::new(Code::Cancelled, "The run was cancelled")),
        () = interrupted.cancelled() => Err(Error::interrupted()),
        result = thought => sink.checked(&name, result),
        () = tokio::time::sleep_until(deadline) => {
            Err(Error::new(Code::Timeout, format!("{name} took too long and was given up")))
        }
    };
    given_up.cancel();
    sink.finish();
    result
}

async fn think(brain: Arc<dyn Brain>, brief: Brief, sink: Arc<dyn Sink>, threads: Threads) -> Result<Answer, Error> {
    let name = brief.run.agent.clone();
    let outcome = match brain.placement() {
        Placement::Inline => AssertUnwindSafe(brain.think(&brief, &sink)).catch_unwind().await.ok(),
        Placement::Thread => {
            let held = threads.take(&name).await?;
            let runtime = tokio::runtime::Handle::current();
            let work = move || {
                let _held = held;
                // A brain that waits without blocking is let go of here when its run is given up.
                let thought = async {
                    tokio::select! {
                        biased;
                        result = brain.think(&brief, &sink) => Some(result),
                        () = brief.cancelled.cancelled() => None,
                    }
                };
                runtime.block_on(thought)
            };
            tokio::task::spawn_blocking(work).await.ok().flatten()
        }
    };
    outcome.unwrap_or_else(|| {
        Err(Error::new(Code::AgentFailed, format!("{name} failed unexpectedly while working on this")))
    })
}
