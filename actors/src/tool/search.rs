//! Code search: lines of the workspace's files that contain a text, match a pattern, or define a name.

mod request;

use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::workspace;
use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::Error;
use crate::text::{Reading, count, shortened};

/// Hits told where nothing else is asked for: what fits on a screen.
const USUAL_HITS: u64 = 20;

/// The most hits told; a client that wants more narrows the search.
const MAX_HITS: u64 = 200;

/// Hits counted at most; past it a search has found too much to be of use.
const MAX_COUNTED: u64 = 100_000;

/// Characters shown of a line.
const MAX_LINE: usize = 160;

/// The size of a compiled pattern, in bytes: enough for any sensible one, and compiled in milliseconds.
const MAX_PATTERN: usize = 1 << 20;

/// The longest text that is searched for, in bytes.
const MAX_QUERY: usize = 500;

/// Finds text in the workspace.
#[derive(Debug)]
pub struct Search;

impl Tool for Search {
    fn name(&self) -> &str {
        "search"
    }

    fn description(&self) -> &str {
        "search the code of the workspace: text, patterns, definitions"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "what to find" },
                "path": { "type": "string", "description": "where, in the workspace", "default": "." },
                "definition": { "type": "boolean", "description": "only where `query` is defined" },
                "regex": { "type": "boolean", "description": "whether `query` is a regular expression" },
                "limit": { "type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": USUAL_HITS }
            },
            "required": ["query"]
        })
    }

    fn bid(&self, text: &str, parameters: &Value, scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let wanted = request::wanted(&reading)?;
        let query = argument::text(parameters, "query").map(str::to_owned).unwrap_or(wanted.query);
        let named = workspace::path_in(&reading.head, &scene.workspace).filter(|path| *path != query);
        let path = argument::text(parameters, "path").map(str::to_owned).or(named).unwrap_or_else(|| ".".to_owned());
        let what = if wanted.definition { "the definition of " } else { "" };
        let place = if path == "." { "the workspace" } else { &path };
        let intent = format!("search {place} for {what}“{query}”");
        let arguments = json!({ "query": query, "path": path, "definition": wanted.definition });
        Some(Bid { score: wanted.score, arguments, intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let query = argument::required(arguments, "query", "the text to find")?;
        let definition = argument::flag(arguments, "definition")?;
        let pattern = pattern(query, definition, argument::flag(arguments, "regex")?)?;
        let limit = argument::number(arguments, "limit", 1, MAX_HITS, USUAL_HITS)?;
        let path = argument::optional(arguments, "path", "a path in the workspace, such as ./src")?.unwrap_or(".");
        let spot = workspace::find(&scene.workspace, path)?;
        let mut hits = Hits::default();
        for entry in spot.walk() {
            scene.check()?;
            if hits.total >= MAX_COUNTED {
                break;
            }
            let Some(bytes) = spot.content(&entry) else { continue };
            hits.files += 1;
            hits.look(&spot.name_of(&entry.path), &String::from_utf8_lossy(&bytes), &pattern, limit);
        }
        let place = if spot.shown == "." { "the workspace" } else { &spot.shown };
        Ok(hits.output(query, definition, place))
    }
}

/// The pattern to look for; lower case finds both cases, upper case is meant.
fn pattern(query: &str, definition: bool, regex: bool) -> Result<Regex, Error> {
    if query.len() > MAX_QUERY {
        return Err(Error::invalid("query", "at most 500 bytes"));
    }
    let bare = query.trim_end_matches("()").trim();
    let spelled = match (definition, regex) {
        (true, _) => format!(
            r"\b(?:fn|struct|enum|union|trait|type|const|static|mod|macro_rules!|class|interface|def|function|func|let|var|val|module|object|protocol|record|impl)\s+(?:mut\s+)?{}\b",
            regex::escape(bare)
        ),
        (false, true) => query.to_owned(),
        (false, false) => regex::escape(query),
    };
    let insensitive = !query.contains(char::is_uppercase);
    RegexBuilder::new(&spelled)
        .case_insensitive(insensitive)
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|error| Error::invalid("query", "a regular expression").with_details(last_line(&error.to_string())))
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().to_owned()
}

#[derive(Debug, Default)]
struct Hits {
    shown: Vec<(String, usize, String)>,
    total: u64,
    in_files: u64,
    files: u64,
}

