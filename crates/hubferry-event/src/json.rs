//! JSON text to a value, in one pass.
//!
//! `serde_json` reads the same language, but not with these rules: 128 levels of nesting are fine and the 129th has
//! its own code; lone surrogate escapes become U+FFFD and are counted; an object whose first key is the one that
//! `serde_json` reserves for big numbers stays an object; a fault names the JSON path; and the elements of an
//! envelope are judged one by one while the text is read.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Map, Number, Value};

use crate::malformed::{Malformed, MalformedCode};

/// How many objects and arrays may stand inside each other.
pub const MAX_DEPTH: u32 = 128;

/// Reads one JSON text with the rules of events: numbers keep their digits, of duplicate keys the last wins, lone
/// surrogate escapes become U+FFFD.
///
/// # Errors
/// `parse_error` when the bytes are no UTF-8 or no JSON, `too_deep` beyond [`MAX_DEPTH`].
pub fn parse_json(text: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader::over(utf8(text)?);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// The bytes as text, or the offset of the first byte that is none.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|fault| {
        Malformed::new(
            MalformedCode::ParseError,
            format!("the bytes are not UTF-8 from byte {}", fault.valid_up_to()),
        )
    })
}

/// A cursor over one JSON text.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    replaced: u32,
}

/// One element of an array, with its own result, so that a bad neighbour does not matter.
pub(crate) struct RawElement {
    /// Where the element stands in the text.
    pub(crate) span: Range<usize>,
    /// The value, or `too_deep`.
    pub(crate) value: Result<Value, Malformed>,
    /// How many lone surrogate escapes were replaced.
    pub(crate) replaced: u32,
}

/// What the top level of a message is.
pub(crate) enum Top {
    /// An object without a `batch` array.
    Plain(Map<String, Value>),
    /// An object with a `batch` array: its other members and the elements.
    Envelope(Map<String, Value>, Vec<RawElement>),
    /// Any other JSON value.
    Other,
}

