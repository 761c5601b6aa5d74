//! A trigger's tokens as logic.

use super::TriggerFault;
use super::evaluate::{Check, Field, Logic, Section, Test};
use super::scan::{Kind, Operator, Token, Word, fault, scan};
use crate::text::{float, number_in_text};

pub(super) fn parse(text: &str) -> Result<Logic, TriggerFault> {
    let mut parser = Parser {
        tokens: scan(text)?,
        next: 0,
        end: text.chars().count() + 1,
    };
    let logic = parser.list(Level::Top)?;
    match parser.take() {
        None => Ok(logic),
        Some(token) => Err(fault(token.at, "expected `and`, `or` or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
}

/// Groups stand one level deep.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Top,
    Group,
}

#[derive(Clone, Copy, PartialEq)]
enum Join {
    And,
    Or,
}

impl Parser {
    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.end, |token| token.at)
    }

    fn list(&mut self, level: Level) -> Result<Logic, TriggerFault> {
        let mut items = vec![self.item(level)?];
        let mut joined_by = None;
        loop {
            let at = self.at();
            let Some(join) = self.join() else {
                break;
            };
            if joined_by.is_some_and(|first| first != join) {
                return Err(fault(
                    at,
                    "`and` and `or` are mixed: put one of them in parentheses, as in `a and (b or c)`",
                ));
            }
            joined_by = Some(join);
            items.push(self.item(level)?);
        }
        Ok(match joined_by {
            None => items.swap_remove(0),
            Some(Join::And) => Logic::All(items),
            Some(Join::Or) => Logic::Any(items),
        })
    }

    fn join(&mut self) -> Option<Join> {
        let join = match self.peek() {
            Some(Kind::Word(word)) if word.written == "and" => Join::And,
            Some(Kind::Word(word)) if word.written == "or" => Join::Or,
            _ => return None,
        };
        self.next += 1;
        Some(join)
    }

    fn item(&mut self, level: Level) -> Result<Logic, TriggerFault> {
        let at = self.at();
        match self.take().map(|token| token.kind) {
            Some(Kind::Open) if level == Level::Group => {
                Err(fault(at, "groups in groups are not understood"))
            }
            Some(Kind::Open) => {
                let inner = self.list(Level::Group)?;
                self.expect(&Kind::Close, "expected `)`")?;
                Ok(inner)
            }
            Some(Kind::Not) => self.negated(),
            Some(Kind::Word(word)) if self.peek() == Some(&Kind::Open) => {
                self.function(&word, Negated::No, at)
            }
            Some(Kind::Word(word)) => self.comparison(&word, at),
            Some(_) => Err(fault(at, "expected a field, as in `type = \"track\"`")),
            None => Err(fault(at, "a test is missing, as in `type = \"track\"`")),
        }
    }

    fn negated(&mut self) -> Result<Logic, TriggerFault> {
        let at = self.at();
        match self.take().map(|token| token.kind) {
            Some(Kind::Word(word)) if self.peek() == Some(&Kind::Open) => {
                self.function(&word, Negated::Yes, at)
            }
            _ => Err(fault(
                at,
                "`!` stands only before contains(...) and match(...); compare with `!=` otherwise",
            )),
        }
    }

    fn expect(&mut self, kind: &Kind, message: &str) -> Result<(), TriggerFault> {
        let at = self.at();
        match self.take() {
            Some(token) if token.kind == *kind => Ok(()),
            _ => Err(fault(at, message)),
        }
    }

    fn function(
        &mut self,
        name: &Word,
        negated: Negated,
        at: usize,
    ) -> Result<Logic, TriggerFault> {
        let check: fn(String) -> Check = match (name.written.as_str(), negated) {
            ("contains", Negated::No) => Check::Contains,
            ("contains", Negated::Yes) => Check::ContainsNot,
            ("match", Negated::No) => matching,
            ("match", Negated::Yes) => not_matching,
            _ => return Err(fault(at, "the functions are contains and match")),
        };
        self.expect(&Kind::Open, "expected `(`")?;
        let field_at = self.at();
        let field = match self.take().map(|token| token.kind) {
            Some(Kind::Word(word)) => field(&word, field_at)?,
            _ => return Err(fault(field_at, "expected a field")),
        };
        if field == Field::Type {
            return Err(fault(
                field_at,
                "`type` can only be compared with `=` and `!=`",
            ));
        }
        self.expect(&Kind::Comma, "expected `,`")?;
        let text_at = self.at();
        let text = match self.take().map(|token| token.kind) {
            Some(Kind::Text(text)) => text,
            Some(Kind::Word(word)) => word.written,
            _ => return Err(fault(text_at, "expected a text in double quotes")),
        };
        self.expect(&Kind::Close, "expected `)`")?;
        Ok(Logic::Test(Test {
            field,
            check: check(text),
        }))
    }

    fn comparison(&mut self, left: &Word, at: usize) -> Result<Logic, TriggerFault> {
        let field = field(left, at)?;
        let operator_at = self.at();
        let operator = match self.take().map(|token| token.kind) {
            Some(Kind::Operator(operator)) => operator,
            _ => {
                return Err(fault(
                    operator_at,
                    "expected `=`, `!=`, `<`, `<=`, `>` or `>=`",
                ));
            }
        };
        let right_at = self.at();
        let right = match self.take().map(|token| token.kind) {
            Some(Kind::Text(text)) => Right::Text(text),
            Some(Kind::Word(word)) => Right::word(&word, right_at)?,
            _ => {
                return Err(fault(
                    right_at,
                    "expected a text in double quotes, a number, true, false or null",
                ));
            }
        };
        let check = check(&field, operator, right, right_at)?;
        Ok(Logic::Test(Test { field, check }))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Negated {
    Yes,
    No,
}

/// What a field is compared with.
enum Right {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
}

impl Right {
    /// Words without quotes are texts, unless they are something else.
    fn word(word: &Word, at: usize) -> Result<Self, TriggerFault> {
        let written = word.written.as_str();
        Ok(match written {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            "null" => Self::Null,
            "and" | "or" => return Err(fault(at, "expected a value")),
            _ if is_number(written) => match written.parse() {
                Ok(number) => Self::Number(number),
                Err(_) => return Err(fault(at, "expected a number")),
            },
            _ if written.contains(['.', '+', '\\']) => {
                return Err(fault(
                    at,
                    "a text with other characters than letters, digits, `_` and `-` stands in double quotes",
                ));
            }
            _ => Self::Text(written.to_owned()),
        })
    }

    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => hubferry_event::float_text(number),
            Self::Bool(truth) => truth.to_string(),
            Self::Null => "null".to_owned(),
        }
    }
}

