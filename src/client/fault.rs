//! What can go wrong with a server elsewhere, as one sentence that says what to do next.

use serde_json::Value;

/// Why a server did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Nothing answers at the address, or what does is not ready.
    #[error("no server answers at {0}: {1}. Start one with `callboard serve`, or name another with --url")]
    Unreachable(String, String),
    /// What answers cannot show that it is the server.
    #[error(
        "the certificate of {0} is not trusted: {1}. Name the file that holds it, or who signed it, with --ca-file or CALLBOARD_CA_FILE"
    )]
    Untrusted(String, String),
    /// The connection ended.
    #[error(
        "the connection was lost: {0}. What was accepted goes on; look at it, or try again, once the server is back"
    )]
    Lost(String),
    /// The credentials are missing or do not suffice.
    #[error(
        "the server refused the credentials: {0}. Give others with --token or CALLBOARD_TOKEN (`callboard token` makes one)"
    )]
    Refused(String),
    /// The server answered with an error.
    #[error("{}", said(.message, .details, .code))]
    Failed {
        /// What programs decide by.
        code: String,
        /// One sentence.
        message: String,
        /// What was expected, or who else there is.
        details: String,
    },
}

impl Fault {
    /// The fault in an error of the server's: `{code, message, details}`, with what else its code carries.
    pub fn of(error: &Value) -> Self {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        let (code, message, mut details) = (text("code"), text("message"), text("details"));
        if code == "UNAUTHORIZED" {
            return Self::Refused(if details.is_empty() { message } else { details });
        }
        if let Some(agents) = error["availableAgents"].as_array() {
            let names: Vec<&str> = agents.iter().filter_map(Value::as_str).collect();
            details = format!("there are {}", names.join(", "));
        }
        Self::Failed { code, message, details }
    }

    /// Why there is no connection to an address. That a certificate is not trusted is told by libraries of different
    /// layers in words alone.
    pub(super) fn unreachable(at: String, why: String) -> Self {
        if why.contains("certificate") { Self::Untrusted(at, why) } else { Self::Unreachable(at, why) }
    }

    /// The error's code, where the server gave one.
    pub fn code(&self) -> &str {
        match self {
            Self::Failed { code, .. } => code,
            Self::Unreachable(..) | Self::Untrusted(..) | Self::Lost(_) | Self::Refused(_) => "",
        }
    }

    /// What happened, without what to do about it.
    pub fn brief(&self) -> &str {
        match self {
            Self::Unreachable(_, why) | Self::Untrusted(_, why) | Self::Lost(why) | Self::Refused(why) => why,
            Self::Failed { message, .. } => message,
        }
    }

    /// Whether it may be otherwise in a moment, without anybody doing anything about the request.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(..) | Self::Lost(_)) || matches!(self.code(), "UNAVAILABLE" | "QUEUE_FULL")
    }
}

/// An error's sentence, and what to do about it.
fn said(message: &str, details: &str, code: &str) -> String {
    let next = match code {
        "RATE_LIMIT_EXCEEDED" | "QUEUE_FULL" | "UNAVAILABLE" | "STORE_UNAVAILABLE" => ". Try again in a moment",
        "CURSOR_EXPIRED" => ". Go on with --since 0",
        "AGENT_NOT_FOUND" => ". `callboard agents` lists them",
        "TIMEOUT" | "AGENT_FAILED" | "INTERRUPTED" => ". GET /runs lists what happened; ask again",
        _ => "",
    };
    let stop = |text: &str| text.trim_end_matches('.').to_owned();
    let (message, details) = (stop(message), stop(details));
    // Of a field that is wrong both say the name.
    let rest = details.split_once(": ").filter(|(field, _)| message.ends_with(*field)).map(|(_, rest)| rest.to_owned());
    let details = rest.unwrap_or(details);
    let shown = if details.is_empty() || details == message { message } else { format!("{message}: {details}") };
    format!("{shown} ({code}){next}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_say_what_to_do_next() {
        let error = json!({ "code": "AGENT_NOT_FOUND", "message": "No agent bob", "availableAgents": ["nyx", "aria"] });
        let shown = Fault::of(&error).to_string();
        assert_eq!(shown, "No agent bob: there are nyx, aria (AGENT_NOT_FOUND). `callboard agents` lists them");
        let refused = Fault::of(&json!({ "code": "UNAUTHORIZED", "message": "no", "details": "scope chat" }));
        assert!(matches!(&refused, Fault::Refused(_)) && refused.to_string().contains("--token"), "{refused}");
        let wrong = json!({ "code": "INVALID_MESSAGE", "message": "Invalid field: a.b", "details": "a.b: expected c" });
        assert_eq!(Fault::of(&wrong).to_string(), "Invalid field: a.b: expected c (INVALID_MESSAGE)");
        assert!(Fault::Lost(String::new()).passes() && !refused.passes());
    }
}
