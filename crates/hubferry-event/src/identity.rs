//! Whom an event is about, and the keys by which its order is kept.

use std::fmt;

use smallvec::SmallVec;

/// One normalised key of a person or a company that an event carries.
///
/// Values are trimmed, e-mails lower-cased, numbers stand as their text; an empty value is no key.
/// They are personal data: `Debug` masks them and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKey {
    /// `userId`.
    User(Box<str>),
    /// `anonymousId`.
    Anonymous(Box<str>),
    /// `traits.email`, `properties.email` or `context.traits.email`.
    Email(Box<str>),
    /// `groupId`, else `context.groupId`.
    Group(Box<str>),
    /// `properties.__segment_id` of a warehouse row.
    Row(Box<str>),
}

impl IdentityKey {
    /// The raw value; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::User(v) | Self::Anonymous(v) | Self::Email(v) | Self::Group(v) | Self::Row(v) => {
                v
            }
        }
    }

    /// Whether the key names a person (user id, anonymous id or e-mail).
    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self, Self::User(_) | Self::Anonymous(_) | Self::Email(_))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::User(_) => "User",
            Self::Anonymous(_) => "Anonymous",
            Self::Email(_) => "Email",
            Self::Group(_) => "Group",
            Self::Row(_) => "Row",
        };
        write!(f, "{kind}(***)")
    }
}

/// All identity keys of one event, most authoritative first: the canonical identity is the first.
pub type IdentityKeys = SmallVec<[IdentityKey; 3]>;
