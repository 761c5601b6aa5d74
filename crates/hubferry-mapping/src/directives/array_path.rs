//! `@arrayPath`: every element of a list under the same shape.

use std::borrow::Cow;

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
            Resolved::Value(Cow::Borrowed(list)) => {
                let Some(elements) = elements(list) else {
                    return Ok(Resolved::Value(Cow::Borrowed(list)));
                };
                elements
                    .iter()
                    .map(|element| shape.resolve(from.with(Some(element))))
                    .collect::<Result<_, _>>()
                    .map(Resolved::Array)
            }
            made => {
                let Some(list) = made.into_value(from.budget)? else {
                    return Ok(Resolved::Undefined);
                };
                let Some(elements) = elements(&list) else {
                    return Ok(Resolved::owned(list));
                };
                elements
                    .iter()
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
fn elements(root: &Value) -> Option<&[Value]> {
    match root {
        Value::Array(items) => Some(items),
        Value::Object(_) => Some(std::slice::from_ref(root)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
