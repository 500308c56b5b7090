//! What an agent's file allows it of the servers: `files` is all of a server's tools, `files/read_file` one of them,
//! `files/read_*` those whose names begin so.

/// What one agent may use.
#[derive(Clone, PartialEq, Debug)]
pub struct Allowed(Vec<Entry>);

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    server: String,
    tools: Tools,
}

#[derive(Clone, PartialEq, Debug)]
enum Tools {
    All,
    One(String),
    Beginning(String),
}

impl Allowed {
    /// Reads the entries of a file; `known` are the servers there are.
    ///
    /// # Errors
    /// A sentence about the first entry that will not do.
    pub fn read(entries: &[String], known: &[&str]) -> Result<Self, String> {
        let read = |entry: &String| {
            let (server, tools) = match entry.split_once('/') {
                None | Some((_, "*")) => (entry.split('/').next().unwrap_or_default(), Tools::All),
                Some((server, pattern)) => match pattern.strip_suffix('*') {
                    Some(beginning) => (server, Tools::Beginning(beginning.to_owned())),
                    None => (server, Tools::One(pattern.to_owned())),
                },
            };
            if !known.contains(&server) {
                let known = if known.is_empty() { "none is configured".to_owned() } else { known.join(", ") };
                return Err(format!("mcp = \"{entry}\": expected a server of [mcp] ({known})"));
            }
            Ok(Entry { server: server.to_owned(), tools })
        };
        entries.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a tool may be used.
    pub fn covers(&self, server: &str, tool: &str) -> bool {
        self.0.iter().filter(|entry| entry.server == server).any(|entry| match &entry.tools {
            Tools::All => true,
            Tools::One(name) => name == tool,
            Tools::Beginning(beginning) => tool.starts_with(beginning.as_str()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_may_use_what_its_file_lists_and_nothing_else() {
        let list = |entries: &[&str]| entries.iter().map(ToString::to_string).collect::<Vec<_>>();
        let allowed =
            Allowed::read(&list(&["all", "files/read_*", "web/fetch", "more/*"]), &["all", "files", "web", "more"]);
        let allowed = allowed.unwrap();
        for (server, tool, may) in [
            ("all", "anything", true),
            ("more", "anything", true),
            ("files", "read_file", true),
            ("files", "write_file", false),
            ("web", "fetch", true),
            ("web", "fetch_all", false),
            ("other", "fetch", false),
        ] {
            assert_eq!(allowed.covers(server, tool), may, "{server}/{tool}");
        }
        assert!(Allowed::read(&list(&["fils"]), &["files"]).unwrap_err().contains("files"));
    }
}
