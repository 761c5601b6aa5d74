//! When a field must be there.

use serde_json::{Map, Value};

/// Whether a field must be present after cleaning.
#[derive(Clone, Debug, PartialEq)]
pub enum Required {
    /// It may be missing.
    No,
    /// It must be present.
    Always,
    /// It must be present when the conditions hold.
    When(Match, Vec<Condition>),
}

/// How many of the conditions must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Match {
    /// All of them.
    #[default]
    All,
    /// At least one.
    Any,
}

/// A condition on another field of the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The other field, `parent.child` for a member of an object.
    pub field: String,
    /// The comparison.
    pub operator: Operator,
    /// What it is compared with; `None` asks whether there is a value at all.
    pub value: Option<Value>,
}

/// The comparison of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Present and equal; without a value: missing or null.
    Is,
    /// Present and different; without a value: present and not null.
    IsNot,
}

impl Required {
    /// Whether the field must be present in this payload.
    pub(super) fn applies(&self, payload: &Map<String, Value>) -> bool {
        match self {
            Self::No => false,
            Self::Always => true,
            Self::When(Match::All, conditions) => conditions.iter().all(|c| c.holds(payload)),
            Self::When(Match::Any, conditions) => conditions.iter().any(|c| c.holds(payload)),
        }
    }
}

impl Condition {
    fn holds(&self, payload: &Map<String, Value>) -> bool {
        let actual = match self.field.split_once('.') {
            Some((parent, child)) => payload.get(parent).and_then(|value| value.get(child)),
            None => payload.get(&self.field),
        };
        match (self.operator, &self.value, actual) {
            (Operator::Is, Some(wanted), Some(actual)) => actual == wanted,
            (Operator::IsNot, Some(wanted), Some(actual)) => actual != wanted,
            (Operator::Is | Operator::IsNot, Some(_), None) => false,
            (Operator::Is, None, actual) => actual.is_none_or(Value::is_null),
            (Operator::IsNot, None, actual) => actual.is_some_and(|value| !value.is_null()),
        }
    }
}