impl Hits {
    fn look(&mut self, name: &str, text: &str, pattern: &Regex, limit: u64) {
        let before = self.total;
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| pattern.is_match(line)) {
            self.total += 1;
            if (self.shown.len() as u64) < limit {
                self.shown.push((name.to_owned(), number, shortened(line.trim(), MAX_LINE).into_owned()));
            }
        }
        self.in_files += u64::from(self.total > before);
    }

    fn output(self, query: &str, definition: bool, place: &str) -> Output {
        let what = if definition { format!("a definition of “{query}”") } else { format!("“{query}”") };
        let files = count(self.files, "file", "files");
        let text = if self.total == 0 {
            format!("I found no {} in {place} ({files} searched).", what.trim_start_matches("a "))
        } else {
            let lines = count(self.total, "line", "lines");
            let mut text = format!("I found {what} in {lines} of {}:", count(self.in_files, "file", "files"));
            for (name, number, line) in &self.shown {
                text.push_str(&format!("\n{name}:{number}: {line}"));
            }
            let rest = self.total.saturating_sub(self.shown.len() as u64);
            if rest > 0 {
                text.push_str(&format!("\n… and {} more.", count(rest, "line", "lines")));
            }
            text
        };
        let matches: Vec<Value> =
            self.shown.iter().map(|(path, line, text)| json!({ "path": path, "line": line, "text": text })).collect();
        let data = json!({ "query": query, "matches": matches, "total": self.total, "files": self.files });
        Output { text, data, ..Output::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::scene;

    #[test]
    fn it_finds_what_requests_mean() {
        let scene = scene();
        let cases = [
            ("where is the function resolve_path defined", "resolve_path", true),
            ("find TODO in the code", "TODO", false),
            ("search for 'Journal' in src", "Journal", false),
            ("grep for unwrap in ./src", "unwrap", false),
            ("which files mention Envelope?", "Envelope", false),
            ("Where is struct Runtime declared?", "Runtime", true),
            ("show me all usages of Timestamp in the project", "Timestamp", false),
            ("locate \"fn main\" in the source code", "fn main", false),
            ("find the definition of Persona", "Persona", true),
            ("look for FIXME in the repository", "FIXME", false),
            ("where is the Journal trait defined?", "Journal", true),
            ("search the codebase for tenant isolation", "tenant isolation", false),
            ("where is MoodState defined", "MoodState", true),
            ("where is Timestamp defined", "Timestamp", true),
            ("Which file contains the Memory struct?", "Memory", false),
            ("Is there any TODO left in the source?", "TODO", false),
            ("do we use regex anywhere in the code?", "regex", false),
            ("search \"fn bid\"", "fn bid", false),
        ];
        for (text, query, definition) in cases {
            let bid = Search.bid(text, &Value::Null, &scene).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (&bid.arguments["query"], &bid.arguments["definition"]),
                (&json!(query), &json!(definition)),
                "{text}"
            );
            assert!(bid.score >= 0.6, "{text}: {}", bid.score);
        }
        let placed = Search.bid("search for 'Journal' in src", &Value::Null, &scene).unwrap();
        assert_eq!(placed.arguments["path"], "src");
        for text in ["Hello, agent!", "find happiness", "where is Berlin?", "what did I say about the code", "thanks"] {
            assert_eq!(Search.bid(text, &Value::Null, &scene), None, "{text}");
        }
    }

    #[test]
    fn it_tells_where_and_how_often() {
        let world = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(world.path().join("src")).unwrap();
        std::fs::write(world.path().join("src/a.rs"), "fn alpha() {}\n// Alpha calls alpha()\n").unwrap();
        std::fs::write(world.path().join("b.txt"), "nothing\nalphabet\n").unwrap();
        let scene = Scene { workspace: world.path().to_owned(), ..scene() };
        let total = |arguments: Value| Search.call(&arguments, &scene).unwrap().data["total"].as_u64().unwrap();
        assert_eq!(total(json!({ "query": "alpha" })), 3);
        assert_eq!(total(json!({ "query": "Alpha" })), 1);
        assert_eq!(total(json!({ "query": "alpha", "path": "src" })), 2);
        assert_eq!(total(json!({ "query": "alpha", "definition": true })), 1);
        assert_eq!(total(json!({ "query": "^alpha.*$", "regex": true })), 1);
        let found = Search.call(&json!({ "query": "alpha", "definition": true }), &scene).unwrap();
        assert_eq!(found.text, "I found a definition of “alpha” in 1 line of 1 file:\nsrc/a.rs:1: fn alpha() {}");
        let none = Search.call(&json!({ "query": "omega" }), &scene).unwrap();
        assert_eq!(none.text, "I found no “omega” in the workspace (2 files searched).");
        for bad in [json!({}), json!({ "query": "(", "regex": true }), json!({ "query": "a", "path": "../.." })] {
            let error = Search.call(&bad, &scene).unwrap_err().to_string();
            assert!(!error.contains(world.path().to_str().unwrap()), "{error}");
        }
    }
}
