//! Which contact belongs to a person, as far as this worker has seen; the fleet's memory knows the rest.

use std::num::NonZeroUsize;

use hubferry_actions::RecordId;
use hubferry_event::IdentityKey;
use lru::LruCache;
use rustc_hash::FxHashSet;

pub(crate) struct People {
    contacts: LruCache<IdentityKey, RecordId>,
}

impl People {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            contacts: LruCache::new(capacity),
        }
    }

    /// The contact of the first key that is known: user id, then anonymous id, then e-mail.
    pub(crate) fn find(&mut self, person: &[IdentityKey]) -> Option<RecordId> {
        person
            .iter()
            .find_map(|key| self.contacts.get(key).cloned())
    }

    /// Whether every key is known to lead to this contact.
    pub(crate) fn knows(&self, person: &[IdentityKey], contact: &RecordId) -> bool {
        person
            .iter()
            .all(|key| self.contacts.peek(key) == Some(contact))
    }

    pub(crate) fn keep(&mut self, person: &[IdentityKey], contact: &RecordId) {
        for key in person {
            self.contacts.put(key.clone(), contact.clone());
        }
    }

    /// Forgets contacts that are gone, under whatever keys; says which.
    pub(crate) fn forget_contacts(
        &mut self,
        gone: &FxHashSet<RecordId>,
    ) -> Vec<(IdentityKey, RecordId)> {
        let known = self.contacts.iter().filter(|(_, id)| gone.contains(*id));
        let known: Vec<_> = known.map(|(key, id)| (key.clone(), id.clone())).collect();
        for (key, _) in &known {
            self.contacts.pop(key);
        }
        known
    }

    pub(crate) fn forget(&mut self, person: &[IdentityKey]) {
        for key in person {
            self.contacts.pop(key);
        }
    }
}
