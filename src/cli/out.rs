//! What commands write to standard output: text for people, or JSON for programs.
//!
//! Colours are for terminals (`NO_COLOR` is heeded). What agents and others said is shown without its control
//! characters, so that nobody's words move a reader's cursor.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::Value;

/// The form of what is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Format {
    /// Print JSON: one object, or one a line where there are several.
    #[arg(long)]
    pub json: bool,
}

/// Whoever read standard output has gone, and with it the reason to go on.
#[derive(Debug)]
pub(super) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output")
    }
}

impl std::error::Error for ReaderGone {}

/// Names, such as an agent's.
pub(super) const NAME: Style = AnsiColor::Cyan.on_default().bold();

/// What is only by the way.
pub(super) const ASIDE: Style = Style::new().dimmed();

/// What went wrong.
pub(super) const WRONG: Style = AnsiColor::Red.on_default();

/// Text in a style, where it is shown on a terminal.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes text as it is, at once.
pub(super) fn piece(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => Ok(written?),
    }
}

/// Writes a line, at once.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    piece(&format!("{text}\n"))
}

/// Writes an object as one line.
pub(super) fn json(value: &Value) -> anyhow::Result<()> {
    line(&value.to_string())
}

/// Tells whoever sits there what goes on, on standard error.
pub(super) fn note(text: &str) {
    // Nothing can be done where standard error is closed.
    let _ = writeln!(anstream::stderr(), "callboard: {text}");
}

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Text of others without control characters; lines and tabs stay.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let moves = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(moves) { text.replace(moves, "\u{fffd}").into() } else { text.into() }
}

/// A table without lines.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell).into_owned()));
    }
    // The first column begins at the edge, and no line ends in blanks.
    let text = table.to_string();
    let cut: Vec<&str> = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    cut.join("\n")
}

/// Milliseconds as people say them, such as `3h 5m`.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_moves_no_cursor() {
        assert_eq!(plain("a\tb\nc ü"), "a\tb\nc ü");
        assert_eq!(plain("a\u{1b}[2Jb\rc\u{9b}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }

    #[test]
    fn tables_have_no_lines_and_times_are_short() {
        let shown = table(&["NAME", "N"], vec![vec!["long name".into(), "1".into()], vec!["x".into(), "22".into()]]);
        assert_eq!(shown, "NAME       N\nlong name  1\nx          22");
        let spans = [999, 61_000, 3_700_000, 90_000_000].map(span);
        assert_eq!(spans, ["0s", "1m 1s", "1h 1m", "1d 1h"]);
    }
}
