//! Composition: what a configuration becomes when it runs.

use crate::config::Config;

/// Runs the server until it is told to stop.
///
/// # Errors
/// What kept it from starting.
pub async fn run(config: Config) -> anyhow::Result<()> {
    log::info!("configuration: {config:?}");
    Ok(())
}
