//! One portal's part of a rehearsal: the real scheduler, a memory of this process, and the pretended portal.
//!
//! Time is made up: it stands still while anything can be done, and then goes to the next moment at which something is
//! due.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use hubferry_actions::{Existing, Plan, RecordRef};
use hubferry_delivery::{
    Admission, Delivery, DeliveryId, MappingIndex, Note, Scheduler, SchedulerSettings, WallClock,
};
use hubferry_event::{IdentityKey, IdentityKeys};
use hubferry_hubspot::{Bucket, Request, StepId};
use hubferry_memory::{LinkOrigin, LocalLimits, Memory};

use super::pretend::Pretend;
use super::{CallReport, Owner};
use crate::closing::{Closing, closing_of};
use crate::exit::Failure;
use crate::words::size;

const BUCKETS: [Bucket; 3] = [Bucket::Burst, Bucket::Associations, Bucket::Search];

/// Moments after which a rehearsal that has not ended never will.
const MOMENTS: usize = 1_000_000;

pub(super) struct Stage {
    scheduler: Scheduler,
    memory: Memory,
    portal: Pretend,
    now: Instant,
    now_ms: i64,
    admitted: u64,
    open: HashMap<DeliveryId, Open>,
    /// Unfinished deliveries by the record they write.
    by_record: HashMap<RecordRef, Vec<DeliveryId>>,
    /// The record each step is about, as far as its calls have said.
    steps: HashMap<StepId, RecordRef>,
}

/// A delivery that has not ended.
struct Open {
    owner: Owner,
    record: RecordRef,
    associates: bool,
    searches: bool,
    /// The e-mail by which the contact to associate may be looked up.
    email: Option<Box<str>>,
    calls: Vec<u64>,
}

/// How a delivery ended, and with which calls.
pub(super) struct Played {
    pub(super) closing: Option<Closing>,
    pub(super) notes: Vec<Note>,
    pub(super) calls: Vec<u64>,
}

impl Stage {
    pub(super) fn new(mappings: Vec<String>, now_ms: i64) -> Self {
        // Made up from here on.
        let now = tokio::time::Instant::now().into_std();
        let clock = WallClock {
            at: now,
            ms: now_ms,
        };
        Self {
            scheduler: Scheduler::new(SchedulerSettings::default(), mappings, clock),
            memory: Memory::local(LocalLimits {
                people: MANY,
                links: MANY,
            }),
            portal: Pretend::default(),
            now,
            now_ms,
            admitted: 0,
            open: HashMap::new(),
            by_record: HashMap::new(),
            steps: HashMap::new(),
        }
    }

    /// Takes one event's plans.
    pub(super) fn admit(&mut self, keys: &IdentityKeys, plans: Vec<(Owner, MappingIndex, Plan)>) {
        let mut deliveries = Vec::new();
        for (owner, mapping, plan) in plans {
            self.admitted += 1;
            let id = DeliveryId(self.admitted);
            let record = plan.record.record.clone();
            let mut person = plan.associate.iter().flat_map(|wish| &wish.person);
            let email = person.find_map(|key| match key {
                IdentityKey::Email(email) => Some(email.clone()),
                _ => None,
            });
            self.by_record.entry(record.clone()).or_default().push(id);
            self.open.insert(
                id,
                Open {
                    owner,
                    record,
                    associates: plan.associate.is_some(),
                    searches: matches!(plan.record.existing, Existing::Search(_)),
                    email,
                    calls: Vec::new(),
                },
            );
            deliveries.push(Delivery { id, mapping, plan });
        }
        let offset = i64::try_from(self.admitted).unwrap_or(i64::MAX);
        let origin = LinkOrigin {
            topic: "input".to_owned(),
            partition: 0,
            offset,
            element: None,
            message_id: None,
        };
        let admission = Admission {
            keys: keys.clone(),
            deliveries,
            origin: Some(Arc::new(origin)),
        };
        self.scheduler.admit(admission, self.now);
    }

    /// Goes on until everything has ended. Calls are counted on from `number` and added to `calls`.
    ///
    /// # Errors
    ///
    /// A bug: something never ends.
    pub(super) async fn play(
        &mut self,
        number: &mut u64,
        calls: &mut Vec<CallReport>,
    ) -> Result<Vec<(Owner, Played)>, Failure> {
        let mut played = Vec::new();
        for _ in 0..MOMENTS {
            self.scheduler.tick(self.now);
            let asked = self.ask().await?;
            let called = self.call(number, calls);
            self.collect(&mut played);
            if asked || called {
                continue;
            }
            match self.scheduler.wake_at(self.now) {
                Some(at) => self.now = at,
                None => break,
            }
        }
        if self.open.is_empty() {
            self.steps.clear();
            Ok(played)
        } else {
            Err(Failure::Bug(format!(
                "{} deliveries never ended",
                self.open.len()
            )))
        }
    }

