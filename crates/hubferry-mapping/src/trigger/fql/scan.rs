//! A trigger's text as tokens.

use crate::text::js_number;
use crate::trigger::TriggerFault;

/// A token and where it starts, in characters from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Not,
    And,
    Or,
    In,
    Sign(Sign),
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Path(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::trigger) enum Sign {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) fn scan(text: &str) -> Result<Vec<Token>, TriggerFault> {
    let mut scanner = Scanner {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn token(&mut self) -> Result<Option<Token>, TriggerFault> {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        let at = self.at + 1;
        let kind = match first {
            '(' => self.one(Kind::Open),
            ')' => self.one(Kind::Close),
            '[' => self.one(Kind::OpenList),
            ']' => self.one(Kind::CloseList),
            ',' => self.one(Kind::Comma),
            '=' | '!' | '<' | '>' => self.sign()?,
            '"' | '\'' => Kind::Text(self.text(first)?),
            '0'..='9' | '+' | '-' => self.number()?,
            c if begins_key(c) => self.path()?,
            other => {
                return Err(TriggerFault::invalid(
                    at,
                    format!("`{other}` must be preceded by a backslash in a field's name"),
                ));
            }
        };
        Ok(Some(Token { at, kind }))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn sign(&mut self) -> Result<Kind, TriggerFault> {
        let first = self.peek();
        let is_followed_by_equal = self.chars.get(self.at + 1) == Some(&'=');
        let (kind, length) = match (first, is_followed_by_equal) {
            (Some('='), true) => {
                let message = "equality is written with one `=`";
                return Err(TriggerFault::invalid(self.at + 1, message));
            }
            (Some('='), false) => (Kind::Sign(Sign::Equal), 1),
            (Some('!'), true) => (Kind::Sign(Sign::NotEqual), 2),
            (Some('<'), true) => (Kind::Sign(Sign::LessOrEqual), 2),
            (Some('<'), false) => (Kind::Sign(Sign::Less), 1),
            (Some('>'), true) => (Kind::Sign(Sign::GreaterOrEqual), 2),
            (Some('>'), false) => (Kind::Sign(Sign::Greater), 1),
            _ => (Kind::Not, 1),
        };
        self.at += length;
        Ok(kind)
    }

    /// A backslash escapes a quote, itself, and the letters n, r, t; before anything else it stays, so that globs can
    /// be written without doubling it.
    fn text(&mut self, quote: char) -> Result<String, TriggerFault> {
        let start = self.at + 1;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == quote {
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match self.peek() {
                Some(escaped @ ('"' | '\'' | '\\')) => text.push(escaped),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                _ => {
                    text.push('\\');
                    continue;
                }
            }
            self.at += 1;
        }
        Err(TriggerFault::invalid(
            start,
            "the text has no closing quote",
        ))
    }

    /// `10`, `-1.5`, `+3`; no exponent.
    fn number(&mut self) -> Result<Kind, TriggerFault> {
        let start = self.at;
        self.at += 1;
        while self.peek().is_some_and(|c| is_key(c) || c == '.') {
            self.at += 1;
        }
        let written: String = self.chars[start..self.at].iter().collect();
        let unsigned = written.strip_prefix(['+', '-']).unwrap_or(&written);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let is_number = [whole, fraction]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let number = js_number(&written);
        if !is_number || !number.is_finite() {
            let message = "expected a number, as in 10 or -1.5; other texts stand in quotes";
            return Err(TriggerFault::invalid(start + 1, message));
        }
        Ok(Kind::Number(number))
    }

    /// A path of keys, or a word with a meaning of its own.
    fn path(&mut self) -> Result<Kind, TriggerFault> {
        let start = self.at;
        let mut keys = vec![self.key()?];
        loop {
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    keys.push(self.key()?);
                }
                Some('[') => {
                    self.at += 1;
                    keys.push(self.bracketed()?);
                }
                _ => break,
            }
        }
        let written: String = self.chars[start..self.at].iter().collect();
        Ok(match written.as_str() {
            "and" => Kind::And,
            "or" => Kind::Or,
            "in" => Kind::In,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            _ => Kind::Path(keys),
        })
    }

    fn key(&mut self) -> Result<String, TriggerFault> {
        let mut key = String::new();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.at += 1;
                let Some(escaped) = self.peek() else {
                    let message = "a character must follow the backslash";
                    return Err(TriggerFault::invalid(self.at, message));
                };
                key.push(escaped);
            } else if is_key(c) {
                key.push(c);
            } else {
                break;
            }
            self.at += 1;
        }
        if key.is_empty() {
            let message = "a key must follow the dot";
            return Err(TriggerFault::invalid(self.at + 1, message));
        }
        Ok(key)
    }

    fn bracketed(&mut self) -> Result<String, TriggerFault> {
        let start = self.at + 1;
        let key = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.text(quote)?,
            _ => {
                let from = self.at;
                while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.at += 1;
                }
                self.chars[from..self.at].iter().collect()
            }
        };
        if self.peek() != Some(']') || key.is_empty() {
            let message = "expected a position or a key in quotes, then `]`";
            return Err(TriggerFault::invalid(start, message));
        }
        self.at += 1;
        Ok(key)
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn begins_key(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '\\')
}

fn is_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}
