//! `@flatten`: one level of joined keys.

use std::borrow::Cow;

use serde_json::{Map, Value};

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
    pub(crate) fn resolve(&self, event: Source<'_>) -> Result<Resolved<'static>, ResolveError> {
        let mut leaves = Map::new();
        self.spread(self.value.resolve(event)?, "", &mut leaves);
        Ok(Resolved::owned(Value::Object(leaves)))
    }

    fn spread(&self, resolved: Resolved<'_>, prefix: &str, leaves: &mut Map<String, Value>) {
        match resolved {
            Resolved::Undefined => {}
            Resolved::Value(value) => self.spread_value(value, prefix, leaves),
            Resolved::Object(members) => {
                for (key, member) in members {
                    self.spread(member, &self.join(prefix, &key), leaves);
                }
            }
            Resolved::Array(items) if self.lists == Lists::Opened => {
                for (index, item) in items.into_iter().enumerate() {
                    self.spread(item, &self.join(prefix, &index.to_string()), leaves);
                }
            }
            whole @ Resolved::Array(_) => {
                if let Some(value) = whole.into_value() {
                    leaves.insert(prefix.to_owned(), value);
                }
            }
        }
    }

    fn spread_value(&self, value: Cow<'_, Value>, prefix: &str, leaves: &mut Map<String, Value>) {
        match &*value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.spread_value(Cow::Borrowed(member), &self.join(prefix, key), leaves);
                }
            }
            Value::Array(items) if self.lists == Lists::Opened => {
                for (index, item) in items.iter().enumerate() {
                    let key = self.join(prefix, &index.to_string());
                    self.spread_value(Cow::Borrowed(item), &key, leaves);
                }
            }
            _ => {
                leaves.insert(prefix.to_owned(), value.into_owned());
            }
        }
    }

    fn join(&self, prefix: &str, key: &str) -> String {
        if prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{prefix}{}{key}", self.separator)
        }
    }
}
