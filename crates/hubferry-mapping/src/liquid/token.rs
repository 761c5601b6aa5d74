//! A template cut into texts, outputs and tags, with the blanks trimmed that hyphens ask for.

use super::cursor::{Cursor, is_blank};
use super::expression::quoted;

/// A piece between delimiters, or the text between those.
pub(super) enum Token<'t> {
    Text {
        from: usize,
        to: usize,
        trim_left: usize,
        trim_right: usize,
    },
    Output(Cursor<'t>),
    Tag(Tag<'t>),
}

pub(super) struct Tag<'t> {
    pub(super) name: String,
    /// What follows the name.
    pub(super) rest: Cursor<'t>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Where trimming applies.
struct Trims {
    left: bool,
    right: bool,
}

type Fault = String;

pub(super) fn tokens(chars: &[char]) -> Result<Vec<Token<'_>>, Fault> {
    let mut cursor = Cursor::over(chars, 0, chars.len());
    let mut tokens = Vec::new();
    let mut trims = Vec::new();
    let mut in_raw = false;
    while !cursor.is_at_end() {
        let (token, trim) = if in_raw {
            raw_or_end(&mut cursor)?
        } else if cursor.is_before("{%") {
            tag(&mut cursor)?
        } else if cursor.is_before("{{") {
            output(&mut cursor)?
        } else {
            (text(&mut cursor), None)
        };
        if let Token::Tag(tag) = &token {
            in_raw = tag.name == "raw";
        }
        tokens.push(token);
        trims.push(trim);
    }
    trim_texts(chars, &mut tokens, &trims);
    Ok(tokens)
}

fn text<'t>(cursor: &mut Cursor<'t>) -> Token<'t> {
    let from = cursor.at;
    while !cursor.is_at_end() && !cursor.is_before("{%") && !cursor.is_before("{{") {
        cursor.at += 1;
    }
    whole_text(from, cursor.at)
}

fn whole_text<'t>(from: usize, to: usize) -> Token<'t> {
    Token::Text {
        from,
        to,
        trim_left: 0,
        trim_right: 0,
    }
}

fn tag<'t>(cursor: &mut Cursor<'t>) -> Result<(Token<'t>, Option<Trims>), Fault> {
    let from = cursor.at;
    if !cursor.pass("%}") {
        return Err("has a tag that is not closed".to_owned());
    }
    tag_of(cursor.chars, from, cursor.at, 2)
}

fn tag_of(
    chars: &[char],
    from: usize,
    to: usize,
    delimiter: usize,
) -> Result<(Token<'_>, Option<Trims>), Fault> {
    let (mut rest, trims) = inside(chars, from + delimiter, to.saturating_sub(delimiter));
    rest.skip_blanks();
    let name = if rest.chars.get(rest.at) == Some(&'#') {
        rest.at += 1;
        "#".to_owned()
    } else {
        rest.name()
    };
    if name.is_empty() {
        return Err("has a tag without a name".to_owned());
    }
    rest.skip_blanks();
    let tag = Tag {
        name,
        rest,
        from,
        to,
    };
    Ok((Token::Tag(tag), Some(trims)))
}

/// The tag on a line of a `liquid` block, which has no delimiters.
pub(super) fn line_tag(chars: &[char], from: usize, to: usize) -> Result<Token<'_>, Fault> {
    tag_of(chars, from, to, 0).map(|(token, _)| token)
}

/// What stands between delimiters, without blanks and the hyphens that trim.
fn inside(chars: &[char], from: usize, to: usize) -> (Cursor<'_>, Trims) {
    let left = chars.get(from) == Some(&'-');
    let right = to > 0 && chars.get(to - 1) == Some(&'-');
    let mut start = from + usize::from(left);
    let mut end = to - usize::from(right);
    while start < end && is_blank(chars[start]) {
        start += 1;
    }
    while end > start && is_blank(chars[end - 1]) {
        end -= 1;
    }
    (Cursor::over(chars, start, end), Trims { left, right })
}

/// Quotes protect the closing braces of outputs, not those of tags.
fn output<'t>(cursor: &mut Cursor<'t>) -> Result<(Token<'t>, Option<Trims>), Fault> {
    let from = cursor.at;
    loop {
        if cursor.is_at_end() {
            return Err("has an output that is not closed".to_owned());
        }
        if matches!(cursor.peek(), Some('\'' | '"')) {
            quoted(cursor);
            continue;
        }
        cursor.at += 1;
        if cursor.is_behind("}}") {
            break;
        }
    }
    let (content, trims) = inside(cursor.chars, from + 2, cursor.at - 2);
    Ok((Token::Output(content), Some(trims)))
}

/// The text of a raw block up to its end, then that end.
fn raw_or_end<'t>(cursor: &mut Cursor<'t>) -> Result<(Token<'t>, Option<Trims>), Fault> {
    let from = cursor.at;
    while cursor.pass("{%") {
        let open = cursor.at - 2;
        let mut inner = cursor.clone();
        // A hyphen is a part of names, so that only a blank or nothing may stand before this one.
        if inner.name() != "endraw" {
            continue;
        }
        while inner.at <= inner.end {
            if inner.is_behind("%}") {
                if open == from {
                    cursor.at = inner.at;
                    return tag_of(cursor.chars, from, inner.at, 2);
                }
                cursor.at = open;
                return Ok((whole_text(from, open), None));
            }
            if inner.is_behind("{%") {
                break;
            }
            inner.at += 1;
        }
    }
    Err("has a raw block that is not closed".to_owned())
}

fn trim_texts(chars: &[char], tokens: &mut [Token<'_>], trims: &[Option<Trims>]) {
    let mut in_raw = false;
    for (index, trim) in trims.iter().enumerate() {
        let Some(trim) = trim else {
            continue;
        };
        if !in_raw && trim.left && index > 0 {
            trim_end(chars, &mut tokens[index - 1]);
        }
        if let Token::Tag(tag) = &tokens[index] {
            in_raw = match tag.name.as_str() {
                "raw" => true,
                "endraw" => false,
                _ => in_raw,
            };
        }
        if !in_raw && trim.right && index + 1 < tokens.len() {
            trim_start(chars, &mut tokens[index + 1]);
        }
    }
}

fn trim_end(chars: &[char], token: &mut Token<'_>) {
    if let Token::Text {
        from,
        to,
        trim_right,
        ..
    } = token
    {
        let blanks = chars[*from..*to].iter().rev().take_while(|c| is_blank(**c));
        *trim_right = blanks.count();
    }
}

fn trim_start(chars: &[char], token: &mut Token<'_>) {
    if let Token::Text {
        from,
        to,
        trim_left,
        ..
    } = token
    {
        *trim_left = chars[*from..*to]
            .iter()
            .take_while(|c| is_blank(**c))
            .count();
    }
}
