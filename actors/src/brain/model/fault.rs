//! What can go wrong between here and a model.

use std::time::Duration;

use crate::protocol::{Code, Error};

/// What went wrong, as far as it decides what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// There is no connection: refused, unknown, unreachable.
    Unreachable,
    /// The server answered with this status.
    Status(u16),
    /// Nothing came in time.
    Stalled,
    /// The reply broke off, or makes no sense.
    Broken,
    /// The server said in the midst of its reply that it cannot go on.
    Failed,
    /// The model or its server will not say what was asked for.
    Refused,
    /// The request could not even be made.
    Impossible,
}

/// Why there is no reply. Holds nothing that the server said: that may repeat keys and prompts, and goes into the log
/// alone, without the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What went wrong.
    pub trouble: Trouble,
    /// For people: what was observed.
    pub observed: String,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without a wish of the server's.
    pub fn new(trouble: Trouble, observed: impl Into<String>) -> Self {
        Self { trouble, observed: observed.into(), retry_after: None }
    }

    /// Whether the same request may succeed later.
    pub fn passes(&self) -> bool {
        match self.trouble {
            Trouble::Unreachable | Trouble::Stalled | Trouble::Broken | Trouble::Failed => true,
            Trouble::Status(status) => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
            Trouble::Refused | Trouble::Impossible => false,
        }
    }

    /// The error that a run ends with. `model` is the model's name.
    pub fn into_error(self, model: &str) -> Error {
        let code = if self.trouble == Trouble::Stalled { Code::Timeout } else { Code::AgentFailed };
        let mut error = Error::new(code, format!("The model {model} gave no answer")).with_details(self.observed);
        let seconds = self.retry_after.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1));
        error.retry_after = seconds;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again() {
        for (trouble, passes) in [
            (Trouble::Unreachable, true),
            (Trouble::Status(429), true),
            (Trouble::Status(503), true),
            (Trouble::Status(529), true),
            (Trouble::Status(400), false),
            (Trouble::Status(401), false),
            (Trouble::Stalled, true),
            (Trouble::Broken, true),
            (Trouble::Refused, false),
        ] {
            assert_eq!(Fault::new(trouble, "").passes(), passes, "{trouble:?}");
        }
    }
}