/// `10`, `-1.5`, `+3`, `10.0`; no exponent.
fn is_number(written: &str) -> bool {
    let unsigned = written.strip_prefix(['+', '-']).unwrap_or(written);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn field(word: &Word, at: usize) -> Result<Field, TriggerFault> {
    let (first, path) = word
        .keys
        .split_first()
        .ok_or_else(|| fault(at, "expected a field"))?;
    let section = match (first.as_str(), path.is_empty()) {
        ("type", true) => return Ok(Field::Type),
        ("event", true) => return Ok(Field::Event),
        ("name", true) => return Ok(Field::Name),
        ("userId", true) => return Ok(Field::UserId),
        ("properties", false) => Section::Properties,
        ("traits", false) => Section::Traits,
        ("context", false) => Section::Context,
        _ => {
            return Err(fault(
                at,
                format!(
                    "`{}` is no field: there are type, event, name, userId, properties.…, traits.… and context.…",
                    word.written
                ),
            ));
        }
    };
    for key in path {
        let reserved = matches!(key.as_str(), "and" | "or" | "null");
        if key.is_empty() || reserved || key.starts_with(|c: char| c.is_ascii_digit() || c == '+') {
            return Err(fault(
                at,
                format!(
                    "the key `{key}` cannot be addressed: keys are not empty, not and, or, null, and do not start with a digit"
                ),
            ));
        }
    }
    Ok(Field::Under(section, path.to_vec()))
}

/// The check an operator means on a field: `type`, `event` and `name` know only texts, `userId` also null and booleans.
fn check(
    field: &Field,
    operator: Operator,
    right: Right,
    at: usize,
) -> Result<Check, TriggerFault> {
    let (is_null, is_bool, is_number) = match field {
        Field::Type | Field::Event => (false, false, false),
        Field::Name => (true, false, false),
        Field::UserId => (true, true, false),
        Field::Under(..) => (true, true, true),
    };
    let by_size: fn(f64) -> Check = match operator {
        Operator::Equal => {
            return Ok(match right {
                Right::Null if is_null => Check::Null,
                Right::Bool(truth) if is_bool => Check::Bool(truth),
                Right::Number(number) if is_number => Check::Number(number),
                other => Check::Text(other.into_text()),
            });
        }
        Operator::NotEqual => {
            return Ok(match right {
                Right::Null if is_null => Check::NotNull,
                Right::Number(number) if is_number => Check::NumberNot(number),
                // Booleans too: the reference compares with their text, so that a boolean always differs.
                other => Check::TextNot(other.into_text()),
            });
        }
        Operator::Less => Check::Less,
        Operator::LessOrEqual => Check::LessOrEqual,
        Operator::Greater => Check::Greater,
        Operator::GreaterOrEqual => Check::GreaterOrEqual,
    };
    if !is_number {
        return Err(fault(
            at,
            "only fields under properties, traits and context are compared by size",
        ));
    }
    let number = match right {
        Right::Number(number) => Some(number),
        Right::Text(text) => number_in_text(&text).as_ref().map(float),
        Right::Bool(_) | Right::Null => None,
    };
    number
        .map(by_size)
        .ok_or_else(|| fault(at, "expected a number"))
}

fn matching(pattern: String) -> Check {
    match pattern.strip_suffix('*') {
        Some(prefix) => Check::Prefix(prefix.to_owned()),
        None => Check::Suffix(without_first(&pattern)),
    }
}

fn not_matching(pattern: String) -> Check {
    match pattern.strip_suffix('*') {
        Some(prefix) => Check::PrefixNot(prefix.to_owned()),
        None => Check::SuffixNot(without_first(&pattern)),
    }
}

/// The reference drops the first character whatever it is, so `"Completed"` asks for the ending `ompleted`.
fn without_first(pattern: &str) -> String {
    pattern.chars().skip(1).collect()
}
