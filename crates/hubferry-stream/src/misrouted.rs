//! Identities that come from more than one partition: their order cannot be kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::place::{Partition, Topic};

/// Tells when an identity comes from another partition of its topic than before.
///
/// It remembers a hash and a partition for a bounded number of identities, those seen last: two generations of half the
/// size each, of which the older one is dropped when the younger one is full. An identity seen rarely among many others
/// may so be missed, and two identities of one hash may be taken for one (in a million identities, one time in about
/// thirty million). A worker sees only the partitions that it owns.
#[derive(Debug)]
pub struct Misrouted {
    hasher: RandomState,
    generation: usize,
    young: HashMap<u64, Seen>,
    old: HashMap<u64, Seen>,
    identities: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    partition: Partition,
    counted: bool,
}

impl Default for Misrouted {
    /// A hundred thousand identities: about 5 MiB.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Misrouted {
    /// Remembers at most so many identities, two at least.
    #[must_use]
    pub fn new(identities: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            generation: (identities / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
            identities: 0,
        }
    }

    /// An identity came from a partition; true the first time that it came from another one before.
    pub fn see(&mut self, topic: &Topic, partition: Partition, identity: &str) -> bool {
        let hash = self.hasher.hash_one((topic, identity));
        if let Some(seen) = self.young.get_mut(&hash) {
            let found = seen.come(partition);
            self.identities += u64::from(found);
            return found;
        }
        let mut seen = self.old.remove(&hash).unwrap_or(Seen {
            partition,
            counted: false,
        });
        let found = seen.come(partition);
        self.identities += u64::from(found);
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, seen);
        found
    }

    /// Identities that came from two partitions, each counted once as long as it is remembered.
    #[must_use]
    pub fn identities(&self) -> u64 {
        self.identities
    }
}

impl Seen {
    /// True the first time that the partition differs.
    fn come(&mut self, partition: Partition) -> bool {
        let differs = self.partition != partition && !self.counted;
        self.partition = partition;
        self.counted |= differs;
        differs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(misrouted: &mut Misrouted, topic: &str, partition: i32, identity: &str) -> bool {
        misrouted.see(&Topic::new(topic), Partition::new(partition), identity)
    }

    #[test]
    fn an_identity_on_two_partitions_of_a_topic_is_counted_once() {
        let mut misrouted = Misrouted::default();
        for (topic, partition, identity, found) in [
            ("t", 0, "u1", false),
            ("t", 0, "u1", false),
            ("t", 1, "u2", false),
            ("other", 1, "u1", false),
            ("t", 1, "u1", true),
            ("t", 0, "u1", false),
            ("t", 2, "u2", true),
        ] {
            assert_eq!(
                see(&mut misrouted, topic, partition, identity),
                found,
                "{topic} {partition} {identity}"
            );
        }
        assert_eq!(misrouted.identities(), 2);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_was_seen_last() {
        let mut misrouted = Misrouted::new(1_000);
        for number in 0..100_000 {
            see(&mut misrouted, "t", 0, &number.to_string());
            see(&mut misrouted, "t", 0, "regular");
        }
        assert!(misrouted.young.len() + misrouted.old.len() <= 1_000);
        assert!(see(&mut misrouted, "t", 1, "regular"));
        assert!(see(&mut misrouted, "t", 1, "99999"));
        assert!(!see(&mut misrouted, "t", 1, "7"), "forgotten long ago");
    }
}