impl<'a> Reader<'a> {
    pub(crate) const fn over(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            replaced: 0,
        }
    }

    /// How many lone surrogate escapes were replaced so far.
    pub(crate) const fn replaced(&self) -> u32 {
        self.replaced
    }

    /// Reads a whole message.
    pub(crate) fn top(&mut self) -> Result<Top, Malformed> {
        self.skip_blank();
        let top = if self.peek() == Some(b'{') {
            self.top_object()?
        } else {
            self.value()?;
            Top::Other
        };
        self.end()?;
        Ok(top)
    }

    fn top_object(&mut self) -> Result<Top, Fault> {
        let mut batch = None;
        let mut members = Map::new();
        self.members(|reader, key| {
            if key == "batch" && reader.peek() == Some(b'[') {
                members.shift_remove(&key);
                batch = Some(reader.elements()?);
                return Ok(());
            }
            if key == "batch" {
                batch = None;
            }
            match reader.value() {
                Ok(value) => {
                    members.insert(key, value);
                    Ok(())
                }
                Err(fault) => Err(fault.inside_key(&key)),
            }
        })?;
        Ok(match batch {
            Some(elements) => Top::Envelope(members, elements),
            None => Top::Plain(members),
        })
    }

    /// Reads an array whose elements are judged one by one; each starts at depth zero.
    pub(crate) fn elements(&mut self) -> Result<Vec<RawElement>, Fault> {
        self.at += 1;
        let mut elements = Vec::new();
        let outer = std::mem::take(&mut self.depth);
        self.skip_blank();
        if !self.eat(b']') {
            loop {
                let index = elements.len();
                let element = self.element().map_err(|f| f.inside_index(index))?;
                elements.push(element);
                if self.comma_or(b']', "expected `,` or `]`")? {
                    break;
                }
            }
        }
        self.depth = outer;
        Ok(elements)
    }

    fn element(&mut self) -> Result<RawElement, Fault> {
        self.skip_blank();
        let start = self.at;
        let replaced_before = self.replaced;
        let value = match self.value() {
            Ok(value) => Ok(value),
            Err(fault) if fault.0.code == MalformedCode::TooDeep => {
                self.at = start;
                self.depth = 0;
                self.skip_value()?;
                Err(Malformed::from(fault))
            }
            Err(fault) => return Err(fault),
        };
        Ok(RawElement {
            span: start..self.at,
            value,
            replaced: self.replaced - replaced_before,
        })
    }

    /// Whether nothing but blanks follows.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.skip_blank();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.fault("expected the end of the text"))
        }
    }

    /// Reads one value.
    pub(crate) fn value(&mut self) -> Result<Value, Fault> {
        self.skip_blank();
        match self.peek() {
            Some(b'{') => self.object().map(Value::Object),
            Some(b'[') => self.array().map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.fault("expected a value")),
            None => Err(self.fault("the text ends where a value should stand")),
        }
    }

    fn object(&mut self) -> Result<Map<String, Value>, Fault> {
        let mut map = Map::new();
        self.members(|reader, key| match reader.value() {
            Ok(value) => {
                map.insert(key, value);
                Ok(())
            }
            Err(fault) => Err(fault.inside_key(&key)),
        })?;
        Ok(map)
    }

    /// Walks an object; `member` reads the value that follows a key.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, String) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.descend()?;
        self.skip_blank();
        if !self.eat(b'}') {
            loop {
                self.skip_blank();
                if self.peek() != Some(b'"') {
                    return Err(self.fault("expected a key in quotes"));
                }
                let key = self.string()?;
                self.skip_blank();
                if !self.eat(b':') {
                    return Err(self.fault("expected `:`"));
                }
                self.skip_blank();
                member(self, key)?;
                if self.comma_or(b'}', "expected `,` or `}`")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<Vec<Value>, Fault> {
        self.descend()?;
        let mut items = Vec::new();
        self.skip_blank();
        if !self.eat(b']') {
            loop {
                let index = items.len();
                items.push(self.value().map_err(|f| f.inside_index(index))?);
                if self.comma_or(b']', "expected `,` or `]`")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(items)
    }

    fn descend(&mut self) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(
                MalformedCode::TooDeep,
                self.at,
                "more than 128 levels of nesting",
            ));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Takes a comma (false) or the closing bracket (true).
    fn comma_or(&mut self, close: u8, expected: &'static str) -> Result<bool, Fault> {
        self.skip_blank();
        if self.eat(b',') {
            Ok(false)
        } else if self.eat(close) {
            Ok(true)
        } else {
            Err(self.fault(expected))
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Fault> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.fault("expected a value"))
        }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits("expected a digit")?;
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.digits("expected a digit after the decimal point")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits("expected a digit in the exponent")?;
        }
        let text = &self.text[start..self.at];
        // "-0" must keep its sign, so that the text survives as it was written.
        if whole
            && text != "-0"
            && let Ok(small) = text.parse::<i64>()
        {
            return Ok(small.into());
        }
        text.parse()
            .map_err(|_| Fault::new(MalformedCode::ParseError, start, "expected a number"))
    }

    fn digits(&mut self, expected: &'static str) -> Result<(), Fault> {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.fault(expected));
        }
        self.at += count;
        Ok(())
    }

    /// Reads a string; most have no escape and are copied in one piece.
    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let length = self.plain_length()?;
        let plain = &self.text[self.at..self.at + length];
        self.at += length;
        if self.eat(b'"') {
            return Ok(plain.to_owned());
        }
        let mut out = plain.to_owned();
        loop {
            if self.eat(b'"') {
                return Ok(out);
            }
            self.at += 1;
            self.escape(&mut out)?;
            let length = self.plain_length()?;
            out.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
        }
    }

    /// How many bytes there are up to the next quote or backslash, which must come.
    fn plain_length(&self) -> Result<usize, Fault> {
        let stop = self
            .rest()
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        match stop {
            Some(length) if self.rest()[length] >= 0x20 => Ok(length),
            Some(length) => Err(Fault::new(
                MalformedCode::ParseError,
                self.at + length,
                "a control character must be escaped in a string",
            )),
            None => Err(Fault::new(
                MalformedCode::ParseError,
                self.text.len(),
                "the text ends inside a string",
            )),
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let decoded = self.unicode_escape()?;
                out.push(decoded);
                return Ok(());
            }
            _ => return Err(self.fault("unknown escape in a string")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<char, Fault> {
        let first = self.four_hex()?;
        if let Some(decoded) = char::from_u32(first) {
            return Ok(decoded);
        }
        let is_high = (0xD800..0xDC00).contains(&first);
        if is_high && self.rest().starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.four_hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        self.replaced += 1;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn four_hex(&mut self) -> Result<u32, Fault> {
        let digits = self.rest().get(..4).unwrap_or_default();
        let mut code = 0;
        for &digit in digits {
            match char::from(digit).to_digit(16) {
                Some(value) => code = code * 16 + value,
                None => return Err(self.fault("expected four hexadecimal digits after `\\u`")),
            }
        }
        if digits.len() < 4 {
            return Err(self.fault("expected four hexadecimal digits after `\\u`"));
        }
        self.at += 4;
        Ok(code)
    }

    /// Steps over one value without building or checking it: only brackets and strings are followed.
    fn skip_value(&mut self) -> Result<(), Fault> {
        let mut closers = Vec::new();
        loop {
            self.skip_blank();
            match self.peek() {
                Some(b'{') => closers.push(b'}'),
                Some(b'[') => closers.push(b']'),
                Some(b'"') => {
                    self.string()?;
                    self.at -= 1;
                }
                Some(close @ (b'}' | b']')) => {
                    if closers.pop() != Some(close) {
                        return Err(self.fault("a bracket closes what is not open"));
                    }
                }
                Some(_) => {}
                None => return Err(self.fault("the text ends inside a value")),
            }
            self.at += 1;
            if closers.is_empty() {
                return Ok(());
            }
        }
    }

    pub(crate) fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn fault(&self, rule: &'static str) -> Fault {
        Fault::new(MalformedCode::ParseError, self.at, rule)
    }
}

/// A broken rule and its place; the path grows from the inside out while the reader gives up.
pub(crate) struct Fault(Box<Broken>);

struct Broken {
    code: MalformedCode,
    at: usize,
    rule: &'static str,
    path_inside_out: Vec<String>,
}

/// How many steps of a path a message shows.
const SHOWN_STEPS: usize = 8;

impl Fault {
    fn new(code: MalformedCode, at: usize, rule: &'static str) -> Self {
        Self(Box::new(Broken {
            code,
            at,
            rule,
            path_inside_out: Vec::new(),
        }))
    }

    fn inside_key(mut self, key: &str) -> Self {
        self.0.path_inside_out.push(key_step(key));
        self
    }

    fn inside_index(mut self, index: usize) -> Self {
        self.0.path_inside_out.push(format!("[{index}]"));
        self
    }
}

/// A key as a step of a path. Keys that do not look like a field's name may be data and stay out of messages.
fn key_step(key: &str) -> String {
    let is_name = !key.is_empty()
        && key.len() <= 64
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$' | b' '));
    if is_name {
        format!(".{key}")
    } else {
        "[***]".to_owned()
    }
}

impl From<Fault> for Malformed {
    fn from(fault: Fault) -> Self {
        let broken = *fault.0;
        let mut message = format!("{} at byte {}, in $", broken.rule, broken.at);
        for step in broken.path_inside_out.iter().rev().take(SHOWN_STEPS) {
            message.push_str(step);
        }
        if let Some(more) = broken.path_inside_out.len().checked_sub(SHOWN_STEPS + 1) {
            // Writing to a string cannot fail.
            write!(message, " and {} levels deeper", more + 1).unwrap_or_default();
        }
        Self::new(broken.code, message)
    }
}

#[cfg(test)]
mod tests;
