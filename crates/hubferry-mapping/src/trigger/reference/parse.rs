//! The reference's tokens as logic.

use std::vec::IntoIter;

use super::evaluate::{Check, Ending, Field, Logic, Order, Section, Test, Wanted};
use super::scan::{Kind, Token, end_token, join_paths, scan};
use crate::path::Path;
use crate::text::js_number;
use crate::trigger::TriggerFault;

pub(in crate::trigger) fn parse(text: &str) -> Result<Logic, TriggerFault> {
    list(join_paths(scan(text)?))
}

/// Reads tests until the tokens end; one operator joins them all, and the last one written decides which.
fn list(tokens: Vec<Token>) -> Result<Logic, TriggerFault> {
    let mut items = Vec::new();
    let mut join = Join::And;
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next().filter(|token| token.kind != Kind::End) {
        match token.kind {
            Kind::Word => items.extend(test(&token, &mut tokens)?),
            Kind::Operator if token.value == "!" => {
                // Before anything but a function it is passed over.
                let function = tokens.as_slice().first().and_then(Function::of);
                if let Some(function) = function {
                    tokens.next();
                    items.extend(call(function, Negated::Yes, &token, &mut tokens)?);
                }
            }
            Kind::Open => items.push(group(&token, &mut tokens)?),
            Kind::Join if token.value == "or" => join = Join::Or,
            Kind::Join => join = Join::And,
            _ => {}
        }
    }
    match (items.pop(), items.is_empty(), join) {
        (None, ..) => Err(TriggerFault::invalid(
            1,
            "there is no test in it, like `type = \"track\"`",
        )),
        (Some(only), true, _) => Ok(only),
        (Some(last), false, join) => {
            items.push(last);
            Ok(match join {
                Join::And => Logic::All(items),
                Join::Or => Logic::Any(items),
            })
        }
    }
}

enum Join {
    And,
    Or,
}

/// A group reaches to the first closing parenthesis, even that of a function in it.
fn group(open: &Token, tokens: &mut IntoIter<Token>) -> Result<Logic, TriggerFault> {
    let mut inner = Vec::new();
    loop {
        match tokens.next() {
            Some(token) if token.kind == Kind::Close => break,
            Some(token) => inner.push(token),
            None => {
                let message = "the group has no end: groups in groups are not understood";
                return Err(TriggerFault::invalid(open.at, message));
            }
        }
    }
    inner.push(end_token(open.at));
    list(inner).map_err(|fault| TriggerFault::invalid(open.at, fault.message))
}

/// A word begins a comparison, or a function, or means nothing.
fn test(word: &Token, tokens: &mut IntoIter<Token>) -> Result<Option<Logic>, TriggerFault> {
    if let Some(function) = Function::of(word) {
        return call(function, Negated::No, word, tokens);
    }
    let Some(root) = Root::of(word) else {
        return Ok(None);
    };
    let operator = following(word, tokens, "an operator is missing behind the field")?;
    let value = following(word, tokens, "a value is missing behind the operator")?;
    Ok(Some(Logic::Test(Test {
        field: root.field(word)?,
        check: root.check(&operator, &value),
    })))
}

fn following(
    word: &Token,
    tokens: &mut IntoIter<Token>,
    message: &str,
) -> Result<Token, TriggerFault> {
    tokens
        .next()
        .ok_or_else(|| TriggerFault::invalid(word.at, message))
}

#[derive(Clone, Copy)]
enum Function {
    Contains,
    Match,
}

#[derive(Clone, Copy)]
enum Negated {
    Yes,
    No,
}

impl Function {
    fn of(token: &Token) -> Option<Self> {
        match (token.kind, token.value.as_str()) {
            (Kind::Word, "contains") => Some(Self::Contains),
            (Kind::Word, "match") => Some(Self::Match),
            _ => None,
        }
    }
}

/// Five tokens stand behind a function, whatever they are: `(`, the field, `,`, the text, `)`.
fn call(
    function: Function,
    negated: Negated,
    word: &Token,
    tokens: &mut IntoIter<Token>,
) -> Result<Option<Logic>, TriggerFault> {
    tokens.next();
    let name = following(word, tokens, "the function has no field")?;
    tokens.next();
    let value = following(word, tokens, "the function has no text")?;
    tokens.next();
    let Some(field) = argument(&name)? else {
        return Ok(None);
    };
    let text = Wanted::of(&value).text;
    let check = match (function, negated) {
        (Function::Contains, Negated::No) => Check::Contains(text),
        (Function::Contains, Negated::Yes) => Check::ContainsNot(text),
        (Function::Match, negated) => matching(&value, text, negated),
    };
    Ok(Some(Logic::Test(Test { field, check })))
}

/// The field a function is about; of anything else the whole test is dropped, `type` included.
fn argument(name: &Token) -> Result<Option<Field>, TriggerFault> {
    Ok(match name.value.as_str() {
        "event" => Some(Field::Event),
        "name" => Some(Field::Name),
        "userId" => Some(Field::UserId),
        // The beginning of the name decides, so that `propertiesX` is a key under `properties`.
        other => match [Section::Properties, Section::Traits, Section::Context]
            .into_iter()
            .find(|section| other.starts_with(section.key()))
        {
            Some(section) => Some(under(section, name)?),
            None => None,
        },
    })
}

