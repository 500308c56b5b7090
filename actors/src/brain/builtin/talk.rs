//! Words for everything that needs no tool: manners, who the agent is and what it can do, and what it cannot.

use std::sync::Arc;

use crate::brain::Brief;
use crate::protocol::{Emotion, Role};
use crate::text::{Words, shortened, terms};
use crate::tool::Tool;

/// What a text without a task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Talk {
    Greeting,
    Thanks,
    Goodbye,
    /// Who are you?
    Identity,
    /// What can you do?
    Abilities,
    HowAreYou,
    /// Why are you here, and not the one before?
    Handoff,
    /// Anything else.
    Unknown,
}

/// Words that ask for something even in a text of thanks.
const ASKING: [&str; 22] = [
    "what",
    "what's",
    "how",
    "can",
    "could",
    "please",
    "now",
    "then",
    "calculate",
    "compute",
    "count",
    "analyze",
    "find",
    "search",
    "summarize",
    "remember",
    "recall",
    "tell",
    "show",
    "which",
    "where",
    "who",
];

impl Talk {
    pub(super) fn about(text: &str) -> Self {
        let words = Words::of(text);
        let short = words.len() <= 8;
        if words.begins_any(&[
            "thank*",
            "many thanks",
            "thx",
            "cheers",
            "ok thank*",
            "great thank*",
            "nice work",
            "well done",
            "good job",
            "much appreciated",
        ]) && !text.contains('?')
            && !words.any(&ASKING)
        {
            return Self::Thanks;
        }
        if words.any(&[
            "take over",
            "took over",
            "taken over",
            "handed over",
            "hand over",
            "handoff",
            "handed off",
            "hand off",
            "why are you here",
        ]) && words.any(&["why", "what", "reason", "how", "who"])
        {
            return Self::Handoff;
        }
        if words.any(&[
            "what can you do",
            "what can you help",
            "can you help me with",
            "help me with",
            "what do you do",
            "your abilities",
            "your capabilities",
            "your skills",
            "your tools",
            "which tools",
            "what tools",
            "what are you able",
            "what are you good at",
            "how can you help",
            "what else can you",
            "what could you do",
            "what are your",
            "your features",
            "what do you offer",
        ]) || short
            && words.begins_any(&["help", "please help", "can you help", "could you help"])
            && words.len() <= 4
        {
            return Self::Abilities;
        }
        if words.any(&[
            "who are you",
            "what are you",
            "your name",
            "introduce yourself",
            "about yourself",
            "who am i talking",
            "who is this",
            "are you a bot",
            "are you an ai",
            "are you human",
            "who's this",
        ]) {
            return Self::Identity;
        }
        if words.any(&[
            "how are you",
            "how do you feel",
            "how are things",
            "how is it going",
            "how's it going",
            "what's up",
            "how do you do",
            "your mood",
        ]) && short
        {
            return Self::HowAreYou;
        }
        let hello = [
            "hello*",
            "hi",
            "hey*",
            "good morning",
            "good afternoon",
            "good evening",
            "greetings",
            "howdy",
            "moin",
            "hallo",
            "welcome",
            "yo",
        ];
        if short && words.begins_any(&hello) {
            return Self::Greeting;
        }
        let bye = [
            "bye*",
            "goodbye",
            "good bye",
            "see you",
            "good night",
            "farewell",
            "so long",
            "cu",
            "ciao",
            "take care",
            "until tomorrow",
            "talk to you later",
            "have a nice",
            "have a good",
        ];
        if short && (words.begins_any(&bye) || words.begins_any(&["ok bye*", "okay bye*", "well bye*", "that's all"])) {
            return Self::Goodbye;
        }
        Self::Unknown
    }

    /// What the agent is going to do about it, for the plan.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Greeting => "I will return the greeting.",
            Self::Thanks => "I will answer the thanks.",
            Self::Goodbye => "I will say goodbye.",
            Self::Identity => "I will say who I am.",
            Self::Abilities => "I will say what I can do.",
            Self::HowAreYou => "I will say how I am.",
            Self::Handoff => "I will say why I took over.",
            Self::Unknown => "None of my tools fits this; I will say so.",
        }
    }

    pub(super) fn answer(self, brief: &Brief, own: &[Arc<dyn Tool>]) -> String {
        let persona = &brief.persona;
        match self {
            Self::Greeting => greeting(brief),
            Self::Thanks => "You are welcome!".to_owned(),
            Self::Goodbye => "Goodbye! Our conversation stays here for when you come back.".to_owned(),
            Self::Identity => format!("I am {}, {}. {}", persona.name, persona.title, persona.description),
            Self::Abilities => abilities(brief, own),
            Self::HowAreYou => format!("{} How can I help you?", mood(brief.mood.emotion)),
            Self::Handoff => handoff(brief),
            Self::Unknown => unknown(brief, own),
        }
    }
}

fn greeting(brief: &Brief) -> String {
    let persona = &brief.persona;
    let mine = |message: &&Arc<crate::protocol::Message>| message.agent.as_ref() == Some(&persona.name);
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

/// Who can do what this agent has no tool for, and whether anybody can.
pub(super) fn elsewhere(tool: &dyn Tool, intent: &str, brief: &Brief, own: &[Arc<dyn Tool>]) -> (String, bool) {
    let about = terms(&format!("{} {}", tool.name(), tool.description()));
    let fits = |specialities: &[String]| {
        let known = terms(&specialities.join(" "));
        known.iter().filter(|term| about.contains(term)).count()
    };
    let colleagues = brief.colleagues.iter().filter(|(name, _)| *name != brief.persona.name);
    let best = colleagues.map(|(name, specialities)| (fits(specialities), name)).filter(|(fit, _)| *fit > 0);
    match best.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
        Some((_, name)) => {
            let said =
                format!("I have no tool to {intent}, but {name} can: ask @{name}, or hand this conversation over.");
            (said, true)
        }
        None => (unknown(brief, own), false),
    }
}

fn first_part(description: &str) -> &str {
    description.split([':', ',']).next().unwrap_or(description).trim()
}
