//! `callboard token`: a token for an agent, signed with the server's secret.

use std::time::Duration;

use callboard_actors::protocol::{AgentName, ChannelId, TenantId};
use clap::Args;
use humantime_serde::re::humantime::parse_duration;
use serde_json::json;

use super::out::{self, Format};
use super::{DataArgs, ScopeArg, channel, print, scopes, told};
use crate::auth::{Grant, Signer};

/// The longest life of a token: ten years. What should live longer is an API key, which can be revoked.
const LONGEST: Duration = Duration::from_hours(24 * 3650);

/// What `token` takes.
#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// The tenant that the token is good for.
    #[arg(long, value_parser = super::tenant)]
    tenant: TenantId,
    /// Who holds it: the token's `sub` and `agent_id`.
    #[arg(long, value_parser = agent)]
    agent: AgentName,
    /// A channel that it is limited to; may be given several times. Without: every channel of the tenant.
    #[arg(long = "channel", value_name = "CHANNEL", value_parser = channel)]
    channels: Vec<ChannelId>,
    /// What its holder may do; may be given several times. Without: everything but `admin`.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<ScopeArg>,
    /// How long it is good for, such as 15m, 1h or 7d.
    #[arg(long, default_value = "1h", value_parser = life)]
    ttl: Duration,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(args: TokenArgs) -> anyhow::Result<()> {
    let signer = Signer::open(&args.data.folder()?)?;
    let grant = Grant {
        tenant: args.tenant,
        agent: args.agent,
        channels: (!args.channels.is_empty()).then_some(args.channels),
        scopes: scopes(&args.scopes),
        life: args.ttl,
    };
    let token = signer.sign(&grant)?;
    if args.format.json { out::json(&json!({ "token": token })) } else { print(&token) }
}

fn agent(text: &str) -> Result<AgentName, String> {
    told(AgentName::parse("agent", text))
}

fn life(text: &str) -> Result<Duration, String> {
    let expected = "expected 1s to 3650d, such as 15m, 1h or 7d";
    let life = parse_duration(text).map_err(|_| expected.to_owned())?;
    if (Duration::from_secs(1)..=LONGEST).contains(&life) { Ok(life) } else { Err(expected.to_owned()) }
}
