//! The harness of tests over real sockets: the server's own program in a process of its own, and clients that know
//! nothing of its code.
//!
//! A test binary takes it in with `#[path = "../harness/harness.rs"] mod harness;`.
#![allow(dead_code)]

pub mod client;
pub mod collector;
pub mod frames;
pub mod models;
pub mod pattern;
pub mod quiet;
pub mod raw;
pub mod rest;
pub mod server;
pub mod talk;
pub mod transcript;

use std::time::Duration;

/// How long anything may take before a test fails. It never paces a test; it only keeps one from hanging.
pub const PATIENCE: Duration = Duration::from_secs(30);
