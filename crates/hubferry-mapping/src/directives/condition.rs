//! `@if`: one value or another.

use crate::compile::{Compiler, Options};
use crate::fault::ResolveError;
use crate::node::{Node, Source};
use crate::resolved::Resolved;
use crate::text::is_truthy;

/// A condition with what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct If {
    condition: Condition,
    then: Option<Node>,
    otherwise: Option<Node>,
}

#[derive(Clone, Debug)]
enum Condition {
    /// Neither missing nor null.
    Exists(Node),
    /// Not blank, despite the option's name.
    NotBlank(Node),
}

pub(crate) fn compile_if(compiler: &mut Compiler, options: &Options<'_>) -> Node {
    let exists = options.get("exists");
    let blank = options.get("blank");
    if ![exists, blank].into_iter().flatten().any(is_truthy) {
        return compiler.fault(options.place, "needs `exists` or `blank`");
    }
    let mut part = |name: &str, value| compiler.node(value, &options.place.inside(name));
    let condition = match (exists, blank) {
        (Some(value), _) => Condition::Exists(part("exists", value)),
        (None, Some(value)) => Condition::NotBlank(part("blank", value)),
        (None, None) => return Node::Undefined,
    };
    let then = options.get("then").map(|value| part("then", value));
    let otherwise = options
        .get("else")
        .filter(|value| is_truthy(value))
        .map(|value| part("else", value));
    Node::If(Box::new(If {
        condition,
        then,
        otherwise,
    }))
}

impl If {
    pub(crate) fn resolve<'a>(&'a self, event: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let holds = match &self.condition {
            Condition::Exists(node) => node.resolve(event)?.exists(),
            Condition::NotBlank(node) => !node.resolve(event)?.is_blank(),
        };
        let chosen = if holds { &self.then } else { &self.otherwise };
        match chosen {
            Some(node) => node.resolve(event),
            None => Ok(Resolved::Undefined),
        }
    }
}
