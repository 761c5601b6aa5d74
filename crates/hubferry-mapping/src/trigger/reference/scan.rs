//! A trigger's text as the reference's tokens.

use crate::trigger::TriggerFault;

/// A token and where it starts, in UTF-16 units from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
    /// The text that stands for the token; texts keep their quotes.
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Dot,
    Operator,
    /// `and` and `or`.
    Join,
    Text,
    Number,
    Null,
    Open,
    Close,
    /// Brackets and commas, which mean nothing by themselves.
    Other,
    End,
}

pub(super) fn scan(text: &str) -> Result<Vec<Token>, TriggerFault> {
    let mut scanner = Scanner {
        units: text.encode_utf16().collect(),
        next: 0,
    };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.token()? {
        tokens.push(token);
    }
    tokens.push(end_token(scanner.next + 1));
    Ok(tokens)
}

/// The end has a value too, with which a test whose own value is missing compares.
pub(super) fn end_token(at: usize) -> Token {
    Token {
        at,
        kind: Kind::End,
        value: "eos".to_owned(),
    }
}

/// Joins words with the dots between them; blanks around a dot do not matter.
pub(super) fn join_paths(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if token.kind == Kind::Dot
            && let Some(last) = joined.last_mut().filter(|last| last.kind == Kind::Word)
            && let Some(key) = rest.next_if(|next| next.kind == Kind::Word)
        {
            last.value.push('.');
            last.value.push_str(&key.value);
        } else {
            joined.push(token);
        }
    }
    joined
}

struct Scanner {
    units: Vec<u16>,
    next: usize,
}

impl Scanner {
    fn token(&mut self) -> Result<Option<Token>, TriggerFault> {
        let first = loop {
            match self.take() {
                None => return Ok(None),
                Some(' ' | '\t' | '\n') => {}
                Some(c) => break c,
            }
        };
        let at = self.next;
        let (kind, value) = match first {
            '!' if self
                .peek()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '(') =>
            {
                (Kind::Operator, "!".to_owned())
            }
            '!' if self.accept("=") => (Kind::Operator, "!=".to_owned()),
            '!' => {
                return Err(
                    self.fault("`!` stands before a function or a group, `!=` before a blank")
                );
            }
            '=' => (Kind::Operator, "=".to_owned()),
            '<' | '>' if self.accept("=") => (Kind::Operator, format!("{first}=")),
            '<' | '>' => (Kind::Operator, first.to_string()),
            'a' if self.accept("nd") => (Kind::Join, "and".to_owned()),
            'o' if self.accept("r") => (Kind::Join, "or".to_owned()),
            'n' if self.accept("ull") => (Kind::Null, "null".to_owned()),
            'a'..='z' | 'A'..='Z' | '\\' | '_' => (Kind::Word, self.word(first)?),
            '0'..='9' | '-' | '+' => (Kind::Number, self.number(first)?),
            '"' | '\'' => (Kind::Text, self.text(first)?),
            '.' => (Kind::Dot, ".".to_owned()),
            '(' => (Kind::Open, "(".to_owned()),
            ')' => (Kind::Close, ")".to_owned()),
            '[' | ']' | ',' => (Kind::Other, first.to_string()),
            other => {
                return Err(self.fault(format!(
                    "`{other}` must be preceded by a backslash in a field's name"
                )));
            }
        };
        Ok(Some(Token { at, kind, value }))
    }

    fn fault(&self, message: impl Into<String>) -> TriggerFault {
        TriggerFault::invalid(self.next, message)
    }

    /// Half of a surrogate pair is U+FFFD, which like any pair is no part of a word.
    fn peek(&self) -> Option<char> {
        let unit = *self.units.get(self.next)?;
        Some(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.next += 1;
        Some(c)
    }

    fn ends_token(&self) -> bool {
        self.peek().is_none_or(is_terminator)
    }

    /// Takes `wanted` if a token may end behind it. As many characters are looked at as `wanted` has, and when the text
    /// ends meanwhile they are lost: `an` at the end is the word `a`.
    fn accept(&mut self, wanted: &str) -> bool {
        let start = self.next;
        let mut read = String::new();
        for _ in wanted.chars() {
            let Some(c) = self.take() else {
                return false;
            };
            read.push(c);
            if is_terminator(c) {
                break;
            }
        }
        if read == wanted && self.ends_token() {
            return true;
        }
        self.next = start;
        false
    }

    fn word(&mut self, first: char) -> Result<String, TriggerFault> {
        let mut word = String::new();
        let mut current = first;
        loop {
            if current == '\\' {
                match self.take() {
                    Some(escaped) => current = escaped,
                    None => return Err(self.fault("a character must follow the backslash")),
                }
            }
            word.push(current);
            match self.peek() {
                Some(c) if is_word(c) => {
                    self.next += 1;
                    current = c;
                }
                _ => break,
            }
        }
        match self.peek() {
            Some(c) if !is_terminator(c) && !matches!(c, '.' | '(' | '=' | '!') => {
                Err(self.fault(format!("`{c}` cannot follow a word")))
            }
            _ => Ok(word),
        }
    }

    fn number(&mut self, first: char) -> Result<String, TriggerFault> {
        let mut number = String::from(first);
        let mut has_point = false;
        while let Some(c) = self.peek().filter(|c| c.is_ascii_digit() || *c == '.') {
            self.next += 1;
            if c == '.' {
                if self.ends_token() || has_point {
                    return Err(self.fault("a number has one point with digits behind it"));
                }
                has_point = true;
            }
            number.push(c);
        }
        Ok(number)
    }

    /// The closing quote is taken only when a token may end there; otherwise it opens the next text.
    fn text(&mut self, quote: char) -> Result<String, TriggerFault> {
        let start = self.next;
        loop {
            match self.peek() {
                None => {
                    return Err(TriggerFault::invalid(
                        start,
                        "the text has no closing quote",
                    ));
                }
                Some(c) if c == quote => break,
                Some(_) => self.next += 1,
            }
        }
        let inner = String::from_utf16_lossy(&self.units[start..self.next]);
        self.next += 1;
        if !self.ends_token() {
            self.next -= 1;
        }
        Ok(format!("{quote}{inner}{quote}"))
    }
}

const fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ',' | ']' | ')')
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\\')
}
