//! Ready steps by kind of call, and which kind a permit is worth most for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hubferry_actions::{LinkChange, ObjectType, PropertyName};
use hubferry_hubspot::{Bucket, Endpoint, StepId};
use rustc_hash::FxHashMap;

/// What makes two steps fit into one call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum QueueKey {
    Upsert {
        object: ObjectType,
        id_property: PropertyName,
    },
    Update {
        object: ObjectType,
    },
    Read {
        object: ObjectType,
        id_property: PropertyName,
    },
    Create {
        object: ObjectType,
    },
    Search {
        object: ObjectType,
    },
    Link {
        change: LinkChange,
        from: ObjectType,
        to: ObjectType,
    },
    Members {
        list: Arc<str>,
    },
    Archive {
        object: ObjectType,
    },
    SendEvents,
    CreateProperties {
        object: ObjectType,
    },
    /// Calls that carry one step each, of one kind.
    Single(Endpoint),
}

/// A queue's place; queues are made on first use and kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct QueueId(usize);

#[derive(Default)]
pub(crate) struct Queues {
    list: Vec<Queue>,
    by_key: FxHashMap<QueueKey, QueueId>,
}

struct Queue {
    key: QueueKey,
    bucket: Bucket,
    /// The most inputs of one call.
    max: usize,
    /// Whether it waits for company. What creates a part of the schema does not: much waits for it, and it comes all at once.
    lingers: bool,
    ready: VecDeque<Ready>,
}

#[derive(Clone, Copy)]
struct Ready {
    step: StepId,
    since: Instant,
}

/// How long a queue waits for company.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Patience {
    /// A step waits at most this long for its call to fill up.
    pub(crate) linger: Duration,
    /// At this age a small queue is worth as much as a full one.
    pub(crate) max_age: Duration,
}

impl QueueKey {
    fn endpoint(&self) -> Endpoint {
        match self.clone() {
            Self::Upsert { object, .. } => Endpoint::Upsert(object),
            Self::Update { object } => Endpoint::Update(object),
            Self::Read { object, .. } => Endpoint::Read(object),
            Self::Create { object } => Endpoint::Create(object),
            Self::Search { object } => Endpoint::Search(object),
            Self::Link { change, from, to } => match change {
                LinkChange::Associate => Endpoint::Associate(from, to),
                LinkChange::Dissociate => Endpoint::Dissociate(from, to),
            },
            Self::Archive { object } => Endpoint::Archive(object),
            Self::Members { .. } => Endpoint::ChangeMembers,
            Self::SendEvents => Endpoint::SendEvents,
            Self::CreateProperties { object } => Endpoint::CreateProperties(object),
            Self::Single(endpoint) => endpoint,
        }
    }
}

impl Queues {
    /// The queue of a kind.
    pub(crate) fn id(&mut self, key: &QueueKey) -> QueueId {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        let endpoint = key.endpoint();
        let id = QueueId(self.list.len());
        self.list.push(Queue {
            key: key.clone(),
            bucket: endpoint.bucket(),
            max: endpoint.max_inputs(),
            lingers: !matches!(endpoint, Endpoint::CreateProperties(_)),
            ready: VecDeque::new(),
        });
        self.by_key.insert(key.clone(), id);
        id
    }

    pub(crate) fn key(&self, id: QueueId) -> &QueueKey {
        &self.list[id.0].key
    }

    pub(crate) fn bucket(&self, id: QueueId) -> Bucket {
        self.list[id.0].bucket
    }

    pub(crate) fn max(&self, id: QueueId) -> usize {
        self.list[id.0].max
    }

    pub(crate) fn push(&mut self, id: QueueId, step: StepId, now: Instant) {
        self.list[id.0].ready.push_back(Ready { step, since: now });
    }

    /// Puts steps that came back unsent in front again, in their order.
    pub(crate) fn push_front(&mut self, id: QueueId, steps: &[StepId], since: Instant) {
        for step in steps.iter().rev() {
            self.list[id.0]
                .ready
                .push_front(Ready { step: *step, since });
        }
    }

    pub(crate) fn pop(&mut self, id: QueueId) -> Option<(StepId, Instant)> {
        self.list[id.0].ready.pop_front().map(|r| (r.step, r.since))
    }

    /// Takes out the steps that are nobody's any more.
    pub(crate) fn retain(&mut self, keep: impl Fn(StepId) -> bool) {
        for queue in &mut self.list {
            queue.ready.retain(|ready| keep(ready.step));
        }
    }

