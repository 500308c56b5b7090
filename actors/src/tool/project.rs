//! Project analysis: what a folder of the workspace holds, as a person would count it.
//!
//! Counted is what `git ls-files` lists in a clean checkout: hidden files too, nothing ignored, no `.git`. A folder
//! counts if something counted is in it or below it; the folder asked about does not count itself. A symbolic link is
//! one file and is not followed. Sizes are in units of 1,024.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokei::{Config, LanguageType};

use super::workspace::{self, Entry, Spot};
use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::Error;
use crate::text::{Reading, Words, count, grouped};

/// Files looked at: more than the largest projects have, and a few seconds of work.
const MAX_FILES: u64 = 200_000;

/// Names listed of a folder: what people look through.
const MAX_ENTRIES: usize = 200;

/// Languages told to people; programs get all of them.
const SHOWN_LANGUAGES: usize = 6;

/// Counts files, directories, sizes, languages and lines.
#[derive(Debug)]
pub struct Project;

impl Tool for Project {
    fn name(&self) -> &str {
        "project"
    }

    fn description(&self) -> &str {
        "analyze a project: files, directories, total size, languages and lines of code"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "a folder or file of the workspace, such as ./src", "default": "." },
                "list": { "type": "boolean", "description": "whether to name what is directly in it" }
            }
        })
    }

    fn bid(&self, text: &str, parameters: &Value, scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let named = workspace::path_in(reading.whole, &scene.workspace);
        let path = argument::text(parameters, "path").map(str::to_owned).or(named);
        // A text of its own is not what the workspace holds: `analyze this code: …`.
        if reading.subject.is_some() && path.is_none() {
            return None;
        }
        let list = lists(&reading.words);
        let score = if list { 0.9 } else { score(&reading.words, path.is_some())? };
        let path = path.unwrap_or_else(|| ".".to_owned());
        let place = if path == "." { "the workspace" } else { &path };
        let (what, arguments) = if list {
            ("list what is", json!({ "path": path, "list": true }))
        } else {
            ("count the files, directories, languages and lines", json!({ "path": path }))
        };
        Some(Bid { score, intent: format!("{what} in {place}"), arguments })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let path = argument::optional(arguments, "path", "a path in the workspace, such as ./src")?.unwrap_or(".");
        let spot = workspace::find(&scene.workspace, path)?;
        let list = argument::flag(arguments, "list")?;
        let census = Census::take(&spot, scene)?;
        let mut output = Output { text: census.text(&spot), data: census.data(&spot), ..Output::default() };
        if list {
            output.text.push_str(&census.listing());
            output.data["entries"] = json!(census.entries);
        }
        Ok(output)
    }
}

/// Whether the instruction wants the names of what is in a folder.
fn lists(words: &Words) -> bool {
    let files = words.any(&["file*", "folder*", "director*"]);
    let names = words.any(&[
        "list the", "list all", "list files", "list me", "show me the files", "show the files", "name the files",
    ]);
    let which = words.begins_any(&["what files", "which files", "what folders", "which folders", "what director*"]);
    files && (names || which && words.any(&["are in", "are there", "are below", "are under", "do we have", "exist"]))
}

