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
    then: Then,
    otherwise: Option<Node>,
}

/// What follows when the condition holds.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    /// The very path that was asked for, which need not be walked twice.
    TheSame,
    Other(Node),
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
    let then = part("then").map_or(Then::Nothing, Then::Other);
    let otherwise = part("else").filter(|_| is_given("else"));
    let condition = match (exists, blank) {
        (Some(node), _) => Condition::Exists(node),
        (None, Some(node)) => Condition::NotBlank(node),
        (None, None) => return Node::Undefined,
    };
    let then = match (&condition, then) {
        (Condition::Exists(Node::Path(path)), Then::Other(Node::Path(same))) if same == *path => {
            Then::TheSame
        }
        (_, then) => then,
    };
    Node::If(Box::new(If {
        condition,
        then,
        otherwise,
    }))
}

impl If {
    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        let (value, holds) = match &self.condition {
            Condition::Exists(node) => {
                let value = node.resolve(from)?;
                let exists = value.exists();
                (value, exists)
            }
            Condition::NotBlank(node) => {
                let value = node.resolve(from)?;
                let is_blank = value.is_blank();
                (value, !is_blank)
            }
        };
        match (holds, &self.then, &self.otherwise) {
            (true, Then::TheSame, _) => Ok(value),
            (true, Then::Other(node), _) | (false, _, Some(node)) => node.resolve(from),
            (true, Then::Nothing, _) | (false, _, None) => Ok(Resolved::Undefined),
        }
    }
}
