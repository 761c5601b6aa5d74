//! Marks: what keeps an older event from undoing what a newer one wrote.

use hubferry_actions::{PropertyName, RecordRef};

use crate::person::{hash, hex};

/// The values that are about to be written to one record, or whose writing was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarkWrite {
    /// The record.
    pub record: RecordRef,
    /// Its properties, each with the time of the event the value comes from, in milliseconds since the Unix epoch.
    pub values: Vec<(PropertyName, i64)>,
}

/// A hash of one record's name: 16 bytes of SHA-256 over object type, id property and value. It names no one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecordKey([u8; 16]);

impl RecordKey {
    /// The key of a record. The value counts as it stands, letter case included.
    #[must_use]
    pub fn of(record: &RecordRef) -> Self {
        Self(hash(&[
            record.object.as_str().as_bytes(),
            record.id_property.as_str().as_bytes(),
            record.value.as_bytes(),
        ]))
    }

    /// The hash in hexadecimal.
    pub(crate) fn hex(self) -> String {
        hex(self.0)
    }
}

#[cfg(test)]
mod tests {
    use hubferry_actions::ObjectType;

    use super::*;

    fn record(object: ObjectType, property: &str, value: &str) -> RecordRef {
        RecordRef {
            object,
            id_property: PropertyName::new(property),
            value: value.into(),
        }
    }

    #[test]
    fn type_property_and_value_all_count() {
        let records = [
            record(ObjectType::contacts(), "email", "jane@example.com"),
            record(ObjectType::companies(), "email", "jane@example.com"),
            record(ObjectType::contacts(), "other", "jane@example.com"),
            record(ObjectType::contacts(), "email", "joe@example.com"),
            record(ObjectType::contacts(), "emai", "ljane@example.com"),
        ];
        let mut keys: Vec<String> = records
            .iter()
            .map(|record| RecordKey::of(record).hex())
            .collect();
        // Pinned: the hash is part of the stored format.
        assert_eq!(keys[0], "e9101242c0d83a6a80e6090d62c54f71");
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), records.len());
    }
}
