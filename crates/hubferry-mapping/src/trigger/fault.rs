//! What can be wrong with a trigger.

use std::fmt;

/// Why a text is no trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerFault {
    /// The place in the text, in characters from 1.
    pub at: usize,
    /// The broken rule and what to write instead.
    pub message: String,
    /// Whether the text means nothing, or two things.
    pub kind: TriggerFaultKind,
}

/// The two ways in which a trigger is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerFaultKind {
    /// The text is no trigger.
    Invalid,
    /// The dialects read the text differently. Both readings are for people: canonical text in backquotes, or
    /// `nothing` with the reason in parentheses.
    Ambiguous {
        /// What the reference reads.
        reference: String,
        /// What the documented language says.
        fql: String,
    },
}

impl TriggerFault {
    pub(super) fn invalid(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            kind: TriggerFaultKind::Invalid,
        }
    }

    pub(super) fn ambiguous(reference: String, fql: String) -> Self {
        Self {
            at: 1,
            message: format!(
                "means two things: the reference reads {reference}, the language as documented says {fql}; \
                 name the meant one with `trigger_dialect: reference` or `trigger_dialect: fql`, or write it unmistakably"
            ),
            kind: TriggerFaultKind::Ambiguous { reference, fql },
        }
    }

    /// Whether the dialects read the text differently.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        matches!(self.kind, TriggerFaultKind::Ambiguous { .. })
    }
}

impl fmt::Display for TriggerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TriggerFaultKind::Invalid => {
                write!(f, "at character {}: {}", self.at, self.message)
            }
            TriggerFaultKind::Ambiguous { .. } => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for TriggerFault {}
