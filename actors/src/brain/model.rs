//! The brain that thinks with a model: it asks, uses the tools that the model wants used, and asks again, until there is
//! an answer.
//!
//! `settings` is what the agent's file says, `voice` what is exchanged with a model, `provider` the way to its server,
//! `fault` and `patience` what becomes of trouble there, `prompt` what the model is told first, `hands` what it may do,
//! `course` one run of all this.

mod course;
pub mod fault;
mod hands;
mod patience;
mod prompt;
mod provider;
pub mod settings;
pub mod voice;

use std::sync::Arc;

use async_trait::async_trait;

use self::course::{Course, Outcome};
use self::provider::Provider;
use self::settings::Settings;
use self::voice::Voice;
use super::materials::Materials;
use super::{Brain, Brief, Placement, Sink};
use crate::agent::persona::Persona;
use crate::ledger::{Ledger, Used, until_tomorrow};
use crate::protocol::{Answer, Code, Error, Timestamp};
use crate::tape::{Known, MAX_KNOWN};
use crate::tool::toolbox::toolbox;
use crate::tool::{Scene, Tool};

/// The share of a request's meaning that a memory must have for the model to be told of it.
const LEAST_COVERAGE: f32 = 0.2;

/// The brain of an agent that has a model.
pub struct Model {
    settings: Settings,
    voice: Arc<dyn Voice>,
    tools: Vec<Arc<dyn Tool>>,
    materials: Materials,
    /// Who thinks when the model cannot be asked.
    stand_in: Option<Arc<dyn Brain>>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Model").field(&self.settings.name).finish()
    }
}

impl Model {
    /// The brain of `persona`, with the model that `settings` name. Reads the model's key. An error names the setting.
    pub fn new(persona: &Persona, settings: &Settings, materials: &Materials) -> Result<Self, Error> {
        settings.check()?;
        let voice = Arc::new(Provider::new(settings, materials.sealed)?);
        Self::with_voice(persona, settings, materials, voice)
    }

    /// The same brain with another voice, such as that of a recorded run.
    pub fn with_voice(
        persona: &Persona,
        settings: &Settings,
        materials: &Materials,
        voice: Arc<dyn Voice>,
    ) -> Result<Self, Error> {
        let tools = toolbox(&persona.tools, materials.unruly)?;
        Ok(Self { settings: settings.clone(), voice, tools, materials: materials.clone(), stand_in: None })
    }

    /// The same brain with another that thinks when the model cannot be asked.
    pub fn with_stand_in(mut self, brain: Arc<dyn Brain>) -> Self {
        self.stand_in = Some(brain);
        self
    }

    /// The tools that may be used in a run: the agent's own, and what the sources have for it now.
    fn tools(&self, brief: &Brief) -> Vec<Arc<dyn Tool>> {
        let sources = self.materials.sources.iter().flat_map(|source| source.tools(&brief.run.agent));
        self.tools.iter().cloned().chain(sources).collect()
    }

    fn scene(&self, brief: &Brief) -> Scene {
        Scene {
            tenant: brief.tenant.clone(),
            owner: brief.owner.clone(),
            agent: brief.run.agent.clone(),
            conversation: brief.run.conversation.clone(),
            history: brief.history.clone(),
            workspace: self.materials.workspace.clone(),
            memory: Arc::clone(&self.materials.memory),
            deadline: brief.deadline,
            cancelled: brief.cancelled.clone(),
            trace: brief.trace.clone(),
        }
    }

    /// A run, begun with what the agent remembers that has to do with it. A memory that cannot be read costs only itself.
    async fn course<'a>(&'a self, brief: &'a Brief, sink: &'a Arc<dyn Sink>) -> Course<'a> {
        let known = if brief.run.is_errand() { Ok(Vec::new()) } else { self.known(brief).await };
        brief.tape.known(known.unwrap_or_else(|error| {
            log::warn!("{} cannot look into its memory: {error}", brief.run.agent);
            Vec::new()
        }));
        Course::begin(self, brief, sink)
    }

    async fn known(&self, brief: &Brief) -> Result<Vec<Known>, Error> {
        let (scene, content) = (self.scene(brief), brief.content.clone());
        let search = move || scene.memory.search(scene.whose(), &content, MAX_KNOWN);
        let found = tokio::task::spawn_blocking(search).await;
        let found = found.map_err(|_| Error::internal("The memory could not be read"))??;
        Ok(found.iter().filter(|found| found.coverage >= LEAST_COVERAGE).map(Known::of).collect())
    }

    /// Refuses a run where the day's budget is used up.
    async fn admit(&self, brief: &Brief) -> Result<(), Error> {
        let (ledger, tenant, agent) = (self.materials.ledger.clone(), brief.tenant.clone(), brief.run.agent.clone());
        let now = Timestamp::now();
        let used = tokio::task::spawn_blocking(move || Ledger::used(&ledger, &tenant, &agent, now)).await;
        let Used { agent, tenant } = used.map_err(|_| Error::internal("The ledger could not be read"))??;
        let budget = &self.settings.budget;
        for (limit, used, whose) in [(budget.day, agent, "agent"), (budget.tenant_day, tenant, "tenant")] {
            if limit.is_some_and(|limit| used >= limit) {
                let text = format!("The tokens that this {whose} may use in a day are used up");
                let mut error =
                    Error::new(Code::RateLimitExceeded, text).with_details("the next day begins at 0:00 UTC");
                error.retry_after = Some(u32::try_from(until_tomorrow(now).div_ceil(1000)).unwrap_or(u32::MAX));
                return Err(error);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Brain for Model {
    fn placement(&self) -> Placement {
        Placement::Inline
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error> {
        let error = match self.admit(brief).await {
            Ok(()) => match self.course(brief, sink).await.run().await {
                Outcome::Answered(answer) => return Ok(answer),
                Outcome::Failed(error) => return Err(error),
                Outcome::NotBegun(error) => error,
            },
            Err(error) => error,
        };
        let Some(stand_in) = &self.stand_in else { return Err(error) };
        log::warn!("{} thinks without the model {}: {error}", brief.run.agent, self.settings.name);
        super::think(stand_in.clone(), brief.clone(), sink.clone()).await
    }
}
