//! What was wrong with a payload, and what was done to it.

use std::fmt;

use serde_json::Value;

use crate::text::kind_name;

/// How many violations of a payload, and coercions of a field, are reported one by one; the rest is counted.
pub const MAX_REPORTED: usize = 50;

/// A field that breaks a rule. It says what was expected and what was there, never a personal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, like `/email`, or an element or member of it, like `/associations/0/id_field_value`.
    pub path: String,
    /// The rule.
    pub expected: String,
    /// What was there, masked.
    pub actual: String,
}

impl Violation {
    /// Stands for those that are not reported one by one.
    pub(super) fn further(count: usize) -> Self {
        Self {
            path: "/".to_owned(),
            expected: format!("at most {MAX_REPORTED} violations to report"),
            actual: format!("{count} more"),
        }
    }

    /// The field of the action that the path is in; empty for the one that counts those left unreported.
    #[must_use]
    pub fn field(&self) -> &str {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split_once('/').map_or(path, |(field, _)| field)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, got {}",
            self.path, self.expected, self.actual
        )
    }
}

impl std::error::Error for Violation {}

/// What validation did to a payload that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A value was made to fit.
    Coerced {
        /// The field, element or member.
        path: String,
        /// What it was.
        from: &'static str,
        /// What it is.
        to: &'static str,
    },
    /// An optional field was left out because of its value.
    Dropped {
        /// The field.
        field: String,
        /// Every rule it breaks.
        why: Vec<Violation>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coerced { path, from, to } => write!(f, "{path}: {from} was taken as {to}"),
            Self::Dropped { field, why } => {
                write!(f, "/{field}: left out")?;
                for violation in why {
                    write!(f, "; {violation}")?;
                }
                Ok(())
            }
        }
    }
}

/// Says what a value is without showing it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Array(items) => format!("a list of {}", items.len()),
        other => kind_name(other).to_owned(),
    }
}

/// An e-mail address of which only the beginnings show: `j***@e***`.
pub(super) fn masked_email(text: &str) -> String {
    let masked = |part: &str| match part.chars().next() {
        Some(first) if !first.is_control() => format!("{first}***"),
        _ => "***".to_owned(),
    };
    match text.split_once('@') {
        Some((local, domain)) => format!("`{}@{}`", masked(local), masked(domain)),
        None => format!("`{}`", masked(text)),
    }
}

/// A value that was meant to be one of a list of choices, which are not personal.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 64;
    match value {
        Value::String(text) if text.chars().count() <= LONGEST && !text.contains('@') => {
            format!("`{}`", text.escape_debug())
        }
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        other => describe(other),
    }
}
