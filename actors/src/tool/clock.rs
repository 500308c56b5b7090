//! The clock: time, dates and weekdays in UTC or at an offset from it, and days between dates.

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, Offset, Utc};
use serde_json::{Value, json};

use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::{Error, Timestamp};
use crate::text::{Reading, Words, count};

/// Tells time and date.
#[derive(Debug)]
pub struct Clock;

impl Tool for Clock {
    fn name(&self) -> &str {
        "clock"
    }

    fn description(&self) -> &str {
        "tell the time and date in UTC or at an offset, weekdays, and days between dates"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "place": { "type": "string", "description": "a place asked about; only told that it is not known" },
                "offset": { "type": "string", "description": "from UTC, such as +02:00" },
                "from": { "type": "string", "description": "a date, such as 2026-11-21; without it, today" },
                "to": { "type": "string", "description": "a date: how far away it is, and its weekday" }
            }
        })
    }

    fn bid(&self, text: &str, _parameters: &Value, _scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let (score, arguments, intent) = wanted(&reading, Timestamp::now().to_utc().date_naive())?;
        Some(Bid { score, arguments, intent: intent.to_owned() })
    }

    fn call(&self, arguments: &Value, _scene: &Scene) -> Result<Output, Error> {
        answer(arguments, Timestamp::now().to_utc())
    }
}

fn answer(arguments: &Value, now: DateTime<Utc>) -> Result<Output, Error> {
    let offset = match argument::optional(arguments, "offset", "an offset such as +02:00")? {
        Some(text) => {
            offset(text).ok_or_else(|| Error::invalid("offset", "an offset such as +02:00; I know no places"))?
        }
        None => Utc.fix(),
    };
    let local = now.with_timezone(&offset);
    let date = |name| match argument::optional(arguments, name, "a date such as 2026-11-21")? {
        Some(text) => {
            let date = text.parse::<NaiveDate>().map_err(|_| Error::invalid(name, "a date such as 2026-11-21"))?;
            Ok::<_, Error>(Some(date))
        }
        None => Ok(None),
    };
    Ok(match date("to")? {
        Some(to) => between(date("from")?, to, local.date_naive()),
        None => {
            let mut output = time(local);
            if let Some(place) = argument::optional(arguments, "place", "the name of a place")? {
                output
                    .text
                    .push_str(&format!(" I do not know the time zone of {place}; name its offset, such as UTC+9."));
            }
            output
        }
    })
}

fn time(local: DateTime<FixedOffset>) -> Output {
    let zone = if local.offset().local_minus_utc() == 0 { "UTC".to_owned() } else { format!("UTC{}", local.offset()) };
    let text = format!("It is {} on {} ({zone}).", local.format("%H:%M:%S"), local.format("%A, %-d %B %Y"));
    let data = json!({
        "time": local.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "date": local.date_naive().to_string(),
        "weekday": local.weekday().to_string(),
        "zone": zone,
    });
    Output { text, data, ..Output::default() }
}

fn between(from: Option<NaiveDate>, to: NaiveDate, today: NaiveDate) -> Output {
    let start = from.unwrap_or(today);
    let days = (to - start).num_days();
    let far = count(days.unsigned_abs(), "day", "days");
    let day = format!("{}", to.format("%A, %-d %B %Y"));
    let text = match (from, days) {
        (Some(from), _) => format!("From {from} to {to} it is {}{far}.", if days < 0 { "minus " } else { "" }),
        (None, 0) => format!("Today is {day}."),
        (None, 1..) => format!("{day}, is {far} away."),
        (None, _) => format!("{day}, was {far} ago."),
    };
    let data =
        json!({ "from": start.to_string(), "to": to.to_string(), "days": days, "weekday": to.weekday().to_string() });
    Output { text, data, ..Output::default() }
}

