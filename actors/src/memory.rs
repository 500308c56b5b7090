//! What the agents of a tenant remember.

use std::sync::Arc;

use crate::journal::Journal;

/// What the agents of all tenants remember: one journal stream and one full-text index a tenant.
#[derive(Debug)]
pub struct Memory {
    _journal: Arc<dyn Journal>,
}
