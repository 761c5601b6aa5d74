//! Whom an event is about, and the keys by which its order is kept.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::kind::EventType;
use crate::number::digits_text;
use crate::view::{Json, JsonKind};

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
    /// The host of a group's website, `traits.website`, by which HubSpot knows a company. It keeps
    /// order, and is never the canonical key.
    Domain(Box<str>),
    /// `properties.__segment_id` of a warehouse row.
    Row(Box<str>),
}

impl IdentityKey {
    /// The raw value; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::User(v)
            | Self::Anonymous(v)
            | Self::Email(v)
            | Self::Group(v)
            | Self::Domain(v)
            | Self::Row(v) => v,
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
            Self::Domain(_) => "Domain",
            Self::Row(_) => "Row",
        };
        write!(f, "{kind}(***)")
    }
}

/// All identity keys of one event, most authoritative first: the canonical identity is the first.
pub type IdentityKeys = SmallVec<[IdentityKey; 3]>;

/// Collects the keys an event carries, each once. An alias' `previousId` and a group's domain come last: they never are
/// the canonical one.
pub(crate) fn derive_keys(event: Json<'_>, kind: EventType) -> IdentityKeys {
    let [traits, properties, context] =
        ["traits", "properties", "context"].map(|name| event.get(name));
    let email = |holder: Option<Json<'_>>| {
        key(holder, "email").map(|text| IdentityKey::Email(lower_case(&text)))
    };
    let group = || key(Some(event), "groupId").or_else(|| key(context, "groupId"));
    let candidates = [
        key(Some(event), "userId").map(|text| IdentityKey::User(text.into())),
        key(Some(event), "anonymousId").map(|text| IdentityKey::Anonymous(text.into())),
        email(traits),
        email(properties),
        email(context.and_then(|context| context.get("traits"))),
        group().map(|text| IdentityKey::Group(text.into())),
        key(properties, "__segment_id").map(|text| IdentityKey::Row(text.into())),
    ];
    let mut keys = IdentityKeys::new();
    for key in candidates.into_iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let further = match kind {
        EventType::Alias => {
            key(Some(event), "previousId").map(|text| IdentityKey::User(text.into()))
        }
        EventType::Group => key(traits, "website")
            .and_then(|text| host(&text))
            .map(IdentityKey::Domain),
        _ => None,
    };
    if let Some(further) = further
        && !keys.is_empty()
        && !keys.contains(&further)
    {
        keys.push(further);
    }
    keys
}

/// The host of a URL or a bare domain: lower case, without user, port and `www.`.
fn host(website: &str) -> Option<Box<str>> {
    let rest = website.split_once("://").map_or(website, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let host = host.trim().to_lowercase();
    let bare = host.strip_prefix("www.").unwrap_or(&host);
    (!bare.is_empty()).then(|| bare.into())
}

fn key<'a>(holder: Option<Json<'a>>, name: &str) -> Option<Cow<'a, str>> {
    holder?.get(name).and_then(key_text)
}

/// A key is a text or a number; blanks around it do not count, and nothing else is a key.
fn key_text(value: Json<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        JsonKind::String => value
            .as_str()
            .map(str::trim)
            .filter(|trimmed| !trimmed.is_empty())
            .map(Cow::Borrowed),
        JsonKind::Number => value
            .as_number_text()
            .map(|digits| Cow::Owned(digits_text(digits))),
        JsonKind::Null | JsonKind::Bool | JsonKind::Array | JsonKind::Object => None,
    }
}

/// The text in lower case; most e-mails are written so.
fn lower_case(text: &str) -> Box<str> {
    let is_lower = text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower {
        text.into()
    } else {
        text.to_lowercase().into()
    }
}

#[cfg(test)]
mod tests;