fn wanted(reading: &Reading<'_>, today: NaiveDate) -> Option<(f32, Value, &'static str)> {
    let words = &reading.words;
    let dates = dates(reading.whole, words, today);
    let span = words.any(&[
        "how many days", "days until", "days till", "days between", "how long until", "how far", "days since",
        "days from", "how long ago", "how long till", "days to", "days left",
    ]);
    let weekday = words.any(&[
        "what day", "which day", "weekday", "day of the week", "what date", "which date", "the date", "date tomorrow",
    ]);
    match (dates.as_slice(), span, weekday) {
        ([from, to, ..], true, _) => {
            return Some((
                0.93,
                json!({ "from": from.to_string(), "to": to.to_string() }),
                "count the days between the dates",
            ));
        }
        ([to], true, _) | ([to], _, true) => {
            return Some((0.93, json!({ "to": to.to_string() }), "look the date up in the calendar"));
        }
        _ => {}
    }
    let time = words.any(&[
        "what time is it", "what's the time", "what is the time", "current time", "time is it", "time now",
        "the time now", "local time", "the time please", "tell me the time", "what time it is", "time in utc*",
        "clock", "time of day",
    ]);
    let date = words.any(&[
        "what day is it", "what day is today", "what's the date", "what is the date", "today's date", "current date",
        "what date is it", "date today", "what is today", "what day it is", "day is today", "what's today",
        "which day is it", "weekday is it", "weekday is today", "date is it", "day of the week is it", "what year",
        "what month",
    ]);
    let alone = words.len() <= 2 && words.any(&["time", "date", "now", "today"]);
    if !(time || date || alone) || words.has("difference") {
        return None;
    }
    let score = if time || date { 0.9 } else { 0.7 };
    let arguments = match offset_in(reading.whole) {
        Some(text) => json!({ "offset": text }),
        None => place_in(reading.whole).map_or_else(|| json!({}), |place| json!({ "place": place })),
    };
    Some((score, arguments, "look at the clock"))
}

/// A place that a text names: a word with a capital behind `in`. Only to say that no place is known here.
fn place_in(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once(" in ")?;
    let place = behind.trim_end_matches(['?', '.', '!']).trim();
    let named =
        place.starts_with(char::is_uppercase) && place.len() <= 40 && !place.contains("UTC") && !place.contains("GMT");
    named.then_some(place)
}

/// The offset a text names behind `UTC` or `GMT`.
fn offset_in(text: &str) -> Option<String> {
    let upper = text.to_uppercase();
    let at = upper.find("UTC").or_else(|| upper.find("GMT"))?;
    let behind = upper.get(at + 3..)?.trim_start().replace('−', "-");
    let spelled: String = behind.chars().take_while(|c| c.is_ascii_digit() || "+-:".contains(*c)).collect();
    spelled.starts_with(['+', '-']).then_some(spelled)
}

/// Reads `+2`, `+02:00`, `-0530`, `Z`, with or without `UTC` before it.
fn offset(text: &str) -> Option<FixedOffset> {
    let text = text.trim().to_uppercase();
    let text = text.trim_start_matches("UTC").trim_start_matches("GMT").trim();
    if matches!(text, "" | "Z") {
        return Some(Utc.fix());
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let fits = (0..=14).contains(&hours) && (0..60).contains(&minutes);
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60)).filter(|_| fits)
}

/// The dates that a text names: `2026-12-25`, `25 December`, `December 25, 2026`, Christmas, tomorrow.
fn dates(text: &str, words: &Words, today: NaiveDate) -> Vec<NaiveDate> {
    let written =
        text.split(|c: char| !(c.is_ascii_digit() || c == '-')).filter_map(|part| part.parse::<NaiveDate>().ok());
    let mut dates: Vec<NaiveDate> = written.take(2).collect();
    if dates.is_empty() {
        dates.extend(named(words, today));
    }
    dates
}

