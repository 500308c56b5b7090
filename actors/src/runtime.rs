//! The runtime as a whole: built over a journal, entered by sessions, drained at the end.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::house::{House, Settings};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::protocol::{Principal, TenantId};
use crate::recovery::WaitingRun;
use crate::router::{self, Cast};
use crate::tenant::{SessionCard, Tenant};
use crate::visit::Visit;

/// How long the ends of interrupted runs may take to be written and told: one append each.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a start waits for runs that wait themselves: one read each.
const RESTORING: Duration = Duration::from_secs(10);

/// The runtime: every tenant's actors, made on first use.
pub struct Runtime {
    house: Arc<House>,
    cast: Arc<[Cast]>,
    tenants: RwLock<HashMap<TenantId, Arc<Tenant>>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime over a recovered journal. The first agent of `cast` is the one that leads where nobody else is named.
    pub fn new(journal: Arc<dyn Journal>, settings: Settings, cast: Vec<Cast>, arbiters: usize) -> Self {
        let house = Arc::new(House::new(journal, settings, arbiters));
        Self { house, cast: cast.into(), tenants: RwLock::default() }
    }

    /// What all tenants share.
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// A tenant, with its agents started. Tenants come from credentials, so their number is in the owner's hand.
    pub fn tenant(&self, id: &TenantId) -> Arc<Tenant> {
        if let Some(tenant) = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return tenant.clone();
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(id.clone()).or_insert_with(|| self.found(id)).clone()
    }

    fn found(&self, id: &TenantId) -> Arc<Tenant> {
        let tenant = Arc::new(Tenant::new(id.clone(), self.house.clone()));
        router::open(&tenant, self.cast.clone());
        tenant
    }

    /// Tenants that are in use.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A session comes in.
    pub fn enter(
        &self,
        principal: Arc<Principal>,
        outbox: Outbox,
        card: SessionCard,
        max_subscriptions: usize,
    ) -> Visit {
        Visit::new(self.tenant(&principal.tenant), principal, outbox, card, max_subscriptions)
    }

    /// Brings the conversations into use in which runs wait for approval, and waits until all of these runs are known,
    /// for a while at most: a conversation that cannot be read is told to whoever asks for it.
    pub async fn restore(&self, waiting: &[WaitingRun]) {
        for waiting in waiting {
            self.tenant(&waiting.tenant).awaken(&waiting.conversation);
        }
        let deadline = Instant::now() + RESTORING;
        let known = |waiting: &WaitingRun| self.tenant(&waiting.tenant).runs.contains_key(&waiting.run);
        while !waiting.iter().all(known) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Takes no new runs and waits until those that are open have ended, for `grace` at most. Those that have not are
    /// interrupted, so that whoever waits for them is told; returns how many they were.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.house.drain();
        let left = self.settled(grace).await;
        if left > 0 {
            self.house.interrupt();
            self.settled(LAST_WORDS).await;
        }
        left
    }

    /// Waits until no run is open, for `limit` at most; returns how many are.
    async fn settled(&self, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        while self.house.open_runs() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.house.open_runs()
    }
}
