//! `@merge`: several objects as one.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

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
    pub(crate) fn resolve<'a>(&'a self, event: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let mut layers = Layers::default();
        for node in &self.objects {
            layers.lay(node.resolve(event)?);
        }
        Ok(Resolved::Object(layers.members))
    }
}

/// The members so far; the index keeps large objects from taking quadratic time.
#[derive(Default)]
struct Layers<'a> {
    members: Vec<(Cow<'a, str>, Resolved<'a>)>,
    index: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Layers<'a> {
    fn lay(&mut self, resolved: Resolved<'a>) {
        match resolved {
            Resolved::Undefined => {}
            Resolved::Object(members) => {
                for (key, member) in members {
                    self.put(key, member);
                }
            }
            Resolved::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.put(Cow::Owned(index.to_string()), item);
                }
            }
            Resolved::Value(Cow::Borrowed(value)) => match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        self.put(Cow::Borrowed(key), Resolved::Value(Cow::Borrowed(member)));
                    }
                }
                other => self.lay_indexes(other),
            },
            Resolved::Value(Cow::Owned(value)) => match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        self.put(Cow::Owned(key), Resolved::owned(member));
                    }
                }
                other => self.lay_indexes(&other),
            },
        }
    }

    /// Lists and texts contribute their indexes as keys, other scalars nothing.
    fn lay_indexes(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.put(Cow::Owned(index.to_string()), Resolved::owned(item.clone()));
                }
            }
            Value::String(text) => {
                for (index, unit) in text.encode_utf16().enumerate() {
                    let unit = String::from_utf16_lossy(&[unit]);
                    self.put(Cow::Owned(index.to_string()), Resolved::text(unit));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }

    fn put(&mut self, key: Cow<'a, str>, member: Resolved<'a>) {
        match self.index.get(&key) {
            Some(&at) => self.members[at].1 = member,
            None => {
                self.index.insert(key.clone(), self.members.len());
                self.members.push((key, member));
            }
        }
    }
}
