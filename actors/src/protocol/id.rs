//! Names and numbers by which things are addressed.
//!
//! Every id that a client may choose is 1 to 128 characters of `A-Z a-z 0-9 . _ - :` and is checked where it enters,
//! so that inside the runtime an id is always safe to log, to use as a key and to put on a wire unescaped.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::error::{Error, Result};

/// The longest id a client may choose, in characters.
pub const MAX_ID: usize = 128;

/// Namespace of the UUIDv5 that names an agent of a tenant.
const AGENT_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_5f0a_3c0e_4b7b_9c55_ca11_b0a2_d001);

/// Checks the rule for ids chosen by clients; `field` is named in the error.
pub fn check_id(field: &str, text: &str) -> Result<()> {
    let fits = (1..=MAX_ID).contains(&text.len());
    if fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b)) {
        return Ok(());
    }
    Err(Error::invalid(field, "1 to 128 characters of A-Z a-z 0-9 . _ - :"))
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a client's text; the error names `field`.
            pub fn parse(field: &str, text: &str) -> Result<Self> {
                check_id(field, text)?;
                Ok(Self(text.into()))
            }

            /// Takes text that the server itself made or has already checked.
            pub fn trusted(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(stringify!($name), &text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

text_ids! {
    /// The wall of isolation: nothing crosses from one tenant to another.
    TenantId,
    /// Who a principal is within its tenant: a token's `sub`, a key's name, or an anonymous session.
    Subject,
    /// The name of an agent, such as `nyx`; unique within a tenant.
    AgentName,
    /// A conversation: 001's `chat_id`, 002's `conversationId`, 004's `thread_id`.
    ConversationId,
    /// A durable publish/subscribe log.
    ChannelId,
    /// A message of a conversation or a publication in a channel.
    MessageId,
    /// A run: on the wire `task_id`, `commandId` or `job_id`.
    RunId,
    /// A subscription of one session.
    SubscriptionId,
}

impl TenantId {
    /// The tenant of everybody who brings no credentials.
    pub fn default_tenant() -> Self {
        Self::trusted("default")
    }
}

impl ConversationId {
    /// A new id that nobody has guessed.
    pub fn random() -> Self {
        Self::trusted(Uuid::new_v4().to_string())
    }
}

impl MessageId {
    /// A new id; ids made later sort later.
    pub fn random() -> Self {
        let mut buffer = Uuid::encode_buffer();
        Self::trusted(&*Uuid::now_v7().simple().encode_lower(&mut buffer))
    }
}

/// An agent's id: a UUIDv5 of its tenant and name, so that it is the same on every start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(Uuid);

impl AgentId {
    /// The id of the agent called `name` in `tenant`.
    pub fn of(tenant: &TenantId, name: &AgentName) -> Self {
        Self(Uuid::new_v5(&AGENT_NAMESPACE, format!("{tenant}/{name}").as_bytes()))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One WebSocket, for as long as this process lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

/// One request of one session: what a reply is matched by. Numbered by the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u32);

impl Token {
    /// What the runtime itself asks for on a session's behalf: nobody waits for the reply.
    pub const NONE: Self = Self(0);

    /// The next page of a replay, of which a session asks for one at a time. No request has this number.
    pub const REPLAY: Self = Self(u32::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_held_to_the_rule() {
        for good in ["a", "conv_123", "A.b-c:d", &"x".repeat(MAX_ID)] {
            assert!(ConversationId::parse("id", good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "ü", "a/b", "a\n", &"x".repeat(MAX_ID + 1)] {
            let error = ConversationId::parse("conversationId", bad).unwrap_err();
            assert!(error.to_string().contains("conversationId"), "{error}");
        }
    }

    #[test]
    fn an_agents_id_depends_on_its_tenant() {
        let nyx = AgentName::trusted("nyx");
        let (one, other) = (TenantId::trusted("a"), TenantId::trusted("b"));
        assert_eq!(AgentId::of(&one, &nyx), AgentId::of(&one, &nyx));
        assert_ne!(AgentId::of(&one, &nyx), AgentId::of(&other, &nyx));
    }
}
