//! `callboard replay`: a run played again from its record, as a regression test.

use std::path::PathBuf;

use clap::Args;

use super::out::{self, Format};
use super::print;
use super::progress::Progress;
use crate::config::{Config, ConfigError, Flags};
use crate::record::Record;
use crate::replay;

/// What `replay` takes.
#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// The record, as GET /runs/{id}/record gives it.
    file: PathBuf,
    /// A configuration whose agent of the same name does the run, instead of the recorded one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// Plays the run again; false if it comes out differently.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<bool> {
    let named = args.file.display().to_string();
    let refused = |why: String| ConfigError::new(&named, why);
    let text = std::fs::read_to_string(&args.file).map_err(|error| refused(format!("it cannot be read: {error}")))?;
    let unfit = |why| refused(format!("{why}; expected what GET /runs/{{id}}/record gives"));
    let record = Record::read(&text).map_err(unfit)?;
    let agent = match &args.config {
        Some(file) => {
            let flags = Flags { config: Some(file.clone()), ..Flags::default() };
            let config = Config::load(&flags, std::env::vars_os())?;
            let found = config.agents.into_iter().find(|agent| agent.name.as_str() == record.run.agent);
            let missing = || ConfigError::new(&file.display().to_string(), format!("no agent {}", record.run.agent));
            Some(found.ok_or_else(missing)?)
        }
        None => None,
    };
    let progress = Progress::spinning("replay");
    let comparison = replay::replay(&record, agent).map_err(refused)?;
    drop(progress);
    if args.format.json {
        out::json(&comparison.json())?
    } else {
        print(&comparison.to_string())?
    }
    Ok(comparison.same)
}
