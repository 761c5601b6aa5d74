//! The limits of one process, kept in its memory.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::ask::{Ask, Hint, LimitState, Permit};
use crate::bucket::{Bucket, Request};
use crate::error::SettingsError;
use crate::group::{self, Booked};
use crate::limiter::Next;
use crate::settings::{Fresh, LimitName, LimitSettings, LimiterOptions, micros, rules};

/// The store of a single process. It is used through [`Limiter`](crate::Limiter).
#[derive(Debug)]
pub struct LocalLimiter {
    names: Vec<LimitName>,
    buckets: Mutex<Vec<Bucket>>,
    /// The zero of the store's clock.
    origin: Instant,
}

impl LocalLimiter {
    pub(crate) fn new(
        limits: &[LimitSettings],
        options: LimiterOptions,
    ) -> Result<Self, SettingsError> {
        let fresh = options.fresh.unwrap_or(Fresh::Empty);
        let (names, buckets) = rules(limits)?
            .into_iter()
            .map(|(name, rule)| (name, Bucket::new(rule, fresh, 0)))
            .unzip();
        Ok(Self {
            names,
            buckets: Mutex::new(buckets),
            origin: Instant::now(),
        })
    }

    pub(crate) fn names(&self) -> &[LimitName] {
        &self.names
    }

    /// Books at once or says when to ask again.
    pub(crate) fn book(&self, ask: &Ask, asked: &[usize]) -> Next {
        let request = Request {
            class: ask.class,
            cost: 1,
            waiting: u64::from(ask.waiting),
        };
        let mut buckets = self.buckets();
        match group::book(&mut buckets, asked, self.now(), 0, &request) {
            Booked::Granted {
                opens,
                closes,
                places,
            } => Next::Granted(Permit {
                opens_at: self.instant(opens),
                closes_at: self.instant(closes),
                class: ask.class,
                places,
            }),
            Booked::Refused { again } => Next::Again(self.instant(again)),
        }
    }

    pub(crate) fn is_paused(&self, permit: &Permit) -> bool {
        let now = self.now();
        let buckets = self.buckets();
        permit
            .places
            .iter()
            .any(|place| buckets[place.limit].closed(now).is_some())
    }

    pub(crate) fn give_back(&self, permit: &Permit) {
        let now = self.now();
        let mut buckets = self.buckets();
        for place in &permit.places {
            buckets[place.limit].give_back(now, place.epoch, place.slot, permit.class);
        }
    }

    pub(crate) fn observe(&self, hint: &Hint) {
        let now = self.now();
        let mut buckets = self.buckets();
        match hint {
            Hint::Throttled { limits, pause } => {
                for limit in self.positions(limits) {
                    buckets[limit].throttled(now, micros(pause.unwrap_or_default()));
                }
            }
            Hint::Headers { limit, max, .. } => {
                for limit in self.positions(std::slice::from_ref(limit)) {
                    buckets[limit].named(now, u64::from(*max));
                }
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<LimitState> {
        let now = self.now();
        let mut buckets = self.buckets();
        self.names
            .iter()
            .zip(buckets.iter_mut())
            .map(|(name, bucket)| {
                bucket.settle(now);
                state(name, bucket, now)
            })
            .collect()
    }

    fn positions(&self, limits: &[LimitName]) -> SmallVec<[usize; 2]> {
        limits
            .iter()
            .filter_map(|limit| self.names.iter().position(|name| name == limit))
            .collect()
    }

    fn buckets(&self) -> MutexGuard<'_, Vec<Bucket>> {
        // No code panics between two writes that belong together, so a poisoned log is still whole.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        micros_since(self.origin)
    }

    fn instant(&self, at: u64) -> Instant {
        self.origin + Duration::from_micros(at)
    }
}

fn micros_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn state(name: &LimitName, bucket: &Bucket, now: u64) -> LimitState {
    let (used, ahead) = bucket.used(now);
    LimitState {
        name: name.clone(),
        max: small(bucket.rule.max),
        effective: small(bucket.effective()),
        used: small(used),
        ahead: small(ahead),
        closed: bucket
            .closed(now)
            .map(|(reason, until)| (reason, Duration::from_micros(until - now))),
        granted: bucket.granted,
        returned: bucket.returned,
        wasted: bucket.wasted,
        throttled: bucket.throttled,
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
