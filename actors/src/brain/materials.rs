//! What brains are made with, besides what the agent's file says.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ledger::Ledger;
use crate::memory::Memory;
use crate::tool::Source;

/// What the house gives to every brain.
#[derive(Clone, Debug)]
pub struct Materials {
    /// The folder that tools may read.
    pub workspace: PathBuf,
    /// What the tenants' agents remember.
    pub memory: Arc<Memory>,
    /// What the tenants' models have used.
    pub ledger: Arc<Ledger>,
    /// Where brains with a model find tools besides those that agents' files name.
    pub sources: Vec<Arc<dyn Source>>,
    /// Whether nobody is asked anything: a run is played again, and models need no keys.
    pub sealed: bool,
    /// Whether brains and tools may be made that misbehave on purpose.
    pub unruly: bool,
}

impl Materials {
    /// Materials without further sources of tools.
    pub fn new(workspace: PathBuf, memory: Arc<Memory>, ledger: Arc<Ledger>) -> Self {
        Self { workspace, memory, ledger, sources: Vec::new(), sealed: false, unruly: false }
    }
}
