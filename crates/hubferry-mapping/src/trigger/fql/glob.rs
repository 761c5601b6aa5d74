//! Patterns for `match`.

use std::fmt;

/// A pattern for a whole text: `*` any characters, `?` one, `[abc]` and `[a-z]` one of those, `\x` the character x.
/// A bracket that is never closed, and a last backslash, stand for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    AnyChar,
    AnyText,
    OneOf(Vec<(char, char)>),
}

impl Glob {
    pub(super) fn parse(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            at += 1;
            parts.push(match c {
                '*' if parts.last() == Some(&Part::AnyText) => continue,
                '*' => Part::AnyText,
                '?' => Part::AnyChar,
                '\\' => match chars.get(at) {
                    Some(&escaped) => {
                        at += 1;
                        Part::Char(escaped)
                    }
                    None => Part::Char('\\'),
                },
                '[' => match one_of(&chars[at..]) {
                    Some((ranges, length)) => {
                        at += length;
                        Part::OneOf(ranges)
                    }
                    None => Part::Char('['),
                },
                literal => Part::Char(literal),
            });
        }
        Self { parts }
    }

    /// Takes at most the product of both lengths: only the last star is ever tried again.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut at = 0;
        let mut rest = text;
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.parts.get(at), next) {
                (Some(Part::AnyText), _) => {
                    at += 1;
                    retry = Some((at, rest));
                    continue;
                }
                (None, None) => return true,
                (Some(part), Some(c)) if part.takes(c) => {
                    at += 1;
                    rest = &rest[c.len_utf8()..];
                    continue;
                }
                _ => {}
            }
            // The last star takes one character more.
            let Some((after_star, tried)) = retry else {
                return false;
            };
            let Some(skipped) = tried.chars().next() else {
                return false;
            };
            rest = &tried[skipped.len_utf8()..];
            at = after_star;
            retry = Some((after_star, rest));
        }
    }
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(wanted) => *wanted == c,
            Self::AnyChar => true,
            Self::OneOf(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
            Self::AnyText => false,
        }
    }
}

/// The ranges up to the closing bracket, and how many characters they take with it.
fn one_of(chars: &[char]) -> Option<(Vec<(char, char)>, usize)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    loop {
        let (from, after) = match chars.get(at)? {
            ']' => return (!ranges.is_empty()).then_some((ranges, at + 1)),
            '\\' => (*chars.get(at + 1)?, at + 2),
            c => (*c, at + 1),
        };
        at = after;
        let is_range = chars.get(at) == Some(&'-') && chars.get(at + 1).is_some_and(|c| *c != ']');
        if !is_range {
            ranges.push((from, from));
            continue;
        }
        let (to, after) = match chars.get(at + 1)? {
            '\\' => (*chars.get(at + 2)?, at + 3),
            c => (*c, at + 2),
        };
        at = after;
        ranges.push((from, to));
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Char(c @ ('*' | '?' | '[' | '\\')) => write!(f, "\\{c}")?,
                Part::Char(c) => write!(f, "{c}")?,
                Part::AnyChar => f.write_str("?")?,
                Part::AnyText => f.write_str("*")?,
                Part::OneOf(ranges) => {
                    f.write_str("[")?;
                    for (from, to) in ranges {
                        write_range_end(f, *from)?;
                        if from != to {
                            f.write_str("-")?;
                            write_range_end(f, *to)?;
                        }
                    }
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

fn write_range_end(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if matches!(c, ']' | '-' | '\\') {
        f.write_str("\\")?;
    }
    write!(f, "{c}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (text, pattern, expected) in [
            ("abcd", "a*d", true),
            ("", "*", true),
            ("abc", "ab", false),
            ("abcd", "a??d", true),
            ("abcd", "*d", true),
            ("ab*d", "ab\\*d", true),
            ("abxd", "ab\\*d", false),
            ("abCd", "ab[cC]d", true),
            ("abcd", "ab[a-z]d", true),
            ("abcd", "ab[A-Z]d", false),
            ("", "", true),
            ("a", "", false),
            ("", "?", false),
            ("é", "?", true),
            ("aXbXc", "a*b*c", true),
            ("aab", "*ab", true),
            ("abab", "a*b", true),
            ("abac", "a*b", false),
            ("a-b", "a[x-]b", true),
            ("a]b", "a[\\]]b", true),
            ("a[b", "a[b", true),
            ("a[]b", "a[]b", true),
            ("a\\", "a\\", true),
            ("a**b", "a\\*\\*b", true),
            ("Ab", "ab", false),
        ] {
            assert_eq!(
                Glob::parse(pattern).matches(text),
                expected,
                "{pattern} on {text:?}"
            );
        }
    }

    #[test]
    fn a_pattern_prints_as_one_that_means_the_same() {
        for (pattern, printed) in [
            ("a**b?", "a*b?"),
            ("a\\b", "ab"),
            ("\\*x[a-z-]", "\\*x[a-z\\-]"),
            ("a[b", "a\\[b"),
        ] {
            let glob = Glob::parse(pattern);
            assert_eq!(glob.to_string(), printed);
            assert_eq!(Glob::parse(printed), glob);
        }
    }
}
