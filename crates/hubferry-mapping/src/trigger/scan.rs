//! A trigger's text as tokens.

use super::TriggerFault;

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
    Comma,
    /// `!` before `contains` or `match`.
    Not,
    Operator(Operator),
    /// `"…"`; there is no escape in it.
    Text(String),
    /// A run of letters, digits, `_`, `-`, `+` and dots.
    Word(Word),
}

/// A word in its two readings: as a path of keys and as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) written: String,
    pub(super) keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) fn fault(at: usize, message: impl Into<String>) -> TriggerFault {
    TriggerFault {
        at,
        message: message.into(),
    }
}

pub(super) fn scan(text: &str) -> Result<Vec<Token>, TriggerFault> {
    let mut scanner = Scanner {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn next(&mut self) -> Result<Option<Token>, TriggerFault> {
        while self.peek(0).is_some_and(is_blank) {
            self.at += 1;
        }
        let Some(first) = self.peek(0) else {
            return Ok(None);
        };
        let at = self.at + 1;
        let kind = match first {
            '(' => self.one(Kind::Open),
            ')' => self.one(Kind::Close),
            ',' => self.one(Kind::Comma),
            '"' => self.text()?,
            '!' if self.peek(1) != Some('=') => self.one(Kind::Not),
            '=' | '!' | '<' | '>' => self.operator()?,
            '\'' => return Err(fault(at, "texts stand in double quotes")),
            c if is_word(c) || c == '\\' || c == '+' => Kind::Word(self.word()?),
            other => {
                return Err(fault(
                    at,
                    format!("`{other}` must be preceded by a backslash in a field's name"),
                ));
            }
        };
        Ok(Some(Token { at, kind }))
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn text(&mut self) -> Result<Kind, TriggerFault> {
        let start = self.at + 1;
        let rest = self.chars.get(start..).unwrap_or_default();
        let Some(length) = rest.iter().position(|c| *c == '"') else {
            return Err(fault(start, "the text has no closing quote"));
        };
        self.at = start + length + 1;
        let ends = self
            .peek(0)
            .is_none_or(|c| is_blank(c) || matches!(c, ')' | ','));
        if !ends {
            return Err(fault(self.at + 1, "a blank must follow the closing quote"));
        }
        Ok(Kind::Text(rest[..length].iter().collect()))
    }

    /// `=` may touch its neighbours; the others need blanks, without which the reference does not understand them.
    fn operator(&mut self) -> Result<Kind, TriggerFault> {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|c| matches!(c, '=' | '!' | '<' | '>'))
        {
            self.at += 1;
        }
        let written: String = self.chars[start..self.at].iter().collect();
        let operator = match written.as_str() {
            "=" => return Ok(Kind::Operator(Operator::Equal)),
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "==" => return Err(fault(start + 1, "equality is written with one `=`")),
            other => return Err(fault(start + 1, format!("`{other}` is no operator"))),
        };
        let touches_left = start > 0 && !is_blank(self.chars[start - 1]);
        let touches_right = self.peek(0).is_some_and(|c| !is_blank(c));
        if touches_left || touches_right {
            return Err(fault(
                start + 1,
                format!("`{written}` needs a blank on both sides"),
            ));
        }
        Ok(Kind::Operator(operator))
    }

    fn word(&mut self) -> Result<Word, TriggerFault> {
        let mut word = Word {
            written: String::new(),
            keys: vec![String::new()],
        };
        while let Some(c) = self.peek(0) {
            let (key_char, length) = match c {
                '\\' => match self.peek(1) {
                    Some('.') => {
                        return Err(fault(
                            self.at + 1,
                            "a key with a dot in it cannot be addressed",
                        ));
                    }
                    Some(escaped) => (Some(escaped), 2),
                    None => {
                        return Err(fault(self.at + 1, "a character must follow the backslash"));
                    }
                },
                '.' => (None, 1),
                c if is_word(c) || c == '+' => (Some(c), 1),
                _ => break,
            };
            word.written.extend(&self.chars[self.at..self.at + length]);
            match (key_char, word.keys.last_mut()) {
                (Some(c), Some(key)) => key.push(c),
                _ => word.keys.push(String::new()),
            }
            self.at += length;
        }
        Ok(word)
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