fn named(words: &Words, today: NaiveDate) -> Option<NaiveDate> {
    let coming = |month, day| {
        let this_year = NaiveDate::from_ymd_opt(today.year(), month, day)?;
        if this_year < today { NaiveDate::from_ymd_opt(today.year() + 1, month, day) } else { Some(this_year) }
    };
    let holidays = [
        ("christmas eve", 12, 24),
        ("christmas", 12, 25),
        ("new year's eve", 12, 31),
        ("new year*", 1, 1),
        ("halloween", 10, 31),
    ];
    if let Some((_, month, day)) = holidays.into_iter().find(|(name, ..)| words.has(name)) {
        return coming(month, day);
    }
    if words.has("tomorrow") {
        return today.checked_add_days(Days::new(1));
    }
    if words.has("yesterday") {
        return today.checked_sub_days(Days::new(1));
    }
    let all: Vec<&str> = words.iter().collect();
    let (at, month) = all.iter().enumerate().find_map(|(at, word)| Some((at, month(word)?)))?;
    let near = [at.checked_sub(1), at.checked_sub(2), Some(at + 1), Some(at + 2)];
    let day = near.into_iter().flatten().find_map(|at| day(all.get(at)?))?;
    let year = all.iter().find_map(|word| word.parse::<i32>().ok().filter(|year| (1000..10_000).contains(year)));
    year.map_or_else(|| coming(month, day), |year| NaiveDate::from_ymd_opt(year, month, day))
}

fn day(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

fn month(word: &str) -> Option<u32> {
    // `may` and `march` are words as well, but only asked about next to a day.
    let month: chrono::Month = word.parse().ok()?;
    Some(month.number_from_month())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Option<String> {
        // A Saturday.
        let now = "2026-11-21T04:10:30Z".parse::<DateTime<Utc>>().unwrap();
        let (score, arguments, _) = wanted(&Reading::of(text), now.date_naive())?;
        assert!(score >= 0.5);
        Some(answer(&arguments, now).unwrap().text)
    }

    #[test]
    fn it_tells_time_and_date() {
        let cases = [
            ("what time is it", "It is 04:10:30 on Saturday, 21 November 2026 (UTC)."),
            ("What's the time?", "04:10:30"),
            ("can you tell me the time please", "04:10:30"),
            ("what day is it today", "Saturday"),
            ("what's today's date?", "21 November 2026"),
            ("current time in UTC+2", "06:10:30 on Saturday, 21 November 2026 (UTC+02:00)"),
            ("what time is it in UTC-05:30?", "22:40:30 on Friday, 20 November 2026"),
            ("time", "04:10:30"),
            ("What time is it in Tokyo?", "I do not know the time zone of Tokyo"),
            ("what's the date tomorrow?", "Sunday, 22 November 2026"),
            ("how many days until 2026-12-25?", "Friday, 25 December 2026, is 34 days away."),
            ("how long until Christmas", "34 days"),
            ("how many days between 2026-01-01 and 2026-03-01", "59 days"),
            ("what weekday is December 31, 1999?", "Friday, 31 December 1999, was 9,822 days ago."),
            ("which day is tomorrow?", "Sunday, 22 November 2026, is 1 day away."),
        ];
        for (text, part) in cases {
            let said = ask(text).unwrap_or_default();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn it_is_not_meant_by_everything() {
        for text in [
            "2026-11-21", "it takes time", "the meeting is on 2026-11-21", "Hello", "one day I will go",
            "last time it failed",
        ] {
            assert_eq!(ask(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_are_held_to_what_there_is() {
        for (text, seconds) in [("+02:00", 7200), ("UTC-5", -18000), ("-0530", -19800), ("Z", 0)] {
            assert_eq!(offset(text).unwrap().local_minus_utc(), seconds);
        }
        for bad in ["+99", "Tokyo", "2", "+1:99"] {
            assert_eq!(offset(bad), None, "{bad}");
        }
        for bad in [json!({ "offset": "Tokyo" }), json!({ "to": "soon" }), json!({ "to": 5 })] {
            assert!(answer(&bad, Utc::now()).is_err());
        }
    }
}
