//! The agents: one TOML file each, from a folder or from those that come with the server.

use std::path::{Path, PathBuf};

use callboard_actors::agent::persona::Persona;
use callboard_actors::brain::model::settings::Settings;

use super::error::ConfigError;

/// The agents that come with the server; the first leads new conversations.
const EMBEDDED: [(&str, &str); 3] = [
    ("config/agents/nyx.toml", include_str!("../../config/agents/nyx.toml")),
    ("config/agents/aria.toml", include_str!("../../config/agents/aria.toml")),
    ("config/agents/sage.toml", include_str!("../../config/agents/sage.toml")),
];

/// The most agents of one folder: each is an actor with a queue of its own in every tenant.
const MOST: usize = 1024;

/// The agents that come with the server.
pub(super) fn embedded() -> Result<Vec<Persona>, ConfigError> {
    EMBEDDED.iter().map(|(path, text)| parse(Path::new(path), text)).collect()
}

/// Every `*.toml` of `folder`, by name. A file is called as its agent, so that no two agents have one name.
pub(super) fn load(folder: &Path) -> Result<Vec<Persona>, ConfigError> {
    let unreadable = |path: &Path, error: std::io::Error| {
        ConfigError::source(path.display().to_string(), format!("the agents cannot be read: {error}"))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if !(1..=MOST).contains(&paths.len()) {
        let reason = format!("found {} agents (*.toml): expected 1 to {MOST}", paths.len());
        return Err(ConfigError::source(folder.display().to_string(), reason));
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
        parse(path, &text)
    };
    paths.iter().map(read).collect()
}

fn parse(path: &Path, text: &str) -> Result<Persona, ConfigError> {
    let persona: Persona = toml::from_str(text).map_err(|error| ConfigError::toml(path, text, &error))?;
    let wrong = |reason: String| Err(ConfigError::source(path.display().to_string(), reason));
    let name = persona.name.as_str();
    if path.file_stem().is_none_or(|stem| stem != name) {
        return wrong(format!("name = \"{name}\": expected the name of the file without .toml"));
    }
    if name.contains(':') || name.starts_with('.') {
        return wrong(format!("name = \"{name}\": expected no \":\" in it and no \".\" at its beginning"));
    }
    let may = |tool: &String| tool == "*" || persona.tools.contains(tool);
    if let Some(tool) = persona.approval.iter().find(|tool| !may(tool)) {
        return wrong(format!("approval = [\"{tool}\"]: expected names out of tools, or \"*\""));
    }
    if let Some(Err(error)) = persona.model.as_ref().map(Settings::check) {
        return wrong(error.to_string());
    }
    let limits = &persona.limits;
    let numbers: [(&str, u64, u64); 3] = [
        ("queue", limits.queue as u64, 1_000_000),
        ("concurrency", limits.concurrency as u64, 1_000),
        ("run_seconds", limits.run_seconds, 86_400),
    ];
    for (key, value, most) in numbers {
        if !(1..=most).contains(&value) {
            return wrong(format!("limits.{key} = {value}: expected 1 to {most}"));
        }
    }
    Ok(persona)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(name: &str, more: &str) -> String {
        format!("name = \"{name}\"\ntitle = \"t\"\ndescription = \"d\"\ngreeting = \"g\"\n{more}\n")
    }

    #[test]
    fn the_embedded_agents_read() {
        let names: Vec<_> = embedded().unwrap().iter().map(|persona| persona.name.to_string()).collect();
        assert_eq!(names, ["nyx", "aria", "sage"]);
    }

    #[test]
    fn a_folder_gives_its_agents_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["zoe", "ada"] {
            std::fs::write(folder.path().join(format!("{name}.toml")), text(name, "")).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "not an agent").unwrap();
        let names: Vec<_> = load(folder.path()).unwrap().iter().map(|persona| persona.name.to_string()).collect();
        assert_eq!(names, ["ada", "zoe"]);
    }

    #[test]
    fn an_agents_file_that_is_wrong_says_where() {
        for (file, content, expected) in [
            ("a.toml", text("b", ""), "expected the name of the file"),
            ("a.toml", text("a", "mood = 1"), "unknown field `mood`"),
            ("a.toml", text("a b", ""), "1 to 128 characters"),
            ("a.toml", text("a", "[limits]\nqueue = 0"), "limits.queue = 0: expected 1 to 1000000"),
            ("a.toml", text("a", "tools = [\"clock\"]\napproval = [\"search\"]"), "expected names out of tools"),
            (
                "a.toml",
                text("a", "brain = \"model\"\n[model]\nname = \"m\"\nsteps = 99"),
                "model.steps = 99: expected 1 to 32",
            ),
            ("a.toml", text("a", "[model]\nname = \"m\"\nwarmth = 1"), "unknown field `warmth`"),
            ("a.toml", "name =".to_owned(), "line 1"),
            ("a.txt", text("a", ""), "found 0 agents"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(file), &content).unwrap();
            let error = load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
            assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
        }
        assert!(load(Path::new("no/such/folder")).unwrap_err().to_string().contains("cannot be read"));
    }
}
