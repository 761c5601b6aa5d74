//! A trigger's logic on an event, as the reference evaluates it.

use std::fmt;

use hubferry_event::Json;

use crate::path::{Found, Path};
use crate::text::{js_number, json_float};
use crate::trigger::canon::{Quoted, push_glob_literal, write_group, write_path};
use crate::trigger::found_kind;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trigger) enum Logic {
    All(Vec<Logic>),
    Any(Vec<Logic>),
    Test(Test),
}

/// One field and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::trigger) struct Test {
    pub(super) field: Field,
    pub(super) check: Check,
}

/// The fields a trigger can name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Type,
    Event,
    Name,
    UserId,
    Under(Section, Path),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Section {
    Properties,
    Traits,
    Context,
}

/// What is asked of a value. Negations are checks of their own: only `TextNot` and `Null` hold for missing values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Text(Wanted),
    TextNot(Wanted),
    Number(Wanted),
    NumberNot(Wanted),
    Order(Order, Wanted),
    Bool(bool),
    Null,
    NotNull,
    Contains(String),
    ContainsNot(String),
    Prefix(String),
    PrefixNot(String),
    Suffix(Ending),
    SuffixNot(Ending),
    /// What stood as the operator is none.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a value is compared with: as it was written, as JavaScript's text and as JavaScript's number.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    literal: Literal,
    pub(super) text: String,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Literal {
    Text,
    Number,
    Bool,
}

/// The end of a text. Half of a character may stand first: the second unit of a pair whose first one was cut off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ending {
    half: Option<u16>,
    rest: String,
}

impl Logic {
    pub(in crate::trigger) fn holds(&self, event: Json<'_>) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.holds(event)),
            Self::Any(items) => items.iter().any(|item| item.holds(event)),
            Self::Test(test) => {
                let found = test.field.of(event);
                test.check.holds(found.as_ref().map(Found::as_json))
            }
        }
    }

    /// The first clause that decides against an event that does not match.
    pub(in crate::trigger) fn explain(&self, event: Json<'_>) -> String {
        match self {
            Self::All(items) => match items.iter().find(|item| !item.holds(event)) {
                Some(first) => first.explain(event),
                None => format!("`{self}` holds"),
            },
            Self::Any(_) => format!("`{self}` does not hold: none of its parts does"),
            Self::Test(test) => {
                let found = test.field.of(event);
                let kind = found_kind(found.as_ref().map(Found::as_json));
                format!("`{self}` does not hold: the field is {kind}")
            }
        }
    }

    const fn is_group(&self) -> bool {
        matches!(self, Self::All(_) | Self::Any(_))
    }
}

impl Field {
    fn of<'e>(&self, event: Json<'e>) -> Option<Found<'e>> {
        let key = match self {
            Self::Type => "type",
            Self::Event => "event",
            Self::Name => "name",
            Self::UserId => "userId",
            Self::Under(section, path) => return path.lookup(event.get(section.key())?),
        };
        event.get(key).map(Found::Lent)
    }
}

impl Section {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::Traits => "traits",
            Self::Context => "context",
        }
    }
}

impl Check {
    fn holds(&self, value: Option<Json<'_>>) -> bool {
        let text = value.and_then(Json::as_str);
        let number = || value.and_then(json_float);
        match self {
            Self::Text(wanted) => text == Some(&wanted.text),
            Self::TextNot(wanted) => text != Some(&wanted.text),
            Self::Number(wanted) => number().is_some_and(|n| n == wanted.number),
            Self::NumberNot(wanted) => number().is_some_and(|n| n != wanted.number),
            Self::Order(order, wanted) => number().is_some_and(|n| order.holds(n, wanted.number)),
            Self::Bool(wanted) => value.and_then(Json::as_bool) == Some(*wanted),
            Self::Null => value.is_none_or(Json::is_null),
            Self::NotNull => value.is_some_and(|v| !v.is_null()),
            Self::Contains(part) => text.is_some_and(|t| t.contains(part.as_str())),
            Self::ContainsNot(part) => text.is_some_and(|t| !t.contains(part.as_str())),
            Self::Prefix(start) => text.is_some_and(|t| t.starts_with(start.as_str())),
            Self::PrefixNot(start) => text.is_some_and(|t| !t.starts_with(start.as_str())),
            Self::Suffix(end) => text.is_some_and(|t| end.ends(t)),
            Self::SuffixNot(end) => text.is_some_and(|t| !end.ends(t)),
            Self::Never => false,
        }
    }
}

