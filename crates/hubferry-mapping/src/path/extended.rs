//! The pieces of a path in the extended dialect.
//!
//! It is the reference's dialect with two additions. A backslash before a dot, a bracket, a quote or a backslash makes
//! that a part of the key; before anything else it is a part of the key itself. A quote that begins a piece protects
//! everything up to its counterpart. So `a\.b`, `['a.b']` and `'a.b'` are all the key `a.b`.

use super::{is_quote, is_quote_or_digit};

/// The pieces of a path whose first `$.` is removed, unless a quote or a backslash protects it.
pub(super) fn split_without_dollar(text: &str) -> Vec<String> {
    let mut splitter = Splitter::over(text);
    while !splitter.is_before_dollar() {
        if !splitter.step() {
            return splitter.pieces;
        }
    }
    let (head, tail) = text.split_at(text.len() - splitter.rest.len());
    split(&format!("{head}{}", &tail["$.".len()..]))
}

pub(super) fn split(text: &str) -> Vec<String> {
    let mut splitter = Splitter::over(text);
    while splitter.step() {}
    splitter.pieces
}

struct Splitter<'t> {
    rest: &'t str,
    /// The last one is still growing.
    pieces: Vec<String>,
    before: Option<char>,
    is_in_closing_run: bool,
}

impl<'t> Splitter<'t> {
    fn over(text: &'t str) -> Self {
        Self {
            rest: text,
            pieces: vec![String::new()],
            before: None,
            is_in_closing_run: false,
        }
    }

    fn is_before_dollar(&self) -> bool {
        self.rest.starts_with("$.")
    }

    fn step(&mut self) -> bool {
        let mut chars = self.rest.chars();
        let Some(c) = chars.next() else {
            return false;
        };
        let after = chars.as_str();
        let next = chars.next();
        let begins_piece = self.pieces.last().is_some_and(String::is_empty);
        let was_in_closing_run = std::mem::take(&mut self.is_in_closing_run);
        match c {
            '\\' if next.is_some_and(|c| matches!(c, '.' | '[' | ']' | '\\') || is_quote(c)) => {
                let escaped = next.unwrap_or_default();
                self.push(escaped);
                // What is escaped neither opens nor closes anything.
                self.before = None;
                self.rest = &after[escaped.len_utf8()..];
                return true;
            }
            c if is_quote(c) && begins_piece => {
                if let Some((key, rest)) = quoted(after, c) {
                    for c in key.chars() {
                        self.push(c);
                    }
                    self.rest = rest;
                    self.before = Some(c);
                    return true;
                }
            }
            '.' => self.end_piece(),
            '[' if is_quote_or_digit(next) => self.end_piece(),
            ']' if was_in_closing_run || is_quote_or_digit(self.before) => {
                self.is_in_closing_run = true;
                self.end_piece();
            }
            c if is_quote(c) => {}
            other => self.push(other),
        }
        self.before = Some(c);
        self.rest = after;
        true
    }

    fn push(&mut self, c: char) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(c);
        }
    }

    fn end_piece(&mut self) {
        self.pieces.push(String::new());
    }
}

/// The text up to the closing quote, and what follows it; `None` when the quote is never closed.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            return Some((key, chars.as_str()));
        }
        let mut ahead = chars.clone();
        match ahead.next() {
            Some(escaped) if c == '\\' && (escaped == quote || escaped == '\\') => {
                key.push(escaped);
                chars = ahead;
            }
            _ => key.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::path::{Path, PathDialect};

    fn at(path: &str, event: &Value) -> Option<Value> {
        let path = Path::parse(path, PathDialect::Extended);
        path.lookup(event.into())
            .map(crate::path::Found::into_value)
    }

    #[test]
    fn keys_with_dots_can_be_addressed() {
        let event = json!({"k.e": 3, "a": {"b.c": {"d": 4}, "x'y": 5, "p\\q": 6, "[z]": 7}, "$.": {"v": 8}, "l": [[9]]});
        for (path, expected) in [
            (r"k\.e", 3),
            ("['k.e']", 3),
            ("[\"k.e\"]", 3),
            ("'k.e'", 3),
            ("$.k\\.e", 3),
            ("$['k.e']", 3),
            ("a['b.c'].d", 4),
            ("a.'b.c'.d", 4),
            (r"$.a.b\.c.d", 4),
            (r"a['x\'y']", 5),
            ("a[\"x'y\"]", 5),
            (r"a.x\'y", 5),
            (r"a.p\q", 6),
            (r"a.p\\q", 6),
            (r"a.\[z\]", 7),
            ("['$.'].v", 8),
            ("l[0][0]", 9),
        ] {
            let found = at(path, &event);
            // `$` before a bracket is a key, as in the reference.
            let expected = (path != "$['k.e']").then(|| json!(expected));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn templates_take_them_too() {
        let event = json!({"k.e": 3, "$": {"a": 1}});
        let template = crate::template::Template::parse(
            r"{{k\.e}} {{['k.e']}} {{$.a}}",
            PathDialect::Extended,
        );
        let budget = crate::budget::Budget::default();
        let from = crate::node::Source {
            event: Some((&event).into()),
            budget: &budget,
        };
        assert_eq!(template.fill(from).as_deref(), Ok("3 3 1"));
    }

    proptest! {
        /// Without backslashes, and with quotes only around keys in brackets that hold nothing to protect, it is the
        /// reference's dialect.
        #[test]
        fn other_paths_mean_what_they_mean_in_the_reference(
            path in r"(\$\.|\$|a|b|0|1|x y|\.|\[0\]|\['a'\]|\[|\]|\[a\]){0,8}"
        ) {
            let extended = Path::parse(&path, PathDialect::Extended);
            let reference = Path::parse(&path, PathDialect::Reference);
            prop_assert_eq!(extended, reference);
        }

        #[test]
        fn any_text_is_a_path(path in any::<String>()) {
            let event = json!({"a": 1});
            prop_assert_eq!(at(&path, &event), at(&path, &event));
        }
    }
}
