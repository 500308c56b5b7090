//! `docs/configuration.md`, made from the file of defaults, and the test that it is not stale.
//!
//! `UPDATE_DOCS=1 cargo test --lib reference` writes it anew.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use super::DEFAULTS;

const HEAD: &str = "# Configuration

<!-- Made from config/callboard.toml: UPDATE_DOCS=1 cargo test --lib reference -->

Every setting, with the value that it has unless you say otherwise. A file of your own needs only the lines that it
changes:

```sh
printf '[limits]\\ncontent = \"64KiB\"\\n' > my.toml
callboard serve --config my.toml
```

Flags win over environment variables, over your file, over these defaults. A variable is named after its section and
key, `CALLBOARD_LIMITS__CONTENT`; lists are comma separated. Short forms: `CALLBOARD_CONFIG` (your file),
`CALLBOARD_BIND`, `CALLBOARD_DATA_DIR`. Durations are written `500ms`, `15s`, `2m`, `24h`; sizes `256KiB`, `1MiB` or a
plain number of bytes. Relative paths start at the folder that the server is started in. A key or section that is not
here is an error: one line, and exit status 2.

What a server runs with is at `GET /settings`, without secrets.
";

/// The page.
fn reference() -> String {
    let (mut page, mut said, mut in_table) = (HEAD.to_owned(), Vec::<&str>::new(), false);
    let settings = DEFAULTS.split_once("\n[").unwrap().1;
    for line in std::iter::once("[server]").chain(settings.lines().skip(1)) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let before = std::mem::take(&mut said).join(" ");
            write!(page, "\n## `[{section}]`\n\n").unwrap();
            if !before.is_empty() {
                write!(page, "{before}\n\n").unwrap();
            }
            in_table = false;
        } else if let Some(comment) = line.strip_prefix("# ") {
            said.push(comment);
        } else if let Some((key, value)) = line.split_once(" = ") {
            if !in_table {
                page.push_str("| key | default | |\n| --- | --- | --- |\n");
                in_table = true;
            }
            let words = std::mem::take(&mut said).join(" ").replace('|', "\\|");
            writeln!(page, "| `{key}` | `{value}` | {words} |").unwrap();
        } else if !said.is_empty() && !in_table {
            // Examples of tables with names of their own.
            let example = |line: &str| match line.starts_with('[') || line.contains(" = ") {
                true => format!("{line}\n"),
                false => format!("# {line}\n"),
            };
            let lines: String = std::mem::take(&mut said).into_iter().map(example).collect();
            write!(page, "```toml\n{lines}```\n").unwrap();
        }
    }
    assert!(said.is_empty(), "{said:?}");
    page
}

#[test]
fn the_reference_is_what_the_defaults_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, reference(), "docs/configuration.md is stale: UPDATE_DOCS=1 cargo test --lib reference");
}
