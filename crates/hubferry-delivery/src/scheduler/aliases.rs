//! Aliases: two names that turn out to be of one record, such as a contact's primary and secondary e-mail.
//!
//! Nothing tells beforehand; the answers do, when both bring back the same id. From then on, for a while, what goes by either
//! name shares a chain. Where both stood in one call, nobody knows in which order HubSpot applied them: the newer one's
//! values are sent again.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use hubferry_actions::{ObjectType, RecordId, RecordRef};
use hubferry_hubspot::{Done, Outcome, StepId};
use hubferry_memory::Inquiry;
use lru::LruCache;
use rustc_hash::{FxHashMap, FxHashSet};

use super::step::{Phase, StepKind};
use super::{Asker, DeliverySlot, Scheduler};

/// How long an alias is believed: an e-mail may be moved to another contact.
const BELIEVED: Duration = Duration::from_mins(5);

const NAMES: NonZeroUsize = NonZeroUsize::new(20_000).expect("twenty thousand is not zero");

pub(super) struct Aliases {
    /// The name under which a record was written last.
    names: LruCache<(ObjectType, RecordId), RecordRef>,
    /// Another name for it.
    others: LruCache<RecordRef, (RecordRef, Instant)>,
}

impl Default for Aliases {
    fn default() -> Self {
        Self {
            names: LruCache::new(NAMES),
            others: LruCache::new(NAMES),
        }
    }
}

impl Scheduler {
    /// Gives a delivery's record the name under which it is known; returns that.
    pub(super) fn resolve_alias(&mut self, slot: DeliverySlot, now: Instant) -> RecordRef {
        let record = &mut self.deliveries[slot.0].record_mut().record;
        if let Some((name, since)) = self.aliases.others.get(record)
            && now.saturating_duration_since(*since) <= BELIEVED
        {
            *record = name.clone();
        }
        record.clone()
    }

    /// A record that was written by a unique property has this id.
    pub(super) fn learn_name(&mut self, record: &RecordRef, id: &RecordId, now: Instant) {
        if !record.has_unique_property() {
            return;
        }
        let key = (record.object.clone(), id.clone());
        match self.aliases.names.get(&key) {
            Some(name) if name == record => return,
            Some(name) if name.id_property == record.id_property => {
                let name = name.clone();
                self.aliases.others.put(record.clone(), (name, now));
                let inquiry = Inquiry::KeepRecord {
                    record: record.clone(),
                    id: id.clone(),
                };
                self.ask(Asker::Nobody, inquiry);
                return;
            }
            _ => (),
        }
        self.aliases.names.put(key, record.clone());
    }

    /// Forgets the names of contacts that are gone; whoever bears one next may be somebody else.
    pub(super) fn forget_names(&mut self, gone: &FxHashSet<RecordId>) {
        let contacts = ObjectType::contacts();
        let names: Vec<RecordRef> = gone
            .iter()
            .filter_map(|id| self.aliases.names.pop(&(contacts.clone(), id.clone())))
            .collect();
        let others = self.aliases.others.iter();
        let others: Vec<RecordRef> = others
            .filter(|(_, (name, _))| names.contains(name))
            .map(|(other, _)| other.clone())
            .collect();
        for other in others {
            self.aliases.others.pop(&other);
        }
    }

    /// Finds, in the answers of one call, records that stood in it under two names, and has the newest sent again.
    pub(super) fn repair_order(&mut self, outcomes: &[(StepId, Outcome)]) {
        let mut newest: FxHashMap<&RecordId, StepId> = FxHashMap::default();
        let mut again: Vec<StepId> = Vec::new();
        for (step, outcome) in outcomes {
            let Outcome::Done(Done::Written { id, .. }) = outcome else {
                continue;
            };
            let Some(when) = self.written_when(*step) else {
                continue;
            };
            let Some(&other) = newest.get(id) else {
                newest.insert(id, *step);
                continue;
            };
            let newer = if self.written_when(other) > Some(when) {
                other
            } else {
                *step
            };
            newest.insert(id, newer);
            again.retain(|s| *s != other);
            again.push(newer);
        }
        for step in again {
            self.counts.order_repairs += 1;
            if let Some(work) = self.record_work(step) {
                work.once_more = true;
            }
        }
    }

    /// The time of the newest event in a step that upserts.
    fn written_when(&self, step: StepId) -> Option<(i64, u64)> {
        let StepKind::Record(work) = &self.steps.get(&step)?.kind else {
            return None;
        };
        if work.phase != Phase::Upsert || work.sent.is_empty() {
            return None;
        }
        let newest = work
            .parts
            .iter()
            .map(|part| (part.time.as_millis(), part.arrival));
        newest.max()
    }
}
