//! What the server says when it stands: where it listens, which agents it has, and what to try next.

use std::io::Write;
use std::net::SocketAddr;

use serde_json::json;

use crate::config::Config;

/// Says it to whoever started the server.
pub type Greeting = fn(&Config, &[SocketAddr]);

/// Prints the greeting to standard output.
pub fn print(config: &Config, addresses: &[SocketAddr]) {
    written(&text(config, addresses));
}

/// The same for programs: one object on a line.
pub fn print_json(config: &Config, addresses: &[SocketAddr]) {
    let s = if config.tls.cert.is_some() { "s" } else { "" };
    let urls: Vec<String> = addresses.iter().map(|address| format!("http{s}://{address}")).collect();
    let agents: Vec<&str> = config.agents.iter().map(|persona| persona.name.as_str()).collect();
    let object = json!({
        "version": env!("CARGO_PKG_VERSION"), "listening": urls, "agents": agents,
        "data_dir": config.server.data_dir, "workspace": config.server.workspace,
    });
    written(&format!("{object}\n"));
}

/// A closed output is no reason not to serve.
fn written(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn text(config: &Config, addresses: &[SocketAddr]) -> String {
    let mut lines = vec![format!("Callboard {}", env!("CARGO_PKG_VERSION"))];
    let s = if config.tls.cert.is_some() { "s" } else { "" };
    for address in addresses {
        lines.push(format!("  listening   http{s}://{address}   ws{s}://{address}/ws"));
    }
    for persona in &config.agents {
        lines.push(format!("  agent       {:<8} {}", persona.name.to_string(), persona.title));
    }
    lines.push(format!("  data        {}", config.server.data_dir.display()));
    lines.push(format!("  workspace   {} (what agents' tools may read)", config.server.workspace.display()));
    if let Some(address) = addresses.first() {
        lines.push(format!("Try: connect to ws{s}://{address}/ws and send"));
        lines.push(
            r#"  {"type":"chat","data":{"message":"What can you help me with?"},"targetAgent":"nyx"}"#.to_owned(),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}
