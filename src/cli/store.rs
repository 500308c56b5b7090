//! `callboard backup`, `restore`, `verify`, `export`, `import`: what the server remembers, as a whole.
//!
//! Where a server runs on the data folder, it is asked; else the store is opened here.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, bail, ensure};
use callboard_actors::journal::Journal;
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::transfer;
use clap::Args;
use serde_json::{Value, json};

use super::out::{self, Format};
use super::progress::Progress;
use super::{DataArgs, print};
use crate::upkeep::control::{Answer, Order, Seen, ask};
use crate::upkeep::{self, Manifest};

/// What `backup` takes.
#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// The folder to make: empty, or not there yet.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `restore` takes.
#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Move what is in the data folder aside, into a folder in it, instead of refusing.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `verify` takes.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// A backup to walk instead of the server's own store.
    #[arg(value_name = "DIR")]
    backup: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `export` takes.
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The file to write, which must not be there yet; -: standard output.
    #[arg(value_name = "FILE", default_value = "-")]
    to: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

/// What `import` takes.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The file to read; -: standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    from: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

pub(super) fn backup(args: BackupArgs) -> anyhow::Result<()> {
    let data_dir = args.data.folder()?;
    let to = absolute(&args.to)?;
    let manifest = back_up(&data_dir, &to, &Progress::new("backup", "segments"))?;
    let said = format!("Backup of {} records in {}.", manifest.records, to.display());
    tell(
        args.format,
        &said,
        || json!({ "records": manifest.records, "folder": to, "made_at": manifest.made_at.to_string() }),
    )
}

/// Says how it ended, to people or to programs.
fn tell(format: Format, said: &str, object: impl FnOnce() -> Value) -> anyhow::Result<()> {
    if format.json { out::json(&object()) } else { print(said) }
}

fn back_up(data_dir: &Path, to: &Path, progress: &Progress) -> anyhow::Result<Manifest> {
    match ask(data_dir, &Order::Backup(to.to_owned()), &|done, of| progress.tell(done, of))? {
        Some(Answer::BackedUp(manifest)) => Ok(manifest),
        Some(_) => bail!("the server answered something else"),
        None => {
            let journal = upkeep::open(data_dir)?;
            let manifest = upkeep::backup(&journal, data_dir, to, &|done, of| progress.tell(done, of))?;
            close(&journal)?;
            Ok(manifest)
        }
    }
}

pub(super) fn restore(args: RestoreArgs) -> anyhow::Result<()> {
    let data_dir = args.data.folder()?;
    let progress = Progress::new("restore", "records");
    let (manifest, seen, aside) =
        upkeep::restore(&args.from, &data_dir, args.replace, &|done, of| progress.tell(done, of))?;
    drop(progress);
    let (made, records) = (manifest.made_at, seen.records);
    let mut said = format!("Restored the backup of {made} into {}: {records} records.", data_dir.display());
    if let Some(aside) = &aside {
        said = format!("What was there is in {}.\n{said}", aside.display());
    }
    tell(
        args.format,
        &said,
        || json!({ "records": records, "folder": data_dir, "made_at": made.to_string(), "aside": aside }),
    )
}

pub(super) fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let progress = Progress::new("verify", "records");
    let seen = match args.backup {
        Some(folder) => {
            upkeep::manifest(&folder)?;
            walk(&folder, &progress)?
        }
        None => {
            let data_dir = args.data.folder()?;
            match ask(&data_dir, &Order::Verify, &|done, of| progress.tell(done, of))? {
                Some(Answer::Walked(seen)) => seen,
                Some(_) => bail!("the server answered something else"),
                None => walk(&data_dir, &progress)?,
            }
        }
    };
    drop(progress);
    let Seen { places, streams, records, segments, findings } = seen;
    let mut said = findings.clone();
    said.push(format!("{places} places, {streams} streams, {records} records, {segments} segments."));
    if findings.is_empty() {
        said.push("The store is sound.".to_owned());
    }
    tell(args.format, &said.join("\n"), || {
        json!({ "sound": findings.is_empty(), "places": places, "streams": streams, "records": records,
                "segments": segments, "findings": findings })
    })?;
    ensure!(findings.is_empty(), "the store is damaged: {} findings. Restore a backup", findings.len());
    Ok(())
}

