//! A template as text, outputs and tags.

use super::MAX_LIQUID_DEPTH;
use super::cursor::{Cursor, is_blank};
use super::expression::{FilterCall, Filtered, Operand, filtered, quoted, value};
use super::token::{Tag, Token, line_tag, tokens};

/// One part of a template.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Text(String),
    Output(Filtered),
    Assign(String, Filtered),
    Capture(String, Vec<Block>),
    /// The first branch whose condition holds.
    If(Vec<Branch>, Vec<Block>),
    Cycle(Cycle),
    Count(String, Counting),
    Group(Vec<Block>),
    /// `break` and `continue` outside of a loop end the rendering.
    Stop,
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) condition: Filtered,
    pub(super) holds_when: bool,
    pub(super) blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) group: Option<Operand>,
    pub(super) candidates: Vec<Filtered>,
    /// The candidates as they are written, which tell cycles apart.
    pub(super) written: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    Up,
    Down,
}

type Fault = String;

pub(super) fn parse(chars: &[char]) -> Result<Vec<Block>, Fault> {
    let tokens = tokens(chars)?;
    let mut parser = Parser {
        chars,
        tokens: tokens.into_iter(),
        depth: 0,
    };
    parser.all()
}

struct Parser<'t> {
    chars: &'t [char],
    tokens: std::vec::IntoIter<Token<'t>>,
    depth: usize,
}

/// Tags that end or divide a block.
enum Divider<'t> {
    Tag(Tag<'t>),
    End,
}

impl<'t> Parser<'t> {
    fn all(&mut self) -> Result<Vec<Block>, Fault> {
        let mut blocks = Vec::new();
        while let Some(token) = self.tokens.next() {
            blocks.push(self.block(token)?);
        }
        Ok(blocks)
    }

    /// Reads blocks up to a tag with one of the names.
    fn until(&mut self, names: &[&str]) -> Result<(Vec<Block>, Divider<'t>), Fault> {
        let mut blocks = Vec::new();
        while let Some(token) = self.tokens.next() {
            match token {
                Token::Tag(tag) if names.contains(&tag.name.as_str()) => {
                    return Ok((blocks, Divider::Tag(tag)));
                }
                other => blocks.push(self.block(other)?),
            }
        }
        Ok((blocks, Divider::End))
    }

    fn block(&mut self, token: Token<'t>) -> Result<Block, Fault> {
        match token {
            Token::Text {
                from,
                to,
                trim_left,
                trim_right,
            } => {
                let kept = self.chars.get(from + trim_left..to - trim_right);
                Ok(Block::Text(kept.unwrap_or_default().iter().collect()))
            }
            Token::Output(mut cursor) => Ok(Block::Output(filtered(&mut cursor)?)),
            Token::Tag(tag) => {
                if self.depth == MAX_LIQUID_DEPTH {
                    return Err(format!("nests deeper than {MAX_LIQUID_DEPTH} tags"));
                }
                self.depth += 1;
                let block = self.tag(tag);
                self.depth -= 1;
                block
            }
        }
    }

    fn tag(&mut self, mut tag: Tag<'t>) -> Result<Block, Fault> {
        match tag.name.as_str() {
            "assign" => assign(&mut tag.rest),
            "capture" => self.capture(&mut tag.rest),
            "comment" => self.comment(),
            "cycle" => cycle(&mut tag.rest),
            "decrement" => Ok(Block::Count(tag.rest.name(), Counting::Down)),
            "increment" => Ok(Block::Count(tag.rest.name(), Counting::Up)),
            "echo" if tag.rest.is_at_end() => Ok(Block::Nothing),
            "echo" => Ok(Block::Output(filtered(&mut tag.rest)?)),
            "if" => self.if_block(tag),
            "unless" => self.unless_block(tag),
            "liquid" => self.lines(&tag.rest),
            "raw" => self.raw(),
            "#" => inline_comment(&tag.rest),
            "break" | "continue" => Ok(Block::Stop),
            "case" | "for" | "include" | "layout" | "render" | "tablerow" => {
                Err(format!("uses the disabled tag `{}`", tag.name))
            }
            _ => Err(format!("uses the unknown tag `{}`", tag.name)),
        }
    }

    fn capture(&mut self, rest: &mut Cursor<'t>) -> Result<Block, Fault> {
        let mut name = rest.name();
        if name.is_empty() {
            rest.skip_blanks();
            name = match rest.peek() {
                Some('\'' | '"') => quoted(rest),
                _ => return Err("captures into no name".to_owned()),
            };
        }
        match self.until(&["endcapture"])? {
            (blocks, Divider::Tag(_)) => Ok(Block::Capture(name, blocks)),
            (_, Divider::End) => Err(not_closed("capture")),
        }
    }

    fn comment(&mut self) -> Result<Block, Fault> {
        let is_end = |token: &Token<'_>| matches!(token, Token::Tag(t) if t.name == "endcomment");
        if self.tokens.any(|token| is_end(&token)) {
            Ok(Block::Nothing)
        } else {
            Err(not_closed("comment"))
        }
    }

    fn raw(&mut self) -> Result<Block, Fault> {
        let mut text = String::new();
        for token in self.tokens.by_ref() {
            let (from, to) = match token {
                Token::Tag(tag) if tag.name == "endraw" => return Ok(Block::Text(text)),
                Token::Tag(tag) => (tag.from, tag.to),
                Token::Text { from, to, .. } => (from, to),
                Token::Output(cursor) => (cursor.at, cursor.end),
            };
            text.extend(self.chars.get(from..to).unwrap_or_default());
        }
        Err(not_closed("raw"))
    }

