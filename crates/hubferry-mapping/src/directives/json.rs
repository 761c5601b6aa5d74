//! `@json`: a value as JSON text, and back.

use hubferry_event::parse_json;
use serde_json::Value;

use crate::budget::weight;
use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;
use crate::text::{is_truthy, js_json};

/// A value and the way it goes.
#[derive(Clone, Debug)]
pub(crate) struct JsonText {
    value: Node,
    mode: Mode,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Encode,
    Decode,
}

pub(crate) fn compile_json(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let mode = mode(compiler, options);
    let place = options.place.inside("value");
    let value = match options.get("value") {
        Some(value) if is_truthy(value) => compiler.node(value, &place),
        Some(_) => compiler.fault(&place, "must not be empty"),
        None => compiler.fault(&place, "is required"),
    };
    match mode {
        Some(mode) => Node::Json(Box::new(JsonText { value, mode })),
        None => Node::Undefined,
    }
}

fn mode(compiler: &mut Compiler, options: &Options<'_>) -> Option<Mode> {
    let place = options.place.inside("mode");
    let name = match options.get("mode") {
        Some(Value::String(name)) => name,
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
            return None;
        }
        None => {
            compiler.fault(&place, "is required");
            return None;
        }
    };
    let lower = name.to_ascii_lowercase();
    let mode = match lower.as_str() {
        "encode" => Mode::Encode,
        "decode" => Mode::Decode,
        _ => {
            compiler.fault(&place, "must be `encode` or `decode`");
            return None;
        }
    };
    if *name != lower {
        compiler.warn(&place, format!("is taken as `{lower}`"));
    }
    Some(mode)
}

impl JsonText {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let resolved = self.value.resolve(from)?;
        Ok(match self.mode {
            Mode::Encode => match resolved.into_value(from.budget)? {
                Some(value) => {
                    let text = js_json(&value);
                    from.budget.make(text.len())?;
                    Resolved::text(text)
                }
                None => Resolved::Undefined,
            },
            Mode::Decode => match resolved.as_text().map(|text| parse_json(text.as_bytes())) {
                Some(Ok(value)) => {
                    from.budget.make(weight(&value))?;
                    Resolved::Made(value)
                }
                Some(Err(_)) | None => resolved,
            },
        })
    }
}
