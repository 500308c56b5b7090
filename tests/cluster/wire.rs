//! A network that may be cut: nothing arrives any more, and no connection ends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::nats::Nats;

/// What lies between a server and NATS.
pub struct Wire {
    url: String,
    whole: watch::Sender<bool>,
}

impl Wire {
    /// A wire to a server of NATS.
    pub async fn to(nats: &Nats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (whole, seen) = watch::channel(true);
        let far = nats.url().replace("nats://", "");
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&far).await else { continue };
                let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(from_near, to_far, seen.clone()));
                tokio::spawn(carry(from_far, to_near, seen.clone()));
            }
        });
        Self { url, whole }
    }

    /// Where its end is.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Lets nothing through.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets through what was held back, and what comes.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut whole: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if whole.wait_for(|whole| *whole).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
