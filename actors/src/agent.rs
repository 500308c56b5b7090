//! Agents.

pub mod mood;
pub mod persona;
