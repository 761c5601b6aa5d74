//! Deliveries that have ended: what keeps the same event from being delivered twice (fleet.md i.6).

use crate::person::{hash, hex};

/// A hash of one delivery's name: 16 bytes of SHA-256 over mapping id and message id. It names no one.
///
/// In Redis each remembered delivery takes about 100 bytes with its key and its time: ten million take about 1 GB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SeenKey([u8; 16]);

impl SeenKey {
    /// The key of a delivery: `mapping` is `DESTINATION/NAME`, `message` the message's id.
    #[must_use]
    pub fn of(mapping: &str, message: &str) -> Self {
        Self(hash(&[mapping.as_bytes(), message.as_bytes()]))
    }

    /// The hash in hexadecimal.
    pub(crate) fn hex(self) -> String {
        hex(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_and_message_both_count() {
        let key = SeenKey::of("acme/contacts", "m1");
        assert_ne!(key, SeenKey::of("acme/contact", "sm1"));
        assert_ne!(key, SeenKey::of("acme/contacts", "m2"));
        // Pinned: the hash is part of the stored format.
        assert_eq!(key.hex(), "5e2805b48679f1fad0840efc5c670d68");
    }
}
