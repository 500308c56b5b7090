//! A run's place on the tenant's list of those that have not ended.

use std::ops::Deref;
use std::sync::Arc;

use crate::runs::LiveRun;
use crate::tenant::Tenant;

/// A run on the list of those that have not ended; dropping this takes it off, however its conversation ends.
#[derive(Debug)]
pub struct Listed {
    live: Arc<LiveRun>,
    tenant: Arc<Tenant>,
}

impl Listed {
    /// Lists a run.
    pub fn new(tenant: &Arc<Tenant>, live: LiveRun) -> Self {
        let live = Arc::new(live);
        tenant.runs.insert(live.run.id.clone(), live.clone());
        tenant.house.run_opened();
        Self { live, tenant: tenant.clone() }
    }
}

impl Deref for Listed {
    type Target = LiveRun;

    fn deref(&self) -> &LiveRun {
        &self.live
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.tenant.runs.remove(&self.live.run.id);
        self.tenant.house.run_closed();
    }
}
