//! The filters by name.

mod dates;
mod lists;
mod numbers;
mod texts;
mod web;

use std::borrow::Cow;

use serde_json::Value;

use super::LiquidError;
use super::run::Run;
use super::value::Val;
use crate::budget::text_bytes;

/// A filter's work on a value with its arguments.
pub(super) type Known =
    for<'a> fn(&mut Run<'a>, Val<'a>, &[Val<'a>]) -> Result<Val<'a>, LiquidError>;

/// What becomes of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) enum FilterKind {
    Known(Known),
    /// An error once it is reached.
    Disabled,
    /// Passed over.
    Unknown,
}

impl FilterKind {
    pub(super) fn named(name: &str) -> Self {
        let known: Known = match name {
            "abs" => numbers::abs,
            "append" => texts::append,
            "at_least" => numbers::at_least,
            "at_most" => numbers::at_most,
            "base64_decode" => web::base64_decode,
            "base64_encode" => web::base64_encode,
            "capitalize" => texts::capitalize,
            "ceil" => numbers::ceil,
            "cgi_escape" => web::cgi_escape,
            "compact" => lists::compact,
            "date" => dates::date,
            "date_to_long_string" => dates::date_to_long_string,
            "date_to_rfc822" => dates::date_to_rfc822,
            "date_to_string" => dates::date_to_string,
            "date_to_xmlschema" => dates::date_to_xmlschema,
            "default" => lists::default,
            "divided_by" => numbers::divided_by,
            "downcase" => texts::downcase,
            "escape" | "xml_escape" => web::escape,
            "escape_once" => web::escape_once,
            "first" => lists::first,
            "floor" => numbers::floor,
            "inspect" | "json" | "jsonify" => web::json,
            "join" => lists::join,
            "last" => lists::last,
            "lstrip" => texts::lstrip,
            "minus" => numbers::minus,
            "modulo" => numbers::modulo,
            "normalize_whitespace" => texts::normalize_whitespace,
            "number_of_words" => texts::number_of_words,
            "plus" => numbers::plus,
            "pop" => lists::pop,
            "prepend" => texts::prepend,
            "push" => lists::push,
            "raw" => |_, value, _| Ok(value),
            "remove" => texts::remove,
            "remove_first" => texts::remove_first,
            "remove_last" => texts::remove_last,
            "replace" => texts::replace,
            "replace_first" => texts::replace_first,
            "replace_last" => texts::replace_last,
            "round" => numbers::round,
            "rstrip" => texts::rstrip,
            "shift" => lists::shift,
            "size" => lists::size,
            "slice" => lists::slice,
            "slugify" => web::slugify,
            "split" => lists::split,
            "squish" => texts::squish,
            "strip" => texts::strip,
            "strip_html" => web::strip_html,
            "strip_newlines" => texts::strip_newlines,
            "sum" => numbers::sum,
            "times" => numbers::times,
            "to_integer" => numbers::to_integer,
            "truncate" => texts::truncate,
            "truncatewords" => texts::truncatewords,
            "unshift" => lists::unshift,
            "upcase" => texts::upcase,
            "uri_escape" => web::uri_escape,
            "url_decode" => web::url_decode,
            "url_encode" => web::url_encode,
            "where" => lists::where_,
            "array_to_sentence_string"
            | "concat"
            | "find"
            | "find_exp"
            | "find_index"
            | "find_index_exp"
            | "group_by"
            | "group_by_exp"
            | "has"
            | "has_exp"
            | "map"
            | "newline_to_br"
            | "reject"
            | "reject_exp"
            | "reverse"
            | "sort"
            | "sort_natural"
            | "uniq"
            | "where_exp"
            | "type" => return Self::Disabled,
            _ => return Self::Unknown,
        };
        Self::Known(known)
    }
}

static UNDEFINED: Val<'static> = Val::Undefined;

/// An argument, undefined when it was not given.
fn argument<'v, 'a>(arguments: &'v [Val<'a>], index: usize) -> &'v Val<'a> {
    arguments.get(index).unwrap_or(&UNDEFINED)
}

/// The value's text, paid for.
fn text<'v>(run: &mut Run<'_>, value: &'v Val<'_>) -> Result<Cow<'v, str>, LiquidError> {
    run.make(value.as_json().map_or(24, text_bytes))?;
    Ok(value.text())
}

/// The value's elements, each counted as a step.
fn elements<'v>(run: &mut Run<'_>, value: &'v Val<'_>) -> Result<Cow<'v, [Value]>, LiquidError> {
    let elements = value.elements();
    run.step(elements.len())?;
    Ok(elements)
}