    /// The queue of `bucket` that a permit is worth most for, among those that are due.
    pub(crate) fn best(
        &self,
        bucket: Bucket,
        patience: &Patience,
        now: Instant,
    ) -> Option<(QueueId, f64)> {
        let mut best: Option<(QueueId, f64)> = None;
        let saturated = self.is_saturated();
        for (n, queue) in self.list.iter().enumerate() {
            if queue.bucket != bucket || !queue.is_due(patience, saturated, now) {
                continue;
            }
            let worth = queue.worth(patience, now);
            // A tie goes to the queue made first: records before what waits for them.
            if best.is_none_or(|(_, most)| worth > most) {
                best = Some((QueueId(n), worth));
            }
        }
        best
    }

    /// When the next queue becomes due that is not yet.
    pub(crate) fn due_after(&self, patience: &Patience, now: Instant) -> Option<Instant> {
        let saturated = self.is_saturated();
        self.list
            .iter()
            .filter_map(|queue| queue.due_at(patience, saturated))
            .filter(|at| *at > now)
            .min()
    }

    /// Whether more waits than the permits of the moment can carry: some queue fills a whole call.
    fn is_saturated(&self) -> bool {
        self.list
            .iter()
            .any(|queue| queue.max > 1 && queue.ready.len() >= queue.max)
    }
}

/// Calls that take more inputs than a call of records brings forth wait for several of those.
const LARGE: usize = 100;

impl Queue {
    /// While records are waiting for permits, the calls for what follows them are worth waiting for up to the age bound:
    /// they would go out almost empty.
    fn due_at(&self, patience: &Patience, saturated: bool) -> Option<Instant> {
        let oldest = self.ready.front()?.since;
        Some(if self.ready.len() >= self.max || !self.lingers {
            oldest
        } else if saturated && self.max > LARGE {
            oldest + patience.max_age
        } else {
            oldest + patience.linger
        })
    }

    fn is_due(&self, patience: &Patience, saturated: bool, now: Instant) -> bool {
        self.due_at(patience, saturated).is_some_and(|at| at <= now)
    }

    /// Fill ratio plus age over the age bound (fleet.md ii.1).
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue holds far fewer than 2^52 steps"
    )]
    fn worth(&self, patience: &Patience, now: Instant) -> f64 {
        let fill = (self.ready.len() as f64 / self.max as f64).min(1.0);
        let age = self
            .ready
            .front()
            .map_or(Duration::ZERO, |r| now.saturating_duration_since(r.since));
        fill + age.as_secs_f64() / patience.max_age.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        linger: Duration::from_millis(25),
        max_age: Duration::from_secs(2),
    };

    fn upserts(object: ObjectType) -> QueueKey {
        QueueKey::Upsert {
            object,
            id_property: PropertyName::new("id"),
        }
    }

    #[test]
    fn a_step_waits_for_company_only_as_long_as_the_linger() {
        let start = tokio::time::Instant::now().into_std();
        let mut queues = Queues::default();
        let contacts = queues.id(&upserts(ObjectType::contacts()));
        queues.push(contacts, StepId(1), start);
        assert_eq!(queues.best(Bucket::Burst, &PATIENCE, start), None);
        assert_eq!(
            queues.due_after(&PATIENCE, start),
            Some(start + PATIENCE.linger)
        );
        assert_eq!(queues.due_after(&PATIENCE, start + PATIENCE.linger), None);
        assert!(
            queues
                .best(Bucket::Burst, &PATIENCE, start + PATIENCE.linger)
                .is_some()
        );
    }

    #[test]
    fn a_full_queue_is_due_at_once() {
        let start = tokio::time::Instant::now().into_std();
        let mut queues = Queues::default();
        let contacts = queues.id(&upserts(ObjectType::contacts()));
        for n in 0..100 {
            queues.push(contacts, StepId(n), start);
        }
        assert!(queues.best(Bucket::Burst, &PATIENCE, start).is_some());
        assert!(queues.best(Bucket::Search, &PATIENCE, start).is_none());
    }

    #[test]
    fn age_lifts_a_small_queue_over_a_full_one() {
        let start = tokio::time::Instant::now().into_std();
        let mut queues = Queues::default();
        let contacts = queues.id(&upserts(ObjectType::contacts()));
        let companies = queues.id(&upserts(ObjectType::companies()));
        queues.push(companies, StepId(1_000), start);
        let later = start + Duration::from_millis(100);
        for n in 0..100 {
            queues.push(contacts, StepId(n), later);
        }
        assert_eq!(
            queues.best(Bucket::Burst, &PATIENCE, later).map(|b| b.0),
            Some(contacts)
        );
        let much_later = start + Duration::from_secs(3);
        for n in 0..100 {
            queues.pop(contacts);
            queues.push(contacts, StepId(n), much_later);
        }
        assert_eq!(
            queues
                .best(Bucket::Burst, &PATIENCE, much_later)
                .map(|b| b.0),
            Some(companies)
        );
    }
}
