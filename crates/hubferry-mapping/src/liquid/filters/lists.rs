//! Filters on lists, and those that take lists and texts alike.

use std::borrow::Cow;

use serde_json::Value;

use super::{argument, elements, text};
use crate::budget::weight;
use crate::liquid::LiquidError;
use crate::liquid::cursor::Cursor;
use crate::liquid::run::Run;
use crate::liquid::value::{Val, element, member, whole};
use crate::text::push_js_text;

type Result<'a> = std::result::Result<Val<'a>, LiquidError>;

/// A copy of the elements, paid for.
fn copied(run: &mut Run<'_>, value: &Val<'_>) -> std::result::Result<Vec<Value>, LiquidError> {
    let elements = elements(run, value)?;
    run.make(elements.iter().map(weight).sum())?;
    Ok(elements.into_owned())
}

pub(super) fn compact<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let mut items = copied(run, &value)?;
    items.retain(|item| !item.is_null());
    Ok(Val::from_list(items))
}

/// Another value for what is missing, null, `false` or empty; `allow_false: true` keeps `false`.
pub(super) fn default<'a>(_: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let instead = || argument(arguments, 0).clone();
    let is_kept = match &value {
        Val::Empty | Val::Blank => false,
        Val::Json(json) => match &**json {
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Bool(false) => allows_false(arguments),
            _ => value.is_true(),
        },
        _ => value.is_true(),
    };
    Ok(if is_kept { value } else { instead() })
}

/// Named arguments arrive as lists of name and value.
fn allows_false(arguments: &[Val<'_>]) -> bool {
    arguments
        .iter()
        .skip(1)
        .any(|argument| match argument.as_json() {
            Some(Value::Array(pair)) => {
                matches!(pair.as_slice(), [Value::String(name), value]
                if name == "allow_false" && crate::text::is_truthy(value))
            }
            _ => false,
        })
}

pub(super) fn first<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(end_of(&value, 0.0))
}

pub(super) fn last<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(end_of(&value, -1.0))
}

/// The element of a list or the character of a text at one of the ends; nothing of anything else.
fn end_of<'a>(value: &Val<'a>, position: f64) -> Val<'a> {
    match value {
        Val::Json(Cow::Borrowed(Value::Array(items))) => {
            Val::from_found(element(items, position).map(Cow::Borrowed))
        }
        Val::Json(json) => match &**json {
            Value::Array(items) => {
                Val::from_found(element(items, position).map(|e| Cow::Owned(e.clone())))
            }
            Value::String(text) if position < 0.0 => one_char(text.chars().next_back()),
            Value::String(text) => one_char(text.chars().next()),
            _ => Val::from_text(""),
        },
        _ => Val::from_text(""),
    }
}

fn one_char<'a>(c: Option<char>) -> Val<'a> {
    Val::from_text(c.map(String::from).unwrap_or_default())
}

pub(super) fn join<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let separator = match argument(arguments, 0) {
        separator if separator.is_nil() => " ".to_owned(),
        separator => separator.text().into_owned(),
    };
    let items = elements(run, &value)?;
    let texts = items.iter().map(|item| weight(item) + separator.len());
    run.make(texts.sum())?;
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        if !item.is_null() {
            push_js_text(&mut joined, item.into());
        }
    }
    Ok(Val::from_text(joined))
}

pub(super) fn push<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let mut items = copied(run, &value)?;
    items.push(argument(arguments, 0).to_element());
    Ok(Val::from_list(items))
}

pub(super) fn unshift<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let mut items = copied(run, &value)?;
    items.insert(0, argument(arguments, 0).to_element());
    Ok(Val::from_list(items))
}

pub(super) fn pop<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let mut items = copied(run, &value)?;
    items.pop();
    Ok(Val::from_list(items))
}

pub(super) fn shift<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let mut items = copied(run, &value)?;
    if !items.is_empty() {
        items.remove(0);
    }
    Ok(Val::from_list(items))
}

