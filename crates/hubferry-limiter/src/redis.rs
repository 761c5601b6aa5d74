//! The limits of a fleet, kept by Redis.
//!
//! Redis' clock is the only clock. A worker maps it to its own from every answer, in the middle between question and
//! answer; half the round trip is the error of that, and an answer with too large an error grants nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::Script;
use deadpool_redis::Pool;
use smallvec::SmallVec;
use tokio::time::{Instant, timeout};

use crate::ask::{Ask, Closed, Hint, LimitState, Permit, Place};
use crate::bucket::PAUSE;
use crate::error::{SettingsError, StoreError};
use crate::limiter::Next;
use crate::settings::{
    Fresh, LimitName, LimitSettings, LimiterOptions, Rule, Scope, micros, rules,
};

/// The store of a fleet. It is used through [`Limiter`](crate::Limiter).
#[derive(Debug)]
pub struct RedisLimiter {
    pool: Pool,
    script: Script,
    limits: Vec<Shared>,
    names: Vec<LimitName>,
    fresh: Fresh,
    patience: Option<Duration>,
    /// How long an answer takes from Redis to here, in microseconds, as last measured: permits should not open sooner.
    way_back: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    key: String,
    rule: Rule,
    /// Until when a refusal that this process reported keeps its permits closed.
    paused_until: Mutex<Option<Instant>>,
    /// The N the store last worked with, so that hints that change nothing cost no call.
    ceiling: AtomicU64,
}

impl Shared {
    fn pause(&self, until: Instant) {
        let mut paused = self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(Some(until));
    }

    fn is_paused(&self, now: Instant) -> bool {
        let paused = self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        paused.is_some_and(|until| now < until)
    }
}

/// Every call to Redis ends within this time.
const DEADLINE: Duration = Duration::from_secs(1);
/// The largest error of the clock's mapping with which a permit may be used.
const WORST_ERROR: Duration = Duration::from_millis(50);
/// Numbers per limit in the answer to `look`.
const LOOK: usize = 9;

impl RedisLimiter {
    pub(crate) fn new(
        pool: Pool,
        prefix: &str,
        scope: &Scope,
        limits: &[LimitSettings],
        options: LimiterOptions,
    ) -> Result<Self, SettingsError> {
        let rules = rules(limits)?;
        let names = rules.iter().map(|(name, _)| name.clone()).collect();
        let limits = rules
            .into_iter()
            .map(|(name, rule)| Shared {
                key: format!("{prefix}:v1:{{{}}}:limit:{name}", scope.as_str()),
                rule,
                paused_until: Mutex::new(None),
                ceiling: AtomicU64::new(rule.max),
            })
            .collect();
        Ok(Self {
            pool,
            script: Script::new(include_str!("limiter.lua")),
            limits,
            names,
            fresh: options.fresh.unwrap_or(Fresh::Quarantine),
            patience: options.patience,
            way_back: AtomicU64::new(0),
        })
    }

