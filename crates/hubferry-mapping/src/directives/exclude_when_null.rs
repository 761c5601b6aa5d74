//! `@excludeWhenNull`: objects without their null members.

use hubferry_event::{Json, JsonKind};
use serde_json::Value;

use crate::budget::{Budget, weight};
use crate::fault::ResolveError;
use crate::resolved::Resolved;

/// Null becomes undefined; objects lose null members at every depth; lists and what is in them stay.
pub(crate) fn exclude_when_null<'a>(
    resolved: Resolved<'a>,
    budget: &Budget,
) -> Result<Resolved<'a>, ResolveError> {
    Ok(match resolved {
        Resolved::Lent(json) => match json.kind() {
            JsonKind::Null => Resolved::Undefined,
            JsonKind::Object if has_null(json) => {
                budget.make(weight(json))?;
                Resolved::Made(strip(json.to_value()))
            }
            _ => Resolved::Lent(json),
        },
        Resolved::Made(Value::Null) => Resolved::Undefined,
        Resolved::Made(value) => {
            if value.is_object() && has_null(Json::from(&value)) {
                budget.make(weight(&value))?;
            }
            Resolved::Made(strip(value))
        }
        Resolved::Object(members) => Resolved::Object(
            members
                .into_iter()
                .map(|(key, member)| Ok((key, exclude_when_null(member, budget)?)))
                .collect::<Result<_, ResolveError>>()?,
        ),
        other @ (Resolved::Undefined | Resolved::Array(_)) => other,
    })
}

fn has_null(object: Json<'_>) -> bool {
    object
        .members()
        .any(|(_, value)| value.is_null() || has_null(value))
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
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_without_nulls_is_not_copied() {
        let clean = json!({"a": {"b": 1}, "l": [null]});
        let kept = exclude_when_null(Resolved::Lent((&clean).into()), &Budget::default());
        assert!(matches!(kept, Ok(Resolved::Lent(_))));
    }
}
