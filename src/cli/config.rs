//! `callboard config`: what a server would run with, without running one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::out::{self, Format};
use super::print;
use crate::config::{Config, Flags};

/// What `config` can do.
#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Say whether the configuration and the agents' files will do; exit status 2 and the reason if not.
    Check(ConfigArgs),
    /// Print every setting as it would be in use, without secrets.
    Show(ConfigArgs),
}

/// The same as `serve` takes: flags win over `CALLBOARD_…` variables, over the file, over the defaults.
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    /// A configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An address and port to listen on.
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Vec<String>,
    /// The folder of what must outlive the process.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(command: ConfigCommand) -> anyhow::Result<()> {
    let (args, shows) = match command {
        ConfigCommand::Check(args) => (args, false),
        ConfigCommand::Show(args) => (args, true),
    };
    let flags = Flags { config: args.config, bind: args.bind, data_dir: args.data_dir };
    let config = Config::load(&flags, std::env::vars_os())?;
    match (shows, args.format.json) {
        (true, true) => out::json(&serde_json::to_value(&config.shown)?),
        (true, false) => print(toml::to_string(&config.shown)?.trim_end()),
        (false, json) => sound(&config, json),
    }
}

fn sound(config: &Config, json: bool) -> anyhow::Result<()> {
    let agents: Vec<&str> = config.agents.iter().map(|agent| agent.name.as_str()).collect();
    let bind = &config.shown["server"]["bind"];
    if json {
        return out::json(&json!({ "sound": true, "bind": bind, "agents": agents }));
    }
    let addresses: Vec<&str> = bind.as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
    let (addresses, agents) = (addresses.join(" and "), agents.join(", "));
    print(&format!("The configuration is sound: it listens on {addresses}, with the agents {agents}."))
}