fn walk(folder: &Path, progress: &Progress) -> anyhow::Result<Seen> {
    let journal = upkeep::open(folder)?;
    let seen = upkeep::verify(&journal, &|done, of| progress.tell(done, of))?;
    close(&journal)?;
    Ok(seen.into())
}

pub(super) fn export(args: ExportArgs) -> anyhow::Result<()> {
    let data_dir = args.data.folder()?;
    // A copy on the side, so that all lines are of one moment and the server goes on.
    let copy = tempfolder(&data_dir)?;
    let progress = Progress::new("export", "records");
    back_up(&data_dir, &copy.0, &progress)?;
    let journal = upkeep::open(&copy.0)?;
    let shown = args.to.display().to_string();
    let told = |records| progress.tell(records, None);
    let moved = if args.to.as_os_str() == "-" {
        transfer::export(&*journal, &mut BufWriter::new(io::stdout().lock()), &told).context("standard output")?
    } else {
        let file = File::create_new(&args.to)
            .with_context(|| format!("{shown} cannot be made; name a file that is not there yet"))?;
        let mut out = BufWriter::new(file);
        let moved = transfer::export(&*journal, &mut out, &told).with_context(|| shown.clone())?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all().with_context(|| shown.clone())?;
        moved
    };
    drop(progress);
    close(&journal)?;
    // Standard output may be the export itself.
    if args.format.json {
        writeln!(io::stderr(), "{}", json!({ "places": moved.places, "records": moved.records }))?;
    } else {
        writeln!(io::stderr(), "Exported {} places with {} records.", moved.places, moved.records)?;
    }
    Ok(())
}

/// A folder that is removed with all that is in it.
struct TempFolder(PathBuf);

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed says by its name what it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tempfolder(data_dir: &Path) -> anyhow::Result<TempFolder> {
    let path = absolute(data_dir)?.join(format!("export-{}.tmp", std::process::id()));
    if path.exists() {
        std::fs::remove_dir_all(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
    }
    Ok(TempFolder(path))
}

pub(super) fn import(args: ImportArgs) -> anyhow::Result<()> {
    let data_dir = args.data.folder()?;
    let shown = args.from.display().to_string();
    let mut from: Box<dyn BufRead> = if args.from.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&args.from).with_context(|| format!("{shown} cannot be read"))?))
    };
    let folder = upkeep::journal_in(&data_dir);
    let fresh = !folder.exists();
    upkeep::make_private(&data_dir)?;
    let journal = SledJournal::open(&folder, Options::default())?;
    let progress = Progress::new("import", "records");
    let read = transfer::import(&*journal, &mut *from, &|records| progress.tell(records, None));
    drop(progress);
    close(&journal)?;
    drop(journal);
    let moved = match read {
        Ok(moved) => moved,
        Err(error) => {
            // Half an import is none; what was there before was not touched, for then nothing is imported.
            if fresh {
                std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
            }
            let next = match error.kind() {
                io::ErrorKind::AlreadyExists => "; name a --data-dir without one",
                _ => "",
            };
            return Err(anyhow::anyhow!("{error}{next}")).with_context(|| format!("{shown} was not imported"));
        }
    };
    let said = format!("Imported {} places with {} records.", moved.places, moved.records);
    tell(args.format, &said, || json!({ "places": moved.places, "records": moved.records }))
}

fn close(journal: &SledJournal) -> anyhow::Result<()> {
    journal.close().map_err(|error| anyhow::anyhow!("the store could not be closed: {error}"))
}
