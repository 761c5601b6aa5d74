//! The one face of both stores, and the waiting they share.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::Pool;
use smallvec::SmallVec;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::ask::{Ask, Hint, LimitState, Permit};
use crate::error::{LimiterError, SettingsError, StoreError};
use crate::local::LocalLimiter;
use crate::redis::RedisLimiter;
use crate::settings::{LimitName, LimitSettings, LimiterOptions, Scope};

/// The limits of one scope. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub enum Limiter {
    /// Kept by this process, for this process.
    Local(Arc<LocalLimiter>),
    /// Kept by Redis, for a fleet.
    Redis(Arc<RedisLimiter>),
}

/// What a store says to an ask.
pub(crate) enum Next {
    /// Booked; it may open later.
    Granted(Permit),
    /// Nothing to be had before this time.
    Again(Instant),
}

/// The first wait after a failure of the store, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Limiter {
    /// Keeps the limits in this process. The scope is only a name here: another limiter of the same scope is another budget.
    ///
    /// # Errors
    ///
    /// When a limit cannot be kept as it is set or is named twice.
    pub fn local(scope: Scope, limits: Vec<LimitSettings>) -> Result<Self, SettingsError> {
        Self::local_with(scope, limits, LimiterOptions::default())
    }

    /// As [`Limiter::local`], with options.
    ///
    /// # Errors
    ///
    /// As [`Limiter::local`].
    pub fn local_with(
        _scope: Scope,
        limits: Vec<LimitSettings>,
        options: LimiterOptions,
    ) -> Result<Self, SettingsError> {
        Ok(Self::Local(Arc::new(LocalLimiter::new(&limits, options)?)))
    }

    /// Keeps the limits in Redis, under keys `PREFIX:v1:{SCOPE}:limit:NAME`. No connection is made yet.
    ///
    /// All workers of a scope must be given the same limits.
    ///
    /// # Errors
    ///
    /// As [`Limiter::local`].
    pub fn redis(
        pool: Pool,
        prefix: &str,
        scope: Scope,
        limits: Vec<LimitSettings>,
    ) -> Result<Self, SettingsError> {
        Self::redis_with(pool, prefix, scope, limits, LimiterOptions::default())
    }

    /// As [`Limiter::redis`], with options.
    ///
    /// # Errors
    ///
    /// As [`Limiter::local`].
    pub fn redis_with(
        pool: Pool,
        prefix: &str,
        scope: Scope,
        limits: Vec<LimitSettings>,
        options: LimiterOptions,
    ) -> Result<Self, SettingsError> {
        RedisLimiter::new(pool, prefix, &scope, &limits, options)
            .map(|store| Self::Redis(Arc::new(store)))
    }

    /// Waits for a permit and returns it once its slot has opened.
    ///
    /// A store that does not answer is asked again, with growing pauses; nothing is ever granted without it.
    /// Dropping the future while it waits may waste one permit of the window; cancelling `stop` does not.
    ///
    /// # Errors
    ///
    /// [`LimiterError::Stopped`] once `stop` is cancelled, [`LimiterError::UnknownLimit`] for a name this limiter was not
    /// given, [`LimiterError::Store`] when the store failed for longer than the patience that was set.
    pub async fn acquire(
        &self,
        ask: &Ask,
        stop: &CancellationToken,
    ) -> Result<Permit, LimiterError> {
        let asked = self.positions(&ask.limits)?;
        if asked.is_empty() {
            return Ok(Permit::unlimited(ask.class));
        }
        let mut trouble = Trouble::default();
        loop {
            if stop.is_cancelled() {
                return Err(LimiterError::Stopped);
            }
            let wait_until = match self.book(ask, &asked).await {
                Ok(Next::Granted(permit)) => {
                    let opens_at = permit.opens_at;
                    if !wait(opens_at, stop).await {
                        self.give_back(permit).await;
                        return Err(LimiterError::Stopped);
                    }
                    if permit.is_open(Instant::now()) && !self.is_paused(&permit) {
                        return Ok(permit);
                    }
                    // The slot is over, so late came the answer or the wake-up; or the receiver refused somebody meanwhile.
                    self.give_back(permit).await;
                    trouble = Trouble::default();
                    continue;
                }
                Ok(Next::Again(at)) => {
                    trouble = Trouble::default();
                    at
                }
                Err(error) => trouble.next(error, self.patience())?,
            };
            if !wait(wait_until, stop).await {
                return Err(LimiterError::Stopped);
            }
        }
    }

    /// Takes back a permit of which no call was started. Until its slot is over that makes room for another; later it is
    /// only counted. Failures of the store are ignored: the permit is then wasted.
    pub async fn give_back(&self, permit: Permit) {
        match self {
            Self::Local(store) => store.give_back(&permit),
            Self::Redis(store) => store.give_back(&permit).await,
        }
    }

    /// Hears what the receiver said about its limits. After a refusal, permits of this process that were booked but have not
    /// opened are booked anew.
    /// Limits that were not given are ignored, and so are failures of the
    /// store: the next answer will say it again.
    pub async fn observe(&self, hint: Hint) {
        match self {
            Self::Local(store) => store.observe(&hint),
            Self::Redis(store) => store.observe(&hint).await,
        }
    }

    /// How every limit stands, in the order they were given.
    ///
    /// # Errors
    ///
    /// [`LimiterError::Store`] when the store does not answer; it is asked once.
    pub async fn snapshot(&self) -> Result<Vec<LimitState>, LimiterError> {
        match self {
            Self::Local(store) => Ok(store.snapshot()),
            Self::Redis(store) => store.snapshot().await.map_err(LimiterError::Store),
        }
    }

    async fn book(&self, ask: &Ask, asked: &[usize]) -> Result<Next, StoreError> {
        match self {
            Self::Local(store) => Ok(store.book(ask, asked)),
            Self::Redis(store) => store.book(ask, asked).await,
        }
    }

    /// Whether this process heard of a refusal that a permit booked before it has to respect.
    fn is_paused(&self, permit: &Permit) -> bool {
        match self {
            Self::Local(store) => store.is_paused(permit),
            Self::Redis(store) => store.is_paused(permit),
        }
    }

    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Local(_) => None,
            Self::Redis(store) => store.patience(),
        }
    }

    fn positions(&self, limits: &[LimitName]) -> Result<SmallVec<[usize; 2]>, LimiterError> {
        let names = match self {
            Self::Local(store) => store.names(),
            Self::Redis(store) => store.names(),
        };
        let mut positions = limits
            .iter()
            .map(|limit| {
                let position = names.iter().position(|name| name == limit);
                position.ok_or_else(|| LimiterError::UnknownLimit(limit.clone()))
            })
            .collect::<Result<SmallVec<[usize; 2]>, _>>()?;
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }
}

/// Whether the time came before the stop.
async fn wait(until: Instant, stop: &CancellationToken) -> bool {
    // Losing either branch is harmless: a timer and a token hold nothing.
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = sleep_until(until) => true,
    }
}

/// A store that does not answer: since when, and how long to wait before it is asked again.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    backoff: Duration,
}

impl Trouble {
    fn next(
        &mut self,
        error: StoreError,
        patience: Option<Duration>,
    ) -> Result<Instant, LimiterError> {
        let now = Instant::now();
        let since = *self.since.get_or_insert_with(|| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no permits while the limiter's store does not answer"
            );
            now
        });
        if patience.is_some_and(|patience| now.duration_since(since) >= patience) {
            return Err(LimiterError::Store(error));
        }
        self.backoff = (self.backoff * 2).clamp(BACKOFF.0, BACKOFF.1);
        // Half to the whole of it, so that a fleet does not come back in step.
        Ok(now + self.backoff.mul_f64(rand::random_range(0.5..1.0)))
    }
}