    pub(crate) fn names(&self) -> &[LimitName] {
        &self.names
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Books at once or says when to ask again.
    pub(crate) async fn book(&self, ask: &Ask, asked: &[usize]) -> Result<Next, StoreError> {
        let lead = self.way_back.load(Ordering::Relaxed);
        let arguments = [
            u64::from(ask.class.number()),
            1,
            lead,
            u64::from(ask.waiting),
        ];
        let answer = self.run("ask", asked, &arguments).await?;
        let clock = answer.clock;
        self.way_back.store(micros(clock.error), Ordering::Relaxed);
        match answer.numbers.as_slice() {
            [0, again] => Ok(Next::Again(
                clock.instant(*again) + self.stagger(ask, asked),
            )),
            [1, opens, closes, places @ ..] if places.len() == 3 * asked.len() => {
                let permit = Permit {
                    opens_at: clock.instant(*opens),
                    closes_at: clock.instant(*closes),
                    class: ask.class,
                    places: self.places(asked, places),
                };
                if clock.error > WORST_ERROR {
                    self.give_back(&permit).await;
                    return Err(StoreError::Imprecise(clock.error));
                }
                Ok(Next::Granted(permit))
            }
            _ => Err(StoreError::Unreadable),
        }
    }

    /// A random delay before a refused waiter asks again, so that a fleet of them does not ask all at once. Nothing is lost
    /// by it: who may book ahead was refused because the horizon is full, and half of it is left when the delay is over.
    fn stagger(&self, ask: &Ask, asked: &[usize]) -> Duration {
        let horizons = asked.iter().map(|limit| self.limits[*limit].rule.horizon);
        let longest = match horizons.min() {
            Some(horizon) if !ask.class.is_filler() => horizon / 2,
            _ => 0,
        };
        Duration::from_micros(rand::random_range(0..=longest))
    }

    pub(crate) fn is_paused(&self, permit: &Permit) -> bool {
        let now = Instant::now();
        permit
            .places
            .iter()
            .any(|place| self.limits[place.limit].is_paused(now))
    }

    pub(crate) async fn give_back(&self, permit: &Permit) {
        let asked: SmallVec<[usize; 2]> = permit.places.iter().map(|place| place.limit).collect();
        let mut arguments: SmallVec<[u64; 5]> = SmallVec::new();
        arguments.push(u64::from(permit.class.number()));
        for place in &permit.places {
            arguments.extend([place.slot, place.epoch]);
        }
        self.tell("back", &asked, &arguments).await;
    }

    pub(crate) async fn observe(&self, hint: &Hint) {
        match hint {
            Hint::Throttled { limits, pause } => {
                let pause = pause.unwrap_or_default().clamp(PAUSE.0, PAUSE.1);
                let limits = self.positions(limits);
                for limit in &limits {
                    self.limits[*limit].pause(Instant::now() + pause);
                }
                self.tell("slow", &limits, &[micros(pause)]).await;
            }
            Hint::Headers { limit, max, .. } => {
                let max = u64::from(*max);
                let news: SmallVec<[usize; 2]> = self
                    .positions(std::slice::from_ref(limit))
                    .into_iter()
                    .filter(|position| self.is_news(*position, max))
                    .collect();
                self.tell("size", &news, &[max]).await;
            }
        }
    }

    pub(crate) async fn snapshot(&self) -> Result<Vec<LimitState>, StoreError> {
        let all: Vec<usize> = (0..self.limits.len()).collect();
        let answer = self.run("look", &all, &[]).await?;
        if answer.numbers.len() != LOOK * all.len() {
            return Err(StoreError::Unreadable);
        }
        let states = answer.numbers.chunks_exact(LOOK);
        Ok(states
            .zip(&self.names)
            .zip(&self.limits)
            .map(state)
            .collect())
    }

    /// Says something whose loss is bearable.
    async fn tell(&self, op: &'static str, asked: &[usize], arguments: &[u64]) {
        if asked.is_empty() {
            return;
        }
        match self.run(op, asked, arguments).await {
            Ok(answer) if op == "size" => self.remember(asked, &answer.numbers),
            Ok(_) => (),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, op, "the limiter's store was not told");
            }
        }
    }

    /// Runs the function over some of the limits. It is told of all, so that those without a state begin together.
    async fn run(
        &self,
        op: &'static str,
        asked: &[usize],
        arguments: &[u64],
    ) -> Result<Answer, StoreError> {
        timeout(DEADLINE, self.run_unbounded(op, asked, arguments, ""))
            .await
            .unwrap_or(Err(StoreError::TooSlow(DEADLINE)))
    }

    async fn run_unbounded(
        &self,
        op: &'static str,
        asked: &[usize],
        arguments: &[u64],
        at: &str,
    ) -> Result<Answer, StoreError> {
        let mut connection = self.pool.get().await.map_err(StoreError::Unreachable)?;
        let mut call = self.script.prepare_invoke();
        call.arg(op).arg(at).arg(asked.len());
        let others = (0..self.limits.len()).filter(|limit| !asked.contains(limit));
        for limit in asked.iter().copied().chain(others) {
            let Shared { key, rule, .. } = &self.limits[limit];
            call.key(key).arg(&self.written(rule)[..]);
        }
        call.arg(arguments);
        let sent = Instant::now();
        let answer = call.invoke_async::<Vec<u64>>(&mut connection).await;
        Answer::read(answer.map_err(StoreError::Failed)?, sent, Instant::now())
    }

    fn written(&self, rule: &Rule) -> [u64; 8] {
        let fresh = u64::from(self.fresh == Fresh::Quarantine);
        [
            rule.max,
            rule.slot,
            rule.reach,
            rule.window,
            rule.spread,
            rule.horizon,
            rule.burst,
            fresh,
        ]
    }

    fn places(&self, asked: &[usize], numbers: &[u64]) -> SmallVec<[Place; 2]> {
        let mut places = SmallVec::new();
        for (limit, numbers) in asked.iter().zip(numbers.chunks_exact(3)) {
            if let [slot, epoch, ceiling] = numbers {
                self.limits[*limit]
                    .ceiling
                    .store(*ceiling, Ordering::Relaxed);
                places.push(Place {
                    limit: *limit,
                    slot: *slot,
                    epoch: *epoch,
                });
            }
        }
        places
    }

    fn is_news(&self, position: usize, max: u64) -> bool {
        let limit = &self.limits[position];
        let ceiling = limit.ceiling.load(Ordering::Relaxed);
        max < ceiling || ceiling < limit.rule.max
    }

    fn remember(&self, asked: &[usize], ceilings: &[u64]) {
        for (limit, ceiling) in asked.iter().zip(ceilings) {
            self.limits[*limit]
                .ceiling
                .store(*ceiling, Ordering::Relaxed);
        }
    }

    fn positions(&self, limits: &[LimitName]) -> SmallVec<[usize; 2]> {
        limits
            .iter()
            .filter_map(|limit| self.names.iter().position(|name| name == limit))
            .collect()
    }
}

