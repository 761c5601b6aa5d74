//! The records this worker wrote last: their ids, and per property the value written and the time of its event.
//!
//! It keeps late events from putting old values back, and spares calls that would repeat what was confirmed a moment
//! ago. It is bounded: a record that was not written for a while is forgotten.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use hubferry_actions::{ObjectType, Properties, PropertyName, RecordId, RecordRef};
use lru::LruCache;
use rustc_hash::FxHashSet;

use crate::coalesce::{Dated, Part, adds_nothing, put};

pub(crate) struct Recent {
    records: LruCache<RecordRef, Written>,
}

/// A value that a newer event's took the place of.
pub(crate) struct Superseded {
    pub(crate) property: PropertyName,
    /// Whether it arrived after the newer event, and not merely went out after it.
    pub(crate) late: bool,
}

struct Written {
    /// Unknown as long as nothing was confirmed.
    id: Option<RecordId>,
    /// When its values were confirmed last; never, when some of them are in doubt.
    confirmed: Option<Instant>,
    values: Vec<Dated>,
}

impl Recent {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            records: LruCache::new(capacity),
        }
    }

    /// Remembers what was confirmed.
    pub(crate) fn confirm(
        &mut self,
        record: &RecordRef,
        id: &RecordId,
        written: &[Dated],
        now: Instant,
    ) {
        let known = self.known(record);
        known.id = Some(id.clone());
        known.confirmed = Some(now);
        put_all(&mut known.values, written);
    }

    /// Remembers what may have been written: nothing older may go out after it.
    pub(crate) fn doubt(&mut self, record: &RecordRef, written: &[Dated]) {
        let known = self.known(record);
        known.confirmed = None;
        put_all(&mut known.values, written);
    }

    fn known(&mut self, record: &RecordRef) -> &mut Written {
        self.records.get_or_insert_mut_ref(record, || Written {
            id: None,
            confirmed: None,
            values: Vec::new(),
        })
    }

    /// Forgets a record that turned out to be gone.
    pub(crate) fn forget(&mut self, record: &RecordRef) {
        self.records.pop(record);
    }

    /// The contacts of these ids that were written lately, by whatever name.
    pub(crate) fn contacts_of(&self, ids: &FxHashSet<RecordId>) -> Vec<RecordRef> {
        let is_one = |(record, written): &(&RecordRef, &Written)| {
            record.object == ObjectType::contacts()
                && written.id.as_ref().is_some_and(|id| ids.contains(id))
        };
        let found = self.records.iter().filter(is_one);
        found.map(|(record, _)| record.clone()).collect()
    }

    /// The record's id when, within `horizon`, the same values were confirmed for it.
    pub(crate) fn same(
        &self,
        record: &RecordRef,
        properties: &Properties,
        now: Instant,
        horizon: Duration,
    ) -> Option<RecordId> {
        let known = self.records.peek(record)?;
        let fresh = known
            .confirmed
            .is_some_and(|at| now.saturating_duration_since(at) <= horizon);
        if fresh && adds_nothing(properties, &known.values) {
            known.id.clone()
        } else {
            None
        }
    }

    /// Takes out of `part` what a newer event has written already.
    pub(crate) fn drop_superseded(&self, record: &RecordRef, part: &mut Part) -> Vec<Superseded> {
        let Some(known) = self.records.peek(record) else {
            return Vec::new();
        };
        let mut superseded = Vec::new();
        part.properties.retain(|(name, _)| {
            let newer = known.values.iter().find(|written| written.name == *name);
            match newer
                .filter(|written| (part.time, part.arrival) < (written.time, written.arrival))
            {
                Some(newer) => {
                    superseded.push(Superseded {
                        property: name.clone(),
                        late: newer.arrival < part.arrival,
                    });
                    false
                }
                None => true,
            }
        });
        superseded
    }

    /// The id of a record written lately.
    pub(crate) fn id(&self, record: &RecordRef) -> Option<&RecordId> {
        self.records
            .peek(record)
            .and_then(|written| written.id.as_ref())
    }
}

fn put_all(values: &mut Vec<Dated>, written: &[Dated]) {
    for dated in written {
        put(values, dated.clone());
    }
}