/// JavaScript's `length`, or zero.
pub(super) fn size<'a>(_: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let length = match value.as_json() {
        Some(Value::String(text)) => text.encode_utf16().count(),
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(members)) => {
            let own = members.get("length").cloned().map(Cow::Owned);
            let own = Val::from_found(own);
            return Ok(if own.is_truthy() {
                own
            } else {
                Val::Number(0.0)
            });
        }
        _ => 0,
    };
    Ok(Val::Json(Cow::Owned(length.into())))
}

/// Some elements of a list or characters of a text; negative beginnings count from the end.
pub(super) fn slice<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let begin = argument(arguments, 0).number();
    let length = match argument(arguments, 1) {
        Val::Undefined => 1.0,
        length => length.number(),
    };
    if value.is_nil() {
        return Ok(Val::from_list(Vec::new()));
    }
    if let Some(Value::Array(items)) = value.as_json() {
        run.step(items.len())?;
        if begin.is_nan() {
            return Ok(Val::from_list(Vec::new()));
        }
        let (from, count) = bounds(begin, length, items.len());
        let part: Vec<Value> = items.iter().skip(from).take(count).cloned().collect();
        run.make(part.iter().map(weight).sum())?;
        return Ok(Val::from_list(part));
    }
    let whole_text = text(run, &value)?;
    // A text is walked character by character until the beginning is reached, a list is cut at the whole number.
    let (from, count) = bounds(begin.ceil(), length, whole_text.chars().count());
    let part: String = whole_text.chars().skip(from).take(count).collect();
    Ok(Val::from_text(part))
}

/// Where a part begins and how long it is; nothing when either is below zero.
fn bounds(begin: f64, length: f64, all: usize) -> (usize, usize) {
    let all = i64::try_from(all).unwrap_or(i64::MAX);
    let begin = whole(begin).unwrap_or(if begin > 0.0 { all } else { 0 });
    let begin = if begin < 0 { all + begin } else { begin };
    let length = whole(length.ceil()).unwrap_or(if length > 0.0 { all } else { 0 });
    match (usize::try_from(begin), usize::try_from(length)) {
        (Ok(begin), Ok(length)) => (begin, length),
        _ => (0, 0),
    }
}

/// Empty pieces at the end are left out; without a separator every character is a piece.
pub(super) fn split<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let separator = argument(arguments, 0).text().into_owned();
    let whole = text(run, &value)?;
    let mut pieces: Vec<Value> = if separator.is_empty() {
        run.step(whole.len())?;
        whole.chars().map(|c| c.to_string().into()).collect()
    } else {
        run.step(whole.matches(separator.as_str()).count())?;
        whole.split(separator.as_str()).map(Value::from).collect()
    };
    while pieces.pop_if(|last| last.as_str() == Some("")).is_some() {}
    Ok(Val::from_list(pieces))
}

/// The elements whose property is true, or equals the second argument.
pub(super) fn where_<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let written: Vec<char> = argument(arguments, 0).text().chars().collect();
    let way = keys(&written);
    let wanted = argument(arguments, 1);
    let items = elements(run, &value)?;
    let mut kept = Vec::new();
    for item in items.iter() {
        let found = way.iter().fold(
            match way.first() {
                Some(_) => Val::Json(Cow::Borrowed(item)),
                None => Val::Undefined,
            },
            |current, key| member(&current, &Val::from_text(key.as_str())),
        );
        let is_kept = match wanted {
            Val::Undefined => found.is_true(),
            wanted => found.equals(wanted),
        };
        if is_kept {
            run.make(weight(item))?;
            kept.push(item.clone());
        }
    }
    Ok(Val::from_list(kept))
}

/// The keys of a property path, read up to what does not belong to one.
fn keys(written: &[char]) -> Vec<String> {
    let mut cursor = Cursor::over(written, 0, written.len());
    let mut keys = Vec::new();
    loop {
        match cursor.peek() {
            Some('[') => {
                let from = cursor.at + 1;
                if !cursor.pass("]") {
                    return keys;
                }
                let inner = cursor.slice(from, cursor.at - 1);
                keys.push(inner.trim().trim_matches(['"', '\'']).to_owned());
                continue;
            }
            Some('.') => cursor.at += 1,
            _ if keys.is_empty() => {}
            _ => return keys,
        }
        let name = cursor.name();
        if name.is_empty() {
            return keys;
        }
        keys.push(name);
    }
}
