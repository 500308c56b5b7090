//! `callboard serve`: run the server.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Flags};
use crate::{greeting, logging, server};

/// What `serve` takes. Flags win over `CALLBOARD_…` variables, over the file, over the defaults.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// A configuration file (TOML); what it does not say stays as it is by default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An address and port to listen on, such as 127.0.0.1:3001; may be given several times.
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Vec<String>,
    /// The folder of what must outlive the process.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Once it listens, say so in JSON: where, with which agents and folders.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: ServeArgs) -> anyhow::Result<()> {
    let flags = Flags { config: args.config, bind: args.bind, data_dir: args.data_dir };
    let config = Config::load(&flags, std::env::vars_os())?;
    let greeting: greeting::Greeting = if args.json { greeting::print_json } else { greeting::print };
    logging::init(&config.log.filter);
    actix_web::rt::System::new().block_on(server::run(config, greeting))
}
