//! `@arrayPath`: every element of a list under the same shape.

use hubferry_event::{Json, JsonKind};
use serde_json::Value;

use crate::compile::{Compiler, Place, is_directive};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::path::Path;
use crate::resolved::Resolved;

/// Where the list is, and what becomes of each element.
#[derive(Clone, Debug)]
pub(crate) struct ArrayPath {
    root: Node,
    shape: Option<Node>,
}

pub(crate) fn compile_array_path(
    compiler: &mut Compiler,
    option: &Value,
    place: &Place<'_>,
) -> Node {
    let Value::Array(parts) = option else {
        return compiler.wrong_type(option, place, "a list of a path and a shape");
    };
    let first = place.inside("0");
    let root = match parts.first() {
        Some(Value::String(text)) => Node::Path(Path::parse(text, compiler.paths)),
        Some(value) if is_directive(value) => compiler.node(value, &first),
        Some(other) => compiler.wrong_type(other, &first, "a text or a directive"),
        None => compiler.fault(&first, "is required"),
    };
    let shape = match parts.get(1) {
        Some(value @ Value::Object(members)) if !members.is_empty() => {
            Some(compiler.node(value, &place.inside("1")))
        }
        _ => None,
    };
    Node::ArrayPath(Box::new(ArrayPath { root, shape }))
}

impl ArrayPath {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let root = self.root.resolve(from)?;
        let Some(shape) = &self.shape else {
            return Ok(root);
        };
        // An element is the event of the shape; what the event lends can be borrowed on.
        match root {
            Resolved::Lent(list) => match elements(list) {
                Some(elements) => elements
                    .map(|element| shape.resolve(from.with(Some(element))))
                    .collect::<Result<_, _>>()
                    .map(Resolved::Array),
                None => Ok(Resolved::Lent(list)),
            },
            made => {
                let Some(list) = made.into_value(from.budget)? else {
                    return Ok(Resolved::Undefined);
                };
                let Some(elements) = elements(Json::from(&list)) else {
                    return Ok(Resolved::Made(list));
                };
                elements
                    .map(|element| {
                        let shaped = shape.resolve(from.with(Some(element)))?;
                        shaped.detach(from.budget)
                    })
                    .collect::<Result<_, _>>()
                    .map(Resolved::Array)
            }
        }
    }
}

/// A single object counts as a list of one.
fn elements(root: Json<'_>) -> Option<impl Iterator<Item = Json<'_>>> {
    let single = match root.kind() {
        JsonKind::Array => None,
        JsonKind::Object => Some(root),
        JsonKind::Null | JsonKind::Bool | JsonKind::Number | JsonKind::String => return None,
    };
    Some(single.into_iter().chain(root.elements()))
}
