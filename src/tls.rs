//! TLS: a certificate and its key from files into what a listener needs.
//!
//! The files are looked at again while the server runs, so that a renewed certificate needs no restart. New files that
//! do not read, or do not fit each other, change nothing but the log: a renewal writes one file before the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::auth::warn_if_shared;
use crate::config::{ConfigError, TlsConfig};
use crate::watched::Watched;

/// How often the files are looked at, at most: at a handshake, for the price of two system calls.
const PAUSE: Duration = Duration::from_secs(1);

/// The most certificates of a file: a chain has three or four.
const MOST: usize = 16;

/// What a listener needs, if TLS is set up. Versions 1.2 and 1.3, in the library's own choice of ciphers.
///
/// # Errors
/// A [`ConfigError`] that names the file, if a certificate or key cannot be used.
pub fn server(config: &TlsConfig) -> anyhow::Result<Option<rustls::ServerConfig>> {
    let (Some(cert), Some(key)) = (config.cert.clone(), config.key.clone()) else { return Ok(None) };
    warn_if_shared(&key);
    let files = vec![cert, key];
    let certificate = Watched::of(files, PAUSE, |files| match files {
        [cert, key] => load(cert, key),
        _ => anyhow::bail!("a certificate has two files"),
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Some(builder.with_no_client_auth().with_cert_resolver(Arc::new(Certificate(certificate)))))
}

/// The certificate as it is in its files now.
#[derive(Debug)]
struct Certificate(Watched<CertifiedKey>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }
}

fn load(cert: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain = chain(cert).map_err(|error| refused("tls.cert", cert, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).context("expected a private key as PEM");
    let private = private.map_err(|error| refused("tls.key", key, &error))?;
    let pair = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
    pair.map_err(|error| {
        let why = anyhow::anyhow!("it does not fit the certificate {}: {error}", cert.display());
        refused("tls.key", key, &why).into()
    })
}

fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).context("it cannot be read")?;
    let chain = read.take(MOST + 1).collect::<Result<Vec<_>, _>>().context("expected certificates as PEM")?;
    anyhow::ensure!(!chain.is_empty(), "it holds no certificate as PEM");
    anyhow::ensure!(chain.len() <= MOST, "it holds more than {MOST} certificates");
    Ok(chain)
}

fn refused(setting: &str, path: &Path, why: &anyhow::Error) -> ConfigError {
    ConfigError::new(&format!("{setting} = \"{}\"", path.display()), format!("{why:#}"))
}
