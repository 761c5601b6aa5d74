//! A text made into what a property takes (actions.md §2.5, §6.10, §8.5; hubspot-api.md §10.1).

use serde_json::Value;

use crate::moment::{NoDate, date_of, moment_of};
use crate::portal::{OptionInfo, ValueType};

/// The longest text of a property, in characters.
pub(crate) const MAX_TEXT: usize = 65_536;

/// Why a text cannot be what a property takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// It is of another kind.
    Kind,
    /// It is none of the options.
    NoOption,
    /// It has a time of day.
    HasTime,
    /// It is longer than this many characters.
    TooLong(usize),
}

/// The value a property takes for a text; `Ok(None)` when it is the text itself. An empty text is, for every property: it
/// clears. What comes out is taken as it is when it goes in again.
pub(crate) fn convert(
    text: &str,
    takes: &ValueType,
    truncate_dates: bool,
) -> Result<Option<String>, Unfit> {
    if text.is_empty() {
        return Ok(None);
    }
    match takes {
        ValueType::Other => Ok(None),
        ValueType::Text => match is_longer(text, MAX_TEXT) {
            true => Err(Unfit::TooLong(MAX_TEXT)),
            false => Ok(None),
        },
        ValueType::Number => number(text),
        ValueType::Boolean => boolean(text)
            .map(|truth| changed(text, truth))
            .ok_or(Unfit::Kind),
        // The options of some properties (owners) are known to HubSpot alone.
        ValueType::Option(options) | ValueType::Options(options) if options.is_empty() => Ok(None),
        ValueType::Option(options) => match option(text, options) {
            Some(value) => Ok(changed(text, value)),
            None => Err(Unfit::NoOption),
        },
        ValueType::Options(options) => several(text, options),
        ValueType::Date => date_of(text, truncate_dates).map_err(Unfit::from),
        ValueType::DateTime => moment_of(text).map_err(Unfit::from),
    }
}

impl From<NoDate> for Unfit {
    fn from(why: NoDate) -> Self {
        match why {
            NoDate::Unreadable => Self::Kind,
            NoDate::HasTime => Self::HasTime,
        }
    }
}

fn changed(text: &str, value: &str) -> Option<String> {
    (text != value).then(|| value.to_owned())
}

/// Whether a text has more than so many characters; most are shorter in bytes already.
pub(crate) fn is_longer(text: &str, characters: usize) -> bool {
    text.len() > characters && text.chars().nth(characters).is_some()
}

/// A decimal, with an exponent or not; a `+` in front and blanks around it do not count.
fn number(text: &str) -> Result<Option<String>, Unfit> {
    let bare = text.trim();
    let (bare, digits) = match bare.strip_prefix('+') {
        Some(digits) => (digits, digits),
        None => (bare, bare.strip_prefix('-').unwrap_or(bare)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    if !(has_digits && are_digits(whole) && are_digits(fraction) && is_exponent) {
        return Err(Unfit::Kind);
    }
    let ends_bare = mantissa.ends_with('.');
    if whole.is_empty() || ends_bare {
        let sign = if bare.len() > digits.len() { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
        return Ok(Some(format!("{sign}{whole}{point}{fraction}{exponent}")));
    }
    Ok(changed(text, bare))
}

const TRUE: [&str; 3] = ["true", "1", "yes"];
const FALSE: [&str; 3] = ["false", "0", "no"];

fn boolean(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(TRUE) {
        Some("true")
    } else if is_one_of(FALSE) {
        Some("false")
    } else {
        None
    }
}

/// The value of an option by its value, else by its label, else by either whatever the case. Yes and no go to the options
/// true and false.
fn option<'o>(text: &str, options: &'o [OptionInfo]) -> Option<&'o str> {
    let text = text.trim();
    let by = |is_it: &dyn Fn(&OptionInfo) -> bool| options.iter().find(|option| is_it(option));
    let found = by(&|option| &*option.value == text)
        .or_else(|| by(&|option| &*option.label == text))
        .or_else(|| by(&|option| equal_ignoring_case(&option.value, text)))
        .or_else(|| by(&|option| equal_ignoring_case(&option.label, text)))
        .or_else(|| {
            let is_truth = options
                .iter()
                .all(|o| matches!(&*o.value, "true" | "false"));
            let truth = boolean(text).filter(|_| is_truth)?;
            by(&|option| &*option.value == truth)
        });
    found.map(|option| &*option.value)
}

fn equal_ignoring_case(one: &str, other: &str) -> bool {
    let lower = |text: &'_ str| {
        text.chars()
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && lower(one) == lower(other))
}

/// Some of the options: one of them, a list with `;`, or a JSON list. A leading `;`, which adds to those the record has,
/// stays.
fn several(text: &str, options: &[OptionInfo]) -> Result<Option<String>, Unfit> {
    if is_list_of(text, options) {
        return Ok(None);
    }
    if let Some(value) = option(text, options) {
        return Ok(changed(text, value));
    }
    let items = json_items(text);
    let (adds, parts): (bool, Vec<&str>) = match &items {
        Some(items) => (false, items.iter().map(String::as_str).collect()),
        None => {
            let list = text.trim();
            (list.starts_with(';'), list.split(';').collect())
        }
    };
    let mut values: Vec<&str> = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|part| !part.trim().is_empty()) {
        let value = option(part, options).ok_or(Unfit::NoOption)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.is_empty() {
        return match &items {
            Some(_) => Ok(Some(String::new())),
            None => Err(Unfit::NoOption),
        };
    }
    let start = if adds { ";" } else { "" };
    Ok(changed(text, &format!("{start}{}", values.join(";"))))
}

/// Whether a list holds nothing but values of options, each once.
fn is_list_of(text: &str, options: &[OptionInfo]) -> bool {
    let list = text.strip_prefix(';').unwrap_or(text);
    list.split(';').enumerate().all(|(place, part)| {
        let is_value = options.iter().any(|option| &*option.value == part);
        is_value && !list.split(';').take(place).any(|before| before == part)
    })
}

/// The texts of a JSON list of texts, numbers and booleans.
fn json_items(text: &str) -> Option<Vec<String>> {
    if !text.starts_with('[') {
        return None;
    }
    let Value::Array(items) = serde_json::from_str(text).ok()? else {
        return None;
    };
    items
        .iter()
        .filter(|item| !item.is_null())
        .map(|item| match item {
            Value::Array(_) | Value::Object(_) => None,
            scalar => Some(hubferry_mapping::js_text(scalar)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
