//! The keys of people, as they may stand in a store.

use hubferry_event::IdentityKey;
use sha2::{Digest, Sha256};

/// A hash of one key of a person: 16 bytes of SHA-256 over its kind and value. It names no one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PersonKey([u8; 16]);

impl PersonKey {
    /// The keys that name a person: user ids first, then anonymous ids, then e-mails, each once.
    pub(crate) fn of(person: &[IdentityKey]) -> Vec<Self> {
        let mut keys: Vec<(u8, &str)> = person
            .iter()
            .filter_map(|key| kind(key).map(|kind| (kind, key.expose())))
            .collect();
        keys.sort_by_key(|(kind, _)| *kind);
        let mut hashes: Vec<Self> = Vec::with_capacity(keys.len());
        for (kind, value) in keys {
            let hash = Self(hash(&[&[kind], value.as_bytes()]));
            if !hashes.contains(&hash) {
                hashes.push(hash);
            }
        }
        hashes
    }

    /// The hash in hexadecimal.
    pub(crate) fn hex(self) -> String {
        hex(self.0)
    }
}

/// The kinds in order of authority. The numbers are part of what is stored: never change them.
fn kind(key: &IdentityKey) -> Option<u8> {
    match key {
        IdentityKey::User(_) => Some(1),
        IdentityKey::Anonymous(_) => Some(2),
        IdentityKey::Email(_) => Some(3),
        IdentityKey::Group(_) | IdentityKey::Domain(_) | IdentityKey::Row(_) => None,
    }
}

/// The first 16 bytes of SHA-256 over the parts, each with its length before it, so that no two lists of parts are alike.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let full = digest.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

pub(crate) fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_by_authority_and_name_nobody() {
        let person = [
            IdentityKey::Email("jane@example.com".into()),
            IdentityKey::Group("acme".into()),
            IdentityKey::User("u1".into()),
            IdentityKey::User("u1".into()),
        ];
        let keys = PersonKey::of(&person);
        assert_eq!(
            keys,
            [PersonKey::of(&person[2..3]), PersonKey::of(&person[..1])].concat()
        );
        // Pinned: the hash is part of the stored format.
        assert_eq!(keys[0].hex(), "9c48a7c9271688404ff1cf3444a7259f");
    }

    #[test]
    fn kind_and_value_both_count() {
        let user = PersonKey::of(&[IdentityKey::User("x".into())]);
        let anonymous = PersonKey::of(&[IdentityKey::Anonymous("x".into())]);
        assert_ne!(user, anonymous);
    }
}
