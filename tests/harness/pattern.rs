//! Patterns of JSON, as transcripts and tests write them.
//!
//! Objects match if every field of the pattern does; more fields are allowed, unless exactness is asked for. Lists
//! match item by item; `"..."` as the last item stands for any further ones. A text of the pattern is meant literally,
//! but for:
//!
//! | pattern | matches |
//! | --- | --- |
//! | `"<any>"` | anything, null too |
//! | `"<absent>"` | nothing: the field is not there |
//! | `"<string>"`, `"<text>"` | a text; one that is not empty |
//! | `"<id>"`, `"<uuid>"` | an id as clients may choose them; a UUID |
//! | `"<time>"` | RFC 3339 in UTC with milliseconds: `2024-01-15T10:30:00.000Z` |
//! | `"<number>"`, `"<int>"`, `"<bool>"`, `"<object>"`, `"<array>"` | a value of that kind; `<int>` from 0 |
//! | `"~text"` | a text with this in it |
//! | `"<$name:id>"` | as `<id>`, and keeps the value as `name` |
//! | `"$name"` | the value that was kept; inside a longer text its own text |

use std::collections::BTreeMap;

use serde_json::Value;

/// Values that were kept, by name.
pub type Captures = BTreeMap<String, Value>;

/// Whether `actual` matches, or where and why not.
pub fn matches(pattern: &Value, actual: &Value, captures: &mut Captures) -> Result<(), String> {
    Matcher { exact: false, captures }.value("", pattern, Some(actual))
}

/// Whether `actual` matches and has no field that the pattern lacks.
pub fn matches_exactly(pattern: &Value, actual: &Value, captures: &mut Captures) -> Result<(), String> {
    Matcher { exact: true, captures }.value("", pattern, Some(actual))
}

/// Puts kept values in the place of their names: `"$name"` alone becomes the value, inside a text its text. `$$` is a
/// dollar sign. A name that was never kept is an error.
pub fn filled(value: &Value, captures: &Captures) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix('$').and_then(|name| captures.get(name)) {
            Some(value) => value.clone(),
            None => filled_text(text, captures)?.into(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, captures)).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let fill = |(name, value): (&String, &Value)| Ok((name.clone(), filled(value, captures)?));
            Value::Object(fields.iter().map(fill).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// The same in a plain text.
pub fn filled_text(text: &str, captures: &Captures) -> Result<String, String> {
    let mut parts = text.split('$');
    let mut result = parts.next().unwrap_or_default().to_owned();
    let mut dollar = false;
    for part in parts {
        if dollar {
            result.push('$');
            result.push_str(part);
            dollar = false;
        } else if part.is_empty() {
            dollar = true;
        } else if result.ends_with('<') {
            result.push('$');
            result.push_str(part);
        } else {
            let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            let value = captures.get(name).ok_or_else(|| format!("${name} is not known"))?;
            result.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            result.push_str(rest);
        }
    }
    if dollar {
        return Err(format!("a lone $ at the end of {text}"));
    }
    Ok(result)
}

struct Matcher<'a> {
    exact: bool,
    captures: &'a mut Captures,
}

