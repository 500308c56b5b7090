//! Logging: one record a line on standard error, whatever a message holds.
//!
//! What a client sent may end up in a message. Control characters are therefore escaped, so that nobody can write a
//! line that the server did not, nor move an operator's cursor.

use std::borrow::Cow;
use std::io::Write;

use callboard_actors::protocol::Timestamp;

/// Starts logging by `filter`, or by the variable `RUST_LOG` where it is set. Once a process; later calls do nothing.
pub fn init(filter: &str) {
    let filter = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty()).unwrap_or_else(|| filter.to_owned());
    let started = env_logger::Builder::new()
        .parse_filters(&filter)
        .format(|out, record| {
            if quotes(record.target()) {
                return Ok(());
            }
            let line = line(Timestamp::now(), record.level(), record.target(), &record.args().to_string());
            out.write_all(line.as_bytes())
        })
        .try_init();
    if started.is_err() {
        log::debug!("logging has been set up before");
    }
}

/// Whether a record is of a library that quotes credentials, whatever the filter says of it: the one that speaks to
/// models what their servers reply, which may repeat the key they were sent, the one that speaks to NATS its address with
/// the password. The runtime says the same without.
fn quotes(target: &str) -> bool {
    matches!(target.split("::").next(), Some("genai" | "async_nats"))
}

/// A record as it is written, with its newline.
fn line(at: Timestamp, level: log::Level, target: &str, message: &str) -> String {
    format!("{at} {level:<5} {}: {}\n", one_line(target), one_line(message))
}

/// `text` with control characters and line separators escaped as Rust writes them: `\n`, `\u{1b}`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if breaks(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_it_holds() {
        let forged = "hello\n2026-01-01T00:00:00.000Z ERROR callboard: forged\r\u{1b}[2J\u{85}\u{2028}\0end";
        let line = line(Timestamp(0), log::Level::Warn, "a\nb", forged);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(line.chars().filter(|c| c.is_control()).count(), 1, "{line:?}");
        assert!(line.starts_with("1970-01-01T00:00:00.000Z WARN  a\\nb: hello\\n2026"), "{line}");
        assert!(line.ends_with("end\n"));
    }

    #[test]
    fn what_quotes_the_replies_of_models_is_left_out() {
        assert!(quotes("genai") && quotes("genai::adapter::adapters::openai::streamer"));
        assert!(!quotes("callboard_actors::brain::model::provider") && !quotes("genais"));
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert!(matches!(one_line("Grüße, \"quoted\" \\ 你好"), Cow::Borrowed(_)));
    }
}
