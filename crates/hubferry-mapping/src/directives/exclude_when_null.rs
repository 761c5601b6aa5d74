//! `@excludeWhenNull`: objects without their null members.

use serde_json::{Map, Value};

use crate::budget::{Budget, weight};
use crate::fault::ResolveError;
use crate::resolved::Resolved;

/// Null becomes undefined; objects lose null members at every depth; lists and what is in them stay.
pub(crate) fn exclude_when_null<'a>(
    resolved: Resolved<'a>,
    budget: &Budget,
) -> Result<Resolved<'a>, ResolveError> {
    Ok(match resolved {
        Resolved::Value(value) => match &*value {
            Value::Null => Resolved::Undefined,
            Value::Object(members) if has_null(members) => {
                budget.make(weight(&value))?;
                Resolved::owned(strip(value.into_owned()))
            }
            _ => Resolved::Value(value),
        },
        Resolved::Object(members) => Resolved::Object(
            members
                .into_iter()
                .map(|(key, member)| Ok((key, exclude_when_null(member, budget)?)))
                .collect::<Result<_, ResolveError>>()?,
        ),
        other @ (Resolved::Undefined | Resolved::Array(_)) => other,
    })
}

fn has_null(members: &Map<String, Value>) -> bool {
    members.values().any(|value| match value {
        Value::Null => true,
        Value::Object(inner) => has_null(inner),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    })
}

fn strip(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(key, member)| (key, strip(member)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_without_nulls_is_not_copied() {
        let clean = json!({"a": {"b": 1}, "l": [null]});
        let kept = exclude_when_null(Resolved::Value(Cow::Borrowed(&clean)), &Budget::default());
        assert!(matches!(kept, Ok(Resolved::Value(Cow::Borrowed(_)))));
    }
}
