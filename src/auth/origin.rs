//! Which web pages may connect.
//!
//! A browser sends `Origin` with every WebSocket upgrade and lets any page open one, with no question asked: this rule
//! is all that keeps a foreign page from speaking to a server that the visitor's machine can reach.

use std::net::IpAddr;

use crate::config::AuthConfig;

/// Which web pages may connect.
#[derive(Debug)]
pub(super) struct Origins {
    allowed: Vec<String>,
    /// Whether only a loopback name counts as the server's own. A server that lets in whoever reaches its loopback
    /// must not take a foreign name for its own: a page may point its own name at 127.0.0.1 (DNS rebinding).
    loopback_names_only: bool,
}

impl Origins {
    pub(super) fn new(config: &AuthConfig) -> Self {
        Self { allowed: config.origins.clone(), loopback_names_only: !config.required && !config.allow_open }
    }

    /// Whether a request with these headers may go on. Without `Origin` it does not come from a foreign page, unless
    /// that page's own name points here: to its browser the server is then no stranger, and reading sends no `Origin`.
    pub(super) fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return !self.loopback_names_only || host.is_none_or(cannot_be_rebound) };
        let listed = |entry: &String| entry == "*" || entry.eq_ignore_ascii_case(origin);
        self.allowed.iter().any(listed) || host.is_some_and(|host| self.is_own(origin, host))
    }

    fn is_own(&self, origin: &str, host: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return false,
        };
        let plain = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
        let (authority, host) = (plain(authority), plain(host));
        !host.is_empty() && authority == host && (!self.loopback_names_only || is_loopback(&host))
    }
}

/// Whether a host, with or without a port, is a name that only this machine gives itself.
fn is_loopback(host: &str) -> bool {
    is_localhost(host) || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a host is one that no stranger can point at this machine: an address, or a name that is no domain's.
fn cannot_be_rebound(host: &str) -> bool {
    is_localhost(host) || address(host).is_some() || !name(host).contains('.')
}

fn is_localhost(host: &str) -> bool {
    let name = name(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn address(host: &str) -> Option<IpAddr> {
    name(host).trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(allowed: &[&str], loopback_names_only: bool) -> Origins {
        Origins { allowed: allowed.iter().map(ToString::to_string).collect(), loopback_names_only }
    }

    #[test]
    fn the_servers_own_origin_and_the_list_pass() {
        let rule = origins(&["https://app.example.com", "null"], false);
        for (origin, host, expected) in [
            (None, None, true),
            (None, Some("example.com"), true),
            (Some("https://example.com"), Some("example.com"), true),
            (Some("https://example.com"), Some("Example.com:443"), true),
            (Some("http://example.com:3001"), Some("example.com:3001"), true),
            (Some("http://[::1]:3001"), Some("[::1]:3001"), true),
            (Some("https://app.example.com"), Some("example.com"), true),
            (Some("https://APP.example.com"), Some("example.com"), true),
            (Some("null"), Some("example.com"), true),
            (Some("http://app.example.com"), Some("example.com"), false),
            (Some("https://app.example.com.evil.com"), Some("example.com"), false),
            (Some("http://example.com:3002"), Some("example.com:3001"), false),
            (Some("http://example.com:443"), Some("example.com"), false),
            (Some("https://evil.com"), Some("example.com"), false),
            (Some("https://evil.com"), None, false),
            (Some("ftp://example.com"), Some("example.com"), false),
            (Some("http://"), Some(""), false),
            (Some(""), Some(""), false),
        ] {
            assert_eq!(rule.allow(origin, host), expected, "{origin:?} at {host:?}");
        }
        assert!(origins(&["*"], true).allow(Some("https://anywhere.example"), Some("x")));
        assert!(!origins(&[], false).allow(Some("null"), Some("x")));
    }

    #[test]
    fn an_open_loopback_server_knows_only_loopback_names_as_its_own() {
        let rule = origins(&[], true);
        for host in ["localhost:3001", "localhost", "127.0.0.1:3001", "[::1]:3001", "[::1]", "a.localhost:1"] {
            assert!(rule.allow(Some(&format!("http://{host}")), Some(host)), "{host}");
        }
        for host in ["evil.com:3001", "localhost.evil.com", "10.0.0.1:3001", "notlocalhost:1"] {
            assert!(!rule.allow(Some(&format!("http://{host}")), Some(host)), "{host}");
        }
    }

    #[test]
    fn a_page_whose_name_points_at_an_open_loopback_server_reads_nothing() {
        let rule = origins(&[], true);
        for host in [
            None,
            Some("host:3001"),
            Some("localhost:3001"),
            Some("127.0.0.1:3001"),
            Some("0.0.0.0:3001"),
            Some("[::1]:3001"),
        ] {
            assert!(rule.allow(None, host), "{host:?}");
        }
        for host in ["evil.com:3001", "localhost.evil.com", "evil.com."] {
            assert!(!rule.allow(None, Some(host)), "{host}");
        }
    }
}
