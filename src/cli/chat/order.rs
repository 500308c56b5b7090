//! What a line of a chat asks for.

/// A line, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Nothing.
    Nothing,
    /// Something is said to the agents.
    Say(String),
    /// `/handoff AGENT [REASON]`
    Handoff { to: String, reason: String },
    /// `/join AGENT…`
    Join(Vec<String>),
    /// `/mode lead|all|auto`
    Mode(String),
    /// `/agents`
    Agents,
    /// `/history`
    History,
    /// `/help`
    Help,
    /// `/quit`
    Quit,
    /// It begins like an order and is none; what would be one.
    Wrong(String),
}

/// What can be typed.
pub(super) const HELP: &str = "\
/handoff AGENT [REASON]   hand the conversation over
/join AGENT…              bring agents in; all of them answer
/mode lead|all|auto       who answers
/agents                   who can be asked
/history                  what was said here
/quit                     end (so does Ctrl-D); the conversation stays
@AGENT TEXT               to one agent, //TEXT to begin with a slash; Ctrl-C cancels an answer";

/// Reads a line.
pub(super) fn read(line: &str) -> Order {
    let line = line.trim();
    if line.is_empty() {
        return Order::Nothing;
    }
    let Some(order) = line.strip_prefix('/') else { return Order::Say(line.to_owned()) };
    if order.starts_with('/') {
        return Order::Say(order.to_owned());
    }
    let (name, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
    let rest = rest.trim();
    let words: Vec<String> = rest.split([' ', ',', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    match (name, words.as_slice()) {
        ("handoff", [to, ..]) => {
            let reason = rest.strip_prefix(to.as_str()).unwrap_or_default().trim_start_matches([' ', ',', '\t']);
            Order::Handoff { to: to.clone(), reason: reason.to_owned() }
        }
        ("handoff", []) => Order::Wrong("/handoff AGENT [REASON]".to_owned()),
        ("join", [_, ..]) => Order::Join(words),
        ("join", []) => Order::Wrong("/join AGENT…".to_owned()),
        ("mode", [mode]) if matches!(mode.as_str(), "lead" | "all" | "auto") => Order::Mode(mode.clone()),
        ("mode", _) => Order::Wrong("/mode lead, /mode all or /mode auto".to_owned()),
        ("agents", _) => Order::Agents,
        ("history", _) => Order::History,
        ("help" | "?", _) => Order::Help,
        ("quit" | "exit", _) => Order::Quit,
        (other, _) => Order::Wrong(format!("/help; there is no /{other}, and //{other} says it to the agents")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_words_or_orders() {
        let text = |text: &str| text.to_owned();
        assert_eq!(read("  "), Order::Nothing);
        assert_eq!(read(" hello /quit "), Order::Say(text("hello /quit")));
        assert_eq!(read("//etc is a folder"), Order::Say(text("/etc is a folder")));
        assert_eq!(
            read("/handoff sage  you know it "),
            Order::Handoff { to: text("sage"), reason: text("you know it") }
        );
        assert_eq!(read("/join nyx, sage"), Order::Join(vec![text("nyx"), text("sage")]));
        assert_eq!(read("/mode all"), Order::Mode(text("all")));
        assert_eq!((read("/help"), read("/exit")), (Order::Help, Order::Quit));
        for wrong in ["/handoff", "/join", "/mode", "/mode some", "/dance"] {
            assert!(matches!(read(wrong), Order::Wrong(_)), "{wrong}");
        }
    }
}