    fn if_block(&mut self, tag: Tag<'t>) -> Result<Block, Fault> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        let mut head = Some(tag);
        loop {
            let condition = match &mut head {
                Some(tag) => Some(filtered(&mut tag.rest)?),
                None => None,
            };
            let (blocks, divider) = self.until(&["elsif", "else", "endif"])?;
            match condition {
                Some(condition) => branches.push(Branch {
                    condition,
                    holds_when: true,
                    blocks,
                }),
                None => otherwise = Some(blocks),
            }
            let Divider::Tag(next) = divider else {
                return Err(not_closed("if"));
            };
            if next.name != "elsif" && !next.rest.is_at_end() {
                return Err(format!("has something behind `{}`", next.name));
            }
            if next.name == "endif" {
                return Ok(Block::If(branches, otherwise.unwrap_or_default()));
            }
            if otherwise.is_some() {
                return Err(format!("has `{}` behind `else`", next.name));
            }
            head = (next.name == "elsif").then_some(next);
        }
    }

    /// Unlike in `if`, what follows the first `else` up to the end is passed over.
    fn unless_block(&mut self, mut tag: Tag<'t>) -> Result<Block, Fault> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let mut seen_else = 0;
        let mut head = Some((filtered(&mut tag.rest)?, false));
        loop {
            let (blocks, divider) = self.until(&["elsif", "else", "endunless"])?;
            match head.take() {
                Some((condition, holds_when)) => branches.push(Branch {
                    condition,
                    holds_when,
                    blocks,
                }),
                None if seen_else == 1 => otherwise.extend(blocks),
                None => {}
            }
            let Divider::Tag(mut next) = divider else {
                return Err(not_closed("unless"));
            };
            match next.name.as_str() {
                "endunless" => return Ok(Block::If(branches, otherwise)),
                "else" => seen_else += 1,
                _ if seen_else == 0 => head = Some((filtered(&mut next.rest)?, true)),
                _ => seen_else += 1,
            }
        }
    }

    /// One tag per line, without delimiters.
    fn lines(&mut self, rest: &Cursor<'t>) -> Result<Block, Fault> {
        let mut cursor = rest.clone();
        let mut tokens = Vec::new();
        loop {
            cursor.skip_blanks();
            if cursor.is_at_end() {
                break;
            }
            let from = cursor.at;
            cursor.pass("\n");
            let token = line_tag(cursor.chars, from, cursor.at)?;
            tokens.push(token);
        }
        let mut inner = Parser {
            chars: self.chars,
            tokens: tokens.into_iter(),
            depth: self.depth,
        };
        Ok(Block::Group(inner.all()?))
    }
}

fn not_closed(tag: &str) -> Fault {
    format!("has `{tag}` without `end{tag}`")
}

fn assign(rest: &mut Cursor<'_>) -> Result<Block, Fault> {
    let name = rest.name();
    rest.skip_blanks();
    if name.is_empty() || rest.take() != Some('=') {
        return Err("has `assign` without `name = value`".to_owned());
    }
    Ok(Block::Assign(name, filtered(rest)?))
}

fn cycle(rest: &mut Cursor<'_>) -> Result<Block, Fault> {
    let start = rest.at;
    let mut group = value(rest)?;
    rest.skip_blanks();
    if group.is_some() && rest.peek() == Some(':') {
        rest.at += 1;
    } else {
        group = None;
        rest.at = start;
    }
    let mut candidates = Vec::new();
    let mut written = Vec::new();
    while !rest.is_at_end() {
        let from = rest.at;
        candidates.push(filtered(rest)?);
        written.push(rest.slice(from, rest.at));
        rest.pass(",");
    }
    if candidates.is_empty() {
        return Err("has a `cycle` without values".to_owned());
    }
    Ok(Block::Cycle(Cycle {
        group,
        candidates,
        written: written.join(","),
    }))
}

/// Every line of an inline comment begins with `#`.
fn inline_comment(rest: &Cursor<'_>) -> Result<Block, Fault> {
    let text = rest.slice(rest.at, rest.end);
    let is_comment = text
        .split('\n')
        .skip(1)
        .map(|line| line.trim_start_matches(is_blank))
        .all(|line| line.is_empty() || line.starts_with('#'));
    if is_comment {
        Ok(Block::Nothing)
    } else {
        Err("has an inline comment with a line that does not begin with `#`".to_owned())
    }
}

/// Visits the filters of all blocks, also those that are never rendered.
pub(super) fn for_each_filter(blocks: &[Block], visit: &mut impl FnMut(&FilterCall)) {
    for block in blocks {
        match block {
            Block::Output(value) | Block::Assign(_, value) => {
                value.filters.iter().for_each(&mut *visit)
            }
            Block::Capture(_, inner) | Block::Group(inner) => for_each_filter(inner, visit),
            Block::If(branches, otherwise) => {
                for branch in branches {
                    branch.condition.filters.iter().for_each(&mut *visit);
                    for_each_filter(&branch.blocks, visit);
                }
                for_each_filter(otherwise, visit);
            }
            Block::Cycle(cycle) => {
                for candidate in &cycle.candidates {
                    candidate.filters.iter().for_each(&mut *visit);
                }
            }
            Block::Text(_) | Block::Count(..) | Block::Stop | Block::Nothing => {}
        }
    }
}
