//! The records this worker wrote last: their ids, and per property the value written and the time of its event.
//!
//! It keeps late events from putting old values back, and spares calls that would repeat what was confirmed a moment
//! ago. It is bounded: a record that was not written for a while is forgotten.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use hubferry_actions::{Properties, PropertyName, RecordId, RecordRef};
use hubferry_event::EventTime;
use lru::LruCache;

use crate::coalesce::{Dated, Part, adds_nothing};

pub(crate) struct Recent {
    records: LruCache<RecordRef, Written>,
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

    /// Takes out of `part` what a newer event has written already; returns the names.
    pub(crate) fn drop_stale(&self, record: &RecordRef, part: &mut Part) -> Vec<PropertyName> {
        let Some(known) = self.records.peek(record) else {
            return Vec::new();
        };
        let mut stale = Vec::new();
        part.properties.retain(|(name, _)| {
            let older = is_older(part.time, name, &known.values);
            if older {
                stale.push(name.clone());
            }
            !older
        });
        stale
    }

    /// The id of a record written lately.
    pub(crate) fn id(&self, record: &RecordRef) -> Option<&RecordId> {
        self.records
            .peek(record)
            .and_then(|written| written.id.as_ref())
    }
}

fn put_all(values: &mut Vec<Dated>, written: &[Dated]) {
    for (name, value, time) in written {
        match values.iter_mut().find(|(n, _, _)| n == name) {
            Some(slot) => *slot = (name.clone(), value.clone(), *time),
            None => values.push((name.clone(), value.clone(), *time)),
        }
    }
}

fn is_older(time: EventTime, name: &PropertyName, values: &[Dated]) -> bool {
    values
        .iter()
        .any(|(n, _, written)| n == name && time < *written)
}
