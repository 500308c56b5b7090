//! The settings as people may read them: without what must stay with whoever set it.

use toml::{Table, Value};

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Endings of the names of settings whose values are nobody's to read. Settings name files rather than hold secrets;
/// this is for those that ever do.
const SECRETS: [&str; 5] = ["key", "secret", "token", "password", "credentials"];

/// The same settings with their secrets hidden, also those within addresses.
pub(super) fn of(table: &Table) -> Table {
    table.iter().map(|(name, value)| (name.clone(), value_of(name, value))).collect()
}

fn value_of(name: &str, value: &Value) -> Value {
    match value {
        Value::Table(table) => Value::Table(of(table)),
        Value::Array(values) => Value::Array(values.iter().map(|value| value_of(name, value)).collect()),
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(_) if SECRETS.iter().any(|secret| name.ends_with(secret)) => HIDDEN.into(),
        Value::String(text) => address(text).into(),
        _ => value.clone(),
    }
}

/// An address without who goes there: `nats://user:word@host` is `nats://(hidden)@host`.
fn address(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let text =
            "[a]\napi_key = \"s3cret\"\nkey = \"\"\nurls = [\"nats://me:s3cret@host:1/x\", \"http://host\"]\nsize = 3";
        let shown = of(&toml::from_str(text).unwrap());
        let text = toml::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("nats://(hidden)@host:1/x") && text.contains("http://host"), "{text}");
        assert!(text.contains("key = \"\"") && text.contains("size = 3"), "{text}");
    }
}