/// What the function answered; the time of the store stands first and became the clock.
struct Answer {
    clock: Clock,
    numbers: Vec<u64>,
}

impl Answer {
    fn read(mut numbers: Vec<u64>, sent: Instant, received: Instant) -> Result<Self, StoreError> {
        if numbers.is_empty() {
            return Err(StoreError::Unreadable);
        }
        let store = numbers.remove(0);
        let error = received.duration_since(sent) / 2;
        let clock = Clock {
            store,
            here: sent + error,
            error,
        };
        Ok(Self { clock, numbers })
    }
}

/// A reading of the store's clock.
#[derive(Clone, Copy)]
struct Clock {
    store: u64,
    here: Instant,
    error: Duration,
}

impl Clock {
    fn instant(&self, at: u64) -> Instant {
        if at >= self.store {
            self.here + Duration::from_micros(at - self.store)
        } else {
            let ago = Duration::from_micros(self.store - at);
            self.here.checked_sub(ago).unwrap_or(self.here)
        }
    }
}

fn state(((numbers, name), limit): ((&[u64], &LimitName), &Shared)) -> LimitState {
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let closed_for = Duration::from_micros(number(4));
    LimitState {
        name: name.clone(),
        max: small(limit.rule.max),
        effective: small(number(0)),
        used: small(number(1)),
        ahead: small(number(2)),
        closed: match number(3) {
            1 => Some((Closed::Paused, closed_for)),
            2 => Some((Closed::Quarantine, closed_for)),
            _ => None,
        },
        granted: number(5),
        returned: number(6),
        wasted: number(7),
        throttled: number(8),
    }
}

#[cfg(all(test, feature = "redis-tests"))]
mod tests;
