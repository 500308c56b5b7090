//! The server's own secret, with which it signs and checks tokens (HS256).
//!
//! It is the text of `<data_dir>/secret` without its newline, so that another program which may read the file can sign
//! tokens with any JWT library. It is made on first use, by whoever comes first, the server or the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use jsonwebtoken::{DecodingKey, EncodingKey};

use super::{key, vault};
use crate::watched::Watched;

/// The shortest secret that is taken, in bytes: HS256 is as strong as its key, up to 256 bits.
const SHORTEST: usize = 32;

/// The secret for signing.
pub(super) fn signing_key(data_dir: &Path) -> anyhow::Result<EncodingKey> {
    Ok(EncodingKey::from_secret(read(&make(data_dir)?)?.as_bytes()))
}

/// The secret for checking; followed when the file is replaced, which ends all tokens signed before.
pub(super) fn watch(data_dir: &Path) -> anyhow::Result<Watched<DecodingKey>> {
    let path = make(data_dir)?;
    vault::warn_if_shared(&path);
    Watched::open(path, Duration::ZERO, |path| Ok(DecodingKey::from_secret(read(path)?.as_bytes())))
}

/// Makes the secret if it is not there; two processes that come at once agree on one. Gives its path.
fn make(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("secret");
    if !path.exists() {
        vault::locked(data_dir, || {
            if path.exists() { Ok(()) } else { vault::replace(&path, format!("{}\n", key::random()?).as_bytes()) }
        })?;
    }
    Ok(path)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let text = text.trim_end();
    ensure!(text.len() >= SHORTEST, "{} is too short: a secret has {SHORTEST} bytes or more", path.display());
    Ok(text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn whoever_comes_at_once_agrees_on_one_private_secret() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("new/data");
        let start = Barrier::new(8);
        let read_all: Vec<String> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                read(&make(&data_dir).unwrap()).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(read_all.iter().all(|secret| *secret == read_all[0]));
        assert_eq!(read_all[0].len(), 64);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir.join("secret")), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "password\n").unwrap();
        let error = signing_key(folder.path()).unwrap_err().to_string();
        assert!(error.contains("too short") && !error.contains("password"), "{error}");
    }
}
