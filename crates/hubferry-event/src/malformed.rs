//! Why a message or an element of it is no event.

use std::fmt;

/// Something on a topic that is no event: a code from a closed set and a sentence that names the place of the fault.
///
/// The sentence holds the JSON path or the byte offset and the broken rule, never a value of the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The code of the dead letter.
    pub code: MalformedCode,
    message: Box<str>,
}

impl Malformed {
    pub(crate) fn new(code: MalformedCode, message: impl Into<Box<str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The sentence, as in `Display`.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The codes of malformed input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MalformedCode {
    /// Not UTF-8 or not JSON.
    ParseError,
    /// JSON, but not an object.
    NotAnObject,
    /// More than [`MAX_DEPTH`](crate::MAX_DEPTH) levels of nesting.
    TooDeep,
    /// Larger than the configured limits.
    TooLarge,
    /// `type` is missing or none of the known ones.
    TypeUnknown,
    /// None of the keys by which an event belongs to somebody.
    NoIdentity,
}

impl MalformedCode {
    /// The code's name on the dead-letter topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TypeUnknown => "type_unknown",
            Self::NoIdentity => "no_identity",
        }
    }
}

impl fmt::Display for MalformedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
