//! Filters for what texts become on their way through the web: HTML, addresses, Base64, JSON.

use serde_json::Value;

use super::{argument, text};
use crate::budget::weight;
use crate::liquid::LiquidError;
use crate::liquid::run::Run;
use crate::liquid::value::{Val, whole};
use crate::text::{is_js_blank, js_json};

type Result<'a> = std::result::Result<Val<'a>, LiquidError>;

const ESCAPES: [(char, &str); 5] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&#34;"),
    ('\'', "&#39;"),
];

pub(super) fn escape<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let plain = text(run, &value)?.into_owned();
    escaped(run, &plain)
}

fn escaped<'a>(run: &mut Run<'a>, plain: &str) -> Result<'a> {
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match ESCAPES.iter().find(|(special, _)| *special == c) {
            Some((_, entity)) => out.push_str(entity),
            None => out.push(c),
        }
    }
    run.make(out.len())?;
    Ok(Val::from_text(out))
}

/// Entities that are there already are not escaped again.
pub(super) fn escape_once<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let whole = text(run, &value)?;
    let mut plain = String::with_capacity(whole.len());
    let mut rest = &*whole;
    while let Some(c) = rest.chars().next() {
        match ESCAPES.iter().find(|(_, entity)| rest.starts_with(entity)) {
            Some((special, entity)) => {
                plain.push(*special);
                rest = &rest[entity.len()..];
            }
            None => {
                plain.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    escaped(run, &plain)
}

/// Removes tags, comments, scripts and styles; what is never closed stays.
pub(super) fn strip_html<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let html = text(run, &value)?;
    let mut kinds = vec![
        ("<script", "</script>"),
        ("<style", "</style>"),
        ("<!--", "-->"),
        ("<", ">"),
    ];
    let mut out = String::new();
    let mut rest = &*html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut closed = None;
        // A kind whose end is missing once is missing for good, which keeps this linear.
        kinds.retain(|(opener, closer)| {
            if closed.is_some() || !rest.starts_with(opener) {
                return true;
            }
            match rest[opener.len()..].find(closer) {
                Some(end) => {
                    closed = Some(opener.len() + end + closer.len());
                    true
                }
                None => false,
            }
        });
        match closed {
            Some(end) => rest = &rest[end..],
            None => break,
        }
    }
    out.push_str(rest);
    Ok(Val::from_text(out))
}

/// JavaScript's `encodeURIComponent` leaves these beside letters and digits.
const UNRESERVED: &str = "-_.!~*'()";

fn percent_encoded<'a>(
    run: &mut Run<'a>,
    plain: &str,
    kept: &str,
) -> std::result::Result<String, LiquidError> {
    run.make(plain.len().saturating_mul(3))?;
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
    Ok(out)
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |c| c.to_ascii_uppercase())
}

pub(super) fn url_encode<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let plain = text(run, &value)?.into_owned();
    let encoded = percent_encoded(run, &plain, UNRESERVED)?;
    Ok(Val::from_text(encoded.replace("%20", "+")))
}

pub(super) fn cgi_escape<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let plain = text(run, &value)?.into_owned();
    let encoded = percent_encoded(run, &plain, "-_.~")?;
    Ok(Val::from_text(encoded.replace("%20", "+")))
}

pub(super) fn uri_escape<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let plain = text(run, &value)?.into_owned();
    let encoded = percent_encoded(run, &plain, "-_.!~*'();,/?:@&=+$#[]")?;
    Ok(Val::from_text(encoded))
}

pub(super) fn url_decode<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let encoded = text(run, &value)?;
    let decoded = percent_decoded(&encoded).ok_or(LiquidError::Filter {
        name: "url_decode",
        rule: "takes a text that is encoded for an address",
    })?;
    Ok(Val::from_text(decoded))
}

fn percent_decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = rest else {
                    return None;
                };
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let byte = digit(*high)? * 16 + digit(*low)?;
                bytes.push(u8::try_from(byte).ok()?);
                rest = after;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A text as a part of an address: whatever is not kept becomes a hyphen, none at the ends.
pub(super) fn slugify<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let mode = match argument(arguments, 0) {
        Val::Undefined => "default".to_owned(),
        mode => mode.text().into_owned(),
    };
    let keeps_case = argument(arguments, 1).is_truthy();
    let mut plain = text(run, &value)?.into_owned();
    if mode == "latin" {
        plain = plain.chars().map(without_accent).collect();
    }
    let kept: Option<fn(char) -> bool> = match mode.as_str() {
        "raw" => Some(|c| !is_js_blank(c)),
        "default" | "latin" => Some(is_letter_or_digit),
        "pretty" => Some(|c| is_letter_or_digit(c) || "._~!$&'()+,;=@".contains(c)),
        "ascii" => Some(|c| c.is_ascii_alphanumeric()),
        _ => None,
    };
    let slug = match kept {
        Some(is_kept) => hyphenated(&plain, is_kept),
        None => plain,
    };
    Ok(Val::from_text(if keeps_case {
        slug
    } else {
        slug.to_lowercase()
    }))
}

