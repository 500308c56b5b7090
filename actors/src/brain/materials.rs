//! What brains are made with, besides what the agent's file says.

use std::path::PathBuf;
use std::sync::Arc;

use crate::memory::Memory;
use crate::tool::Source;

/// What the house gives to every brain.
#[derive(Clone, Debug)]
pub struct Materials {
    /// The folder that tools may read.
    pub workspace: PathBuf,
    /// What the tenants' agents remember.
    pub memory: Arc<Memory>,
    /// Where brains find tools besides those that agents' files name.
    pub sources: Vec<Arc<dyn Source>>,
    /// Whether brains and tools may be made that misbehave on purpose.
    pub unruly: bool,
}
