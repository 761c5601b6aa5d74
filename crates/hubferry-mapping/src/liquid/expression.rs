//! Values, operators and filters as they are written.

use super::MAX_LIQUID_DEPTH;
use super::cursor::{Cursor, is_word};
use super::filters::FilterKind;
use super::value::Val;
use crate::text::js_number;

/// An expression and the filters it goes through.
#[derive(Clone, Debug)]
pub(super) struct Filtered {
    /// Operands and operators, each operator behind its operands.
    pub(super) postfix: Vec<Item>,
    pub(super) filters: Vec<FilterCall>,
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    Operand(Operand),
    Operator(Operator),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Val<'static>),
    /// A variable or another value, and the way into it.
    Access(Option<Box<Operand>>, Vec<Operand>),
    /// All whole numbers from one to another.
    Range(Box<Operand>, Box<Operand>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Contains,
    Not,
    And,
    Or,
}

#[derive(Clone, Debug)]
pub(super) struct FilterCall {
    pub(super) name: String,
    pub(super) kind: FilterKind,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Clone, Debug)]
pub(super) enum Argument {
    Value(Operand),
    Named(String, Option<Operand>),
}

type Fault = String;

/// An expression with its filters; a comma or a closing parenthesis ends it.
pub(super) fn filtered(cursor: &mut Cursor<'_>) -> Result<Filtered, Fault> {
    let postfix = expression(cursor)?;
    if postfix.is_empty() {
        return Err("has an expression without a value".to_owned());
    }
    let mut filters = Vec::new();
    while let Some(filter) = filter(cursor)? {
        filters.push(filter);
    }
    Ok(Filtered { postfix, filters })
}

/// Operators of the same precedence are joined from the right, as the engine does it: `a and b or c` is
/// `a and (b or c)`.
fn expression(cursor: &mut Cursor<'_>) -> Result<Vec<Item>, Fault> {
    let mut postfix = Vec::new();
    let mut waiting: Vec<Operator> = Vec::new();
    while !cursor.is_at_end() {
        if let Some(operator) = operator(cursor) {
            while let Some(top) = waiting.pop_if(|top| top.precedence() > operator.precedence()) {
                postfix.push(Item::Operator(top));
            }
            waiting.push(operator);
        } else if let Some(operand) = value(cursor)? {
            postfix.push(Item::Operand(operand));
        } else {
            break;
        }
    }
    while let Some(top) = waiting.pop() {
        postfix.push(Item::Operator(top));
    }
    Ok(postfix)
}

