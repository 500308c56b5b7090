//! The floor: what a tenant's agents may ask of each other while they work.

use std::sync::{Arc, Weak};

use async_trait::async_trait;

use crate::brain::Brief;
use crate::brain::company::Company;
use crate::errand;
use crate::protocol::{AgentName, Answer, Code, Error, TraceParent};
use crate::tenant::Tenant;

/// The company of a tenant's agents.
#[derive(Debug)]
pub struct Floor(Weak<Tenant>);

impl Floor {
    /// The floor of a tenant; it does not keep the tenant.
    pub fn new(tenant: &Arc<Tenant>) -> Self {
        Self(Arc::downgrade(tenant))
    }
}

#[async_trait]
impl Company for Floor {
    async fn consult(
        &self,
        brief: &Brief,
        agent: &AgentName,
        question: String,
        place: Option<TraceParent>,
    ) -> Result<Answer, Error> {
        let asker = &brief.run.agent;
        if agent == asker || brief.trail.awaits(agent) {
            return Err(Error::new(Code::AgentFailed, format!("{agent} waits for this very answer")));
        }
        let tenant = self.0.upgrade().ok_or_else(|| Error::internal("The tenant is gone"))?;
        let (chat, trail) = (brief.run.conversation.clone(), brief.trail.with(asker));
        errand::ask(&tenant, agent, chat, question, trail, place).await.map(|outcome| outcome.answer)
    }
}
