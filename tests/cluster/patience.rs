//! Waiting for what must come, on a machine of any speed.

use std::time::{Duration, Instant};

/// How long anything may take before a test fails; elections of NATS take up to a quarter of a minute by themselves.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until something is so.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
