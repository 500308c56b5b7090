//! Words for everything that needs no tool: manners, who the agent is and what it can do, and what it cannot.

use std::sync::Arc;

use super::Talk;
use crate::brain::Brief;
use crate::protocol::{Emotion, Message, Role};
use crate::text::{shortened, terms};
use crate::tool::Tool;

impl Talk {
    /// What the agent says.
    pub(in crate::brain::builtin) fn answer(self, brief: &Brief, own: &[Arc<dyn Tool>]) -> String {
        let persona = &brief.persona;
        match self {
            Self::Greeting => greeting(brief),
            Self::Thanks => "You are welcome!".to_owned(),
            Self::Goodbye => "Goodbye! Our conversation stays here for when you come back.".to_owned(),
            Self::Identity => format!("I am {}, {}. {}", persona.name, persona.title, persona.description),
            Self::Abilities => abilities(brief, own),
            Self::HowAreYou => format!("{} How can I help you?", mood(brief.mood.emotion)),
            Self::Praise => "Thank you, that is kind of you! What is next?".to_owned(),
            Self::Blame => {
                "I am sorry that I was of no help. Tell me what you need, and I will try to do better.".to_owned()
            }
            Self::Statement => statement(own),
            Self::Aside => "All right. What would you like me to do?".to_owned(),
            Self::Handoff => handoff(brief),
            Self::Unknown => unknown(brief, own),
        }
    }
}

fn greeting(brief: &Brief) -> String {
    let persona = &brief.persona;
    let mine = |message: &&Arc<Message>| message.agent.as_ref() == Some(&persona.name);
    if brief.history.iter().any(|message| mine(&message)) {
        return "Hello again! What is next?".to_owned();
    }
    match brief.run.turn.index {
        0 | 1 => persona.greeting.clone(),
        _ => format!("Hello from {} as well: I am the {}.", persona.name, persona.title),
    }
}

fn mood(emotion: Emotion) -> &'static str {
    match emotion {
        Emotion::Neutral => "I am well, thank you.",
        Emotion::Curious => "I am well, and curious.",
        Emotion::Helpful => "I am well, and glad to be of use.",
        Emotion::Excited => "I am very well, thank you!",
    }
}

fn abilities(brief: &Brief, own: &[Arc<dyn Tool>]) -> String {
    let persona = &brief.persona;
    if own.is_empty() {
        return format!("I am {}, {}. I have no tools, so all I can do is talk a little.", persona.name, persona.title);
    }
    let listed: Vec<String> = own.iter().map(|tool| format!("- {}", tool.description())).collect();
    format!(
        "I am {}, {}. I can\n{}\nJust tell me in your own words what you want.",
        persona.name,
        persona.title,
        listed.join("\n")
    )
}

/// What becomes of what somebody merely told.
fn statement(own: &[Arc<dyn Tool>]) -> String {
    if own.iter().any(|tool| tool.name() == "remember") {
        "I see. It stays in this conversation; say “remember that …” and I will know it in others as well.".to_owned()
    } else {
        "I see. It stays in this conversation.".to_owned()
    }
}

/// Why this agent leads now, in the words of the server's message about it.
fn handoff(brief: &Brief) -> String {
    let told = brief.history.iter().rev().find(|message| message.role == Role::System);
    match told {
        Some(message) => format!("This is how I came to lead this conversation: {}", message.text()),
        None => "I took over from nobody here: this conversation has known no handoff, as far as I can see.".to_owned(),
    }
}

/// What there is no tool for: said plainly, with what there is.
fn unknown(brief: &Brief, own: &[Arc<dyn Tool>]) -> String {
    let persona = &brief.persona;
    let asked = shortened(brief.content.trim(), 80);
    if brief.run.turn.index > 1 {
        return format!(
            "I have nothing to add on “{asked}”: I am the {}, and none of my tools fits it.",
            persona.title
        );
    }
    let can: Vec<String> = own.iter().map(|tool| first_part(tool.description()).to_owned()).collect();
    let can = if can.is_empty() { "nothing but talk a little".to_owned() } else { can.join("; ") };
    format!(
        "I cannot help with “{asked}”: none of my tools fits it, I have no general knowledge, and I do not make things up. \
         What I can do: {can}. For open questions I need another brain, set by the `brain` key of \
         `config/agents/{}.toml`, or an agent of another process that joins over the WebSocket.",
        persona.name
    )
}

/// Whose matter it is what this agent has no tool for, by the specialities of the others.
pub(in crate::brain::builtin) fn elsewhere(
    tool: &dyn Tool,
    intent: &str,
    brief: &Brief,
    own: &[Arc<dyn Tool>],
) -> String {
    let about = terms(&format!("{} {}", tool.name(), tool.description()));
    let fits = |specialities: &[String]| {
        let known = terms(&specialities.join(" "));
        known.iter().filter(|term| about.contains(term)).count()
    };
    let colleagues = brief.colleagues.iter().filter(|(name, _)| *name != brief.persona.name);
    let best = colleagues.map(|(name, specialities)| (fits(specialities), name)).filter(|(fit, _)| *fit > 0);
    match best.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
        Some((_, name)) => format!(
            "I have no tool to {intent}. That is a matter for {name}: ask @{name}, or hand this conversation over."
        ),
        None => unknown(brief, own),
    }
}

fn first_part(description: &str) -> &str {
    description.split([':', ',']).next().unwrap_or(description).trim()
}
