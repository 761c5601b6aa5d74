//! `@merge`: several objects as one.

use serde_json::Value;

use super::layers::Layers;
use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;

/// Objects in the order in which they are laid over each other.
#[derive(Clone, Debug)]
pub(crate) struct Merge {
    objects: Vec<Node>,
}

pub(crate) fn compile_merge(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let place = options.place.inside("objects");
    let mut objects = Vec::new();
    match options.get("objects") {
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let step = index.to_string();
                let place = place.inside(&step);
                objects.push(match item {
                    Value::Object(_) => compiler.node(item, &place),
                    other => compiler.wrong_type(other, &place, "an object or a directive"),
                });
            }
        }
        Some(other) => {
            compiler.wrong_type(other, &place, "a list");
        }
        None => {
            compiler.fault(&place, "is required");
        }
    }
    let place = options.place.inside("direction");
    match options.get("direction") {
        Some(Value::String(name)) => match name.to_ascii_lowercase().as_str() {
            // With `left` the earlier objects win, but only in exactly this spelling.
            "left" if name == "left" => objects.reverse(),
            "left" => compiler.warn(
                &place,
                "is taken as `right`: only `left` in lower case is left",
            ),
            "right" => {}
            _ => {
                compiler.fault(&place, "must be `left` or `right`");
            }
        },
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
        }
        None => {
            compiler.fault(&place, "is required");
        }
    }
    Node::Merge(Box::new(Merge { objects }))
}

impl Merge {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let mut layers = Layers::default();
        for node in &self.objects {
            layers.lay(node.resolve(from)?, from.budget)?;
        }
        Ok(layers.into_object())
    }
}