impl Order {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Wanted {
    pub(super) fn from_text(text: String) -> Self {
        Self {
            literal: Literal::Text,
            number: js_number(&text),
            text,
        }
    }

    pub(super) fn from_number(number: f64) -> Self {
        Self {
            literal: Literal::Number,
            text: number_literal(number),
            number,
        }
    }

    pub(super) fn from_bool(truth: bool) -> Self {
        Self {
            literal: Literal::Bool,
            text: truth.to_string(),
            number: f64::from(u8::from(truth)),
        }
    }
}

/// JavaScript's text of a number that a trigger can write; a lone sign is not a number.
fn number_literal(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else {
        hubferry_event::float_text(number)
    }
}

/// The number follows from the text, and would not equal itself when it is none.
impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.literal == other.literal && self.text == other.text
    }
}

impl Ending {
    pub(super) const fn whole(text: String) -> Self {
        Self {
            half: None,
            rest: text,
        }
    }

    pub(super) fn without_first_unit(text: &str) -> Self {
        let mut chars = text.chars();
        let half = chars.next().and_then(second_unit);
        Self {
            half,
            rest: chars.as_str().to_owned(),
        }
    }

    fn ends(&self, text: &str) -> bool {
        let Some(head) = text.strip_suffix(self.rest.as_str()) else {
            return false;
        };
        self.half.is_none() || head.chars().next_back().and_then(second_unit) == self.half
    }
}

fn second_unit(c: char) -> Option<u16> {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).get(1).copied()
}

impl fmt::Display for Logic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(items) => write_group(f, items, "and", Self::is_group),
            Self::Any(items) => write_group(f, items, "or", Self::is_group),
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.check {
            Check::Text(wanted) | Check::Number(wanted) => write!(f, "{field} = {wanted}"),
            Check::TextNot(wanted) | Check::NumberNot(wanted) => write!(f, "{field} != {wanted}"),
            Check::Order(order, wanted) => write!(f, "{field} {} {wanted}", order.sign()),
            Check::Bool(truth) => write!(f, "{field} = {truth}"),
            Check::Null => write!(f, "{field} = null"),
            Check::NotNull => write!(f, "{field} != null"),
            Check::Contains(part) => write!(f, "contains({field}, {})", Quoted(part)),
            Check::ContainsNot(part) => write!(f, "!contains({field}, {})", Quoted(part)),
            Check::Prefix(start) => write!(f, "match({field}, {})", Quoted(&starting(start))),
            Check::PrefixNot(start) => write!(f, "!match({field}, {})", Quoted(&starting(start))),
            Check::Suffix(end) => write!(f, "match({field}, {})", Quoted(&end.glob())),
            Check::SuffixNot(end) => write!(f, "!match({field}, {})", Quoted(&end.glob())),
            // No text in the other dialect says this.
            Check::Never => f.write_str("never true"),
        }
    }
}

fn starting(start: &str) -> String {
    let mut glob = String::new();
    push_glob_literal(&mut glob, start);
    glob.push('*');
    glob
}

impl Ending {
    fn glob(&self) -> String {
        let mut glob = String::from("*");
        if self.half.is_some() {
            glob.push(char::REPLACEMENT_CHARACTER);
        }
        push_glob_literal(&mut glob, &self.rest);
        glob
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("type"),
            Self::Event => f.write_str("event"),
            Self::Name => f.write_str("name"),
            Self::UserId => f.write_str("userId"),
            Self::Under(section, path) => {
                write_path(f, std::iter::once(section.key()).chain(path.keys()))
            }
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.literal {
            Literal::Text => Quoted(&self.text).fmt(f),
            Literal::Number | Literal::Bool => f.write_str(&self.text),
        }
    }
}
