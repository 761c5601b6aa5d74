//! What can be wrong with a mapping, and with an event under it.

use crate::budget::{MAX_RESOLVE_BYTES, MAX_RESOLVE_STEPS};
use crate::liquid::LiquidError;

/// Something wrong in a mapping's text, and where. All faults of a mapping are found at once, when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{location} {message}")]
pub struct MappingFault {
    /// The place in the mapping, like `/hash/@template`; `/` is the whole mapping.
    pub location: String,
    /// The broken rule.
    pub message: String,
}

/// Why a mapping gives no payload for one event. It never shows the event's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Only objects are events.
    #[error("the event must be an object, it is {actual}")]
    EventNotObject {
        /// What it is instead.
        actual: &'static str,
    },
    /// An option that is itself a directive resolved to something else than a text.
    #[error("{location} must resolve to a text, it is {actual}")]
    NotText {
        /// The place in the mapping.
        location: String,
        /// What it resolved to.
        actual: &'static str,
    },
    /// `@transform` works on objects alone, but stands where the event is an element or a result that is none.
    #[error("{location} works on an object, here it is given {actual}")]
    NotObject {
        /// The place in the mapping.
        location: String,
        /// What it is given.
        actual: &'static str,
    },
    /// The mapping takes too much work for the event.
    #[error("the mapping takes more than {MAX_RESOLVE_STEPS} steps for this event")]
    TooManySteps,
    /// The mapping makes too much of the event.
    #[error("the mapping makes more than {MAX_RESOLVE_BYTES} bytes of this event")]
    TooManyBytes,
    /// A Liquid template gives no text.
    #[error("{location}: {reason}")]
    Liquid {
        /// The place in the mapping.
        location: String,
        /// Why.
        reason: LiquidError,
    },
}
