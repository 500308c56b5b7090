//! The Callboard server: configuration, credentials, dialects, sockets and HTTP around the runtime of `callboard-actors`.

pub mod ws;
