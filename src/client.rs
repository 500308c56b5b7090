//! A client of a running server: what the command line says to it, over HTTP and over `/ws` (document 002).
//!
//! It knows nothing of the server's inside, only addresses and frames; a program elsewhere could be written like it.

mod address;
mod fault;
mod pause;
mod rest;
mod socket;

pub use address::Server;
pub use fault::Fault;
pub use pause::Pause;
pub use socket::Socket;