/// How much the instruction is about the make-up of a project.
fn score(words: &Words, has_path: bool) -> Option<f32> {
    let thing = words.any(&[
        "project*", "codebase*", "code base*", "repo", "repos", "repository", "repositories", "workspace", "source",
        "sources", "source code", "source tree", "file*", "folder*", "director*", "crate", "code", "package",
        "module*", "tree",
    ]);
    let ask = words.any(&[
        "analy*", "structure*", "how big", "how large", "size*", "how many", "count*", "overview", "layout",
        "statistic*", "stats", "languages", "lines of code", "loc", "number of", "inspect*", "examine*", "survey*",
        "made of", "breakdown",
    ]);
    let written =
        words.any(&["what language*", "which language*", "programming language*", "written in", "lines of code"]);
    let elsewhere = words
        .any(&["sentiment", "summar*", "keyword*", "remember*", "recall*", "defined", "mention*", "said"])
        || words.any(&["file* contain*", "contents of", "snippet"]);
    match (thing || has_path, ask, written) {
        _ if elsewhere => None,
        (true, true, _) => Some(0.9),
        (true, false, true) => Some(0.85),
        (false, _, true) if words.any(&["it", "this", "lines of code"]) => Some(0.7),
        (true, false, false)
            if has_path && words.any(&["what is in", "what's in", "look at", "describe", "explore"]) =>
        {
            Some(0.75)
        }
        (true, _, _)
            if words.any(&[
                "describe the", "describe this", "explore the", "what's in this", "what is in this", "what's in the",
                "tell me about this", "tell me about the",
            ]) =>
        {
            Some(0.7)
        }
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Language {
    files: u64,
    lines: u64,
    code: u64,
}

/// What was counted.
#[derive(Debug, Default)]
struct Census {
    files: u64,
    bytes: u64,
    directories: HashSet<PathBuf>,
    languages: BTreeMap<&'static str, Language>,
    /// Directly in the folder, folders with a slash at their end; at most 200.
    entries: Vec<String>,
    complete: bool,
}

impl Census {
    fn take(spot: &Spot, scene: &Scene) -> Result<Self, Error> {
        let mut census = Self { complete: true, ..Self::default() };
        let config = Config::default();
        for entry in spot.walk() {
            scene.check()?;
            if entry.depth == 1 && census.entries.len() < MAX_ENTRIES {
                census.entries.push(format!("{}{}", entry.name().display(), if entry.folder { "/" } else { "" }));
            }
            if entry.folder {
                continue;
            }
            if census.files >= MAX_FILES {
                census.complete = false;
                break;
            }
            census.count(&entry, spot, &config);
        }
        Ok(census)
    }

    fn count(&mut self, entry: &Entry, spot: &Spot, config: &Config) {
        let root = spot.path.as_path();
        self.files += 1;
        self.bytes += entry.len;
        for folder in entry.path.ancestors().skip(1).take_while(|folder| *folder != root && folder.starts_with(root)) {
            if !self.directories.insert(folder.to_owned()) {
                break;
            }
        }
        let Some(bytes) = spot.content(entry) else { return };
        let Some(language) = language(entry, &bytes, config) else { return };
        let stats = language.parse_from_slice(&bytes, config).summarise();
        let counted = self.languages.entry(language.name()).or_default();
        counted.files += 1;
        counted.lines += stats.lines() as u64;
        counted.code += stats.code as u64;
    }

    /// The languages, most lines first.
    fn ranked(&self) -> Vec<(&'static str, &Language)> {
        let mut ranked: Vec<_> = self.languages.iter().map(|(name, language)| (*name, language)).collect();
        ranked.sort_by_key(|(_, language)| std::cmp::Reverse(language.lines));
        ranked
    }

    fn text(&self, spot: &Spot) -> String {
        let place = if spot.shown == "." { "The workspace" } else { &spot.shown };
        let least = if self.complete { "" } else { "at least " };
        let files = count(self.files, "file", "files");
        let directories = count(self.directories.len() as u64, "directory", "directories");
        let mut text = format!("{place} holds {least}{files} in {directories}, {} in all.", size(self.bytes));
        let ranked = self.ranked();
        let shown: Vec<String> =
            ranked.iter().take(SHOWN_LANGUAGES).map(|(name, language)| line(name, language)).collect();
        if !shown.is_empty() {
            let more = ranked.len().saturating_sub(SHOWN_LANGUAGES);
            let rest =
                if more > 0 { format!(", and {}", count(more as u64, "other", "others")) } else { String::new() };
            text.push_str(&format!(" By language: {}{rest}.", shown.join(", ")));
        }
        text
    }

    fn listing(&self) -> String {
        self.entries.iter().map(|entry| format!("\n- {entry}")).collect()
    }

    fn data(&self, spot: &Spot) -> Value {
        let languages: Vec<Value> = self
            .ranked()
            .into_iter()
            .map(|(name, l)| json!({ "name": name, "files": l.files, "lines": l.lines, "code": l.code }))
            .collect();
        json!({
            "files": self.files,
            "directories": self.directories.len(),
            "totalSize": size(self.bytes),
            "bytes": self.bytes,
            "path": spot.shown,
            "languages": languages,
            "complete": self.complete,
        })
    }
}

/// The language of a file: by its name, else by the interpreter in its first line.
fn language(entry: &Entry, content: &[u8], config: &Config) -> Option<LanguageType> {
    if entry.path.extension().is_some() {
        return LanguageType::from_path(&entry.path, config);
    }
    // Without an ending tokei opens the path by itself, past the handle on the workspace. No such path can be opened.
    let named = LanguageType::from_path(Path::new("\0").join(entry.name()), config);
    named.or_else(|| {
        let first = std::str::from_utf8(content.split(|byte| *byte == b'\n').next()?).ok()?;
        let mut words = first.strip_prefix("#!")?.split_whitespace();
        let interpreter = words.next()?.rsplit('/').next()?;
        let interpreter = if interpreter == "env" { words.next()? } else { interpreter };
        Some(match interpreter.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
            "bash" => LanguageType::Bash,
            "sh" | "dash" => LanguageType::Sh,
            "python" => LanguageType::Python,
            "node" => LanguageType::JavaScript,
            "perl" => LanguageType::Perl,
            "ruby" => LanguageType::Ruby,
            _ => return None,
        })
    })
}

fn line(name: &str, language: &Language) -> String {
    let files = count(language.files, "file", "files");
    format!("{name} ({files}, {} lines, {} of them code)", grouped(language.lines), grouped(language.code))
}

/// A size as document 002 shows it: `2.5MB`, in units of 1,024 with one decimal; whole bytes below the first.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    // Precise to 2^53 bytes, of which only one decimal is shown.
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 and more would be shown as 1024.0.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1}{}", UNITS.get(unit).unwrap_or(&"TB"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::protocol::Code;
    use crate::tool::tests::scene;

    fn count_in(root: &Path, path: &str) -> Value {
        let scene = Scene { workspace: root.to_owned(), ..scene() };
        Project.call(&json!({ "path": path }), &scene).unwrap().data
    }

    #[test]
    fn a_known_tree_is_counted_rightly() {
        let world = tempfile::TempDir::new().unwrap();
        let root = world.path();
        for folder in ["src/deep", "target/debug", ".git", ".ci", "empty", "skipped"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let files = [
            (".gitignore", "skipped/\n*.log\n"),
            ("Cargo.toml", "[package]\n"),
            ("src/main.rs", "// says hello\nfn main() {}\n\n"),
            ("src/deep/a.rs", "struct A;\n"),
            (".ci/run", "#!/bin/sh\ntrue\n"),
            ("noise.log", "x"),
            ("skipped/b.rs", "struct B;\n"),
            ("target/debug/c.rs", "struct C;\n"),
            (".git/config", "x"),
            ("binary", "\0\0\0"),
        ];
        for (path, content) in files {
            fs::write(root.join(path), content).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", root.join("src/link")).unwrap();

        let counted = count_in(root, ".");
        assert_eq!((counted["files"].as_u64(), counted["directories"].as_u64()), (Some(7), Some(3)), "{counted}");
        let rust = json!({ "name": "Rust", "files": 2, "lines": 4, "code": 2 });
        assert_eq!(counted["languages"][0], rust);
        assert!(
            counted["languages"].to_string().contains(r#"{"name":"Shell","files":1,"lines":2,"code":1}"#),
            "{counted}"
        );
        let below = count_in(root, "./src");
        assert_eq!((below["files"].as_u64(), below["directories"].as_u64()), (Some(3), Some(1)), "{below}");
        let one = count_in(root, "src/main.rs");
        assert_eq!((one["files"].as_u64(), one["directories"].as_u64()), (Some(1), Some(0)), "{one}");
        assert_eq!(one["bytes"], 28);
    }

    #[test]
    fn this_very_repository_is_counted_as_git_counts_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // What is committed or about to be: the same as `git ls-files` in a clean checkout.
        let listed = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let Ok(output) = Command::new("git").args(listed).current_dir(root).output() else { return };
        if !output.status.success() {
            return;
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let paths: Vec<&str> = text.split('\0').filter(|path| !path.is_empty() && root.join(path).exists()).collect();
        let folders: HashSet<&Path> = paths
            .iter()
            .flat_map(|path| Path::new(path).ancestors().skip(1))
            .filter(|f| !f.as_os_str().is_empty())
            .collect();
        let counted = count_in(root, ".");
        assert_eq!(counted["files"].as_u64().unwrap(), paths.len() as u64);
        assert_eq!(counted["directories"].as_u64().unwrap(), folders.len() as u64);
    }

    #[test]
    fn it_stops_when_told_to() {
        let scene = scene();
        scene.cancelled.cancel();
        assert_eq!(Project.call(&json!({}), &scene).unwrap_err().code, Code::Cancelled);
        let late = Scene { deadline: std::time::Instant::now(), ..super::super::tests::scene() };
        assert_eq!(Project.call(&json!({}), &late).unwrap_err().code, Code::Timeout);
        assert!(Project.call(&json!({ "path": 5 }), &late).unwrap_err().to_string().contains("path"));
    }

    #[test]
    fn it_knows_when_it_is_meant() {
        let scene = scene();
        for text in [
            "analyze project structure",
            "how big is this codebase",
            "what languages is it written in",
            "count the files in ./src",
            "How many files and directories are there in the repository?",
            "give me an overview of the project",
            "What is the total size of the workspace?",
            "how many lines of code do we have?",
            "Which programming languages are used in this repo?",
            "inspect the source tree",
        ] {
            let bid = Project.bid(text, &Value::Null, &scene).map(|bid| bid.score);
            assert!(bid.is_some_and(|score| score >= 0.5), "{text}: {bid:?}");
        }
        for text in ["Hello, agent!", "where is the function foo defined", "I like files", "summarize the project"] {
            assert_eq!(Project.bid(text, &Value::Null, &scene), None, "{text}");
        }
        let spelled = Project.bid("analyze project structure", &json!({ "path": "./src" }), &scene).unwrap();
        assert_eq!(spelled.arguments, json!({ "path": "./src" }));
    }

    #[test]
    fn sizes_read_as_in_document_002() {
        for (bytes, shown) in [(0, "0B"), (1023, "1023B"), (1024, "1.0KB"), (2_621_440, "2.5MB"), (1_048_575, "1.0MB")]
        {
            assert_eq!(size(bytes), shown);
        }
    }
}
