//! Runs every transcript of `tests/transcripts`, each against a server of its own.

use std::path::{Path, PathBuf};

use futures_util::{FutureExt, StreamExt};

use crate::harness::transcript;

/// Servers that run at a time.
const SIDE_BY_SIDE: usize = 4;

/// With `TRANSCRIPT=part` in the environment only the files that have the part in their names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_what_the_transcripts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    if let Some(part) = std::env::var("TRANSCRIPT").ok().filter(|part| !part.is_empty()) {
        paths.retain(|path| path.file_name().unwrap().to_string_lossy().contains(&part));
    }
    assert!(!paths.is_empty(), "there are no transcripts");
    let read: Vec<_> = paths.iter().map(|path| transcript::read(path)).collect();
    let (good, mut failures): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
    let runs = good.into_iter().flatten().map(|transcript| async move {
        let name = transcript.name().to_owned();
        let run = std::panic::AssertUnwindSafe(transcript.run()).catch_unwind().await;
        run.unwrap_or_else(|_| Err(format!("{name}: panicked, see above")))
    });
    let results: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let failed: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    let unread = failures.drain(..).filter_map(Result::err);
    let all: Vec<String> = unread.chain(failed).collect();
    assert!(all.is_empty(), "{} of {} transcripts failed:\n\n{}", all.len(), paths.len(), all.join("\n\n"));
}
