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
    /// Whether it waits for approval, for however long: nobody waits for it to end then.
    resting: bool,
}

impl Listed {
    /// Lists a run.
    pub fn new(tenant: &Arc<Tenant>, live: LiveRun) -> Self {
        let live = Arc::new(live);
        tenant.runs.insert(live.run.id.clone(), live.clone());
        tenant.house.run_opened();
        Self { live, tenant: tenant.clone(), resting: false }
    }

    /// The run, to be looked at when it is no longer listed.
    pub fn share(&self) -> Arc<LiveRun> {
        self.live.clone()
    }

    /// Notes that the run waits for approval, or no longer. A house that drains does not wait for it meanwhile.
    pub fn rest(&mut self, resting: bool) {
        match (self.resting, resting) {
            (false, true) => self.tenant.house.run_closed(),
            (true, false) => self.tenant.house.run_opened(),
            _ => {}
        }
        self.resting = resting;
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
        if !self.resting {
            self.tenant.house.run_closed();
        }
    }
}
