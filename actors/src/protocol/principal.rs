//! Who asks, and what they may do.

use serde::{Deserialize, Serialize};

use super::error::{Code, Error, Result};
use super::id::{AgentName, ChannelId, Subject, TenantId};
use super::time::Timestamp;

/// One thing that a principal may be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Scope {
    /// Talk to agents.
    #[serde(rename = "chat")]
    Chat,
    /// Give agents commands and tasks.
    #[serde(rename = "command")]
    Command,
    /// Publish into channels and send direct messages.
    #[serde(rename = "channel:publish")]
    ChannelPublish,
    /// Read channels.
    #[serde(rename = "channel:subscribe")]
    ChannelSubscribe,
    /// Be an agent that others can address.
    #[serde(rename = "agent:serve")]
    AgentServe,
    /// See what belongs to the operator: sessions, metrics.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope, in the order they are listed to people.
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Command, Self::ChannelPublish, Self::ChannelSubscribe, Self::AgentServe, Self::Admin];

    /// The scope as it stands in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Command => "command",
            Self::ChannelPublish => "channel:publish",
            Self::ChannelSubscribe => "channel:subscribe",
            Self::AgentServe => "agent:serve",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope there is.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Every scope but `admin`: what a token has unless it says otherwise.
    pub fn usual() -> Self {
        Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin).collect()
    }

    /// Whether the set holds `scope`.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// The scopes of the set, in their listed order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

/// Who a session or an HTTP request acts for.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The tenant it belongs to; it reaches nothing outside.
    pub tenant: TenantId,
    /// Who it is within the tenant.
    pub subject: Subject,
    /// What it may do.
    pub scopes: Scopes,
    /// The agent it is, where its token names one.
    pub agent: Option<AgentName>,
    /// The channels it is limited to; `None` means all of the tenant.
    pub channels: Option<Vec<ChannelId>>,
    /// When its credentials end.
    pub expires_at: Option<Timestamp>,
    /// Whether it brought credentials.
    pub authenticated: bool,
}

impl Principal {
    /// Somebody without credentials, where the server is open to them: the default tenant, every scope.
    pub fn anonymous(subject: Subject) -> Self {
        Self {
            tenant: TenantId::default_tenant(),
            subject,
            scopes: Scopes::all(),
            agent: None,
            channels: None,
            expires_at: None,
            authenticated: false,
        }
    }

    /// Refuses what the principal's scopes do not cover.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        Err(Error::new(Code::Unauthorized, format!("This needs the scope {}", scope.as_str())))
    }

    /// Whether the principal may touch `channel` at all.
    pub fn may_use(&self, channel: &ChannelId) -> bool {
        self.channels.as_ref().is_none_or(|list| list.contains(channel))
    }
}
