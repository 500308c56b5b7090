//! A server's errors as faults, without what the server said.

use std::time::Duration;

use crate::brain::model::fault::{Fault, Trouble};
use crate::protocol::Timestamp;

/// An error without what the server said.
pub(super) fn fault(error: &genai::Error) -> Fault {
    let error = inner(error);
    if let Some(status) = error.status() {
        let reason = status.canonical_reason().unwrap_or("an error");
        let mut fault =
            Fault::new(Trouble::Status(status.as_u16()), format!("its server answered {} {reason}", status.as_u16()));
        fault.retry_after = error.headers().and_then(|headers| {
            let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
            wait(text("retry-after-ms"), text("retry-after"), Timestamp::now())
        });
        return fault;
    }
    match error {
        genai::Error::ChatResponse { .. } => {
            Fault::new(Trouble::Failed, "its server reported an error within the reply")
        }
        genai::Error::StreamParse { .. } | genai::Error::JsonValueExt(_) | genai::Error::SerdeJson(_) => {
            Fault::new(Trouble::Broken, "its reply makes no sense")
        }
        genai::Error::WebStream { error, .. } => match connection(&**error) {
            Some(std::io::ErrorKind::ConnectionRefused) => {
                Fault::new(Trouble::Unreachable, "its server refuses connections")
            }
            _ if never_connected(&**error) => Fault::new(Trouble::Unreachable, "its server cannot be reached"),
            Some(_) => Fault::new(Trouble::Broken, "the connection to its server broke off"),
            None => Fault::new(Trouble::Broken, "its reply broke off"),
        },
        _ => Fault::new(Trouble::Impossible, "the request could not be made"),
    }
}

/// A server's refusal arrives in the guise of a broken stream.
fn inner(error: &genai::Error) -> &genai::Error {
    match error {
        genai::Error::WebStream { error: cause, .. } => cause.downcast_ref::<genai::Error>().unwrap_or(error),
        other => other,
    }
}

/// What the operating system said of a connection, if that is what went wrong.
fn connection(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind)
}

/// Whether the chain of causes speaks of connecting: a name that is not known, or no answer in time.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let text = cause.to_string();
        text.contains("connect error") || text.contains("dns error") || text.contains("client error (Connect)")
    })
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    // A chain of causes is short; the bound is against one that goes in circles.
    std::iter::successors(Some(error), |cause: &&'a (dyn std::error::Error + 'static)| {
        let cause: &'a (dyn std::error::Error + 'static) = *cause;
        cause.source()
    })
    .take(16)
}

/// How long a server wants to be left alone: milliseconds, seconds, or a date of HTTP.
fn wait(milliseconds: Option<&str>, after: Option<&str>, now: Timestamp) -> Option<Duration> {
    if let Some(wait) = milliseconds.and_then(|text| text.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(wait / 1000.0).ok();
    }
    let after = after?.trim();
    if let Ok(wait) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(wait).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(after).ok()?;
    Some(Duration::from_millis(Timestamp(at.timestamp_millis()).since(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_wish_is_read_in_all_its_forms() {
        let now = Timestamp(1_000);
        assert_eq!(wait(None, Some("2"), now), Some(Duration::from_secs(2)));
        assert_eq!(wait(Some("1500"), Some("9"), now), Some(Duration::from_millis(1500)));
        assert_eq!(wait(None, Some("Thu, 01 Jan 1970 00:00:11 GMT"), now), Some(Duration::from_secs(10)));
        for odd in [None, Some("soon"), Some("-3"), Some("NaN")] {
            assert_eq!(wait(None, odd, now), None, "{odd:?}");
        }
    }
}
