//! A whole mapping.

use hubferry_event::Json;
use serde_json::{Map, Value};

use crate::budget::Budget;
use crate::compile::compile_root;
use crate::fault::{MappingFault, ResolveError};
use crate::node::{Node, Source};
use crate::path::PathDialect;
use crate::text::kind_name;

/// A field map, compiled once; resolving it never changes it, nor the event.
///
/// ```
/// use hubferry_mapping::Mapping;
/// use serde_json::json;
///
/// let mapping = Mapping::compile(&json!({
///     "email": {"@path": "$.traits.email"},
///     "greeting": {"@template": "Hello {{traits.name}}"},
/// }))
/// .expect("the mapping is right");
/// let payload = mapping.resolve(&json!({"traits": {"name": "Ada"}})).expect("the event is an object");
/// assert_eq!(payload, Some(json!({"greeting": "Hello Ada"})));
/// ```
#[derive(Clone, Debug)]
pub struct Mapping {
    root: Node,
    warnings: Vec<MappingFault>,
}

impl Mapping {
    /// Checks and compiles a mapping, which must be an object.
    ///
    /// # Errors
    /// All faults of the mapping, each with its place.
    pub fn compile(json: &Value) -> Result<Self, Vec<MappingFault>> {
        Self::compile_with(json, PathDialect::Reference)
    }

    /// The same with the paths in another dialect.
    ///
    /// # Errors
    /// All faults of the mapping, each with its place.
    pub fn compile_with(json: &Value, paths: PathDialect) -> Result<Self, Vec<MappingFault>> {
        let (root, warnings) = compile_root(json, paths)?;
        Ok(Self { root, warnings })
    }

    /// What is suspicious about the mapping without being wrong.
    #[must_use]
    pub fn warnings(&self) -> &[MappingFault] {
        &self.warnings
    }

    /// Resolves the mapping for one event, given as it was read or as a value. Members that are undefined are gone, undefined elements of lists are null;
    /// `None` when the whole payload is undefined.
    ///
    /// # Errors
    /// When the event is no object, an option that the event decides is no text, a Liquid template gives none, or the
    /// work exceeds [`MAX_RESOLVE_STEPS`](crate::MAX_RESOLVE_STEPS) or [`MAX_RESOLVE_BYTES`](crate::MAX_RESOLVE_BYTES).
    pub fn resolve<'e>(&self, event: impl Into<Json<'e>>) -> Result<Option<Value>, ResolveError> {
        let event = event.into();
        if !event.is_object() {
            return Err(ResolveError::EventNotObject {
                actual: kind_name(event),
            });
        }
        let budget = Budget::default();
        self.resolve_within(event, &budget)
    }

    fn resolve_within(
        &self,
        event: Json<'_>,
        budget: &Budget,
    ) -> Result<Option<Value>, ResolveError> {
        let event = Some(event);
        self.root.resolve_value(Source { event, budget })
    }
}

/// The member that makes a directive of the whole mapping.
const ROOT_DIRECTIVE: &str = "__segment_internal_directive";

/// Rewrites a mapping that has a root directive: the directive becomes the whole, the other members its `mapping`.
pub(crate) fn with_root_directive(
    members: &Map<String, Value>,
) -> Result<Option<Value>, MappingFault> {
    let Some(directive) = members.get(ROOT_DIRECTIVE) else {
        return Ok(None);
    };
    let only = directive
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next());
    let Some((name, Value::Object(options))) = only else {
        return Err(MappingFault {
            location: format!("/{ROOT_DIRECTIVE}"),
            message: "must be an object with exactly one directive, whose option is an object"
                .into(),
        });
    };
    let mut rest = members.clone();
    rest.shift_remove(ROOT_DIRECTIVE);
    let mut options = options.clone();
    options.insert("mapping".to_owned(), Value::Object(rest));
    let mut whole = Map::new();
    whole.insert(name.clone(), Value::Object(options));
    Ok(Some(Value::Object(whole)))
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
