//! Where a server is, and who speaks to it.

use std::path::Path;
use std::sync::Arc;

use reqwest::Url;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio_tungstenite::Connector;

/// Paths of endpoints that people give in place of the server itself; longest first.
const ENDPOINTS: [&str; 3] = ["/api/v1/ws", "/v1/ws", "/ws"];

/// A server and the credentials for it. Its `Debug` does not show them.
#[derive(Clone, Debug)]
pub struct Server {
    base: String,
    pub(super) token: Option<SecretString>,
    pub(super) http: reqwest::Client,
    /// Whom to trust, where that is not whom the system trusts.
    trusted: Option<Arc<ClientConfig>>,
}

impl Server {
    /// A server by its address: `http`, `https`, `ws` or `wss`, or none of them, which means `http`. The path of an
    /// endpoint of WebSockets is left away.
    ///
    /// # Errors
    /// Why this is no address, as a sentence.
    pub fn new(address: &str, token: Option<String>) -> Result<Self, String> {
        let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let url = Url::parse(&whole).map_err(|error| format!("{error}, expected such as http://127.0.0.1:3001"))?;
        let scheme = match url.scheme() {
            "http" | "ws" => "http",
            "https" | "wss" => "https",
            other => return Err(format!("unknown scheme {other}, expected http or https")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials belong into --token or CALLBOARD_TOKEN".to_owned());
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        let path = ENDPOINTS.iter().find_map(|endpoint| path.strip_suffix(endpoint)).unwrap_or(path);
        Ok(Self {
            base: format!("{scheme}://{host}{port}{path}"),
            token: token.filter(|token| !token.is_empty()).map(SecretString::from),
            http: http(None)?,
            trusted: None,
        })
    }

    /// The same, trusting the certificates of a file (PEM) in place of the system's.
    ///
    /// # Errors
    /// Why the file cannot be used, as a sentence.
    pub fn trusting(self, file: &Path) -> Result<Self, String> {
        let read = CertificateDer::pem_file_iter(file).map_err(|error| format!("it cannot be read: {error}"))?;
        let mut roots = RootCertStore::empty();
        for certificate in read {
            let certificate = certificate.map_err(|error| format!("expected certificates as PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("it holds a certificate that cannot be used: {error}"))?;
        }
        if roots.is_empty() {
            return Err("it holds no certificate as PEM".to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { http: http(Some(config.clone()))?, trusted: Some(Arc::new(config)), ..self })
    }

    /// What makes a socket's connection safe; `None`: the library's own way, which trusts whom the system trusts.
    pub(super) fn connector(&self) -> Option<Connector> {
        self.trusted.clone().map(Connector::Rustls)
    }

    /// The address of a path, over HTTP.
    pub fn http(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address of a path, over WebSocket.
    pub fn ws(&self, path: &str) -> String {
        format!("ws{}{path}", self.base.trim_start_matches("http"))
    }

    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {}", token.expose_secret()))
    }
}

fn http(trusted: Option<ClientConfig>) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder().connect_timeout(super::socket::PATIENCE);
    let builder = match trusted {
        Some(config) => builder.tls_backend_preconfigured(config),
        None => builder,
    };
    builder.build().map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (written, http, ws) in [
            ("127.0.0.1:3001", "http://127.0.0.1:3001/agents", "ws://127.0.0.1:3001/agents"),
            ("ws://localhost:3001/ws", "http://localhost:3001/agents", "ws://localhost:3001/agents"),
            ("wss://a.example/v1/ws", "https://a.example/agents", "wss://a.example/agents"),
            ("https://a.example/board/", "https://a.example/board/agents", "wss://a.example/board/agents"),
            ("http://[::1]:1/", "http://[::1]:1/agents", "ws://[::1]:1/agents"),
        ] {
            let server = Server::new(written, None).unwrap();
            assert_eq!((server.http("/agents"), server.ws("/agents")), (http.to_owned(), ws.to_owned()));
        }
        for wrong in ["", "ftp://a", "http://", "http://me:secret@a"] {
            assert!(Server::new(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let server = Server::new("a", Some("s3cret".to_owned())).unwrap();
        assert_eq!(server.authorization().unwrap(), "Bearer s3cret");
        assert!(!format!("{server:?}").contains("s3cret"));
    }
}
