//! Arithmetic as a person expects it: exact fractions, precedence, powers, percentages, and honest limits.
//!
//! `reading` finds the expression in what somebody says (`number`: the numbers in words), `parse` makes a tree of it, `value` computes.

mod number;
mod parse;
mod reading;
mod value;

use serde_json::{Value as Json, json};

use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::Error;
use crate::text::Reading;

/// Computes expressions.
#[derive(Debug)]
pub struct Arithmetic;

impl Tool for Arithmetic {
    fn name(&self) -> &str {
        "arithmetic"
    }

    fn description(&self) -> &str {
        "calculate: exact numbers, powers, roots, percentages, factorials"
    }

    fn parameters(&self) -> Json {
        json!({
            "type": "object",
            "properties": {
                "expression": { "type": "string", "description": "such as 12 * (3 + 4), 15% of 80, sqrt(2)" }
            },
            "required": ["expression"]
        })
    }

    fn bid(&self, text: &str, parameters: &Json, _scene: &Scene) -> Option<Bid> {
        let found = match argument::text(parameters, "expression") {
            Some(spelled) => reading::Found { expression: spelled.to_owned(), score: 0.95 },
            None => {
                let reading = Reading::of(text);
                let in_subject = || reading.subject.and_then(|subject| reading::find(&reading.head, subject));
                reading::find("", text).or_else(in_subject)?
            }
        };
        let intent = format!("compute {}", found.expression);
        Some(Bid { score: found.score, arguments: json!({ "expression": found.expression }), intent })
    }

