//! Texts with `{{ paths }}` in them.

use serde_json::{Map, Value};

use crate::budget::text_bytes;
use crate::fault::ResolveError;
use crate::node::Source;
use crate::path::{Found, Path, PathDialect};
use crate::text::{js_trim, push_js_text};

/// A template, split once into its texts and paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Path(Path),
}

impl Template {
    /// Every text is a template: what is no complete pair of braces stays as it is. Triple braces are found first,
    /// and what a path yields is never scanned again.
    pub(crate) fn parse(text: &str, dialect: PathDialect) -> Self {
        let mut pieces = Vec::new();
        for piece in cut(text, "{{{", "}}}", dialect) {
            match piece {
                Piece::Text(text) => pieces.extend(cut(&text, "{{", "}}", dialect)),
                path @ Piece::Path(_) => pieces.push(path),
            }
        }
        Self { pieces }
    }

    /// Fills the template; missing and null leave nothing. Without an event all paths are missing,
    /// but the root is an empty object, as in the reference.
    ///
    /// # Errors
    /// When the text exceeds the budget.
    pub(crate) fn fill(&self, from: Source<'_>) -> Result<String, ResolveError> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    from.budget.make(text.len())?;
                    out.push_str(text);
                }
                Piece::Path(path) => {
                    from.budget.step(1)?;
                    let value = match from.event {
                        Some(event) => path.lookup(event),
                        None if path.is_root() => Some(Found::Made(Value::Object(Map::new()))),
                        None => None,
                    };
                    if let Some(value) = value.filter(|value| !value.as_json().is_null()) {
                        from.budget.make(text_bytes(value.as_json()))?;
                        push_js_text(&mut out, value.as_json());
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Finds from the left: the opening, one or more characters but `}`, the closing.
fn cut(text: &str, open: &str, close: &str, dialect: PathDialect) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut from = 0;
    // Looked for once and again only when it was passed, so that a text of braces takes linear time.
    let mut brace = text.find('}');
    while let Some(found) = text[from..].find(open) {
        let start = from + found;
        let inner_start = start + open.len();
        if brace.is_some_and(|at| at < inner_start) {
            brace = text[inner_start..].find('}').map(|at| inner_start + at);
        }
        let Some(inner_end) = brace else {
            break;
        };
        match Some(inner_end - inner_start) {
            Some(length) if length > 0 && text[inner_start + length..].starts_with(close) => {
                if done < start {
                    pieces.push(Piece::Text(text[done..start].to_owned()));
                }
                let inner = &text[inner_start..inner_start + length];
                pieces.push(Piece::Path(Path::bare(js_trim(inner), dialect)));
                from = inner_start + length + close.len();
                done = from;
            }
            // Not here; the next brace may still open one.
            _ => from = start + 1,
        }
    }
    if done < text.len() {
        pieces.push(Piece::Text(text[done..].to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::budget::Budget;

    #[test]
    fn templates_are_filled() {
        let event = json!({
            "a": {"b": 1}, "z": 0, "f": false, "n": null, "l": [[1, 2], [3]], "h": "<b>&", "t": "{{z}}", "x y": "v",
        });
        let cases = [
            ("Hi {{a.b}}!", "Hi 1!"),
            ("Hi {{{a.b}}}!", "Hi 1!"),
            ("Hi {{  a.b }}!", "Hi 1!"),
            ("{{nope}}", ""),
            ("[{{n}}]", "[]"),
            ("{{z}}", "0"),
            ("{{f}}", "false"),
            ("{{a}}", "[object Object]"),
            ("{{l}}", "1,2,3"),
            ("{{}}", "{{}}"),
            ("{{a", "{{a"),
            ("{{a}b}}", "{{a}b}}"),
            ("{{ }}", "[object Object]"),
            ("{{$.a.b}}", ""),
            ("", ""),
            ("plain", "plain"),
            ("{{h}}", "<b>&"),
            ("{{x y}}", "v"),
            ("{{{t}}} {{t}}", "{{z}} {{z}}"),
            ("{ {{z}} }", "{ 0 }"),
            ("{{z}}{{f}}", "0false"),
            ("é{{z}}é", "é0é"),
            ("{{{z}}", ""),
        ];
        let budget = Budget::default();
        let from = Source {
            event: Some((&event).into()),
            budget: &budget,
        };
        for (template, expected) in cases {
            assert_eq!(
                Template::parse(template, PathDialect::Reference).fill(from),
                Ok(expected.to_owned()),
                "{template}"
            );
        }
    }
}
