//! The agents of a tenant, by name and by id.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use actix::prelude::*;

use crate::agent::assignment::Assignment;
use crate::agent::card::AgentCard;
use crate::protocol::{AgentName, Code, Error};

/// How to reach an agent, and what may be seen of it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What may be seen of it.
    pub card: Arc<AgentCard>,
    /// Where runs for it go.
    pub assign: Recipient<Assignment>,
}

/// The agents of a tenant in the order they are shown: those of the configuration first, then those that joined.
#[derive(Debug, Default)]
pub struct Directory {
    listings: RwLock<Arc<Vec<Listing>>>,
}

impl Directory {
    /// Adds an agent, or replaces the one of the same name.
    pub fn put(&self, listing: Listing) {
        let mut listings = self.listings.write().unwrap_or_else(PoisonError::into_inner);
        let list = Arc::make_mut(&mut listings);
        match list.iter_mut().find(|known| known.card.name() == listing.card.name()) {
            Some(known) => *known = listing,
            None => list.push(listing),
        }
    }

    /// Removes an agent that has left.
    pub fn remove(&self, name: &AgentName) {
        let mut listings = self.listings.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut listings).retain(|known| known.card.name() != name);
    }

    /// All agents.
    pub fn all(&self) -> Arc<Vec<Listing>> {
        self.listings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The agent of that name or id, if there is one.
    pub fn find(&self, name_or_id: &str) -> Option<Listing> {
        self.look(name_or_id, Listing::clone)
    }

    /// What `look` sees of the agent of that name or id, if there is one. It must not ask the directory anything.
    pub fn look<T>(&self, name_or_id: &str, look: impl FnOnce(&Listing) -> T) -> Option<T> {
        let all = self.listings.read().unwrap_or_else(PoisonError::into_inner);
        let named = all.iter().find(|listing| listing.card.name().as_str() == name_or_id);
        let found = named.or_else(|| {
            let id = uuid::Uuid::parse_str(name_or_id).ok()?.to_string();
            all.iter().find(|listing| listing.card.id.to_string() == id)
        });
        found.map(look)
    }

    /// The agent of that name or id, or an error that lists those there are.
    pub fn get(&self, name_or_id: &str) -> Result<Listing, Error> {
        self.known(name_or_id, Listing::clone)
    }

    /// What `look` sees of the agent of that name or id, or an error that lists those there are.
    pub fn known<T>(&self, name_or_id: &str, look: impl FnOnce(&Listing) -> T) -> Result<T, Error> {
        self.look(name_or_id, look).ok_or_else(|| {
            let available: Vec<String> = self.all().iter().map(|listing| listing.card.name().to_string()).collect();
            let names = available.join(", ");
            let mut error = Error::new(Code::AgentNotFound, format!("Agent not found: {name_or_id}"))
                .with_details(format!("Available agents: {names}"));
            error.available_agents = available;
            error
        })
    }

    /// The agent that speaks where nobody else is asked for: the first of the configuration.
    pub fn lead(&self) -> Result<AgentName, Error> {
        let all = self.all();
        let first = all.first().map(|listing| listing.card.name().clone());
        first.ok_or_else(|| Error::new(Code::AgentNotFound, "This tenant has no agents"))
    }

    /// Which of `names` fits a text best by its specialities; ties go to `lead`.
    pub fn best(&self, names: &[AgentName], text: &str, lead: &AgentName) -> AgentName {
        let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        let score = |name: &AgentName| {
            let listing = self.find(name.as_str());
            listing.map_or(0, |listing| fit(&listing.card.persona.specialities, &words))
        };
        let mut best = (score(lead), lead);
        for name in names {
            let candidate = score(name);
            if candidate > best.0 {
                best = (candidate, name);
            }
        }
        best.1.clone()
    }
}

/// How many of the words, in whatever form, belong to the specialities.
fn fit(specialities: &[String], words: &[String]) -> usize {
    let alike = |speciality: &str, word: &str| {
        let (shorter, longer) = if speciality.len() < word.len() { (speciality, word) } else { (word, speciality) };
        shorter.len() >= 4 && longer.starts_with(shorter) || shorter == longer
    };
    let parts = specialities.iter().flat_map(|speciality| speciality.split_whitespace()).map(str::to_lowercase);
    let parts: Vec<String> = parts.collect();
    words.iter().filter(|word| !word.is_empty() && parts.iter().any(|part| alike(part, word))).count()
}

/// An agent's view of the others, made anew when somebody has come or gone.
///
/// It holds nobody's address: an agent that has left would live on for as long as another has not looked again, and one
/// that has looked, for ever by its own.
#[derive(Debug)]
pub struct Colleagues {
    directory: Arc<Directory>,
    seen: Weak<Vec<Listing>>,
    others: Arc<[(AgentName, Vec<String>)]>,
}

impl Colleagues {
    /// The view of an agent that has not looked yet.
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory, seen: Weak::new(), others: Arc::default() }
    }

    /// The other agents with their specialities.
    pub fn others(&mut self, own: &AgentName) -> Arc<[(AgentName, Vec<String>)]> {
        let all = self.directory.all();
        if Arc::as_ptr(&all) != self.seen.as_ptr() {
            let others = all.iter().filter(|listing| listing.card.name() != own);
            self.others = others
                .map(|listing| (listing.card.name().clone(), listing.card.persona.specialities.clone()))
                .collect();
            self.seen = Arc::downgrade(&all);
        }
        self.others.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::persona::Persona;
    use crate::protocol::TenantId;

    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    impl Handler<Assignment> for Nobody {
        type Result = ();

        fn handle(&mut self, _: Assignment, _: &mut Self::Context) {}
    }

    fn listing(name: &str) -> Listing {
        let persona = Persona {
            name: AgentName::trusted(name),
            title: String::new(),
            description: String::new(),
            specialities: Vec::new(),
            greeting: String::new(),
            tools: Vec::new(),
            approval: Vec::new(),
            mcp: Vec::new(),
            brain: "echo".to_owned(),
            model: None,
            limits: Default::default(),
        };
        let card = Arc::new(AgentCard::new(&TenantId::trusted("t"), Arc::new(persona), false));
        Listing { card, assign: Nobody.start().recipient() }
    }

    #[test]
    fn a_view_of_the_others_keeps_nobody_who_has_left() {
        actix::System::new().block_on(async {
            let directory = Arc::new(Directory::default());
            let (own, other) = (listing("own"), listing("other"));
            let left = Arc::downgrade(&other.card);
            directory.put(own.clone());
            directory.put(other);
            let mut colleagues = Colleagues::new(directory.clone());
            let own = own.card.name();
            assert_eq!(colleagues.others(own).len(), 1);
            directory.remove(&AgentName::trusted("other"));
            assert!(left.upgrade().is_none(), "held by a view that has not been made anew");
            assert_eq!(colleagues.others(own).len(), 0);
        });
    }
}
