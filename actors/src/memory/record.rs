//! The records of a memory's stream: a version byte, then postcard. The format is a promise: versions are added.

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::protocol::{AgentName, ConversationId, Error, MessageId, Timestamp};

/// The only version so far.
const VERSION: u8 = 1;

/// What a record says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Something was remembered.
    Kept { id: MessageId, agent: AgentName, conversation: ConversationId, text: String, importance: f32, at: Timestamp },
    /// The fact with this `seq` was forgotten.
    Forgotten { seq: u64 },
}

impl From<&Fact> for Entry {
    fn from(fact: &Fact) -> Self {
        let Fact { id, agent, conversation, text, importance, at } = fact.clone();
        Self::Kept { id, agent, conversation, text, importance, at }
    }
}

impl Entry {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        postcard::to_extend(self, vec![VERSION]).map_err(|_| Error::internal("A memory could not be encoded"))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|_| Error::internal("A memory in the store cannot be read"))
            }
            _ => Err(Error::internal("A memory in the store was written by a newer version")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_a_promise() {
        let entry = Entry::Kept {
            id: MessageId::trusted("m"),
            agent: AgentName::trusted("sage"),
            conversation: ConversationId::trusted("c"),
            text: "tea".to_owned(),
            importance: 0.5,
            at: Timestamp(1000),
        };
        let kept = [1, 0, 1, b'm', 4, b's', b'a', b'g', b'e', 1, b'c', 3, b't', b'e', b'a', 0, 0, 0, 63, 208, 15];
        assert_eq!(entry.encode().unwrap(), kept);
        assert_eq!(Entry::decode(&kept).unwrap(), entry);
        assert_eq!(Entry::decode(&[1, 1, 7]).unwrap(), Entry::Forgotten { seq: 7 });
        for bad in [&[][..], &[2, 1, 7], &[1, 9]] {
            assert!(Entry::decode(bad).is_err());
        }
    }
}
