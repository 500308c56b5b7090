//! The maker: the one place that lists the brains, and makes the one that an agent's file names.

use std::sync::Arc;

use super::Brain;
use super::builtin::Builtin;
use super::echo::Echo;
use super::materials::Materials;
use super::unruly::Unruly;
use crate::agent::persona::Persona;
use crate::protocol::{Code, Error};

/// The brains there are.
pub const BRAINS: [&str; 2] = ["builtin", "echo"];

/// The brain that a persona names, with the tools it names. An unknown name is an error that lists the known ones.
pub fn make(persona: &Persona, materials: &Materials) -> Result<Arc<dyn Brain>, Error> {
    match persona.brain.as_str() {
        "builtin" => Ok(Arc::new(Builtin::new(&persona.tools, materials.clone())?)),
        "echo" => Ok(Arc::new(Echo)),
        "unruly" if materials.unruly => Ok(Arc::new(Unruly)),
        unknown => Err(Error::new(Code::InvalidMessage, format!("There is no brain “{unknown}”"))
            .with_details(format!("known brains: {}", BRAINS.join(", ")))),
    }
}
