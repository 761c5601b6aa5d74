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
    let is_given = |name| options.get(name).is_some_and(is_truthy);
    if !is_given("exists") && !is_given("blank") {
        return compiler.fault(options.place, "needs `exists` or `blank`");
    }
    // Every part is compiled, so that its faults show, also where another part decides.
    let mut part = |name| {
        let value = options.get(name)?;
        Some(compiler.node(value, &options.place.inside(name)))
    };
    let exists = part("exists");
    let blank = part("blank");
    let then = part("then");
    let otherwise = part("else").filter(|_| is_given("else"));
    let condition = match (exists, blank) {
        (Some(node), _) => Condition::Exists(node),
        (None, Some(node)) => Condition::NotBlank(node),
        (None, None) => return Node::Undefined,
    };
    Node::If(Box::new(If {
        condition,
        then,
        otherwise,
    }))
}

impl If {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let holds = match &self.condition {
            Condition::Exists(node) => node.resolve(from)?.exists(),
            Condition::NotBlank(node) => !node.resolve(from)?.is_blank(),
        };
        let chosen = if holds { &self.then } else { &self.otherwise };
        match chosen {
            Some(node) => node.resolve(from),
            None => Ok(Resolved::Undefined),
        }
    }
}
