//! Agents.

pub mod persona;
