//! The toolbox: the one place that lists the tools.

use std::sync::Arc;

use super::Tool;
use super::arithmetic::Arithmetic;
use super::clock::Clock;
use super::forget::Forget;
use super::keywords::Keywords;
use super::project::Project;
use super::recall::Recall;
use super::remember::Remember;
use super::search::Search;
use super::sentiment::Sentiment;
use super::summary::Summary;
use super::unruly::Unruly;
use crate::protocol::{Code, Error};

/// Every tool there is; of equal bids the earlier one wins.
pub fn all() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(Remember),
        Arc::new(Forget),
        Arc::new(Recall),
        Arc::new(Project),
        Arc::new(Search),
        Arc::new(Sentiment),
        Arc::new(Summary),
        Arc::new(Keywords),
        Arc::new(Clock),
        Arc::new(Arithmetic),
    ]
}

/// Every tool there is; with `unruly` also the one that misbehaves.
pub fn every(unruly: bool) -> Vec<Arc<dyn Tool>> {
    let mut tools = all();
    if unruly {
        tools.push(Arc::new(Unruly));
    }
    tools
}

/// The tools of these names, each once; with `unruly` also the one that misbehaves. An unknown name is an error that
/// lists the known ones.
pub fn toolbox(names: &[String], unruly: bool) -> Result<Vec<Arc<dyn Tool>>, Error> {
    let tools = every(unruly);
    if let Some(unknown) = names.iter().find(|name| !tools.iter().any(|tool| tool.name() == name.as_str())) {
        let known: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
        return Err(Error::new(Code::InvalidMessage, format!("There is no tool “{unknown}”"))
            .with_details(format!("known tools: {}", known.join(", "))));
    }
    Ok(tools.into_iter().filter(|tool| names.iter().any(|name| name == tool.name())).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_by_name_and_described() {
        let names: Vec<String> = ["clock", "arithmetic", "clock"].map(str::to_owned).to_vec();
        let tools = toolbox(&names, false).unwrap();
        let found: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
        assert_eq!(found, ["clock", "arithmetic"]);
        let error = toolbox(&["teapot".to_owned()], false).err().unwrap().to_string();
        assert!(error.contains("teapot") && error.contains("sentiment"), "{error}");
        for tool in all() {
            assert_eq!(tool.parameters()["type"], "object", "{}", tool.name());
            assert!(
                tool.parameters()["properties"].is_object() && !tool.description().ends_with('.'),
                "{}",
                tool.name()
            );
        }
    }
}
