//! What a text is that needs no tool: manners, a question about the agent itself, or nothing that is understood.
//!
//! `words` has the answers.

mod words;

pub(super) use words::elsewhere;

use crate::text::Words;
use crate::tool::sentiment;

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
    /// Kind words about the agent.
    Praise,
    /// Hard words about the agent.
    Blame,
    /// Something told, not asked.
    Statement,
    /// Yes, no, and the like.
    Aside,
    /// Why are you here, and not the one before?
    Handoff,
    /// Anything else.
    Unknown,
}

/// Words that ask for something even in a text of thanks.
const ASKING: [&str; 22] = [
    "what", "what's", "how", "can", "could", "please", "now", "then", "calculate", "compute", "count", "analyze",
    "find", "search", "summarize", "remember", "recall", "tell", "show", "which", "where", "who",
];

impl Talk {
    pub(super) fn about(text: &str) -> Self {
        let words = Words::of(text);
        let short = words.len() <= 8;
        if words.begins_any(&[
            "thank*", "many thanks", "thx", "cheers", "ok thank*", "great thank*", "nice work", "well done",
            "good job", "much appreciated",
        ]) && !text.contains('?')
            && !words.any(&ASKING)
        {
            return Self::Thanks;
        }
        if words.any(&[
            "take over", "took over", "taken over", "handed over", "hand over", "handoff", "handed off", "hand off",
            "why are you here",
        ]) && words.any(&["why", "what", "reason", "how", "who"])
        {
            return Self::Handoff;
        }
        if words.any(&[
            "what can you do", "what can you help", "can you help me with", "help me with", "what do you do",
            "your abilities", "your capabilities", "your skills", "your tools", "which tools", "what tools",
            "what are you able", "what are you good at", "how can you help", "what else can you", "what could you do",
            "what are your", "your features", "what do you offer",
        ]) || short
            && words.begins_any(&["help", "please help", "can you help", "could you help"])
            && words.len() <= 4
        {
            return Self::Abilities;
        }
        if words.any(&[
            "who are you", "what are you", "your name", "introduce yourself", "about yourself", "who am i talking",
            "who is this", "who made you", "who built you", "what kind of agent", "are you a bot", "are you an ai",
            "are you human", "who's this",
        ]) {
            return Self::Identity;
        }
        if words.any(&[
            "how are you", "how do you feel", "how are things", "how is it going", "how's it going", "what's up",
            "how do you do", "your mood",
        ]) && short
        {
            return Self::HowAreYou;
        }
        let hello = [
            "hello*", "hi", "hey*", "good morning", "good afternoon", "good evening", "greetings", "howdy", "moin",
            "hallo", "are you there", "anybody there", "welcome", "yo",
        ];
        if short && words.begins_any(&hello) {
            return Self::Greeting;
        }
        let bye = [
            "bye*", "goodbye", "good bye", "see you", "good night", "farewell", "so long", "cu", "ciao", "take care",
            "until tomorrow", "talk to you later", "have a nice", "have a good",
        ];
        if short && (words.begins_any(&bye) || words.begins_any(&["ok bye*", "okay bye*", "well bye*", "that's all"])) {
            return Self::Goodbye;
        }
        Self::of_tone(text, &words)
    }

    /// What a text is that neither asks nor greets: kind, hard, telling, or nothing of the like.
    fn of_tone(text: &str, words: &Words) -> Self {
        const ASIDES: [&str; 16] = [
            "yes", "no", "ok", "okay", "sure", "fine", "maybe", "right", "cool", "yeah", "nope", "lol", "alright",
            "yep", "great", "nice",
        ];
        let short = words.len() <= 8 && !text.contains('?');
        let tone = if short && words.any(&["you", "you're", "your"]) { sentiment::score(text) } else { 0.0 };
        match () {
            () if (1..=2).contains(&words.len()) && short && words.iter().all(|word| ASIDES.contains(&word)) => {
                Self::Aside
            }
            () if tone >= 0.35 => Self::Praise,
            () if tone <= -0.35 => Self::Blame,
            () if !text.contains('?')
                && words
                    .begins_any(&["my", "our", "i am", "i'm", "i like", "i love", "i live", "we are", "i have"]) =>
            {
                Self::Statement
            }
            () => Self::Unknown,
        }
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
            Self::Praise => "I will answer the kind words.",
            Self::Blame => "I will offer to do better.",
            Self::Statement => "I was told something; I will say what becomes of it.",
            Self::Aside => "I will ask what to do.",
            Self::Handoff => "I will say why I took over.",
            Self::Unknown => "None of my tools fits this; I will say so.",
        }
    }
}
