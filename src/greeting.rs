//! What the server says when it stands: where it listens, which agents it has, and what to try next.

use std::net::SocketAddr;

use crate::config::Config;

/// Prints the greeting to standard output. A closed output is no reason not to serve.
pub fn print(config: &Config, addresses: &[SocketAddr]) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text(config, addresses).as_bytes());
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
