//! `[debug]`: what helps to examine a server and has no place in production.

use serde::Deserialize;

/// What helps to examine a server and has no place in production.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebugConfig {
    /// Whether `/echo` is served, which sends every message back.
    pub echo: bool,
    /// Whether `/mcp` offers the tools, resources and prompts that the protocol's conformance suite asks for.
    pub mcp_fixtures: bool,
    /// Whether agents' files may name the brain and the tool `unruly`, which misbehave on purpose.
    pub unruly: bool,
}
