//! Finding the offender in a batch that was refused as a whole (fleet.md ii.5.4).
//!
//! Halves keep the order of the inputs. When halving has cost too much or has found too many culprits, the rest goes out
//! in tens, and a refused ten one by one.

use std::collections::VecDeque;

use hubferry_hubspot::StepId;
use rustc_hash::FxHashMap;

use crate::queues::QueueId;

/// All batches that stem from one refused call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct GroupId(u64);

/// A batch that goes out exactly as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Isolated {
    pub(crate) queue: QueueId,
    pub(crate) group: GroupId,
    pub(crate) steps: Vec<StepId>,
}

#[derive(Default)]
pub(crate) struct Isolation {
    waiting: VecDeque<Isolated>,
    groups: FxHashMap<GroupId, Group>,
    next: u64,
}

struct Group {
    inputs: usize,
    /// Calls made to find the offenders.
    spent: usize,
    culprits: usize,
    /// Batches waiting or on the wire.
    open: usize,
}

/// Halving stops when it has found more culprits than this.
const MOST_CULPRITS: usize = 12;
/// What is left then goes out in batches of this size.
const REMAINDER: usize = 10;

impl Isolation {
    /// Starts the search in a refused call of `inputs` steps.
    pub(crate) fn open(&mut self, inputs: usize) -> GroupId {
        self.next += 1;
        let id = GroupId(self.next);
        self.groups.insert(
            id,
            Group {
                inputs,
                spent: 0,
                culprits: 0,
                open: 0,
            },
        );
        id
    }

    /// Puts a batch of the group in line; an empty one is nothing.
    pub(crate) fn push(&mut self, group: GroupId, queue: QueueId, steps: Vec<StepId>) {
        if steps.is_empty() {
            return;
        }
        if let Some(state) = self.groups.get_mut(&group) {
            state.open += 1;
        }
        self.waiting.push_back(Isolated {
            queue,
            group,
            steps,
        });
    }

    /// Splits a batch that was refused again; a single step is a culprit and is given back.
    pub(crate) fn split(&mut self, batch: Isolated) -> Option<StepId> {
        let group = self.groups.get_mut(&batch.group)?;
        if let [culprit] = batch.steps.as_slice() {
            group.culprits += 1;
            return Some(*culprit);
        }
        let tired = group.culprits > MOST_CULPRITS || group.spent * 2 > group.inputs;
        let size = match (tired, batch.steps.len()) {
            (false, n) => n.div_ceil(2),
            (true, n) if n > REMAINDER => REMAINDER,
            (true, _) => 1,
        };
        for part in batch.steps.chunks(size) {
            self.push(batch.group, batch.queue, part.to_vec());
        }
        None
    }

    /// The first batch in line whose queue passes `fits`.
    pub(crate) fn take(&mut self, fits: impl Fn(QueueId) -> bool) -> Option<Isolated> {
        let at = self.waiting.iter().position(|batch| fits(batch.queue))?;
        let batch = self.waiting.remove(at)?;
        if let Some(group) = self.groups.get_mut(&batch.group) {
            group.spent += 1;
        }
        Some(batch)
    }

    /// A batch of the group has been judged; the group is forgotten with its last batch.
    pub(crate) fn close(&mut self, group: GroupId) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.open = state.open.saturating_sub(1);
            if state.open == 0 {
                self.groups.remove(&group);
            }
        }
    }

    pub(crate) fn waits(&self, fits: impl Fn(QueueId) -> bool) -> bool {
        self.waiting.iter().any(|batch| fits(batch.queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queues::{QueueKey, Queues};
    use hubferry_actions::{ObjectType, PropertyName};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Plays HubSpot: refuses a batch that holds an offender. Returns the culprits found and the calls made.
    fn search(n: u64, offenders: &BTreeSet<u64>) -> (BTreeSet<u64>, BTreeSet<u64>, usize) {
        let mut queues = Queues::default();
        let queue = queues.id(&QueueKey::Upsert {
            object: ObjectType::contacts(),
            id_property: PropertyName::new("email"),
        });
        let mut isolation = Isolation::default();
        let group = isolation.open(usize::try_from(n).unwrap());
        isolation.push(group, queue, (0..n).map(StepId).collect());
        let (mut culprits, mut written, mut calls) = (BTreeSet::new(), BTreeSet::new(), 0);
        // The refused call itself was the first.
        let first = isolation.take(|_| true).unwrap();
        if let Some(culprit) = isolation.split(first) {
            culprits.insert(culprit.0);
        }
        isolation.close(group);
        while let Some(batch) = isolation.take(|_| true) {
            calls += 1;
            if batch.steps.iter().any(|s| offenders.contains(&s.0)) {
                if let Some(culprit) = isolation.split(batch) {
                    culprits.insert(culprit.0);
                }
            } else {
                written.extend(batch.steps.iter().map(|s| s.0));
            }
            isolation.close(group);
        }
        assert!(isolation.groups.is_empty());
        (culprits, written, calls)
    }

    #[test]
    fn one_offender_in_a_hundred_costs_about_fourteen_calls() {
        let (culprits, written, calls) = search(100, &BTreeSet::from([37]));
        assert_eq!(culprits, BTreeSet::from([37]));
        assert_eq!(written.len(), 99);
        assert!(calls <= 14, "{calls} calls");
    }

    proptest! {
        #[test]
        fn every_offender_is_found_and_no_neighbour_is_harmed(
            n in 1u64..120,
            picks in prop::collection::btree_set(0u64..120, 1..40),
        ) {
            let offenders: BTreeSet<u64> = picks.into_iter().map(|p| p % n).collect();
            let (culprits, written, calls) = search(n, &offenders);
            prop_assert_eq!(&culprits, &offenders);
            prop_assert_eq!(written.len() + culprits.len(), usize::try_from(n).unwrap());
            prop_assert!(calls <= usize::try_from(n).unwrap() * 2 + 20);
        }
    }
}
