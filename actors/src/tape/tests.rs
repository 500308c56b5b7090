use std::cell::Cell;

use futures_util::FutureExt;
use serde_json::json;

use super::reel::MAX_TAKE;
use super::*;
use crate::protocol::Subject;

fn call(tool: &str, n: u32) -> Call {
    Call { tool: tool.to_owned(), arguments: json!({ "n": n }), intent: String::new(), guarded: false }
}

/// Uses a tool that counts how often it was used.
fn used(tape: &Tape, call: &Call, count: &Cell<u32>) -> Result<Result<Output, Error>, Halted> {
    let act = async {
        count.set(count.get() + 1);
        Ok(Output { text: format!("{} {}", call.tool, count.get()), ..Output::default() })
    };
    tape.tool(call, act).now_or_never().unwrap()
}

fn decision(approved: bool) -> Decision {
    Decision { approved, by: Subject::trusted("ann"), reason: String::new(), at: Timestamp(7) }
}

fn ask(names: &[&str]) -> Gate {
    Gate::Ask(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_was_done_before_the_wait_is_not_done_again_and_what_was_approved_is_done_once() {
    let (tape, count) = (Tape::new(ask(&["search"])), Cell::new(0));
    let think = || -> Result<Vec<String>, Halted> {
        let mut told = Vec::new();
        for call in [call("clock", 1), call("search", 2), call("clock", 1)] {
            told.push(used(&tape, &call, &count)?.unwrap().text);
        }
        Ok(told)
    };
    assert_eq!(think(), Err(Halted));
    assert_eq!((count.get(), tape.waits().len(), tape.waits()[0].tool.as_str()), (1, 1, "search"));
    tape.wait(Timestamp(5));
    tape.decide(decision(true));
    assert_eq!(think().unwrap(), ["clock 1", "search 2", "clock 3"]);
    assert_eq!(count.get(), 3);
    // What was approved was approved for once.
    assert_eq!(used(&tape, &call("search", 2), &count), Err(Halted));
}

#[test]
fn a_tape_goes_on_from_what_was_written_down() {
    let (tape, count) = (Tape::new(ask(&["*"])), Cell::new(0));
    assert_eq!(used(&tape, &call("search", 1), &count), Err(Halted));
    tape.wait(Timestamp(5));
    let restored = Tape::restored(ask(&["*"]), tape.read()).unwrap();
    restored.decide(decision(true));
    assert_eq!(used(&restored, &call("search", 1), &count).unwrap().unwrap().text, "search 1");
    assert_eq!(used(&restored, &call("search", 9), &count), Err(Halted));
}

#[test]
fn what_was_rejected_fails_once_and_stands_on_the_tape() {
    let (tape, count) = (Tape::new(ask(&["search"])), Cell::new(0));
    assert_eq!(used(&tape, &call("search", 1), &count), Err(Halted));
    tape.wait(Timestamp(5));
    let restored = Tape::restored(ask(&["search"]), tape.read()).unwrap();
    restored.decide(Decision { reason: "not today".to_owned(), ..decision(false) });
    let error = used(&restored, &call("search", 1), &count).unwrap().unwrap_err();
    assert_eq!((error.code, error.details.as_str()), (Code::Rejected, "not today"));
    assert_eq!(used(&restored, &call("search", 1), &count), Err(Halted), "it may be asked for again");
    let sealed = Tape::sealed(ask(&["search"]), restored.takes());
    assert_eq!(used(&sealed, &call("search", 1), &count).unwrap().unwrap_err(), error);
    assert_eq!(count.get(), 0);
}

#[test]
fn where_nobody_can_be_asked_a_tool_that_needs_approval_is_refused() {
    let (tape, count) = (Tape::new(Gate::Refuse(vec!["search".to_owned()])), Cell::new(0));
    assert_eq!(used(&tape, &call("search", 1), &count).unwrap().unwrap_err().code, Code::AgentFailed);
    assert!(used(&tape, &call("clock", 1), &count).unwrap().is_ok());
    assert_eq!(count.get(), 1);
}

#[test]
fn a_tool_may_want_approval_itself() {
    let (tape, count) = (Tape::default(), Cell::new(0));
    let guarded = Call { guarded: true, ..call("deploy", 1) };
    assert_eq!(used(&tape, &guarded, &count), Err(Halted));
    tape.decide(decision(true));
    assert!(used(&tape, &guarded, &count).unwrap().is_ok());
}

#[test]
fn a_sealed_tape_gives_back_what_it_holds_and_does_nothing() {
    let (live, count) = (Tape::new(Gate::default()), Cell::new(0));
    used(&live, &call("search", 1), &count).unwrap().unwrap();
    let reply = Reply { response: json!("hello"), ..Reply::default() };
    live.model(json!({ "prompt": "a" }), async { Ok(reply.clone()) }).now_or_never().unwrap().unwrap();
    let takes = live.read().takes.iter().map(|json| serde_json::from_str(json).unwrap()).collect::<Vec<Take>>();
    assert_eq!(takes, live.takes(), "a take survives being written down");

    let sealed = Tape::sealed(Gate::default(), takes.clone());
    assert_eq!(used(&sealed, &call("search", 1), &count).unwrap().unwrap().text, "search 1");
    let asked = sealed.model(json!({ "prompt": "b" }), async { unreachable!() }).now_or_never().unwrap();
    assert_eq!(asked.unwrap(), reply);
    assert!(sealed.left().is_empty());
    assert!(used(&sealed, &call("search", 2), &count).unwrap().is_err());
    assert_eq!((sealed.unknown().len(), count.get()), (1, 1));
    assert!(sealed.model(json!({}), async { unreachable!() }).now_or_never().unwrap().is_err());
}

#[test]
fn a_tape_has_an_end() {
    let tape = Tape::new(ask(&["search"]));
    let long = Output { text: "x".repeat(MAX_TAKE - 1000), ..Output::default() };
    for n in 0..5 {
        tape.tool(&call("clock", n), async { Ok(long.clone()) }).now_or_never().unwrap().unwrap().unwrap();
    }
    assert_eq!((tape.takes().len(), tape.is_complete()), (3, false));
    let refused = tape.tool(&call("search", 1), async { unreachable!() }).now_or_never().unwrap();
    assert!(refused.unwrap().is_err(), "what cannot be taken up again does not wait");
}
