//! Reading the fields of a JSON object one by one, so that an error can say which field and what was expected there.
//!
//! The object is split into its fields once; a field is parsed only when it is asked for, and what is passed on
//! untouched (a publication's content) stays the text that the client wrote.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use callboard_actors::protocol::id::check_id;
use callboard_actors::protocol::{Code, Error, Result, TraceParent};

/// The deepest nesting of arrays and objects that is passed on to others: deeper, and some client's parser gives up.
const MAX_DEPTH: usize = 64;

/// The fields of one JSON object, as written. Of a field that occurs twice the last holds.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    /// The field that the object itself stands in, for errors: `data`.
    within: &'static str,
    list: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Splits a frame into its fields.
    pub fn of_frame(text: &'a str) -> Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = deserializer.deserialize_map(FieldsVisitor).and_then(|fields| deserializer.end().map(|()| fields));
        fields.map_err(|error| {
            let what = if error.is_data() { "a JSON object".to_owned() } else { format!("valid JSON ({error})") };
            Error::new(Code::InvalidMessage, "Message format is invalid")
                .with_details(format!("frame: expected {what}"))
        })
    }

    /// The fields of the object in the field `name`; none if the field is absent.
    pub fn object(&self, name: &'static str) -> Result<Self> {
        let Some(raw) = self.raw(name) else { return Ok(Self { within: name, list: Vec::new() }) };
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let mut fields = deserializer.deserialize_map(FieldsVisitor).map_err(|_| self.invalid(name, "an object"))?;
        fields.within = name;
        Ok(fields)
    }

    /// Whether the field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The field as it was written, unless it is absent or null.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.list.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, raw)| *raw).filter(|raw| raw.get() != "null")
    }

    /// A text, if the field is there.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let plain = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match plain.filter(|plain| !plain.contains('\\')) {
            Some(plain) => Ok(Some(Cow::Borrowed(plain))),
            None => self.parse(name, "a string").map(|text: Option<String>| text.map(Cow::Owned)),
        }
    }

    /// A text of 1 to `most` bytes that must be there.
    pub fn content(&self, name: &str, most: usize) -> Result<String> {
        let expected = || format!("a string of 1 to {most} bytes");
        let text = self.text(name)?.ok_or_else(|| self.missing(name, &expected()))?;
        if text.trim().is_empty() || text.len() > most {
            return Err(self.invalid(name, &expected()));
        }
        Ok(text.into_owned())
    }

    /// A text of at most `most` bytes; empty if the field is absent.
    pub fn note(&self, name: &str, most: usize) -> Result<String> {
        let text = self.text(name)?.unwrap_or_default();
        if text.len() > most {
            return Err(self.invalid(name, &format!("a string of at most {most} bytes")));
        }
        Ok(text.into_owned())
    }

    /// An id as clients choose them, if the field is there.
    pub fn id(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        let id = self.text(name)?;
        if let Some(id) = &id {
            check_id(&self.path(name), id)?;
        }
        Ok(id)
    }

    /// The id that an error about this frame is sent with, if it is readable.
    pub fn own_id(&self, name: &str) -> Option<String> {
        self.id(name).ok().flatten().map(Cow::into_owned)
    }

    /// An id that must be there.
    pub fn required_id(&self, name: &str) -> Result<Cow<'a, str>> {
        self.id(name)?.ok_or_else(|| self.missing(name, "an id"))
    }

    /// True or false; false if the field is absent.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.parse(name, "true or false")?.unwrap_or(false))
    }

    /// A whole number from 0, if the field is there.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        self.parse(name, "a whole number from 0")
    }

    /// A number from 0 to 1, if the field is there.
    pub fn fraction(&self, name: &str) -> Result<Option<f32>> {
        let number: Option<f32> = self.parse(name, "a number from 0 to 1")?;
        match number {
            Some(number) if !(0.0..=1.0).contains(&number) => Err(self.invalid(name, "a number from 0 to 1")),
            number => Ok(number),
        }
    }

    /// A list of texts, if the field is there.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.parse(name, "a list of strings")
    }

    /// A list of at most `most` items as they were written, if the field is there.
    pub fn items(&self, name: &str, most: usize) -> Result<Option<Vec<&'a RawValue>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let expected = || format!("a list of at most {most} items");
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| self.invalid(name, &expected()))?;
        if items.len() > most { Err(self.invalid(name, &expected())) } else { Ok(Some(items)) }
    }

    /// An object as a value, null if the field is absent.
    pub fn value(&self, name: &str) -> Result<Value> {
        let value: Option<Value> = self.parse(name, "an object")?;
        match value {
            None => Ok(Value::Null),
            Some(value) if value.is_object() => Ok(value),
            Some(_) => Err(self.invalid(name, "an object")),
        }
    }

    /// Any JSON of at most `most` bytes that others can read, as it was written, if the field is there.
    pub fn passed_on(&self, name: &str, most: usize) -> Result<Option<&'a str>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text = raw.get();
        if text.len() > most.saturating_add(2) {
            return Err(self.invalid(name, &format!("at most {most} bytes")));
        }
        let survey = Survey::of(text);
        if survey.depth > MAX_DEPTH {
            return Err(self.invalid(name, &format!("at most {MAX_DEPTH} levels of nesting")));
        }
        if !survey.finite {
            return Err(self.invalid(name, "numbers that a double holds"));
        }
        // Splitting a frame does not look into its strings; a lone surrogate would reach others.
        if text.contains("\\u") && serde_json::from_str::<Value>(text).is_err() {
            return Err(self.invalid(name, "valid JSON"));
        }
        Ok(Some(text))
    }

    /// Where the frame stands in a trace: its field `traceparent`, if that is one.
    pub fn trace(&self) -> Option<TraceParent> {
        self.text("traceparent").ok().flatten().and_then(|text| TraceParent::parse(&text))
    }

    /// An error about a field of this object.
    pub fn invalid(&self, name: &str, expected: &str) -> Error {
        Error::invalid(&self.path(name), expected)
    }

    /// An error about a field that this object lacks.
    pub fn missing(&self, name: &str, expected: &str) -> Error {
        Error::missing(&self.path(name), expected)
    }

    fn path(&self, name: &str) -> String {
        if self.within.is_empty() { name.to_owned() } else { format!("{}.{name}", self.within) }
    }

    fn parse<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.invalid(name, expected))
    }
}

