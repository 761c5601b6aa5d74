//! Filters on texts. Anything else is taken by its text, missing and null as nothing.

use super::{argument, text};
use crate::liquid::LiquidError;
use crate::liquid::run::Run;
use crate::liquid::value::Val;
use crate::text::is_js_blank;

type Result<'a> = std::result::Result<Val<'a>, LiquidError>;

pub(super) fn append<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let end = only(run, "append", arguments)?;
    Ok(Val::from_text(text(run, &value)?.into_owned() + &end))
}

pub(super) fn prepend<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let start = only(run, "prepend", arguments)?;
    Ok(Val::from_text(start + &text(run, &value)?))
}

fn only(
    run: &mut Run<'_>,
    name: &'static str,
    arguments: &[Val<'_>],
) -> std::result::Result<String, LiquidError> {
    match arguments {
        [only] => Ok(text(run, only)?.into_owned()),
        _ => Err(LiquidError::Filter {
            name,
            rule: "takes one argument",
        }),
    }
}

/// The first character in upper case, the others in lower case.
pub(super) fn capitalize<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let whole = text(run, &value)?;
    let mut chars = whole.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    Ok(Val::from_text(
        first.unwrap_or_default() + &chars.as_str().to_lowercase(),
    ))
}

pub(super) fn downcase<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(text(run, &value)?.to_lowercase()))
}

pub(super) fn upcase<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(text(run, &value)?.to_uppercase()))
}

/// What is stripped: blanks, or the characters that are given.
fn stripped(arguments: &[Val<'_>]) -> impl Fn(char) -> bool {
    let given = argument(arguments, 0);
    let chars: Option<Vec<char>> = given.is_truthy().then(|| given.text().chars().collect());
    move |c| match &chars {
        Some(chars) => chars.contains(&c),
        None => is_js_blank(c),
    }
}

pub(super) fn lstrip<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(
        text(run, &value)?.trim_start_matches(stripped(arguments)),
    ))
}

pub(super) fn rstrip<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(
        text(run, &value)?.trim_end_matches(stripped(arguments)),
    ))
}

pub(super) fn strip<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(
        text(run, &value)?.trim_matches(stripped(arguments)),
    ))
}

pub(super) fn strip_newlines<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(
        text(run, &value)?.replace("\r\n", "").replace('\n', ""),
    ))
}

/// Every run of blanks becomes one space.
fn normalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_in_blanks = false;
    for c in text.chars() {
        let is_blank = is_js_blank(c);
        if !is_blank {
            out.push(c);
        } else if !is_in_blanks {
            out.push(' ');
        }
        is_in_blanks = is_blank;
    }
    out
}

pub(super) fn normalize_whitespace<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    _: &[Val<'a>],
) -> Result<'a> {
    Ok(Val::from_text(normalized(&text(run, &value)?)))
}

pub(super) fn squish<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    Ok(Val::from_text(
        normalized(&text(run, &value)?).trim_matches(is_js_blank),
    ))
}

/// Words between blanks; with `cjk` every such character is a word, with `auto` when there is one.
pub(super) fn number_of_words<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let whole = text(run, &value)?;
    let mode = argument(arguments, 0).text().into_owned();
    let has_cjk = whole.contains(is_cjk);
    let words = match mode.as_str() {
        "cjk" | "auto" if has_cjk || mode == "cjk" => {
            let cjk = whole.chars().filter(|c| is_cjk(*c)).count();
            cjk + count_words(&whole, |c| is_js_blank(c) || is_cjk(c))
        }
        _ => count_words(&whole, is_js_blank),
    };
    Ok(Val::Json(std::borrow::Cow::Owned(words.into())))
}

fn count_words(text: &str, is_between: impl Fn(char) -> bool) -> usize {
    text.split(is_between)
        .filter(|word| !word.is_empty())
        .count()
}

const fn is_cjk(c: char) -> bool {
    matches!(
        c,
        '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{ac00}'..='\u{d7af}'
    )
}

