//! A compiled mapping, as a tree.

use std::borrow::Cow;

use hubferry_event::Json;
use serde_json::{Map, Value};

use crate::budget::{Budget, MEMBER, weight};
use crate::directives::{ArrayPath, Case, Flatten, If, JsonText, Merge, Replace};
use crate::fault::ResolveError;
use crate::liquid::Liquid;
use crate::path::{Found, Path, PathDialect};
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
    Json(Box<JsonText>),
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
    pub(crate) location: String,
    pub(crate) apply: Node,
    pub(crate) mapping: Node,
}

/// What a node is resolved from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The event; when there is none, all paths are undefined.
    pub(crate) event: Option<Json<'a>>,
    /// What may still be spent.
    pub(crate) budget: &'a Budget,
}

impl<'a> Source<'a> {
    /// The same with another event.
    pub(crate) const fn with<'b>(self, event: Option<Json<'b>>) -> Source<'b>
    where
        'a: 'b,
    {
        Source {
            event,
            budget: self.budget,
        }
    }

    fn lookup(self, path: &Path) -> Resolved<'a> {
        self.event.and_then(|event| path.lookup(event)).into()
    }

    /// What a path leads to, paid for and copied.
    fn copy(self, path: &Path) -> Result<Option<Value>, ResolveError> {
        self.budget.step(1)?;
        match self.event.and_then(|event| path.lookup(event)) {
            None => Ok(None),
            Some(Found::Made(value)) => Ok(Some(value)),
            Some(Found::Lent(json)) => {
                self.budget.make(weight(json))?;
                Ok(Some(json.to_value()))
            }
        }
    }
}

impl Node {
    /// Whether no event can change the value.
    pub(crate) const fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    pub(crate) fn into_constant(self) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The value itself: objects are built, and paths copied, without a detour.
    pub(crate) fn resolve_value(&self, from: Source<'_>) -> Result<Option<Value>, ResolveError> {
        let members = match self {
            Self::Object(members) => members,
            Self::Path(path) => return from.copy(path),
            other => return other.resolve(from)?.into_value(from.budget),
        };
        from.budget.step(1)?;
        let mut map = Map::with_capacity(members.len());
        for (key, node) in members {
            if let Some(value) = node.resolve_value(from)? {
                from.budget.make(MEMBER + key.len())?;
                map.insert(key.clone(), value);
            }
        }
        Ok(Some(Value::Object(map)))
    }

    pub(crate) fn resolve<'a>(&'a self, from: Source<'a>) -> Result<Resolved<'a>, ResolveError> {
        from.budget.step(1)?;
        Ok(match self {
            Self::Undefined => Resolved::Undefined,
            Self::Constant(value) => Resolved::Lent(value.into()),
            Self::Object(members) => Resolved::Object(
                members
                    .iter()
                    .map(|(key, node)| Ok((Cow::Borrowed(key.as_str()), node.resolve(from)?)))
                    .collect::<Result<_, ResolveError>>()?,
            ),
            Self::Array(items) => Resolved::Array(
                items
                    .iter()
                    .map(|node| node.resolve(from))
                    .collect::<Result<_, ResolveError>>()?,
            ),
            Self::Path(path) => from.lookup(path),
            Self::PathFrom(dynamic) => {
                from.lookup(&Path::parse(&dynamic.resolve(from)?, dynamic.paths))
            }
            Self::Template(template) => Resolved::text(template.fill(from)?),
            Self::TemplateFrom(dynamic) => {
                Resolved::text(Template::parse(&dynamic.resolve(from)?, dynamic.paths).fill(from)?)
            }
            Self::If(directive) => directive.resolve(from)?,
            Self::Case(directive) => directive.resolve(from)?,
            Self::Replace(directive) => directive.resolve(from)?,
            Self::ArrayPath(directive) => directive.resolve(from)?,
            Self::Flatten(directive) => directive.resolve(from)?,
            Self::Json(directive) => directive.resolve(from)?,
            Self::Merge(directive) => directive.resolve(from)?,
            Self::Transform(directive) => directive.resolve(from)?,
            Self::ExcludeWhenNull(node) => {
                crate::directives::exclude_when_null(node.resolve(from)?, from.budget)?
            }
            Self::Liquid(liquid) => Resolved::text(liquid.render(from)?),
        })
    }
}

impl Dynamic {
    fn resolve(&self, from: Source<'_>) -> Result<String, ResolveError> {
        let resolved = self.text.resolve(from)?;
        match resolved.as_text() {
            Some(text) => {
                from.budget.make(text.len())?;
                Ok(text.to_owned())
            }
            None => Err(ResolveError::NotText {
                location: self.location.clone(),
                actual: resolved.kind(),
            }),
        }
    }
}

impl LiquidAt {
    fn render(&self, from: Source<'_>) -> Result<String, ResolveError> {
        let rendered = self.template.render(from.event);
        let (text, steps) = rendered.map_err(|reason| ResolveError::Liquid {
            location: self.location.clone(),
            reason,
        })?;
        from.budget.step(steps)?;
        from.budget.make(text.len())?;
        Ok(text)
    }
}

impl Transform {
    /// Whatever `apply` gives is the event of `mapping`; of what is no object, paths find what it has. Only objects are
    /// events of a further `@transform`, as in the reference.
    fn resolve(&self, from: Source<'_>) -> Result<Resolved<'static>, ResolveError> {
        if let Some(event) = from.event.filter(|event| !event.is_object()) {
            return Err(ResolveError::NotObject {
                location: self.location.clone(),
                actual: kind_name(event),
            });
        }
        let applied = self.apply.resolve_value(from)?;
        let mapped = self
            .mapping
            .resolve(from.with(applied.as_ref().map(Json::from)))?;
        mapped.detach(from.budget)
    }
}
