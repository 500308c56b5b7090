//! `callboard completions`: what a shell needs to complete this command line.

use clap::Args;
use clap_complete::{Shell, generate};
use serde_json::json;

use super::out::{self, Format};
use super::root;

/// What `completions` takes.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut root(), "callboard", &mut script);
    let script = String::from_utf8(script)?;
    if args.format.json {
        return out::json(&json!({ "shell": args.shell.to_string(), "script": script }));
    }
    out::piece(&script)
}
