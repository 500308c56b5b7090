//! A second hold on a connection's TCP socket, beside the one that the HTTP dispatcher owns.
//!
//! A session whose client does not read is not polled, and neither is anything of ours around it: only the socket
//! itself can be ended, from outside. The hold is a duplicate of the descriptor, one more for each connection, so the
//! limit of open files must be over twice the connections.

use std::any::Any;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::{SockRef, Socket};

/// How long the kernel tries to bring sent bytes to a peer that acknowledges nothing, or takes nothing.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// What the kernel may hold for one client that reads slowly. Left to itself it takes up to 4 MB.
const SEND_BUFFER: usize = 256 * 1024;

/// The hold. It lives in the data of its connection and ends with it.
#[derive(Debug)]
pub struct Cord {
    socket: Socket,
    /// Whether what the socket carries is ours to end, and not a layer's above it such as TLS.
    plain: bool,
}

impl Cord {
    /// Takes hold of a stream, `plain` if nothing lies between it and HTTP, and sets what every connection has: no delay for small frames, a bounded send buffer, an
    /// end for peers that vanished.
    ///
    /// # Errors
    /// The descriptor could not be duplicated, most likely because the process has no more of them.
    pub fn tie(stream: &impl AsFd, plain: bool) -> io::Result<Self> {
        let socket = SockRef::from(stream);
        // Refused options cost comfort, not correctness.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
        stream.as_fd().try_clone_to_owned().map(|fd| Self { socket: fd.into(), plain })
    }

    /// Ends what the server sends, so that a client that waits for it need not wait longer. Under TLS nothing happens:
    /// the end is the layer's to announce.
    pub fn finish(&self) {
        if self.plain {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }

    /// Whether the client has closed its half, or the connection has ended. Bytes that wait to be read hide it.
    pub fn is_closed_by_peer(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        match self.socket.peek(&mut byte) {
            Ok(bytes) => bytes == 0,
            // The descriptor shares the dispatcher's mode: nothing there means would block.
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    /// Ends the connection now, in both directions, whatever is unsent.
    pub fn cut(&self) {
        // An error says that the connection has ended already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// For `HttpServer::on_connect` of a plain TCP server: ties each new connection. A TLS server calls [`hold`] with the
/// stream beneath.
pub fn on_connect(stream: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = stream.downcast_ref::<TcpStream>() {
        hold(stream, true, data);
    }
}

/// Ties a connection and leaves the hold in its data, where the upgrade finds it. `plain` is false under TLS.
pub fn hold(stream: &impl AsFd, plain: bool, data: &mut Extensions) {
    match Cord::tie(stream, plain) {
        Ok(cord) => {
            data.insert(Arc::new(cord));
        }
        Err(error) => log::warn!("No hold on a new connection, it cannot be cut from outside: {error}"),
    }
}
