//! The workspace: the only folder that tools read, and the paths that lead into it.
//!
//! A path is checked twice: as written, so that nothing outside is even looked for, and resolved, so that no symbolic
//! link leads out. Walks do not follow links. No error names a folder of the server.

use std::path::{Component, Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::protocol::{Code, Error};

/// The largest file whose content is read, in bytes: larger ones are data, not source.
pub(super) const MAX_CONTENT: u64 = 2 << 20;

/// Words of a request that are tried as paths at most, since each may cost a look at the disk.
const MAX_CHUNKS: usize = 64;

/// A place in the workspace.
#[derive(Debug)]
pub(super) struct Spot {
    /// Resolved; below the workspace.
    pub(super) path: PathBuf,
    /// As people name it, `./src`; `.` for the workspace itself.
    pub(super) shown: String,
    root: PathBuf,
}

/// Finds what a client calls `given` in the workspace.
pub(super) fn find(workspace: &Path, given: &str) -> Result<Spot, Error> {
    let relative = inside(given)?;
    let unknown = || Error::new(Code::InvalidMessage, format!("There is no “{given}” in the workspace"));
    let root = workspace.canonicalize().map_err(|_| Error::internal("The workspace cannot be read"))?;
    let path = root.join(&relative).canonicalize().map_err(|_| unknown())?;
    if !path.starts_with(&root) {
        return Err(outside(given));
    }
    let shown = if relative.as_os_str().is_empty() { ".".to_owned() } else { format!("./{}", relative.display()) };
    Ok(Spot { path, shown, root })
}

/// The path without `.` and `..`, if it stays inside as written.
fn inside(given: &str) -> Result<PathBuf, Error> {
    let mut inside = PathBuf::new();
    for component in Path::new(given.trim()).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => inside.push(name),
            Component::ParentDir if inside.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside(given)),
        }
    }
    Ok(inside)
}

fn outside(given: &str) -> Error {
    Error::new(Code::InvalidMessage, format!("“{given}” is outside of the workspace, which is all I may read"))
}

impl Spot {
    /// Everything below that a person counts as the project's: hidden files too, but nothing that Git ignores, no
    /// `.git`, and no folder of build products. In the order of the names.
    pub(super) fn walk(&self) -> impl Iterator<Item = DirEntry> {
        let mut builder = WalkBuilder::new(&self.path);
        // The workspace is a world of its own: its ignore files count for what is below, those above it do not.
        let parents = self.path != self.root;
        builder.hidden(false).ignore(false).require_git(false).git_global(false).parents(parents).follow_links(false);
        builder.sort_by_file_name(std::ffi::OsStr::cmp);
        builder.filter_entry(|entry| entry.depth() == 0 || !is_apart(entry));
        builder.build().filter_map(Result::ok).filter(|entry| entry.depth() > 0 || entry.path().is_file())
    }

    /// How people name something below: relative to the workspace.
    pub(super) fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Git's own files, and build products that no ignore file mentions.
fn is_apart(entry: &DirEntry) -> bool {
    let path = entry.path();
    let beside = |name: &str| path.parent().is_some_and(|parent| parent.join(name).exists());
    match entry.file_name().to_str() {
        Some(".git") => true,
        Some("target") => path.join("CACHEDIR.TAG").exists() || beside("Cargo.toml"),
        Some("node_modules") => beside("package.json"),
        _ => false,
    }
}

/// The content of a regular file of at most 2 MiB, unless it is binary.
pub(super) fn content(entry: &DirEntry) -> Option<Vec<u8>> {
    let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= MAX_CONTENT)?;
    // `metadata` is that of the entry itself, so neither a link nor a pipe is opened here.
    let bytes = std::fs::read(entry.path()).ok().filter(|_| metadata.is_file())?;
    (!bytes.iter().take(1024).any(|byte| *byte == 0)).then_some(bytes)
}

impl Spot {
    /// The text of the file, if it is one of at most 2 MiB and not binary.
    pub(super) fn text(&self) -> Option<String> {
        let entry = WalkBuilder::new(&self.path).max_depth(Some(0)).build().next()?.ok()?;
        content(&entry).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The path that a request names: behind `in`, `of`, `below`… or anything that looks like one and exists.
pub(super) fn path_in(text: &str, workspace: &Path) -> Option<String> {
    const BEFORE: [&str; 11] =
        ["in", "of", "below", "under", "within", "inside", "folder", "directory", "path", "at", "for"];
    let chunks: Vec<&str> = text.split_whitespace().take(MAX_CHUNKS).map(trim_path).collect();
    let named = chunks.iter().enumerate().find(|(at, chunk)| {
        let before = at.checked_sub(1).and_then(|at| chunks.get(at)).map_or("", |before| before);
        let looks = chunk.starts_with("./") || chunk.starts_with('/') || chunk.starts_with("..") || is_path(chunk);
        looks || BEFORE.contains(&before.to_lowercase().as_str()) && exists(workspace, chunk)
    });
    named.map(|(_, chunk)| (*chunk).to_owned())
}

fn trim_path(chunk: &str) -> &str {
    let chunk = chunk.trim_matches(|c: char| "\"'`“”‘’?!,;:()".contains(c));
    // The point at the end of a sentence is none of the path's, those of `..` are.
    chunk.strip_suffix('.').filter(|rest| !rest.ends_with('.') && !rest.ends_with('/')).unwrap_or(chunk)
}

fn is_path(chunk: &str) -> bool {
    chunk.contains('/')
        && !chunk.contains("//")
        && chunk.contains(char::is_alphabetic)
        && !chunk.contains(['=', '<', '*'])
}

fn exists(workspace: &Path, chunk: &str) -> bool {
    !chunk.is_empty() && find(workspace, chunk).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_workspace() {
        let world = tempfile::TempDir::new().unwrap();
        let root = world.path().join("work");
        std::fs::create_dir_all(root.join("src/deep")).unwrap();
        std::fs::write(world.path().join("secret"), "s").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(world.path(), root.join("out")).unwrap();

        for (given, shown) in [("", "."), (".", "."), ("./src", "./src"), ("src/deep/..", "./src"), ("src/", "./src")] {
            assert_eq!(find(&root, given).unwrap().shown, shown, "{given}");
        }
        for bad in ["..", "../secret", "src/../../secret", "/etc/passwd", "out", "out/secret", "nowhere", "a\0b"] {
            let error = find(&root, bad).unwrap_err();
            assert_eq!(error.code, Code::InvalidMessage, "{bad}");
            let said = error.to_string();
            assert!(!said.contains(world.path().to_str().unwrap()), "{said}");
        }
    }

    #[test]
    fn paths_are_found_in_requests() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cases = [
            ("count the files in ./src?", Some("./src")),
            ("how big is src", None),
            ("how many files are in src", Some("src")),
            ("analyze ../..", Some("../..")),
            ("what is below src/tool.", Some("src/tool")),
            ("analyze project structure", None),
            ("and/or what", Some("and/or")),
        ];
        for (text, path) in cases {
            assert_eq!(path_in(text, workspace).as_deref(), path, "{text}");
        }
    }
}
