//! The maker: the one place that lists the brains, and makes the one that an agent's file names.

use std::sync::Arc;

use super::Brain;
use super::builtin::Builtin;
use super::echo::Echo;
use super::materials::Materials;
use super::model::Model;
use super::model::settings::{Budget, Fallback, Settings};
use super::unruly::Unruly;
use crate::agent::persona::Persona;
use crate::protocol::{Code, Error};

/// The brains there are.
pub const BRAINS: [&str; 3] = ["builtin", "echo", "model"];

/// The brain that a persona names, with the tools it names. An unknown name is an error that lists the known ones.
pub fn make(persona: &Persona, materials: &Materials) -> Result<Arc<dyn Brain>, Error> {
    let wrong = |what: &str| Err(Error::new(Code::InvalidMessage, what));
    match (persona.brain.as_str(), &persona.model) {
        ("model", Some(settings)) => think_with(persona, settings, materials),
        ("model", None) => wrong("brain = \"model\": expected a table [model] that names the model"),
        (_, Some(_)) => wrong("[model]: expected brain = \"model\" beside it"),
        (name, None) => named(name, persona, materials),
    }
}

/// A brain without a model.
fn named(name: &str, persona: &Persona, materials: &Materials) -> Result<Arc<dyn Brain>, Error> {
    match name {
        "builtin" => Ok(Arc::new(Builtin::new(&persona.tools, materials.clone())?)),
        "echo" => Ok(Arc::new(Echo)),
        "unruly" if materials.unruly => Ok(Arc::new(Unruly)),
        unknown => Err(Error::new(Code::InvalidMessage, format!("There is no brain “{unknown}”"))
            .with_details(format!("known brains: {}", BRAINS.join(", ")))),
    }
}

/// A brain with a model, and behind it the one that takes its place when the model cannot be asked.
fn think_with(persona: &Persona, settings: &Settings, materials: &Materials) -> Result<Arc<dyn Brain>, Error> {
    let model = Model::new(persona, settings, materials)?;
    let stand_in = match &settings.fallback {
        None => return Ok(Arc::new(model)),
        Some(Fallback::Named(name)) => named(name, persona, materials)?,
        Some(Fallback::Model(other)) => {
            let mut other = other.as_ref().clone();
            if other.budget == Budget::default() {
                other.budget = settings.budget.clone();
            }
            think_with(persona, &other, materials)?
        }
    };
    Ok(Arc::new(model.with_stand_in(stand_in)))
}
