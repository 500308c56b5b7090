//! Reading a tool's arguments: JSON from a client or a brain, with errors that name the parameter.

use serde_json::Value;

use crate::protocol::Error;

/// A text, if it is there.
pub fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.get(name)?.as_str()
}

/// A text that must be there and not be blank.
pub fn required<'a>(arguments: &'a Value, name: &str, expected: &str) -> Result<&'a str, Error> {
    match arguments.get(name) {
        None | Some(Value::Null) => Err(Error::missing(name, expected)),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err(Error::invalid(name, expected)),
    }
}

/// A text that may be missing.
pub fn optional<'a>(arguments: &'a Value, name: &str, expected: &str) -> Result<Option<&'a str>, Error> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid(name, expected)),
    }
}

/// A whole number within bounds, or `usual` if it is missing.
pub fn number(arguments: &Value, name: &str, least: u64, most: u64, usual: u64) -> Result<u64, Error> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => match value.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(number),
            None => Err(Error::invalid(name, &format!("a whole number from {least} to {most}"))),
        },
    }
}

/// Yes or no; no if it is missing.
pub fn flag(arguments: &Value, name: &str) -> Result<bool, Error> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Error::invalid(name, "true or false")),
    }
}
