//! `analyze project structure`: the counts are those of Git.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::server::Setup;

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// In a clean clone of this very repository: as many files, directories and bytes as `git ls-files` lists.
#[tokio::test]
async fn this_repository_is_counted_as_git_counts_it() {
    let world = tempfile::tempdir().unwrap();
    let clone = world.path().join("clone");
    let here = env!("CARGO_MANIFEST_DIR");
    git(world.path(), &["clone", "--quiet", "--depth", "1", &format!("file://{here}"), "clone"]);
    let server = Setup { workspace: Some(clone.clone()), ..Setup::default() }.start();
    let mut client = server.client().await;
    for path in [".", "./src", "./actors/src"] {
        let listed = git(&clone, &["ls-files", "-z", "--", path]);
        let files: Vec<&Path> = listed.split_terminator('\0').map(Path::new).collect();
        let folders: std::collections::HashSet<&Path> =
            files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
        let root = Path::new(path.trim_start_matches("./"));
        let root = if path == "." { Path::new("") } else { root };
        let below = folders.iter().filter(|folder| folder.starts_with(root) && **folder != root).count();
        let bytes: u64 = files.iter().map(|file| std::fs::symlink_metadata(clone.join(file)).unwrap().len()).sum();
        assert!(files.len() > 20, "{path}: {}", files.len());

        let data = json!({ "instruction": "analyze project structure", "parameters": { "path": path } });
        let result = client
            .ask(
                json!({ "id": path.replace(['/', '.'], "-").replace('-', "_") + "p", "type": "command", "data": data }),
            )
            .await;
        assert_eq!(result["data"]["status"], "completed", "{result}");
        let counted = &result["data"]["result"];
        assert_eq!(
            (&counted["files"], &counted["directories"]),
            (&json!(files.len()), &json!(below)),
            "{path}: {counted}"
        );
        assert_eq!(counted["bytes"], json!(bytes), "{path}");
        assert!(counted["totalSize"].is_string(), "{counted}");
    }
}
