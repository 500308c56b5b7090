//! `callboard completions`: what a shell needs to complete this command line.

use clap::Args;
use clap_complete::{Shell, generate};

use super::{out, root};

/// What `completions` takes.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut root(), "callboard", &mut script);
    out::piece(&String::from_utf8(script)?)
}
