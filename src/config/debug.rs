//! `[debug]`: what helps to examine a server and has no place in production.

use serde::Deserialize;

/// What helps to examine a server and has no place in production.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebugConfig {
    /// Whether `/debug/echo` is served, which sends every message back.
    pub echo: bool,
    /// Whether `/mcp` offers the tools, resources and prompts that the protocol's conformance suite asks for.
    pub mcp_fixtures: bool,
}