fn hyphenated(plain: &str, is_kept: fn(char) -> bool) -> String {
    let mut slug = String::with_capacity(plain.len());
    let mut is_in_gap = false;
    for c in plain.chars() {
        let kept = is_kept(c);
        if kept {
            slug.push(c);
        } else if !is_in_gap {
            slug.push('-');
        }
        is_in_gap = !kept;
    }
    let inner = slug.strip_prefix('-').unwrap_or(&slug);
    inner.strip_suffix('-').unwrap_or(inner).to_owned()
}

/// Letters, their combining marks, and digits.
fn is_letter_or_digit(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

fn without_accent(c: char) -> String {
    let plain = match c {
        'à'..='å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è'..='ë' => "e",
        'ì'..='ï' => "i",
        'ð' => "d",
        'ñ' => "n",
        'ò'..='ö' | 'ø' => "o",
        'ù'..='ü' => "u",
        'ý' | 'ÿ' => "y",
        'ß' => "ss",
        'œ' => "oe",
        'þ' => "th",
        'ẞ' => "SS",
        'Œ' => "OE",
        'Þ' => "TH",
        other => return other.to_string(),
    };
    plain.to_owned()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64_encode<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let plain = text(run, &value)?;
    run.make(plain.len().saturating_mul(2))?;
    let mut out = String::with_capacity(plain.len() / 3 * 4 + 4);
    for chunk in plain.as_bytes().chunks(3) {
        let mut bits = 0_usize;
        for index in 0..3 {
            bits = bits << 8 | usize::from(chunk.get(index).copied().unwrap_or(0));
        }
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(BASE64[bits >> (18 - 6 * place) & 63]));
            } else {
                out.push('=');
            }
        }
    }
    Ok(Val::from_text(out))
}

/// Blanks and missing padding are forgiven, other characters are not.
pub(super) fn base64_decode<'a>(run: &mut Run<'a>, value: Val<'a>, _: &[Val<'a>]) -> Result<'a> {
    let encoded = text(run, &value)?;
    let decoded = decoded(&encoded).ok_or(LiquidError::Filter {
        name: "base64_decode",
        rule: "takes a text in Base64",
    })?;
    Ok(Val::from_text(String::from_utf8_lossy(&decoded)))
}

fn decoded(encoded: &str) -> Option<Vec<u8>> {
    let mut chars: Vec<u8> = encoded
        .bytes()
        .filter(|byte| !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' '))
        .collect();
    if chars.len().is_multiple_of(4) {
        for _ in 0..2 {
            chars.pop_if(|last| *last == b'=');
        }
    }
    if chars.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(chars.len() / 4 * 3);
    for chunk in chars.chunks(4) {
        let mut bits = 0_u32;
        for index in 0..4 {
            let place = match chunk.get(index) {
                Some(byte) => BASE64.iter().position(|known| known == byte)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(place).ok()?;
        }
        let [_, first, second, third] = bits.to_be_bytes();
        out.extend([first, second, third].into_iter().take(chunk.len() - 1));
    }
    Some(out)
}

/// JSON, indented by a number of spaces or by a text.
pub(super) fn json<'a>(run: &mut Run<'a>, value: Val<'a>, arguments: &[Val<'a>]) -> Result<'a> {
    let value = match value {
        Val::Undefined => return Ok(Val::Undefined),
        // The words are objects without members to the engine.
        Val::Nil | Val::Empty | Val::Blank => return Ok(Val::from_text("{}")),
        value => value.to_element(),
    };
    let indent = indent(argument(arguments, 0));
    // Indented, every value stands on its own line, deeper than the values around it.
    let lines = if indent.is_empty() {
        0
    } else {
        weight(&value) / 32 * indent.len() * 8
    };
    run.make(weight(&value).saturating_mul(2).saturating_add(lines))?;
    let compact = js_json(&value);
    if indent.is_empty() {
        return Ok(Val::from_text(compact));
    }
    Ok(Val::from_text(indented(&value, &indent).unwrap_or(compact)))
}

/// JavaScript takes at most ten spaces or characters.
fn indent(space: &Val<'_>) -> String {
    match space {
        Val::Json(json) if json.is_string() => space.text().chars().take(10).collect(),
        Val::Json(json) if !json.is_number() => String::new(),
        space => {
            let spaces = whole(space.number()).unwrap_or(0).clamp(0, 10);
            " ".repeat(usize::try_from(spaces).unwrap_or(0))
        }
    }
}

/// The usual form with two spaces, written anew line by line; texts in JSON have no line breaks.
fn indented(value: &Value, indent: &str) -> Option<String> {
    let usual = serde_json::to_string_pretty(value).ok()?;
    let mut out = String::new();
    for (index, line) in usual.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let content = line.trim_start_matches(' ');
        out.push_str(&indent.repeat((line.len() - content.len()) / 2));
        out.push_str(content);
    }
    Some(out)
}