    fn call(&self, arguments: &Json, _scene: &Scene) -> Result<Output, Error> {
        let spelled = argument::required(arguments, "expression", "an expression such as 12 * (3 + 4)")?;
        if spelled.len() > parse::MAX_EXPRESSION {
            return Err(Error::invalid("expression", "at most 1000 characters"));
        }
        let expression = reading::normal(spelled);
        let result = parse::parse(&expression)?.value()?;
        let (shown, exact) = result.show();
        let sign = if exact { "=" } else { "≈" };
        let data = json!({ "expression": expression, "result": shown, "exact": exact });
        Ok(Output { text: format!("{expression} {sign} {shown}"), data, ..Output::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::scene;
    use proptest::prelude::*;

    fn ask(text: &str) -> Option<String> {
        let scene = scene();
        let bid = Arithmetic.bid(text, &Json::Null, &scene)?;
        assert!((0.5..=1.0).contains(&bid.score), "{text}");
        Some(match Arithmetic.call(&bid.arguments, &scene) {
            Ok(output) => output.data["result"].as_str().unwrap().to_owned(),
            Err(error) => error.to_string(),
        })
    }

    #[test]
    fn it_computes_as_a_person_expects() {
        let cases = [
            ("what is 12 * (3+4)?", "84"),
            ("15% of 80", "12"),
            ("what's 15% of 240", "36"),
            ("200 + 10%", "220"),
            ("200 - 10%", "180"),
            ("50 * 10%", "5"),
            ("2^100", "1267650600228229401496703205376"),
            ("2 ** -1", "0.5"),
            ("0.1+0.2", "0.3"),
            ("10/4", "2.5"),
            ("1/3", "0.333333333333"),
            ("(1/3)*3", "1"),
            ("seven times eight", "56"),
            ("what is twenty-five plus one hundred and five?", "130"),
            ("17 mod 5", "2"),
            ("17 % 5", "2"),
            ("-17 mod 5", "3"),
            ("sqrt(16)", "4"),
            ("square root of 2", "1.41421356237"),
            ("1,000 * 3", "3000"),
            ("-2^2", "-4"),
            ("(-2)^2", "4"),
            ("2^3^2", "512"),
            ("5!", "120"),
            ("factorial of 10", "3628800"),
            ("please multiply 6 by 7", "42"),
            ("divide 10 by 4", "2.5"),
            ("add 3 and 4", "7"),
            ("subtract 3 from 10", "7"),
            ("what is the sum of 3, 4 and 5?", "12"),
            ("product of 6 and 7", "42"),
            ("calculate the following: 3 * (2 + 1)", "9"),
            ("How much is 6 x 7?", "42"),
            ("6 × 7 − 2", "40"),
            ("12 divided by 5", "2.4"),
            ("3 squared plus 4 squared", "25"),
            ("2 to the power of 10", "1024"),
            ("20 percent of 50", "10"),
            ("half of 15", "7.5"),
            ("2(3+4)", "14"),
            ("3+4=?", "7"),
            ("9 ^ 0.5", "3"),
            ("1e3 * 2", "2000"),
            ("what is the average of 3, 4 and 8?", "5"),
            ("increase 200 by 10%", "220"),
            ("reduce 80 by 25%", "60"),
            ("what's a hundred minus one?", "99"),
        ];
        for (text, result) in cases {
            assert_eq!(ask(text).as_deref(), Some(result), "{text}");
        }
    }

    #[test]
    fn what_has_no_answer_is_said_clearly() {
        let cases = [
            ("1/0", "zero"),
            ("what is 5 mod 0", "zero"),
            ("0 ^ -1", "zero"),
            ("9^9^9^9", "digits"),
            ("100000!", "factorial"),
            ("2.5!", "whole"),
            ("sqrt(-4)", "negative"),
            ("2 ^ 0.3", "whole"),
        ];
        for (text, word) in cases {
            let said = ask(text).unwrap_or_default();
            assert!(said.contains(word), "{text}: {said}");
        }
        let deep = format!("{}1{}", "(".repeat(400), ")".repeat(400));
        let said = Arithmetic.call(&json!({ "expression": deep }), &scene()).unwrap_err().to_string();
        assert!(said.contains("nested"), "{said}");
        for bad in ["", "1 +", "(1", "1 2", "foo", "1 + x", &"1+".repeat(600)] {
            assert!(Arithmetic.call(&json!({ "expression": bad }), &scene()).is_err(), "{bad}");
        }
        assert!(Arithmetic.call(&json!({ "expression": 3 }), &scene()).unwrap_err().to_string().contains("expression"));
    }

    #[test]
    fn what_is_no_sum_is_left_alone() {
        let texts = [
            "2026-11-21",
            "what happened on 2026-11-21?",
            "call me at 555-1234",
            "version 1.2.3",
            "I have 3 cats and 4 dogs",
            "see https://example.com/1-2/3*4",
            "First question",
            "one or two things",
            "24/7 support",
            "a 1-2 week delay",
            "what is 5?",
            "the a-b test, 50% done",
            "the time is 10:30",
            "what is the 2-3 page report about?",
            "what's new in 3/4 time?",
            "C++ is fun - isn't it?",
            "how many days until 2026-12-25",
            "she came 1st and he came 2nd",
        ];
        for text in texts {
            assert_eq!(ask(text), None, "{text}");
        }
    }

    #[test]
    fn long_texts_are_no_expressions() {
        let long = "1+".repeat(100_000) + "1";
        assert_eq!(ask(&long), None);
        assert!(parse::parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn it_agrees_with_integers(a in -1000i64..1000, b in -1000i64..1000, c in 1i64..1000) {
            let spelled = format!("({a}) * ({b}) + ({c}) - ({b})");
            prop_assert_eq!(ask(&spelled), Some((a * b + c - b).to_string()));
            let back = format!("(({a}) / ({c})) * ({c})");
            prop_assert_eq!(ask(&back), Some(a.to_string()));
        }

        #[test]
        fn nothing_said_makes_it_panic(text in "[0-9a-z +*/^%!().,'x=-]{0,60}") {
            let _ = ask(&text);
            let _ = Arithmetic.call(&json!({ "expression": text }), &scene());
        }
    }
}