impl Operator {
    const WRITTEN: [(&'static str, Self); 10] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">=", Self::GreaterOrEqual),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        ("<", Self::Less),
        ("contains", Self::Contains),
        ("not", Self::Not),
        ("and", Self::And),
        ("or", Self::Or),
    ];

    const fn precedence(self) -> u8 {
        match self {
            Self::And | Self::Or => 0,
            Self::Not => 1,
            _ => 2,
        }
    }
}

fn operator(cursor: &mut Cursor<'_>) -> Option<Operator> {
    cursor.skip_blanks();
    keyword(cursor, &Operator::WRITTEN)
}

/// One of some words, if no other word character follows.
fn keyword<T: Clone>(cursor: &mut Cursor<'_>, words: &[(&str, T)]) -> Option<T> {
    let (written, meaning) = words.iter().find(|(written, _)| {
        cursor.is_before(written) && cursor.at + written.len() <= cursor.end
    })?;
    let ends_with_word = written.ends_with(is_word);
    if ends_with_word && cursor.peek_at(written.len()).is_some_and(is_word) {
        return None;
    }
    cursor.at += written.len();
    Some(meaning.clone())
}

/// A literal, a variable, or a range; with the way into it.
pub(super) fn value(cursor: &mut Cursor<'_>) -> Result<Option<Operand>, Fault> {
    value_at(cursor, 0)
}

fn value_at(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<Operand>, Fault> {
    if depth == MAX_LIQUID_DEPTH {
        return Err(format!("nests deeper than {MAX_LIQUID_DEPTH} brackets"));
    }
    cursor.skip_blanks();
    let root = match literal(cursor) {
        Some(literal) => Some(Operand::Literal(literal)),
        None if cursor.peek() == Some('(') => Some(range(cursor, depth)?),
        None => None,
    };
    let way = properties(cursor, root.is_none(), depth)?;
    Ok(match (root, way.is_empty()) {
        (root, true) => root,
        (root, false) => Some(Operand::Access(root.map(Box::new), way)),
    })
}

fn literal(cursor: &mut Cursor<'_>) -> Option<Val<'static>> {
    let words = [
        ("true", Val::from_bool(true)),
        ("false", Val::from_bool(false)),
        ("nil", Val::Nil),
        ("null", Val::Nil),
        ("empty", Val::Empty),
        ("blank", Val::Blank),
    ];
    if let Some(literal) = keyword(cursor, &words) {
        return Some(literal);
    }
    match cursor.peek() {
        Some('\'' | '"') => Some(Val::from_text(quoted(cursor))),
        _ => number(cursor).map(Val::Number),
    }
}

fn number(cursor: &mut Cursor<'_>) -> Option<f64> {
    let mut length = usize::from(matches!(cursor.peek(), Some('+' | '-')));
    let mut has_point = false;
    let mut has_digit = false;
    loop {
        match cursor.peek_at(length) {
            Some('0'..='9') => has_digit = true,
            Some('.') if cursor.peek_at(length + 1) != Some('.') => {
                if has_point || !has_digit {
                    return None;
                }
                has_point = true;
            }
            _ => break,
        }
        length += 1;
    }
    if !has_digit || cursor.peek_at(length).is_some_and(is_word) {
        return None;
    }
    let written = cursor.slice(cursor.at, cursor.at + length);
    cursor.at += length;
    Some(js_number(&written))
}

fn range(cursor: &mut Cursor<'_>, depth: usize) -> Result<Operand, Fault> {
    cursor.at += 1;
    let fault = || "has parentheses that are no range, like `(1..5)`".to_owned();
    let from = value_at(cursor, depth + 1)?.ok_or_else(fault)?;
    cursor.skip_blanks();
    if cursor.peek() != Some('.') || cursor.peek_at(1) != Some('.') {
        return Err(fault());
    }
    cursor.at += 2;
    let to = value_at(cursor, depth + 1)?.ok_or_else(fault)?;
    cursor.skip_blanks();
    if cursor.take() != Some(')') {
        return Err(fault());
    }
    Ok(Operand::Range(Box::new(from), Box::new(to)))
}

fn properties(cursor: &mut Cursor<'_>, begins: bool, depth: usize) -> Result<Vec<Operand>, Fault> {
    let mut way = Vec::new();
    loop {
        if cursor.peek() == Some('[') {
            cursor.at += 1;
            let key = value_at(cursor, depth + 1)?;
            way.push(key.unwrap_or_else(|| Operand::Literal(Val::from_text(String::new()))));
            if !cursor.pass("]") {
                return Err("has a bracket that is not closed".to_owned());
            }
            continue;
        }
        if begins && way.is_empty() {
            let name = cursor.name();
            if !name.is_empty() {
                way.push(Operand::Literal(Val::from_text(name)));
                continue;
            }
        }
        if cursor.peek() != Some('.') || cursor.peek_at(1) == Some('.') {
            return Ok(way);
        }
        cursor.at += 1;
        let name = cursor.name();
        if name.is_empty() {
            return Ok(way);
        }
        way.push(Operand::Literal(Val::from_text(name)));
    }
}

/// A text between quotes, up to the end when it is never closed.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> String {
    let from = cursor.at;
    let quote = cursor.take();
    let mut is_escaped = false;
    while let Some(c) = cursor.peek() {
        cursor.at += 1;
        if Some(c) == quote && !is_escaped {
            break;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    unescape(&cursor.chars[from..cursor.at])
}

/// JavaScript's escapes; the first and the last character are the quotes.
fn unescape(written: &[char]) -> String {
    let last = written.len().saturating_sub(1);
    let mut units: Vec<u16> = Vec::new();
    let mut at = 1;
    while at < last {
        let c = written[at];
        at += 1;
        if c != '\\' {
            push_char(&mut units, c);
            continue;
        }
        let escaped = written[at];
        at += 1;
        match escaped {
            'b' => units.push(8),
            'f' => units.push(12),
            'n' => units.push(10),
            'r' => units.push(13),
            't' => units.push(9),
            'v' => units.push(11),
            'u' => units.push(digits(written, &mut at, 16, 4)),
            '0'..='7' => {
                at -= 1;
                units.push(digits(written, &mut at, 8, 3));
            }
            other => push_char(&mut units, other),
        }
    }
    String::from_utf16_lossy(&units)
}

fn push_char(units: &mut Vec<u16>, c: char) {
    units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
}

fn digits(written: &[char], at: &mut usize, radix: u32, most: usize) -> u16 {
    let mut unit: u16 = 0;
    for _ in 0..most {
        let digit = written.get(*at).and_then(|c| c.to_digit(radix));
        let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
            break;
        };
        // Four hexadecimal digits fill the sixteen bits, three octal ones fewer.
        unit = unit.wrapping_mul(if radix == 16 { 16 } else { 8 }) + digit;
        *at += 1;
    }
    unit
}

fn filter(cursor: &mut Cursor<'_>) -> Result<Option<FilterCall>, Fault> {
    cursor.skip_blanks();
    match cursor.peek() {
        None | Some(')' | ',') => return Ok(None),
        Some('|') => cursor.at += 1,
        Some(other) => return Err(format!("has `{other}` where a filter would begin with `|`")),
    }
    let name = cursor.name();
    if name.is_empty() {
        return if cursor.is_at_end() {
            Ok(None)
        } else {
            Err("has `|` without a filter".to_owned())
        };
    }
    cursor.skip_blanks();
    let mut arguments = Vec::new();
    match cursor.peek() {
        Some(':') => loop {
            cursor.at += 1;
            arguments.extend(argument(cursor)?);
            cursor.skip_blanks();
            match cursor.peek() {
                Some(',') => {}
                None | Some('|' | ')') => break,
                Some(other) => {
                    return Err(format!("has `{other}` behind an argument of `{name}`"));
                }
            }
        },
        None | Some('|' | ')' | ',') => {}
        Some(_) => return Err(format!("has no `:` before the arguments of `{name}`")),
    }
    Ok(Some(FilterCall {
        kind: FilterKind::named(&name),
        name,
        arguments,
    }))
}

fn argument(cursor: &mut Cursor<'_>) -> Result<Option<Argument>, Fault> {
    cursor.skip_blanks();
    let from = cursor.at;
    let Some(operand) = value(cursor)? else {
        return Ok(None);
    };
    let written = cursor.slice(from, cursor.at);
    cursor.skip_blanks();
    if cursor.peek() != Some(':') {
        return Ok(Some(Argument::Value(operand)));
    }
    cursor.at += 1;
    Ok(Some(Argument::Named(written, value(cursor)?)))
}