/// Every occurrence; the empty pattern stands between the characters.
pub(super) fn replace<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let whole = text(run, &value)?;
    let pattern = argument(arguments, 0).text();
    let instead = argument(arguments, 1).text();
    let occurrences = if pattern.is_empty() {
        whole.chars().count()
    } else {
        whole.matches(&*pattern).count()
    };
    run.make(occurrences.saturating_mul(instead.len()))?;
    if pattern.is_empty() {
        let chars: Vec<String> = whole.chars().map(String::from).collect();
        return Ok(Val::from_text(chars.join(&instead)));
    }
    Ok(Val::from_text(whole.replace(&*pattern, &instead)))
}

pub(super) fn replace_first<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let whole = text(run, &value)?;
    let pattern = argument(arguments, 0).text();
    let instead = text(run, argument(arguments, 1))?;
    Ok(Val::from_text(whole.replacen(&*pattern, &instead, 1)))
}

pub(super) fn replace_last<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let whole = text(run, &value)?;
    let pattern = argument(arguments, 0).text();
    let instead = text(run, argument(arguments, 1))?;
    Ok(Val::from_text(match whole.rfind(&*pattern) {
        Some(at) => format!("{}{instead}{}", &whole[..at], &whole[at + pattern.len()..]),
        None => whole.into_owned(),
    }))
}

pub(super) fn remove<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let pattern = argument(arguments, 0).text();
    Ok(Val::from_text(text(run, &value)?.replace(&*pattern, "")))
}

pub(super) fn remove_first<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let pattern = argument(arguments, 0).text();
    Ok(Val::from_text(
        text(run, &value)?.replacen(&*pattern, "", 1),
    ))
}

pub(super) fn remove_last<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let only_pattern = [argument(arguments, 0).clone()];
    replace_last(run, value, &only_pattern)
}

/// At most so many characters (50 unless told), the ellipsis included. A short value stays what it is.
pub(super) fn truncate<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let most = argument_or(arguments, 0, 50.0);
    let ellipsis = ellipsis(arguments);
    run.make(ellipsis.len())?;
    let whole = text(run, &value)?;
    let length = count(whole.chars().count());
    if length <= most || whole.is_empty() {
        drop(whole);
        return Ok(value);
    }
    let kept = (most - count(ellipsis.chars().count())).max(0.0).ceil();
    let mut end = 0;
    let mut taken = 0.0;
    for c in whole.chars() {
        if taken >= kept || kept.is_nan() {
            break;
        }
        taken += 1.0;
        end += c.len_utf8();
    }
    Ok(Val::from_text(format!("{}{ellipsis}", &whole[..end])))
}

/// At most so many words (15 unless told), with the ellipsis when there are as many or more.
pub(super) fn truncatewords<'a>(
    run: &mut Run<'a>,
    value: Val<'a>,
    arguments: &[Val<'a>],
) -> Result<'a> {
    let most = argument_or(arguments, 0, 15.0);
    let most = if most <= 0.0 { 1.0 } else { most };
    let ellipsis = ellipsis(arguments);
    run.make(ellipsis.len())?;
    let whole = normalized(text(run, &value)?.trim_start_matches(is_js_blank));
    let mut kept = String::new();
    let mut words = 0.0;
    for word in whole.split(' ') {
        if words < most.trunc() {
            if words > 0.0 {
                kept.push(' ');
            }
            kept.push_str(word);
        }
        words += 1.0;
    }
    if words >= most {
        kept.push_str(&ellipsis);
    }
    Ok(Val::from_text(kept))
}

fn argument_or(arguments: &[Val<'_>], index: usize, default: f64) -> f64 {
    match argument(arguments, index) {
        Val::Undefined => default,
        given => given.number(),
    }
}

fn ellipsis(arguments: &[Val<'_>]) -> String {
    match argument(arguments, 1) {
        Val::Undefined => "...".to_owned(),
        given => given.text().into_owned(),
    }
}

/// A length as JavaScript holds it.
fn count(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}
