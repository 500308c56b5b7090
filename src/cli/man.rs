//! `callboard man`: the manual, a page for the program and one for each command.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap_mangen::Man;
use serde_json::json;

use super::out::{self, Format};
use super::{print, root};

/// What `man` takes.
#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Write every page into this folder, instead of the first one to standard output.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let Some(folder) = &args.to else {
        let mut page = Vec::new();
        Man::new(root()).render(&mut page)?;
        let page = String::from_utf8(page)?;
        return if args.format.json { out::json(&json!({ "page": page })) } else { out::piece(&page) };
    };
    let shown = folder.display().to_string();
    std::fs::create_dir_all(folder).with_context(|| shown.clone())?;
    clap_mangen::generate_to(root(), folder).with_context(|| shown.clone())?;
    if args.format.json {
        return out::json(&json!({ "folder": folder }));
    }
    print(&format!("The manual is in {shown}: man {shown}/callboard.1"))
}