/// What of valid JSON could be too much for other parsers.
struct Survey {
    /// How deep arrays and objects are nested.
    depth: usize,
    /// Whether every number is one that a double holds, if not exactly: larger ones are infinite to some parsers and an
    /// error to others.
    finite: bool,
}

/// The shortest number without an exponent that no double holds has more digits than this.
const LONG_NUMBER: usize = 300;

impl Survey {
    fn of(text: &str) -> Self {
        let mut survey = Self { depth: 0, finite: true };
        let (mut depth, mut quoted, mut escaped, mut number) = (0_usize, false, false, None);
        for (at, byte) in text.bytes().enumerate() {
            if let Some(from) = number.filter(|_| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
                survey.count(text.get(from..at));
                number = None;
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'-' | b'0'..=b'9' if !quoted && number.is_none() => number = Some(at),
                b'[' | b'{' if !quoted => {
                    depth += 1;
                    survey.depth = survey.depth.max(depth);
                }
                b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        survey.count(number.and_then(|from| text.get(from..)));
        survey
    }

    fn count(&mut self, number: Option<&str>) {
        let doubtful = number.filter(|number| number.len() > LONG_NUMBER || number.contains(['e', 'E']));
        if doubtful.is_some_and(|number| !number.parse::<f64>().is_ok_and(f64::is_finite)) {
            self.finite = false;
        }
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(8);
        while let Some(entry) = map.next_entry_seed(NameSeed, std::marker::PhantomData::<&RawValue>)? {
            list.push(entry);
        }
        Ok(Fields { within: "", list })
    }
}

/// A field's name, borrowed where it has no escapes.
struct NameSeed;

impl<'de> serde::de::DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_one_by_one() {
        let frame = r#"{"a":"x\ny","b":{"c":[1,2]},"d":null,"e":"plain","e":"last","f":0.5,"g":true}"#;
        let fields = Fields::of_frame(frame).unwrap();
        assert_eq!(fields.text("a").unwrap().unwrap(), "x\ny");
        assert_eq!(fields.text("e").unwrap().unwrap(), "last");
        assert_eq!(fields.object("b").unwrap().raw("c").unwrap().get(), "[1,2]");
        assert!(!fields.has("d"));
        assert_eq!(fields.fraction("f").unwrap(), Some(0.5));
        assert!(fields.flag("g").unwrap());
    }

    #[test]
    fn errors_name_the_field_and_what_was_expected() {
        let fields = Fields::of_frame(r#"{"data":{"message":5,"stream":"yes","id":"a b"}}"#).unwrap();
        let data = fields.object("data").unwrap();
        for (error, says) in [
            (data.content("message", 10).unwrap_err(), "data.message: expected a string"),
            (data.flag("stream").unwrap_err(), "data.stream: expected true or false"),
            (data.id("id").unwrap_err(), "data.id: expected 1 to 128 characters"),
            (data.content("text", 10).unwrap_err(), "Missing required field: data.text"),
        ] {
            assert!(error.details.starts_with(says), "{}", error.details);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for frame in ["", "[]", "5", "{", r#"{"a":1} x"#, r#"{"a":"\ud800"#, "\u{0}"] {
            let error = Fields::of_frame(frame).unwrap_err();
            assert_eq!(error.code, Code::InvalidMessage, "{frame}");
            assert!(error.details.starts_with("frame: expected"), "{frame}: {error}");
        }
    }

    #[test]
    fn what_is_passed_on_is_fit_for_others() {
        let deep = format!(r#"{{"c":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(Fields::of_frame(&deep).unwrap().passed_on("c", 1 << 20).is_err());
        let lone = r#"{"c":"\ud800"}"#;
        assert!(Fields::of_frame(lone).unwrap().passed_on("c", 100).is_err());
        let fine = r#"{"c":{"n":12345678901234567890123,"s":"\u00fc"}}"#;
        let fields = Fields::of_frame(fine).unwrap();
        assert_eq!(fields.passed_on("c", 100).unwrap().unwrap(), r#"{"n":12345678901234567890123,"s":"\u00fc"}"#);
    }
}
