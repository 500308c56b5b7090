//! What sessions subscribe to: topics of events, flows of what agents do, channels.

use super::id::{AgentName, ChannelId};

/// What a subscription is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Pattern {
    /// Events of one topic; `None`: of all.
    Topic(Option<Topic>),
    /// What agents think, do or say as they do it.
    Flow {
        /// Which of the three.
        flow: Flow,
        /// Of this agent alone.
        agent: Option<AgentName>,
        /// Only steps at least this important, 0 to 1.
        min_importance: f32,
    },
    /// Publications of a channel.
    Channel {
        /// Made on first use.
        channel: ChannelId,
        /// Replay what came after this `seq` first.
        since: Option<u64>,
    },
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Topic(None) => f.write_str("*"),
            Self::Topic(Some(topic)) => f.write_str(topic.as_str()),
            Self::Flow { flow, agent: None, .. } => f.write_str(flow.as_str()),
            Self::Flow { flow, agent: Some(agent), .. } => write!(f, "{}:{agent}", flow.as_str()),
            Self::Channel { channel, .. } => write!(f, "channel:{channel}"),
        }
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All of them, in the order they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of that name, if there is one.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// What events are about: 002's event types.
    Topic {
        /// An agent became active or idle, or its queue changed.
        AgentStatus = "agent_status",
        /// An agent's mood changed.
        EmotionChange = "emotion_change",
        /// An agent remembered or forgot something.
        MemoryUpdate = "memory_update",
        /// A conversation went from one agent to another.
        AgentHandoff = "agent_handoff",
        /// A message was written.
        ConversationMessage = "conversation_message",
        /// A run was accepted, started or ended.
        RunStatus = "run_status",
        /// Somebody types.
        Typing = "typing",
        /// An agent in another process came or went.
        Presence = "presence",
        /// A run waits for approval, or somebody has decided.
        ApprovalRequest = "approval_request",
    }
}

named! {
    /// What can be watched as it happens: 002's streams.
    Flow {
        /// Plans and conclusions.
        Thoughts = "thoughts",
        /// Uses of tools.
        Actions = "actions",
        /// Answers, piece by piece.
        Tokens = "tokens",
    }
}
