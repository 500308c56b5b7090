//! Conversations of which nothing is kept any more: they go as a whole.

use std::time::Duration;

use crate::conversation::loading;
use crate::journal::{Journal, Place};
use crate::protocol::{Error, Timestamp};

/// Whether a conversation without a message that is kept has nothing else to stay for: it was made before the time that
/// is kept, and no run of it goes on or waits. Blocks.
pub(super) fn is_spent(journal: &dyn Journal, place: Place, age: Duration) -> Result<bool, Error> {
    let Some(state) = loading::state(journal, place)? else { return Ok(false) };
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let runs = || journal.unfinished().iter().any(|position| position.stream.place == place);
    Ok(Timestamp::now().since(state.created_at) > age && !runs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::conversation::record::{MESSAGES, STATES, StateRecord};
    use crate::journal::fake::Fake;
    use crate::journal::format::encode;
    use crate::journal::{Entry, Kind, PlaceName, Position, Stream};
    use crate::protocol::{AgentName, Mode, TenantId};

    const AGE: Duration = Duration::from_secs(60);

    #[test]
    fn a_conversation_is_spent_when_it_was_made_long_ago_and_no_run_of_it_is_open() {
        for (seconds, open, spent) in [(90, false, true), (30, false, false), (90, true, false)] {
            let journal = Fake::default();
            let place = journal.reserve();
            let state = StateRecord {
                owner: None,
                agents: Vec::new(),
                lead: AgentName::trusted("nyx"),
                mode: Mode::Lead,
                created_at: Timestamp(Timestamp::now().0 - seconds * 1000),
            };
            let append = |lane, bytes, opens| {
                let at = Position { stream: Stream { place, lane }, seq: 1 };
                Entry::Append { at, bytes, opens, closes: Vec::new() }
            };
            let name = PlaceName { tenant: TenantId::trusted("t"), kind: Kind::Conversation, id: "c".to_owned() };
            let batch = vec![
                Entry::Create { place, name },
                append(STATES, encode(&state).unwrap(), false),
                append(MESSAGES, Vec::new(), open),
            ];
            journal.append(batch, Box::new(|result| result.unwrap()));
            assert_eq!(is_spent(&journal, place, AGE).unwrap(), spent, "{seconds} s ago, open: {open}");
        }
    }
}
