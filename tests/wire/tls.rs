//! Everything over TLS: the same server, encrypted, with certificates that change while it runs.

use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::raw::Raw;
use crate::harness::server::{Server, Setup};

/// A certificate of the server's, in files.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> (Self, CertificateDer<'static>) {
        let certificate = Self { folder: tempfile::tempdir().unwrap() };
        let der = certificate.renew();
        (certificate, der)
    }

    /// Writes another certificate over the one that is there: first the one file, then the other.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("cert.pem"), cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> String {
        config(&self.path("cert.pem"), &self.path("key.pem"))
    }
}

fn config(cert: &Path, key: &Path) -> String {
    format!("[tls]\ncert = {:?}\nkey = {:?}\n", cert, key)
}

/// A TLS connection by somebody who trusts this certificate and no other.
async fn dial(server: &Server, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(server.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Asks for a resource and reads the whole answer.
async fn get(server: &Server, trusted: &CertificateDer<'static>, path: &str) -> String {
    let mut stream = dial(server, trusted).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the connection need not be announced for the answer to be whole.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_and_wss_are_served_and_plain_text_is_not() {
    let (certificate, trusted) = Certificate::new();
    let server = Setup::with(&certificate.config()).start();
    let page = get(&server, &trusted, "/").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("wss://localhost/ws"), "{page}");
    assert!(page.to_lowercase().contains("strict-transport-security: max-age="), "{page}");

    let stream = dial(&server, &trusted).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("wss://localhost/ws", stream).await.unwrap();
    let chat = r#"{"type":"chat","id":"1","data":{"message":"compute 6 * 7"},"targetAgent":"nyx"}"#;
    socket.send(Message::text(chat)).await.unwrap();
    let answer: Value = loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            break serde_json::from_str(&text).unwrap();
        }
    };
    assert!(answer["data"]["response"].as_str().unwrap().contains("42"), "{answer}");

    // Whoever speaks plainly is hung up on, a thousand times over, and nobody notices.
    for _ in 0..1_000 {
        let mut plain = Raw::dial(server.address());
        plain.put(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(plain.is_at_its_end());
    }
    socket.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.contains("pong")));
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    assert!(server.printed().len() < 64 * 1024, "a line for every stranger:\n{}", server.printed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_while_the_server_runs() {
    let (certificate, first) = Certificate::new();
    let server = Setup::with(&certificate.config()).start();
    let stays = dial(&server, &first).await.unwrap();
    let second = certificate.renew();
    while dial(&server, &second).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(dial(&server, &first).await.is_err(), "the old one is still shown");
    // Files that are none change nothing but the log.
    std::fs::write(certificate.path("cert.pem"), "no certificate").unwrap();
    while !server.stderr().contains("stays in force") {
        dial(&server, &second).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(server.stderr().contains("tls.cert = "), "{}", server.stderr());
    dial(&server, &second).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("wss://localhost/ws", stays).await.unwrap();
    socket.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.contains("pong")));
}

#[test]
fn what_cannot_be_used_is_named() {
    let (certificate, _) = Certificate::new();
    let (other, _) = Certificate::new();
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let nothing = certificate.path("nothing.pem");
    std::fs::write(certificate.path("empty.pem"), "").unwrap();
    for (text, named) in [
        (config(&nothing, &key), "tls.cert"),
        (config(&cert, &nothing), "tls.key"),
        (config(&certificate.path("empty.pem"), &key), "empty.pem"),
        (config(&cert, &cert), "tls.key"),
        (config(&cert, &other.path("key.pem")), "does not fit"),
        (format!("[tls]\ncert = {cert:?}\n"), "tls.cert and tls.key must be set together"),
    ] {
        let world = tempfile::tempdir().unwrap();
        std::fs::write(world.path().join("callboard.toml"), &text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callboard"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--config"]).arg(world.path().join("callboard.toml"));
        let output = command.env_clear().arg("--data-dir").arg(world.path().join("data")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains(named), "{text}: {said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
}
