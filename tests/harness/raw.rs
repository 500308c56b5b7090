//! A client that holds itself to nothing: bytes on a TCP socket, and the frames that it cares to write.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use super::PATIENCE;

/// A TCP connection to the server.
pub struct Raw {
    /// The connection itself.
    pub stream: TcpStream,
    /// The head of the answer to the upgrade.
    pub head: String,
}

impl Raw {
    /// Connects, and says nothing.
    pub fn dial(address: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// The same from another address of this machine: 127.0.0.`last`.
    pub fn dial_from(address: &str, last: u8) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into()).unwrap();
        socket.connect(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, head: String::new() }
    }

    /// Connects and upgrades at `path`, with more headers if need be.
    pub fn connect(address: &str, path: &str, more: &str) -> Self {
        Self::dial(address).upgraded(path, more)
    }

    /// Asks for the upgrade and reads the head of the answer.
    pub fn upgraded(mut self, path: &str, more: &str) -> Self {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        );
        self.stream.write_all(head.as_bytes()).unwrap();
        while !self.head.ends_with("\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            self.head.push(char::from(byte[0]));
        }
        self
    }

    /// Whether the upgrade was granted.
    pub fn is_upgraded(&self) -> bool {
        self.head.starts_with("HTTP/1.1 101 ")
    }

    /// Writes bytes as they are; `false` if the server has hung up.
    pub fn put(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write_all(bytes) {
            Ok(()) => true,
            Err(error) => {
                let hung_up = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
                assert!(hung_up, "writing failed otherwise than by a hang-up: {error}");
                false
            }
        }
    }

    /// Sends a masked frame whose first byte is `first`.
    pub fn frame(&mut self, first: u8, payload: &[u8]) -> bool {
        self.put(&frame(first, payload))
    }

    /// Sends a text frame.
    pub fn text(&mut self, text: &str) -> bool {
        self.frame(0x81, text.as_bytes())
    }

    /// Reads one frame: its first byte and its payload; `None` at the end of the connection.
    pub fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.fill(&mut head)?;
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.array()?)),
            127 => u64::from_be_bytes(self.array()?),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.fill(&mut payload)?;
        Some((head[0], payload))
    }

    /// The code that the server closes with, whatever it says before; 1006 if the connection just ends.
    pub fn closed(&mut self) -> u16 {
        while let Some((first, payload)) = self.read() {
            if first == 0x88 {
                return payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            }
        }
        1006
    }

    /// Whether the connection has ended: nothing more can be read.
    pub fn is_at_its_end(&mut self) -> bool {
        let mut sink = [0; 4096];
        loop {
            match self.stream.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
                Err(_) => return true,
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Some(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) => {
                let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!late, "nothing comes");
                None
            }
        }
    }
}

/// A masked frame. The mask is zeros, which hides nothing and is a mask all the same.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        long @ 126..=0xFFFF => {
            bytes.push(0xFE);
            bytes.extend((long as u16).to_be_bytes());
        }
        long => {
            bytes.push(0xFF);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
