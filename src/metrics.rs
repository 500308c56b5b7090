//! What the server counts, besides the runtime. Names and labels stand here and nowhere else; no label is an id.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use callboard_actors::protocol::Code;

/// A client's frame was taken.
pub fn frame_in(dialect: &'static str, kind: &'static str) {
    metrics::counter!("callboard_frames_total", "dialect" => dialect, "type" => kind).increment(1);
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

/// Installs the recorder that everything counted goes to, and returns where it is read.
///
/// # Errors
/// There is one already.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    const SECONDS: &[f64] =
        &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
    Ok(PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?)
}
