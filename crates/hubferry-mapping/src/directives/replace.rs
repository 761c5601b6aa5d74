//! `@replace`: one literal text for another.

use hubferry_event::JsonKind;
use serde_json::Value;

use crate::budget::Budget;
use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;
use crate::text::push_js_text;

/// One or two replacements, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Replace {
    value: Node,
    swaps: Vec<Swap>,
    case: Case,
    reach: Reach,
}

#[derive(Clone, Debug)]
struct Swap {
    pattern: String,
    replacement: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Matters,
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reach {
    First,
    All,
}

/// The longest pattern and replacement, in UTF-16 units.
const LONGEST: usize = 10;

pub(crate) fn compile_replace(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let pattern = required_pattern(compiler, options);
    let replacement = replacement(compiler, options, "replacement");
    let second = second_pattern(compiler, options);
    let second_replacement = replacement2(compiler, options);
    let ignore_case = flag(compiler, options, "ignorecase", false);
    let global = flag(compiler, options, "global", true);
    let place = options.place.inside("value");
    // An empty text as it is written gives nothing; a directive that resolves to nothing gives an empty text.
    let value = match options.get("value") {
        None => Some(compiler.fault(&place, "is required")),
        Some(Value::String(text)) if text.is_empty() => None,
        Some(value) => compiler.text_or_directive(value, &place),
    };
    let Some(value) = value else {
        return Node::Undefined;
    };
    let mut swaps = vec![Swap {
        pattern,
        replacement,
    }];
    swaps.extend(second.map(|pattern| Swap {
        pattern,
        replacement: second_replacement,
    }));
    Node::Replace(Box::new(Replace {
        value,
        swaps,
        case: if ignore_case {
            Case::Ignored
        } else {
            Case::Matters
        },
        reach: if global { Reach::All } else { Reach::First },
    }))
}

fn required_pattern(compiler: &mut Compiler, options: &Options<'_>) -> String {
    let place = options.place.inside("pattern");
    match options.get("pattern") {
        Some(Value::String(text)) => {
            if !(1..=LONGEST).contains(&units(text)) {
                compiler.fault(&place, "must have 1 to 10 characters");
            }
            text.clone()
        }
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
            String::new()
        }
        None => {
            compiler.fault(&place, "is required");
            String::new()
        }
    }
}

/// A second pattern that is no text, or empty, is ignored.
fn second_pattern(compiler: &mut Compiler, options: &Options<'_>) -> Option<String> {
    let text = options.get("pattern2")?.as_str()?;
    if units(text) > LONGEST {
        compiler.fault(
            &options.place.inside("pattern2"),
            "must have at most 10 characters",
        );
    }
    (!text.is_empty()).then(|| text.to_owned())
}

fn replacement(compiler: &mut Compiler, options: &Options<'_>, name: &str) -> String {
    let place = options.place.inside(name);
    match options.get(name) {
        None => String::new(),
        Some(Value::String(text)) => {
            if units(text) > LONGEST {
                compiler.fault(&place, "must have at most 10 characters");
            }
            if looks_like_reference(text) {
                compiler.warn(&place, "is literal text: `$` has no meaning in it");
            }
            text.clone()
        }
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
            String::new()
        }
    }
}

fn replacement2(compiler: &mut Compiler, options: &Options<'_>) -> String {
    replacement(compiler, options, "replacement2")
}

fn flag(compiler: &mut Compiler, options: &Options<'_>, name: &str, default: bool) -> bool {
    match options.get(name) {
        None => default,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            compiler.wrong_type(other, &options.place.inside(name), "a boolean");
            default
        }
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether the reference would read something else than text here (`$&`, `$1`, `$$` ...).
fn looks_like_reference(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'$' && (b"&$'`".contains(&pair[1]) || pair[1].is_ascii_digit()))
}

impl Replace {
    pub(crate) fn resolve(&self, from: Source<'_>) -> Result<Resolved<'static>, ResolveError> {
        let resolved = self.value.resolve(from)?;
        let scalar = resolved.as_json().filter(|json| {
            matches!(
                json.kind(),
                JsonKind::String | JsonKind::Bool | JsonKind::Number
            )
        });
        let mut text = match scalar {
            Some(scalar) => {
                let mut text = String::new();
                push_js_text(&mut text, scalar);
                text
            }
            None => String::new(),
        };
        for swap in &self.swaps {
            text = self.swap(&text, swap, from.budget)?;
        }
        Ok(Resolved::text(text))
    }

    fn swap(&self, text: &str, swap: &Swap, budget: &Budget) -> Result<String, ResolveError> {
        budget.make(text.len())?;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(length) = self.match_length(rest, &swap.pattern) {
                budget.make(swap.replacement.len())?;
                out.push_str(&swap.replacement);
                rest = &rest[length..];
                if self.reach == Reach::First {
                    break;
                }
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// How many bytes of the start of `text` the pattern matches.
    fn match_length(&self, text: &str, pattern: &str) -> Option<usize> {
        if self.case == Case::Matters {
            return text.starts_with(pattern).then_some(pattern.len());
        }
        let mut rest = text.chars();
        for wanted in pattern.chars() {
            let found = rest.next()?;
            if fold(found) != fold(wanted) {
                return None;
            }
        }
        Some(text.len() - rest.as_str().len())
    }
}

/// One character without its case, as JavaScript's `i` flag compares: by the upper case where that is one character.
fn fold(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}
