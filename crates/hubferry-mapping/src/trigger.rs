//! Which events a mapping is meant for.

mod canon;
mod fault;
mod fql;
mod reference;

use std::fmt;

use hubferry_event::Json;

pub use fault::{TriggerFault, TriggerFaultKind};

/// The longest trigger, in bytes.
pub const MAX_TRIGGER_BYTES: usize = 16 * 1024;

/// How deep groups, negations, lists and calls may nest in the `fql` dialect.
pub const MAX_TRIGGER_DEPTH: usize = 64;

/// How the text of a trigger is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TriggerDialect {
    /// As the reference reads it, to the letter: also where it reads something else than what is written (mixed `and`
    /// and `or`, unknown fields, `!` before a group). [`Trigger::parse_checked`] refuses such texts.
    #[default]
    Reference,
    /// The language as it is documented: precedence, nesting, escapes, every field, lists and functions.
    Fql,
}

/// A trigger, parsed once.
///
/// ```
/// use hubferry_mapping::{Trigger, TriggerDialect};
/// use serde_json::json;
///
/// let trigger = Trigger::parse_checked(r#"type = "track" and properties.price >= 10"#).expect("the trigger is right");
/// assert!(trigger.matches(&json!({"type": "track", "properties": {"price": 12}})));
/// assert!(!trigger.matches(&json!({"type": "track", "properties": {"price": "12"}})));
///
/// let full = Trigger::parse("length(properties.items) > 1 or userId in ['a', 'b']", TriggerDialect::Fql)
///     .expect("the trigger is right");
/// assert!(full.matches(&json!({"userId": "b"})));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    reading: Reading,
}

#[derive(Clone, Debug, PartialEq)]
enum Reading {
    Reference(reference::Logic),
    Fql(fql::Condition),
}

impl Trigger {
    /// Parses a trigger in one dialect.
    ///
    /// # Errors
    /// When the text is no trigger of the dialect, with the place and the form that would be right.
    pub fn parse(text: &str, dialect: TriggerDialect) -> Result<Self, TriggerFault> {
        if text.len() > MAX_TRIGGER_BYTES {
            let message = format!("a trigger has at most {MAX_TRIGGER_BYTES} bytes");
            return Err(TriggerFault::invalid(1, message));
        }
        let reading = match dialect {
            TriggerDialect::Reference => Reading::Reference(reference::parse(text)?),
            TriggerDialect::Fql => Reading::Fql(fql::parse(text)?),
        };
        Ok(Self { reading })
    }

    /// Parses a trigger that names no dialect: it must mean the same in both, and is then evaluated as the reference
    /// evaluates it.
    ///
    /// # Errors
    /// [`TriggerFaultKind::Ambiguous`] with both readings when they differ, or when only one dialect understands the
    /// text; [`TriggerFaultKind::Invalid`] when neither does.
    pub fn parse_checked(text: &str) -> Result<Self, TriggerFault> {
        let reference = Self::parse(text, TriggerDialect::Reference);
        let fql = Self::parse(text, TriggerDialect::Fql);
        match (reference, fql) {
            (Ok(reference), Ok(fql)) if reference.to_string() == fql.to_string() => Ok(reference),
            (Err(_), Err(fault)) => Err(fault),
            (reference, fql) => Err(TriggerFault::ambiguous(shown(reference), shown(fql))),
        }
    }

    /// The dialect in which the text was read.
    #[must_use]
    pub const fn dialect(&self) -> TriggerDialect {
        match self.reading {
            Reading::Reference(_) => TriggerDialect::Reference,
            Reading::Fql(_) => TriggerDialect::Fql,
        }
    }

    /// Whether the event fires the trigger. Total: an event of any shape has an answer.
    #[must_use]
    pub fn matches<'e>(&self, event: impl Into<Json<'e>>) -> bool {
        self.holds(event.into())
    }

    fn holds(&self, event: Json<'_>) -> bool {
        match &self.reading {
            Reading::Reference(logic) => logic.holds(event),
            Reading::Fql(condition) => condition.holds(event),
        }
    }

    /// Why the event does not fire the trigger: the first clause that decides it, in canonical text, with the kind of
    /// value it found but never the value. `None` when the event fires it.
    #[must_use]
    pub fn explain<'e>(&self, event: impl Into<Json<'e>>) -> Option<String> {
        let event = event.into();
        if self.holds(event) {
            return None;
        }
        Some(match &self.reading {
            Reading::Reference(logic) => logic.explain(event),
            Reading::Fql(condition) => condition.explain(event),
        })
    }
}

/// The reading in canonical text: two triggers that ask the same of the same fields print alike in either dialect.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reading {
            Reading::Reference(logic) => logic.fmt(f),
            Reading::Fql(condition) => condition.fmt(f),
        }
    }
}

/// A reading for people: its canonical text, or why there is none.
fn shown(reading: Result<Trigger, TriggerFault>) -> String {
    match reading {
        Ok(trigger) => format!("`{trigger}`"),
        Err(fault) => format!("nothing ({fault})"),
    }
}

/// What a clause found, for explanations that must not show it.
fn found_kind(found: Option<Json<'_>>) -> &'static str {
    found.map_or("missing", crate::text::kind_name)
}

#[cfg(test)]
mod tests;