/// A pattern that ends with a star asks for a beginning; of any other the first UTF-16 unit is dropped and the rest
/// asked for as an ending.
fn matching(value: &Token, mut text: String, negated: Negated) -> Check {
    if value.value.ends_with("*\"") {
        text.pop();
        return match negated {
            Negated::No => Check::Prefix(text),
            Negated::Yes => Check::PrefixNot(text),
        };
    }
    let ending = Ending::without_first_unit(&text);
    match negated {
        Negated::No => Check::Suffix(ending),
        Negated::Yes => Check::SuffixNot(ending),
    }
}

/// The first key of a field decides what it is: `type.anything` is the type.
#[derive(Clone, Copy)]
enum Root {
    Type,
    Event,
    Name,
    UserId,
    Under(Section),
}

impl Root {
    fn of(word: &Token) -> Option<Self> {
        let first = word.value.split('.').next().unwrap_or_default();
        Some(match first {
            "type" => Self::Type,
            "event" => Self::Event,
            "name" => Self::Name,
            "userId" => Self::UserId,
            "properties" => Self::Under(Section::Properties),
            "traits" => Self::Under(Section::Traits),
            "context" => Self::Under(Section::Context),
            _ => return None,
        })
    }

    fn field(self, word: &Token) -> Result<Field, TriggerFault> {
        Ok(match self {
            Self::Type => Field::Type,
            Self::Event => Field::Event,
            Self::Name => Field::Name,
            Self::UserId => Field::UserId,
            Self::Under(section) => under(section, word)?,
        })
    }

    fn check(self, operator: &Token, value: &Token) -> Check {
        let knows_null = !matches!(self, Self::Type | Self::Event);
        let knows_booleans = matches!(self, Self::UserId | Self::Under(_));
        let knows_types = matches!(self, Self::Under(_));
        let mut wanted = Wanted::of(value);
        if !knows_types {
            wanted = Wanted::from_text(wanted.text);
        }
        match (operator.value.as_str(), value.value.as_str()) {
            ("!=", "null") if knows_null => Check::NotNull,
            ("=", "null") if knows_null => Check::Null,
            ("=", "true") if knows_booleans => Check::Bool(true),
            ("=", "false") if knows_booleans => Check::Bool(false),
            ("=", _) if knows_types && value.kind == Kind::Number => Check::Number(wanted),
            ("!=", _) if knows_types && value.kind == Kind::Number => Check::NumberNot(wanted),
            (name, _) => named(name, wanted),
        }
    }
}

/// Any token can stand as an operator; those that are none never hold.
fn named(operator: &str, wanted: Wanted) -> Check {
    match operator {
        "=" => Check::Text(wanted),
        "!=" => Check::TextNot(wanted),
        "<" => Check::Order(Order::Less, wanted),
        "<=" => Check::Order(Order::LessOrEqual, wanted),
        ">" => Check::Order(Order::Greater, wanted),
        ">=" => Check::Order(Order::GreaterOrEqual, wanted),
        "number_equals" => Check::Number(wanted),
        "number_not_equals" => Check::NumberNot(wanted),
        "contains" => Check::Contains(wanted.text),
        "not_contains" => Check::ContainsNot(wanted.text),
        "starts_with" => Check::Prefix(wanted.text),
        "not_starts_with" => Check::PrefixNot(wanted.text),
        "ends_with" => Check::Suffix(Ending::whole(wanted.text)),
        "not_ends_with" => Check::SuffixNot(Ending::whole(wanted.text)),
        "exists" => Check::NotNull,
        "not_exists" => Check::Null,
        "is_true" => Check::Bool(true),
        "is_false" => Check::Bool(false),
        _ => Check::Never,
    }
}

/// Keys are split at dots and brackets, escaped or not. A path of nothing but those makes the reference fail.
fn under(section: Section, word: &Token) -> Result<Field, TriggerFault> {
    let rest = word
        .value
        .strip_prefix(section.key())
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(&word.value);
    let keys: Vec<&str> = rest
        .split(['.', '[', ']'])
        .filter(|key| !key.is_empty())
        .collect();
    if keys.is_empty() {
        let message = "the field has no key that could be looked up";
        return Err(TriggerFault::invalid(word.at, message));
    }
    Ok(Field::Under(section, Path::of_keys(&keys)))
}

impl Wanted {
    fn of(token: &Token) -> Self {
        match (token.kind, token.value.as_str()) {
            (Kind::Text, text) => {
                // Only double quotes are taken off.
                let inner = text.strip_prefix('"').unwrap_or(text);
                Self::from_text(inner.strip_suffix('"').unwrap_or(inner).to_owned())
            }
            (Kind::Number, text) => Self::from_number(js_number(text)),
            (Kind::Word, "true") => Self::from_bool(true),
            (Kind::Word, "false") => Self::from_bool(false),
            (_, text) => Self::from_text(text.to_owned()),
        }
    }
}
