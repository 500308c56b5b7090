//! The workspace: the only folder that tools read, and the paths that lead into it.
//!
//! A path is checked twice: as written, so that nothing outside is even looked for, and resolved, so that no symbolic
//! link leads out. Walks do not follow links. No error names a folder of the server.
//!
//! What is checked can be another thing a moment later: a folder becomes a link while a walk is under way. So a walk only
//! proposes names. What each is, and what is in it, is asked of a handle on the workspace itself, by which the system
//! resolves no path that leads out (`openat2` with `RESOLVE_BENEATH`, or step by step where there is none).

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
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
    /// The workspace; nothing outside is reached by it.
    dir: Dir,
}

/// Something in the workspace.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is, below the resolved workspace.
    pub(super) path: PathBuf,
    /// How far below the spot that was walked: 0 for the spot itself.
    pub(super) depth: usize,
    /// Whether it is a folder.
    pub(super) folder: bool,
    /// Whether it is a regular file, and no link, pipe or device.
    regular: bool,
    /// How many bytes it has.
    pub(super) len: u64,
}

impl Entry {
    /// Its name without its folders.
    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
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
    let dir = Dir::open_ambient_dir(&root, ambient_authority());
    let dir = dir.map_err(|_| Error::internal("The workspace cannot be read"))?;
    Ok(Spot { path, shown, root, dir })
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
    pub(super) fn walk(&self) -> impl Iterator<Item = Entry> {
        let mut builder = WalkBuilder::new(&self.path);
        // The workspace is a world of its own: its ignore files count for what is below, those above it do not.
        let parents = self.path != self.root;
        builder.hidden(false).ignore(false).require_git(false).git_global(false).parents(parents).follow_links(false);
        builder.sort_by_file_name(std::ffi::OsStr::cmp);
        builder.filter_entry(|entry| entry.depth() == 0 || !is_apart(entry));
        let found = builder.build().filter_map(Result::ok).filter_map(|entry| self.entry(entry.path(), entry.depth()));
        found.filter(|entry| entry.depth > 0 || !entry.folder)
    }

    /// What is at a path, if it is in the workspace.
    fn entry(&self, path: &Path, depth: usize) -> Option<Entry> {
        let metadata = self.dir.symlink_metadata(self.relative(path)?).ok()?;
        let (folder, regular, len) = (metadata.is_dir(), metadata.is_file(), metadata.len());
        Some(Entry { path: path.to_owned(), depth, folder, regular, len })
    }

    /// The content of a regular file of at most 2 MiB, unless it is binary.
    pub(super) fn content(&self, entry: &Entry) -> Option<Vec<u8>> {
        // Neither a link nor a pipe is opened here, unless one is put in the file's place just now: then it leads nowhere.
        let relative = self.relative(&entry.path).filter(|_| entry.regular && entry.len <= MAX_CONTENT)?;
        let file = self.dir.open(relative).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_CONTENT).read_to_end(&mut bytes).ok()?;
        (!bytes.iter().take(1024).any(|byte| *byte == 0)).then_some(bytes)
    }

    /// A path as seen from the workspace.
    fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let relative = path.strip_prefix(&self.root).ok()?;
        Some(if relative.as_os_str().is_empty() { Path::new(".") } else { relative })
    }

    /// The text of the file, if it is one of at most 2 MiB and not binary.
    pub(super) fn text(&self) -> Option<String> {
        let bytes = self.content(&self.entry(&self.path, 0)?)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
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

    /// A folder that is a folder at one moment and a link out of the workspace at the next.
    #[cfg(unix)]
    #[test]
    fn nothing_leads_out_while_folders_and_links_change_places() {
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

        /// Says that it is over, also when the test fails: the other thread must not be waited for in vain.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        let world = tempfile::TempDir::new().unwrap();
        let (root, outside) = (world.path().join("work"), world.path().join("outside"));
        for folder in [root.join("a/b"), outside.join("b")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for number in 0..20 {
            std::fs::write(root.join(format!("a/b/inside-{number}")), "nothing").unwrap();
            std::fs::write(root.join(format!("a/b/both-{number}")), "nothing").unwrap();
            std::fs::write(outside.join(format!("b/both-{number}")), "secret").unwrap();
            std::fs::write(outside.join(format!("b/hidden-{number}")), "secret").unwrap();
        }
        let (over, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::fs::rename(root.join("a"), root.join("aside")).unwrap();
                    std::os::unix::fs::symlink(&outside, root.join("a")).unwrap();
                    std::fs::remove_file(root.join("a")).unwrap();
                    std::fs::rename(root.join("aside"), root.join("a")).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let _over = Over(&over);
            let mut looked = 0;
            while looked < 300 || swaps.load(Ordering::Relaxed) < 300 {
                for given in [".", "a", "a/b", "a/b/both-1"] {
                    let Ok(spot) = find(&root, given) else { continue };
                    for entry in spot.walk() {
                        let name = entry.name().to_string_lossy().into_owned();
                        assert!(!name.starts_with("hidden"), "{name} is seen");
                        let content = spot.content(&entry);
                        assert!(content.is_none_or(|content| content != b"secret"), "{name} is read");
                    }
                    assert_ne!(spot.text().as_deref(), Some("secret"));
                }
                looked += 1;
            }
        });
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
