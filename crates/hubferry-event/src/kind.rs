//! The types an event can have.

use std::fmt;

/// The `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// What is known about a user.
    Identify,
    /// Which group (company) a user belongs to.
    Group,
    /// Something a user did.
    Track,
    /// A page that was viewed.
    Page,
    /// A screen that was viewed.
    Screen,
    /// Two ids of one user.
    Alias,
    /// A request to delete a user.
    Delete,
}

impl EventType {
    /// All types, in the order of the specification.
    pub const ALL: [Self; 7] = [
        Self::Identify,
        Self::Group,
        Self::Track,
        Self::Page,
        Self::Screen,
        Self::Alias,
        Self::Delete,
    ];

    /// The text of the type in an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Alias => "alias",
            Self::Delete => "delete",
        }
    }

    /// Reads the text of a type, exactly and case-sensitively; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
