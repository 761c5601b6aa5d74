//! An association that waits for its contact.

use std::fmt;
use std::sync::Arc;

use hubferry_actions::{AssociationType, ObjectType, RecordId};
use hubferry_event::IdentityKey;

use crate::person::{PersonKey, hash, hex};

/// An association to make once the contact at its other end exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its name; the same for a redelivered event.
    pub id: LinkId,
    /// The mapping that wanted it, as `DESTINATION/NAME`.
    pub mapping: String,
    /// The type of the record it starts from.
    pub from_object: ObjectType,
    /// The record it starts from.
    pub from: RecordId,
    /// The association's type, from that record to the contact.
    pub kind: AssociationType,
    /// When it began to wait, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// When it has waited long enough.
    pub expires_ms: i64,
    /// The message it came from, for its dead letter.
    pub origin: Option<LinkOrigin>,
}

/// Where the event of a link stood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkOrigin {
    /// The topic, or the input.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The message's offset.
    pub offset: i64,
    /// The event's position in its batch.
    pub element: Option<u32>,
    /// The event's message id.
    pub message_id: Option<String>,
}

/// The stable name of a link: a hash of what asked for it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LinkId(Arc<str>);

impl LinkId {
    /// The name of the link that a message's mapping wants between a record and a person's contact. `message` is whatever
    /// names the message for good: its message id, or its topic, partition, offset and element.
    #[must_use]
    pub fn of(
        mapping: &str,
        from: (&ObjectType, &RecordId),
        person: &[IdentityKey],
        message: &str,
    ) -> Self {
        let person: Vec<String> = PersonKey::of(person)
            .into_iter()
            .map(PersonKey::hex)
            .collect();
        let (object, record) = from;
        Self::from_stored(&hex(hash(&[
            mapping.as_bytes(),
            object.as_str().as_bytes(),
            record.as_str().as_bytes(),
            person.concat().as_bytes(),
            message.as_bytes(),
        ])))
    }

    pub(crate) fn from_stored(id: &str) -> Self {
        Self(Arc::from(id))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
