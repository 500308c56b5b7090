//! The command line: what may be typed, and what the process answers with.
//!
//! Exit status: 0 when it was done, 2 for wrong usage or configuration or a file that will not do, 1 for everything else,
//! such as a run that comes out differently. An error of ours is one
//! line on standard error; wrong usage is answered by clap.

mod key;
mod progress;
mod replay;
mod serve;
mod store;
mod token;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use callboard_actors::protocol::{ChannelId, Result as ProtocolResult, Scope, TenantId};
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Config, ConfigError, Flags};
use crate::logging::one_line;

/// A coordination server for AI agents: one runtime, five WebSocket dialects, nothing acknowledged is lost.
///
/// Without a command it serves, as `callboard serve` does.
#[derive(Parser, Debug)]
#[command(name = "callboard", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server (the default).
    Serve(serve::ServeArgs),
    /// Print a token (JWT), signed with the server's secret.
    Token(token::TokenArgs),
    /// Play a run again from its record, and print what differs.
    Replay(replay::ReplayArgs),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Copy all that the server remembers into a folder, as it is at one moment; also while the server runs.
    Backup(store::BackupArgs),
    /// Put a backup in the place of the data folder's content. The server must not run.
    Restore(store::RestoreArgs),
    /// Walk the store or a backup: sequences, checksums, references; also while the server runs.
    Verify(store::VerifyArgs),
    /// Write all that the server remembers as lines of JSON; also while the server runs.
    Export(store::ExportArgs),
    /// Read such lines into an empty store. The server must not run.
    Import(store::ImportArgs),
}

/// Where the data folder of the server is, for the commands that share it with a running one.
#[derive(Args, Debug)]
struct DataArgs {
    /// The server's data folder.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The server's configuration file, if it names the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataArgs {
    /// The data folder: the flag's, the environment's, the file's, or the default one.
    fn folder(self) -> Result<PathBuf, ConfigError> {
        let flags = Flags { config: self.config, data_dir: self.data_dir, ..Flags::default() };
        Ok(Config::settings(&flags, std::env::vars_os())?.server.data_dir)
    }
}

/// Does what the command line asks; gives the exit status.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return said(&usage),
    };
    let done = match cli.command {
        None => serve::run(cli.serve).map(|()| true),
        Some(Command::Serve(args)) => serve::run(args).map(|()| true),
        Some(Command::Token(args)) => token::run(args).map(|()| true),
        Some(Command::Backup(args)) => store::backup(args).map(|()| true),
        Some(Command::Restore(args)) => store::restore(args).map(|()| true),
        Some(Command::Verify(args)) => store::verify(args).map(|()| true),
        Some(Command::Export(args)) => store::export(args).map(|()| true),
        Some(Command::Import(args)) => store::import(args).map(|()| true),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Key(command)) => key::run(command).map(|()| true),
    };
    let error = match done {
        Ok(good) => return if good { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        Err(error) => error,
    };
    // Nothing can be done where standard error is closed.
    let _ = writeln!(std::io::stderr(), "callboard: {}", one_line(&format!("{error:#}")));
    ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
}

/// Shows help, the version, or what is wrong with the usage.
fn said(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}

/// Writes lines to standard output; a pipe that is closed is an error, not a panic.
fn print(lines: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{lines}")?;
    Ok(out.flush()?)
}

/// A scope as a value of the command line.
#[derive(Clone, Copy, Debug)]
struct ScopeArg(Scope);

impl ValueEnum for ScopeArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [ScopeArg; Scope::ALL.len()] = {
            let mut all = [ScopeArg(Scope::Admin); Scope::ALL.len()];
            let mut i = 0;
            while i < all.len() {
                all[i] = ScopeArg(Scope::ALL[i]);
                i += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

/// The scopes asked for; `None` where none were, which means the usual ones.
fn scopes(args: &[ScopeArg]) -> Option<Vec<Scope>> {
    (!args.is_empty()).then(|| args.iter().map(|arg| arg.0).collect())
}

fn tenant(text: &str) -> Result<TenantId, String> {
    told(TenantId::parse("tenant", text))
}

fn channel(text: &str) -> Result<ChannelId, String> {
    told(ChannelId::parse("channel", text))
}

fn told<T>(parsed: ProtocolResult<T>) -> Result<T, String> {
    parsed.map_err(|error| error.details)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
