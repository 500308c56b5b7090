//! From an expression to its value: a lexer and a Pratt parser.
//!
//! Precedence, weakest first: `+ -`, then `* / mod of` and a bracket behind a number, then a sign, then `^` (from the
//! right), then `!` and `%`. `a + b%` adds the share of `a`.

use super::value::Value;
use crate::protocol::{Code, Error};

/// The longest expression, in bytes: more than fits on ten lines. It also bounds the depth of the tree, which a long
/// sum makes as deep as it is long.
pub(super) const MAX_EXPRESSION: usize = 1000;

/// How deep brackets and signs may be nested: far beyond what people write, far below what a thread's stack holds.
const MAX_DEPTH: usize = 100;

/// What an expression is made of.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// As written, without commas.
    Number(String),
    /// One of `+ - * / ^ % ! m` (`m` for `mod`, `o` for `of`).
    Op(char),
    Open,
    Close,
    Root,
}

/// A tree of operations.
#[derive(Debug)]
pub(super) enum Tree {
    Number(String),
    Negative(Box<Tree>),
    Percent(Box<Tree>),
    Factorial(Box<Tree>),
    Root(Box<Tree>),
    Binary(char, Box<Tree>, Box<Tree>),
}

impl Tree {
    /// Computes the tree. Its depth is bounded by the parser.
    pub(super) fn value(&self) -> Result<Value, Error> {
        match self {
            Self::Number(text) => Value::written(text),
            Self::Negative(inner) => Ok(inner.value()?.negated()),
            Self::Percent(inner) => inner.value()?.percent(),
            Self::Factorial(inner) => inner.value()?.factorial(),
            Self::Root(inner) => inner.value()?.root(),
            Self::Binary(op, left, right) => binary(*op, &left.value()?, right),
        }
    }
}

fn binary(op: char, left: &Value, right: &Tree) -> Result<Value, Error> {
    let value = right.value()?;
    let share = |of: &Value| if matches!(right, Tree::Percent(_)) { of.times(&value) } else { Ok(value.clone()) };
    match op {
        '+' => left.plus(&share(left)?),
        '-' => left.minus(&share(left)?),
        '/' => left.over(&value),
        'm' => left.modulo(&value),
        '^' => left.power(&value),
        _ => left.times(&value),
    }
}

/// Parses all of an expression.
pub(super) fn parse(text: &str) -> Result<Tree, Error> {
    if text.len() > MAX_EXPRESSION {
        return Err(Error::new(Code::InvalidMessage, "The expression is longer than 1000 characters"));
    }
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0 };
    let tree = parser.expression(0)?;
    match parser.peek() {
        None => Ok(tree),
        Some(_) => Err(unclear(text)),
    }
}

fn unclear(text: &str) -> Error {
    Error::new(Code::InvalidMessage, format!("“{text}” is not an expression I can compute"))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn expression(&mut self, least: u8) -> Result<Tree, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(Code::InvalidMessage, "The expression is nested more than 100 deep"));
        }
        let mut left = self.operand()?;
        while let Some(op) = self.operator() {
            let (left_power, right_power) = powers(op);
            if left_power < least {
                break;
            }
            if op != ' ' {
                self.at += 1;
            }
            left = match op {
                '!' => Tree::Factorial(Box::new(left)),
                '%' => Tree::Percent(Box::new(left)),
                _ => self.right(op, left, right_power)?,
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn right(&mut self, op: char, left: Tree, power: u8) -> Result<Tree, Error> {
        Ok(Tree::Binary(op, Box::new(left), Box::new(self.expression(power)?)))
    }

    /// The operator that comes next: `m` for a `%` that an operand follows, a blank for a bracket that multiplies.
    fn operator(&self) -> Option<char> {
        match self.peek()? {
            Token::Op('%') if self.tokens.get(self.at + 1).is_some_and(Token::begins_operand) => Some('m'),
            Token::Op(op) => Some(*op),
            Token::Open | Token::Root => Some(' '),
            Token::Number(_) | Token::Close => None,
        }
    }

    fn operand(&mut self) -> Result<Tree, Error> {
        match self.next() {
            Some(Token::Number(text)) => Ok(Tree::Number(text)),
            Some(Token::Op('-')) => Ok(Tree::Negative(Box::new(self.expression(SIGN)?))),
            Some(Token::Op('+')) => self.expression(SIGN),
            Some(Token::Root) => Ok(Tree::Root(Box::new(self.expression(SIGN + 1)?))),
            Some(Token::Open) => {
                let inner = self.expression(0)?;
                if self.next() == Some(Token::Close) { Ok(inner) } else { Err(incomplete("a closing bracket")) }
            }
            _ => Err(incomplete("a number")),
        }
    }
}

fn incomplete(what: &str) -> Error {
    Error::new(Code::InvalidMessage, format!("The expression lacks {what}"))
}

/// How strongly a sign binds what follows it: more than `*`, less than `^`.
const SIGN: u8 = 5;

/// How strongly an operator binds to its left and to its right.
fn powers(op: char) -> (u8, u8) {
    match op {
        '+' | '-' => (1, 2),
        '^' => (8, 7),
        '!' | '%' => (9, 0),
        _ => (3, 4),
    }
}

impl Token {
    pub(super) fn begins_operand(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Open | Self::Root)
    }
}

/// Takes an expression in normal form apart.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '0'..='9' | '.' => {
                let length = number_length(rest);
                (Token::Number(rest[..length].replace(',', "")), length)
            }
            '*' if rest.starts_with("**") => (Token::Op('^'), 2),
            '+' | '-' | '*' | '/' | '^' | '%' | '!' => (Token::Op(first), 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            _ => {
                let word: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
                let token = match word.as_str() {
                    "mod" => Token::Op('m'),
                    "of" => Token::Op('o'),
                    "sqrt" => Token::Root,
                    _ => return Err(unclear(text)),
                };
                (token, word.len())
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// How long the number is that a text begins with: digits, commas before three digits, a point, an exponent.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while digit(at)
        || (at > 0 && bytes.get(at) == Some(&b',') && (1..=3).all(|ahead| digit(at + ahead)) && !digit(at + 4))
    {
        at += 1;
    }
    if bytes.get(at) == Some(&b'.') && (digit(at + 1) || at > 0) {
        at += 1;
        while digit(at) {
            at += 1;
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) && at > 0 {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if digit(at + 1 + sign) {
            at += 1 + sign;
            while digit(at) {
                at += 1;
            }
        }
    }
    at.max(1)
}
