//! What the runtime counts. Names and labels stand here and nowhere else; no label is an id.

use crate::protocol::{Run, RunStatus, Timestamp};

/// A run has begun after waiting.
pub fn waited(run: &Run) {
    let seconds = ms(Timestamp::now().since(run.created_at));
    metrics::histogram!("callboard_run_wait_seconds").record(seconds);
}

/// A run has ended.
pub fn ended(run: &Run, status: RunStatus, duration_ms: u64) {
    let labels = [
        ("agent", run.agent.to_string()),
        ("kind", run.kind.as_str().to_owned()),
        ("outcome", status.as_str().to_owned()),
    ];
    metrics::counter!("callboard_runs_total", &labels).increment(1);
    metrics::histogram!("callboard_run_seconds").record(ms(duration_ms));
}

fn ms(milliseconds: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let seconds = milliseconds as f64 / 1000.0;
    seconds
}
