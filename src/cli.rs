//! The command line: what may be typed, and what the process answers with.
//!
//! The exit status is that of [`STATUS`]. An error of ours is one line on standard error; wrong usage is answered by clap.
//! A command is a file.

mod agents;
mod chat;
mod completions;
mod config;
mod following;
mod key;
mod man;
mod out;
mod progress;
mod publish;
mod remote;
mod replay;
mod send;
mod serve;
mod status;
mod store;
mod tail;
mod talk;
mod token;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use callboard_actors::protocol::{ChannelId, ConversationId, Result as ProtocolResult, Scope, TenantId};
use clap::builder::PossibleValue;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::client::Fault;
use crate::config::{Config, ConfigError, Flags};
use crate::logging::one_line;

/// What the program ends with.
const STATUS: &str = "\
Exit status:
  0  it was done
  1  it was not: no answer, a refusal, a store that is damaged, a run that comes out differently
  2  wrong usage or configuration, or a file that will not do
  3  no server answers, its certificate is not trusted, or the connection was lost
  4  the server refused the credentials";

/// A coordination server for AI agents: one runtime, five WebSocket dialects, nothing acknowledged is lost.
///
/// Without a command it serves, as `callboard serve` does.
#[derive(Parser, Debug)]
#[command(name = "callboard", version, args_conflicts_with_subcommands = true, after_help = STATUS)]
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
    /// Talk to agents, line by line; at a terminal, or in a pipe.
    Chat(chat::ChatArgs),
    /// Ask an agent one thing, and print its answer.
    Send(send::SendArgs),
    /// Print events and streams as they happen.
    Watch(watch::WatchArgs),
    /// Publish in a channel.
    Publish(publish::PublishArgs),
    /// Print the publications of a channel, each once, over lost connections and restarts.
    Tail(tail::TailArgs),
    /// Show how the server is.
    Status(status::StatusArgs),
    /// List the agents.
    Agents(agents::AgentsArgs),
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
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
    /// Print what a shell needs to complete this command line.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write all of them.
    Man(man::ManArgs),
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
    let error = match done(cli) {
        Ok(good) => return if good { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        // Whoever closes a pipe has what they wanted.
        Err(error) if error.is::<out::ReaderGone>() => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    // Nothing can be done where standard error is closed.
    let _ = writeln!(std::io::stderr(), "callboard: {}", one_line(&format!("{error:#}")));
    ExitCode::from(status_of(&error))
}

/// Does it; false if it was done and came out badly.
fn done(cli: Cli) -> anyhow::Result<bool> {
    let Some(command) = cli.command else { return serve::run(cli.serve).map(|()| true) };
    match command {
        Command::Chat(args) => return chat::run(&args),
        Command::Send(args) => return send::run(&args),
        Command::Replay(args) => return replay::run(&args),
        Command::Serve(args) => serve::run(args),
        Command::Watch(args) => watch::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Tail(args) => tail::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Agents(args) => agents::run(&args),
        Command::Config(command) => config::run(command),
        Command::Token(args) => token::run(args),
        Command::Key(command) => key::run(command),
        Command::Backup(args) => store::backup(args),
        Command::Restore(args) => store::restore(args),
        Command::Verify(args) => store::verify(args),
        Command::Export(args) => store::export(args),
        Command::Import(args) => store::import(args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
    .map(|()| true)
}

fn status_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Fault>() {
        Some(Fault::Unreachable(..) | Fault::Untrusted(..) | Fault::Lost(_)) => 3,
        Some(Fault::Refused(_)) => 4,
        Some(Fault::Failed { .. }) => 1,
        None if error.is::<ConfigError>() => 2,
        None => 1,
    }
}

/// The command line as a whole, for what describes it.
fn root() -> clap::Command {
    Cli::command()
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

fn conversation(text: &str) -> Result<ConversationId, String> {
    told(ConversationId::parse("conversation", text))
}

fn told<T>(parsed: ProtocolResult<T>) -> Result<T, String> {
    parsed.map_err(|error| error.details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
