//! `@flatten`: one level of joined keys.

use hubferry_event::{Json, JsonKind};
use serde_json::Value;

use super::layers::Layers;
use crate::budget::Budget;
use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;
use crate::text::is_truthy;

/// A value whose leaves come to the top.
#[derive(Clone, Debug)]
pub(crate) struct Flatten {
    value: Node,
    separator: String,
    lists: Lists,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lists {
    Opened,
    KeptWhole,
}

pub(crate) fn compile_flatten(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let place = options.place.inside("separator");
    let separator = match options.get("separator") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::String(_)) | None => {
            compiler.fault(&place, "is required and must not be empty");
            String::new()
        }
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
            String::new()
        }
    };
    let place = options.place.inside("value");
    let value = match options.get("value") {
        Some(value) => compiler.node(value, &place),
        None => compiler.fault(&place, "is required"),
    };
    let lists = match options.get("omitArrays") {
        Some(flag) if is_truthy(flag) => Lists::KeptWhole,
        _ => Lists::Opened,
    };
    Node::Flatten(Box::new(Flatten {
        value,
        separator,
        lists,
    }))
}

impl Flatten {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let mut leaves = Layers::default();
        let spreader = Spreader {
            flatten: self,
            budget: from.budget,
        };
        spreader.any(self.value.resolve(from)?, "", &mut leaves)?;
        Ok(leaves.into_object())
    }
}

/// Walks a value and puts its leaves in place. Every key that is joined on the way is paid for, because a long one may
/// stand before many leaves.
struct Spreader<'f> {
    flatten: &'f Flatten,
    budget: &'f Budget,
}

impl Spreader<'_> {
    fn any<'a>(
        &self,
        resolved: Resolved<'a>,
        prefix: &str,
        leaves: &mut Layers<'a>,
    ) -> Result<(), ResolveError> {
        self.budget.step(1)?;
        match resolved {
            Resolved::Object(members) => {
                for (key, member) in members {
                    self.any(member, &self.join(prefix, &key)?, leaves)?;
                }
            }
            Resolved::Array(items) if self.flatten.lists == Lists::Opened => {
                for (index, item) in items.into_iter().enumerate() {
                    self.any(item, &self.join(prefix, &index.to_string())?, leaves)?;
                }
            }
            Resolved::Lent(json) => self.lent(json, prefix, leaves)?,
            Resolved::Made(value) => self.made(value, prefix, leaves)?,
            // Undefined leaves stay until the payload is built: they hide earlier ones.
            whole @ (Resolved::Undefined | Resolved::Array(_)) => leaves.put(prefix, whole),
        }
        Ok(())
    }

    fn lent<'a>(
        &self,
        json: Json<'a>,
        prefix: &str,
        leaves: &mut Layers<'a>,
    ) -> Result<(), ResolveError> {
        self.budget.step(1)?;
        match json.kind() {
            JsonKind::Object => {
                for (key, member) in json.members() {
                    self.lent(member, &self.join(prefix, key)?, leaves)?;
                }
            }
            JsonKind::Array if self.flatten.lists == Lists::Opened => {
                for (index, item) in json.elements().enumerate() {
                    self.lent(item, &self.join(prefix, &index.to_string())?, leaves)?;
                }
            }
            _ => leaves.put(prefix, Resolved::Lent(json)),
        }
        Ok(())
    }

    fn made(
        &self,
        value: Value,
        prefix: &str,
        leaves: &mut Layers<'_>,
    ) -> Result<(), ResolveError> {
        self.budget.step(1)?;
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.made(member, &self.join(prefix, &key)?, leaves)?;
                }
            }
            Value::Array(items) if self.flatten.lists == Lists::Opened => {
                for (index, item) in items.into_iter().enumerate() {
                    self.made(item, &self.join(prefix, &index.to_string())?, leaves)?;
                }
            }
            leaf => leaves.put(prefix, Resolved::Made(leaf)),
        }
        Ok(())
    }

    fn join(&self, prefix: &str, key: &str) -> Result<String, ResolveError> {
        let separator = &self.flatten.separator;
        self.budget
            .make(prefix.len() + separator.len() + key.len())?;
        Ok(if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}{separator}{key}")
        })
    }
}
