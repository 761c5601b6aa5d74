//! One portal's part of a rehearsal: the real scheduler, a memory of this process, and the pretended portal.
//!
//! Time is made up: it stands still while anything can be done, and then goes to the next moment at which something is
//! due.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use hubferry_actions::Plan;
use hubferry_delivery::{
    Admission, Delivery, DeliveryId, MappingIndex, Note, Scheduler, SchedulerSettings, WallClock,
};
use hubferry_event::IdentityKeys;
use hubferry_hubspot::{Bucket, Request};
use hubferry_memory::{LinkOrigin, LocalLimits, Memory};

use super::pretend::Pretend;
use super::{CallReport, Owner};
use crate::closing::{Closing, closing_of};
use crate::exit::Failure;
use crate::pinned::PinnedPortal;
use crate::words::size;

const BUCKETS: [Bucket; 4] = [
    Bucket::Burst,
    Bucket::Associations,
    Bucket::Search,
    Bucket::EventSends,
];

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
}

/// A delivery that has not ended.
struct Open {
    owner: Owner,
    calls: Vec<u64>,
}

/// How a delivery ended, and with which calls.
pub(super) struct Played {
    pub(super) closing: Option<Closing>,
    pub(super) notes: Vec<Note>,
    pub(super) calls: Vec<u64>,
}

impl Stage {
    /// A portal that has what is pinned of its schema, or accepts everything where nothing is.
    pub(super) fn new(
        mappings: Vec<String>,
        now_ms: i64,
        pinned: Option<Arc<PinnedPortal>>,
    ) -> Self {
        // Made up from here on.
        let now = tokio::time::Instant::now().into_std();
        let clock = WallClock {
            at: now,
            ms: now_ms,
        };
        let settings = SchedulerSettings {
            schema: pinned.is_some(),
            ..SchedulerSettings::default()
        };
        Self {
            scheduler: Scheduler::new(settings, mappings, clock),
            memory: Memory::local(LocalLimits {
                people: MANY,
                links: MANY,
            }),
            portal: Pretend::new(pinned),
            now,
            now_ms,
            admitted: 0,
            open: HashMap::new(),
        }
    }

    /// Takes one event's plans.
    pub(super) fn admit(&mut self, keys: &IdentityKeys, plans: Vec<(Owner, MappingIndex, Plan)>) {
        let mut deliveries = Vec::new();
        for (owner, mapping, plan) in plans {
            self.admitted += 1;
            let id = DeliveryId(self.admitted);
            self.portal.expect(&plan);
            let calls = Vec::new();
            self.open.insert(id, Open { owner, calls });
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

    /// Notes a call with the deliveries it works for.
    fn attribute(&mut self, request: &Request, number: u64) {
        for step in request.steps() {
            for id in self.scheduler.deliveries_of(step) {
                if let Some(open) = self.open.get_mut(&id)
                    && open.calls.last() != Some(&number)
                {
                    open.calls.push(number);
                }
            }
        }
    }

    fn collect(&mut self, played: &mut Vec<(Owner, Played)>) {
        for ended in self.scheduler.take_ended() {
            let Some(open) = self.open.remove(&ended.delivery) else {
                continue;
            };
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

/// Enough for what is rehearsed at once; what is forgotten would cost a worker a call, as here.
const MANY: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
