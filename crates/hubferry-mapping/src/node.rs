//! A compiled mapping, as a tree.

use std::borrow::Cow;

use serde_json::Value;

use crate::directives::{ArrayPath, Case, Flatten, If, Json, Merge, Replace};
use crate::fault::ResolveError;
use crate::liquid::Liquid;
use crate::path::{Path, PathDialect};
use crate::resolved::Resolved;
use crate::template::Template;
use crate::text::kind_name;

/// One node; what can be known from the mapping's text alone is known here.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Always undefined.
    Undefined,
    /// A value without directives in it.
    Constant(Value),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Path(Path),
    PathFrom(Box<Dynamic>),
    Template(Template),
    TemplateFrom(Box<Dynamic>),
    If(Box<If>),
    Case(Box<Case>),
    Replace(Box<Replace>),
    ArrayPath(Box<ArrayPath>),
    Flatten(Box<Flatten>),
    Json(Box<Json>),
    Merge(Box<Merge>),
    Transform(Box<Transform>),
    ExcludeWhenNull(Box<Node>),
    Liquid(Box<LiquidAt>),
}

/// A text that an event decides.
#[derive(Clone, Debug)]
pub(crate) struct Dynamic {
    pub(crate) location: String,
    pub(crate) text: Node,
    pub(crate) paths: PathDialect,
}

/// `@liquid`: a template and its place in the mapping.
#[derive(Clone, Debug)]
pub(crate) struct LiquidAt {
    pub(crate) location: String,
    pub(crate) template: Liquid,
}

/// `@transform`: the result of one node is the event of the other.
#[derive(Clone, Debug)]
pub(crate) struct Transform {
    pub(crate) apply: Node,
    pub(crate) mapping: Node,
}

/// The event under which a node is resolved; `None` when there is none, then all paths are undefined.
pub(crate) type Source<'a> = Option<&'a Value>;

impl Node {
    /// The value, when no event can change it.
    pub(crate) const fn as_constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn resolve<'a>(&'a self, event: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        Ok(match self {
            Self::Undefined => Resolved::Undefined,
            Self::Constant(value) => Resolved::Value(Cow::Borrowed(value)),
            Self::Object(members) => Resolved::Object(
                members
                    .iter()
                    .map(|(key, node)| Ok((Cow::Borrowed(key.as_str()), node.resolve(event)?)))
                    .collect::<Result<_, ResolveError>>()?,
            ),
            Self::Array(items) => Resolved::Array(
                items
                    .iter()
                    .map(|node| node.resolve(event))
                    .collect::<Result<_, ResolveError>>()?,
            ),
            Self::Path(path) => event.and_then(|event| path.lookup(event)).into(),
            Self::PathFrom(dynamic) => {
                let path = Path::parse(&dynamic.resolve(event)?, dynamic.paths);
                event.and_then(|event| path.lookup(event)).into()
            }
            Self::Template(template) => Resolved::text(template.fill(event)),
            Self::TemplateFrom(dynamic) => {
                Resolved::text(Template::parse(&dynamic.resolve(event)?, dynamic.paths).fill(event))
            }
            Self::If(directive) => directive.resolve(event)?,
            Self::Case(directive) => directive.resolve(event)?,
            Self::Replace(directive) => directive.resolve(event)?,
            Self::ArrayPath(directive) => directive.resolve(event)?,
            Self::Flatten(directive) => directive.resolve(event)?,
            Self::Json(directive) => directive.resolve(event)?,
            Self::Merge(directive) => directive.resolve(event)?,
            Self::Transform(directive) => directive.resolve(event)?,
            Self::ExcludeWhenNull(node) => {
                crate::directives::exclude_when_null(node.resolve(event)?)
            }
            Self::Liquid(liquid) => Resolved::text(liquid.render(event)?),
        })
    }
}

impl Dynamic {
    fn resolve(&self, event: Source<'_>) -> Result<String, ResolveError> {
        let resolved = self.text.resolve(event)?;
        match resolved.as_text() {
            Some(text) => Ok(text.to_owned()),
            None => Err(ResolveError::NotText {
                location: self.location.clone(),
                actual: resolved.kind(),
            }),
        }
    }
}

impl LiquidAt {
    fn render(&self, event: Source<'_>) -> Result<String, ResolveError> {
        let rendered = self.template.render(event);
        rendered.map_err(|reason| ResolveError::Liquid {
            location: self.location.clone(),
            reason,
        })
    }
}

impl Transform {
    /// Whatever `apply` gives is the event of `mapping`; of what is no object, paths find what it has. Only objects are
    /// events of a further `@transform`, as in the reference.
    fn resolve(&self, event: Source<'_>) -> Result<Resolved<'static>, ResolveError> {
        if let Some(event) = event.filter(|event| !event.is_object()) {
            return Err(ResolveError::EventNotObject {
                actual: kind_name(event),
            });
        }
        let applied = self.apply.resolve(event)?.into_value();
        Ok(self.mapping.resolve(applied.as_ref())?.detach())
    }
}