    pub(super) async fn waiting_links(&self) -> Result<u64, Failure> {
        let waiting = self.memory.waiting_links().await;
        waiting.map_err(|error| Failure::Bug(error.to_string()))
    }

    async fn ask(&mut self) -> Result<bool, Failure> {
        let mut asked = false;
        while let Some((round, inquiries)) = self.scheduler.inquire() {
            let findings = self
                .memory
                .ask(&inquiries, self.now_ms)
                .await
                .map_err(|error| Failure::Bug(error.to_string()))?;
            self.scheduler.learn(round, findings, self.now);
            asked = true;
        }
        Ok(asked)
    }

    fn call(&mut self, number: &mut u64, calls: &mut Vec<CallReport>) -> bool {
        let mut called = false;
        for bucket in BUCKETS {
            if self.scheduler.wants(bucket, self.now).is_none() {
                continue;
            }
            let Some(outgoing) = self.scheduler.fill(bucket, self.now) else {
                continue;
            };
            *number += 1;
            called = true;
            let request = &outgoing.call.request;
            calls.push(CallReport {
                number: *number,
                endpoint: request.endpoint().name(),
                inputs: size(request.steps().len()),
            });
            self.attribute(request, *number);
            let answers = self.portal.answer(&outgoing.call);
            self.scheduler.settle(outgoing.id, answers, self.now);
        }
        called
    }

    /// Notes a call with the deliveries whose records it is about.
    fn attribute(&mut self, request: &Request, number: u64) {
        for (step, record) in self.records_of(request) {
            self.steps.insert(step, record.clone());
            let ids = self.by_record.get(&record).cloned().unwrap_or_default();
            for id in ids {
                if let Some(open) = self.open.get_mut(&id)
                    && concerns(request, open)
                {
                    open.calls.push(number);
                }
            }
        }
        if let Request::Read { inputs, .. } = request {
            let values: HashSet<&str> = inputs.iter().map(|input| &*input.value).collect();
            let looked_up = |open: &&mut Open| {
                let email = open.email.as_deref();
                email.is_some_and(|email| values.contains(email))
            };
            for open in self.open.values_mut().filter(looked_up) {
                open.calls.push(number);
            }
        }
    }

    /// The record that each step of a call is about, where the call or an earlier one says it.
    fn records_of(&self, request: &Request) -> Vec<(StepId, RecordRef)> {
        let by_value = |object: &_, id_property: &_, value: &Arc<str>| RecordRef {
            object: Clone::clone(object),
            id_property: Clone::clone(id_property),
            value: Arc::clone(value),
        };
        match request {
            Request::Upsert {
                object,
                id_property,
                inputs,
            } => inputs
                .iter()
                .map(|input| (input.step, by_value(object, id_property, &input.value)))
                .collect(),
            Request::Read {
                object,
                id_property,
                inputs,
                ..
            } => inputs
                .iter()
                .map(|input| (input.step, by_value(object, id_property, &input.value)))
                .collect(),
            Request::Update { inputs, .. } => inputs
                .iter()
                .filter_map(|input| Some((input.step, self.portal.key_of(&input.id)?.clone())))
                .collect(),
            Request::Associate { inputs, .. } => inputs
                .iter()
                .filter_map(|input| Some((input.step, self.portal.key_of(&input.from)?.clone())))
                .collect(),
            Request::Search { inputs, .. } => inputs
                .iter()
                .filter_map(|input| Some((input.step, self.steps.get(&input.step)?.clone())))
                .collect(),
            Request::CreateProperty { step, definition } => self
                .by_record
                .keys()
                .filter(|record| record.object == definition.object)
                .map(|record| (*step, record.clone()))
                .collect(),
        }
    }

    fn collect(&mut self, played: &mut Vec<(Owner, Played)>) {
        for ended in self.scheduler.take_ended() {
            let Some(mut open) = self.open.remove(&ended.delivery) else {
                continue;
            };
            if let Some(ids) = self.by_record.get_mut(&open.record) {
                ids.retain(|id| *id != ended.delivery);
                if ids.is_empty() {
                    self.by_record.remove(&open.record);
                }
            }
            open.calls.dedup();
            let (closing, notes) = closing_of(ended.ending)
                .map_or((None, Vec::new()), |(closing, notes)| {
                    (Some(closing), notes)
                });
            played.push((
                open.owner,
                Played {
                    closing,
                    notes,
                    calls: open.calls,
                },
            ));
        }
    }
}

/// Whether a call about a delivery's record is one of the delivery's own.
fn concerns(request: &Request, open: &Open) -> bool {
    match request {
        Request::Associate { .. } => open.associates,
        Request::Search { .. } => open.searches,
        Request::Upsert { .. }
        | Request::Update { .. }
        | Request::Read { .. }
        | Request::CreateProperty { .. } => true,
    }
}

/// Enough for what is rehearsed at once; what is forgotten would cost a worker a call, as here.
const MANY: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
