//! Which events a mapping is meant for.

mod evaluate;
mod parse;
mod scan;

use std::fmt;

use serde_json::Value;

use evaluate::Logic;

/// How the text of a trigger is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TriggerDialect {
    /// The language of the reference's editor. What the reference reads otherwise than it is written (mixed `and`
    /// and `or`, unknown fields, `!` before a group) is refused.
    #[default]
    Reference,
}

/// A trigger, parsed once.
///
/// ```
/// use hubferry_mapping::{Trigger, TriggerDialect};
/// use serde_json::json;
///
/// let trigger = Trigger::parse(r#"type = "track" and properties.price >= 10"#, TriggerDialect::Reference)
///     .expect("the trigger is right");
/// assert!(trigger.matches(&json!({"type": "track", "properties": {"price": 12}})));
/// assert!(!trigger.matches(&json!({"type": "track", "properties": {"price": "12"}})));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    logic: Logic,
}

impl Trigger {
    /// Parses a trigger.
    ///
    /// # Errors
    /// When the text is no trigger of the dialect, with the place and the form that would be right.
    pub fn parse(text: &str, dialect: TriggerDialect) -> Result<Self, TriggerFault> {
        match dialect {
            TriggerDialect::Reference => parse::parse(text).map(|logic| Self { logic }),
        }
    }

    /// Whether the event fires the trigger. Total: an event of any shape has an answer.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.logic.holds(event)
    }
}

/// Why a text is no trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerFault {
    /// The place in the text, in characters from 1.
    pub at: usize,
    /// The broken rule and what to write instead.
    pub message: String,
}

impl fmt::Display for TriggerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at, self.message)
    }
}

impl std::error::Error for TriggerFault {}

#[cfg(test)]
mod tests;
