//! `@case`: lower or upper case.

use serde_json::Value;

use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;

/// A text whose case changes; other values pass.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    operator: Operator,
    value: Node,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Lower,
    Upper,
}

pub(crate) fn compile_case(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let place = options.place.inside("operator");
    let operator = match options.get("operator") {
        Some(Value::String(name)) => match name.as_str() {
            "lower" => Some(Operator::Lower),
            "upper" => Some(Operator::Upper),
            _ => {
                compiler.fault(&place, "must be `lower` or `upper`");
                None
            }
        },
        Some(other) => {
            compiler.wrong_type(other, &place, "a text");
            None
        }
        None => {
            compiler.fault(&place, "is required");
            None
        }
    };
    let value = match options.get("value") {
        None => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(value) => compiler.text_or_directive(value, &options.place.inside("value")),
    };
    match (operator, value) {
        (Some(operator), Some(value)) => Node::Case(Box::new(Case { operator, value })),
        _ => Node::Undefined,
    }
}

impl Case {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let resolved = self.value.resolve(from)?;
        // Some characters become two or three in another case.
        from.budget
            .make(resolved.as_text().map_or(0, |text| text.len() * 2))?;
        Ok(match (resolved.as_text(), self.operator) {
            (Some(text), Operator::Lower) => Resolved::text(text.to_lowercase()),
            (Some(text), Operator::Upper) => Resolved::text(text.to_uppercase()),
            (None, _) => resolved,
        })
    }
}