impl Matcher<'_> {
    fn value(&mut self, at: &str, pattern: &Value, actual: Option<&Value>) -> Result<(), String> {
        if let Value::String(text) = pattern {
            return self.text(at, text, actual);
        }
        let place = if at.is_empty() { "the frame" } else { at };
        let Some(actual) = actual else { return Err(format!("{place} is missing")) };
        match (pattern, actual) {
            (Value::Object(pattern), Value::Object(fields)) => {
                for (name, expected) in pattern {
                    self.value(&format!("{at}.{name}"), expected, fields.get(name))?;
                }
                let more = fields.keys().find(|name| self.exact && !pattern.contains_key(*name));
                more.map_or(Ok(()), |name| Err(format!("{place} has the field {name} as well")))
            }
            (Value::Array(pattern), Value::Array(items)) => self.items(at, pattern, items),
            (Value::Number(expected), Value::Number(number)) if expected.as_f64() == number.as_f64() => Ok(()),
            (expected, actual) if expected == actual => Ok(()),
            (expected, actual) => Err(format!("{place} is {actual}, expected {expected}")),
        }
    }

    fn items(&mut self, at: &str, pattern: &[Value], items: &[Value]) -> Result<(), String> {
        let open = pattern.last().is_some_and(|last| last == "...");
        let named = if open { &pattern[..pattern.len() - 1] } else { pattern };
        if items.len() < named.len() || !open && items.len() > named.len() {
            return Err(format!("{at} has {} items, expected {}", items.len(), named.len()));
        }
        let mut pairs = named.iter().zip(items).enumerate();
        pairs.try_for_each(|(index, (pattern, item))| self.value(&format!("{at}[{index}]"), pattern, Some(item)))
    }

    fn text(&mut self, at: &str, pattern: &str, actual: Option<&Value>) -> Result<(), String> {
        if pattern == "<absent>" {
            return actual.map_or(Ok(()), |actual| Err(format!("{at} is there: {actual}")));
        }
        let actual = actual.ok_or_else(|| format!("{at} is missing"))?;
        let wildcard = pattern.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let fits = match wildcard {
            Some(wildcard) => {
                let (name, kind) = match wildcard.strip_prefix('$') {
                    Some(capture) => capture.split_once(':').map_or((capture, "any"), |pair| pair),
                    None => ("", wildcard),
                };
                let fits = is_of(kind, actual)?;
                if fits && !name.is_empty() {
                    self.captures.insert(name.to_owned(), actual.clone());
                }
                fits
            }
            None => match pattern.strip_prefix('~') {
                Some(part) => actual.as_str().is_some_and(|text| text.contains(part)),
                None => actual.as_str() == Some(pattern),
            },
        };
        if fits { Ok(()) } else { Err(format!("{at} is {actual}, expected {pattern:?}")) }
    }
}

fn is_of(kind: &str, actual: &Value) -> Result<bool, String> {
    let text = actual.as_str();
    let id = |text: &str| {
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
    };
    Ok(match kind {
        "any" => true,
        "string" => text.is_some(),
        "text" => text.is_some_and(|text| !text.trim().is_empty()),
        "id" => text.is_some_and(id),
        "uuid" => text.is_some_and(|text| text.len() == 36 && uuid::Uuid::parse_str(text).is_ok()),
        "time" => text.is_some_and(is_time),
        "number" => actual.is_number(),
        "int" => actual.is_u64(),
        "bool" => actual.is_boolean(),
        "object" => actual.is_object(),
        "array" => actual.is_array(),
        unknown => return Err(format!("<{unknown}> is no pattern")),
    })
}

fn is_time(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00.000Z";
    let digits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    text.len() == shape.len()
        && text.bytes().zip(shape).all(digits)
        && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_what_they_say_and_nothing_else() {
        let mut kept = Captures::new();
        let frame = json!({ "type": "x", "n": 1, "at": "2024-01-15T10:30:00.000Z", "list": [1, 2], "no": null });
        for fits in [
            json!({ "type": "x" }),
            json!({ "type": "<$kind:id>", "n": "<int>", "at": "<time>", "more": "<absent>" }),
            json!({ "list": [1, "..."], "no": null }),
            json!({ "at": "~01-15" }),
        ] {
            assert_eq!(matches(&fits, &frame, &mut kept), Ok(()), "{fits}");
        }
        for not in [
            json!({ "type": "y" }),
            json!({ "list": [1] }),
            json!({ "list": [1, 2, 3, "..."] }),
            json!({ "n": "<string>" }),
            json!({ "type": "<absent>" }),
            json!({ "other": "<any>" }),
            json!({ "type": "<whatever>" }),
            json!({ "type": "<time>" }),
        ] {
            assert!(matches(&not, &frame, &mut kept).is_err(), "{not}");
        }
        assert!(matches_exactly(&json!({ "a": 1 }), &json!({ "a": 1, "b": 2 }), &mut kept).is_err());
        assert_eq!(
            filled(&json!(["$kind", "a-$kind.", "$$5", "<$n:id>"]), &kept).unwrap(),
            json!(["x", "a-x.", "$5", "<$n:id>"])
        );
        assert!(filled(&json!("$unknown"), &kept).is_err());
    }
}
