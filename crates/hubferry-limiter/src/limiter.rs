//! The one face of both stores, and the waiting they share.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::Pool;
use smallvec::SmallVec;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::ask::{Ask, Hint, LimitState, Permit};
use crate::chance;
use crate::check::{self, StoreReport};
use crate::desk::Desk;
use crate::error::{LimiterError, SettingsError, StoreError};
use crate::member::{Member, Next};
use crate::settings::{LimitName, LimitSettings, LimiterOptions, Scope, micros};
use crate::view::View;
use crate::wire::{Keys, RedisWire, Wire};

/// The limits of one scope. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub enum Limiter {
    /// Kept by this process, for this process.
    Local(Arc<LocalLimiter>),
    /// Kept by Redis, for a fleet.
    Redis(Arc<RedisLimiter>),
}

/// A limiter whose state is in this process.
pub type LocalLimiter = Member;
/// A limiter whose state is in Redis.
pub type RedisLimiter = Member;

/// The first wait after a failure of the store, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What a state without a memory means unless told otherwise, and how long its bookings may still be used.
const BOOKINGS_DIE: u64 = 1;
const BOOKINGS_LIVE: u64 = 2;

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
        let has_day = options.day.is_some();
        let member = Member::new(&limits, &options, BOOKINGS_DIE, |rules| {
            let rules = rules.iter().map(|(_, rule)| *rule).collect();
            Wire::memory(Desk::new(rules, has_day))
        })?;
        Ok(Self::Local(Arc::new(member)))
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
        let base = format!("{prefix}:v1:{{{}}}", scope.as_str());
        let day = options.day.as_ref().map(|day| &day.name);
        let day = day.map(|name| format!("{base}:limit:{name}"));
        let member = Member::new(&limits, &options, BOOKINGS_LIVE, |rules| {
            let limits = rules.iter().map(|(name, _)| format!("{base}:limit:{name}"));
            Wire::Redis(RedisWire::new(
                pool,
                Keys {
                    fleet: format!("{base}:ticket:fleet"),
                    limits: limits.collect(),
                    day,
                },
            ))
        })?;
        Ok(Self::Redis(Arc::new(member)))
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
        let member = self.member();
        let _live = member.live_waiter(ask.class);
        let line = member.line(&asked, ask.class);
        let _active = line.active();
        loop {
            let permit = self.next(ask, &asked, stop).await?;
            if !wait(permit.opens_at, stop).await {
                self.give_back(permit).await;
                return Err(self.stopped(ask, &asked).await);
            }
            if permit.is_open(Instant::now()) && !member.is_void(&permit) {
                return Ok(permit);
            }
            // The slot is over, so late came the answer or the wake-up; or the receiver refused somebody meanwhile.
            self.give_back(permit).await;
        }
    }

    /// A booked permit, in the order of the asks of this worker.
    async fn next(
        &self,
        ask: &Ask,
        asked: &[usize],
        stop: &CancellationToken,
    ) -> Result<Permit, LimiterError> {
        let member = self.member();
        let line = member.line(asked, ask.class);
        if stop.is_cancelled() {
            return Err(self.stopped(ask, asked).await);
        }
        let Some(mut turn) = line.turn(stop).await else {
            return Err(self.stopped(ask, asked).await);
        };
        let mut trouble = Trouble::default();
        let mut in_turn = false;
        loop {
            let (permit, over) = turn.take(Instant::now());
            for permit in over {
                self.give_back(permit).await;
            }
            if let Some(permit) = permit {
                return Ok(permit);
            }
            let booked = match self.alone_already(ask, asked) {
                Some(next) => Ok(next),
                None => member.book(ask, asked, turn.wanted(), in_turn).await,
            };
            let wait_until = match booked {
                Ok(Next::Granted(permits)) => {
                    turn.put(permits);
                    continue;
                }
                Ok(Next::Again(at)) => {
                    trouble = Trouble::default();
                    in_turn = true;
                    at
                }
                Err(error) => match member.alone(ask, asked) {
                    Some(Next::Granted(permits)) => {
                        turn.put(permits);
                        continue;
                    }
                    Some(Next::Again(at)) => at,
                    None => trouble.next(error, member.patience())?,
                },
            };
            if !wait(wait_until, stop).await {
                drop(turn);
                return Err(self.stopped(ask, asked).await);
            }
        }
    }

    /// While the worker is on its own, only its heartbeat asks the store.
    fn alone_already(&self, ask: &Ask, asked: &[usize]) -> Option<Next> {
        let member = self.member();
        if !member.is_alone() {
            return None;
        }
        member.alone(ask, asked)
    }

    /// Gives back what was booked for those who stopped.
    async fn stopped(&self, ask: &Ask, asked: &[usize]) -> LimiterError {
        for permit in self.member().line(asked, ask.class).left_over() {
            self.give_back(permit).await;
        }
        LimiterError::Stopped
    }

    /// Shows the store that this worker lives, until it is stopped; then hands its ticket back, as [`Limiter::leave`].
    ///
    /// With [`OnLoss::Ticket`](crate::OnLoss::Ticket) every worker has to run this beside its work: tickets are only given to
    /// workers that do. Otherwise it does nothing. Dropping the future stops the signs of life: the store then keeps the worker's
    /// share free until its ticket has ended.
    pub async fn keep(&self, stop: &CancellationToken) {
        let member = self.member();
        let Some(heartbeat) = member.heartbeat() else {
            stop.cancelled().await;
            return;
        };
        loop {
            if let Err(error) = member.beat().await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "no sign of life reached the limiter's store");
            }
            if !wait(Instant::now() + heartbeat, stop).await {
                break;
            }
        }
        self.leave().await;
    }

    /// Hands the island ticket back, so that the store need not keep its share free: the last word of a worker that stops.
    pub async fn leave(&self) {
        self.member().leave().await;
    }

    /// Whether this worker lost the store and goes on alone, on its island ticket.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.member().is_alone()
    }

    /// Takes back a permit of which no call was started. Until its slot is over that makes room for another; later it is
    /// only counted. Failures of the store are ignored: the permit is then wasted.
    pub async fn give_back(&self, permit: Permit) {
        self.member().give_back(&permit).await;
    }

    /// Hears what the receiver said about its limits. After a refusal, permits of this process that were booked but have not
    /// opened are booked anew; other workers hear of it with their next answer.
    /// Limits that were not given are ignored, and so are failures of the store: the next answer will say it again.
    pub async fn observe(&self, hint: Hint) {
        self.member().observe(&hint).await;
    }

    /// How every limit stands, in the order they were given.
    ///
    /// # Errors
    ///
    /// [`LimiterError::Store`] when the store does not answer; it is asked once.
    pub async fn snapshot(&self) -> Result<Vec<LimitState>, LimiterError> {
        self.inspect().await.map(|view| view.limits)
    }

    /// Everything that the store knows: limits, the day, workers and their tickets.
    ///
    /// # Errors
    ///
    /// As [`Limiter::snapshot`].
    pub async fn inspect(&self) -> Result<View, LimiterError> {
        self.member().inspect().await.map_err(LimiterError::Store)
    }

    /// Whether the store may forget what it was told: what a worker asks once, before it starts. A local one never does.
    ///
    /// # Errors
    ///
    /// [`LimiterError::Store`] when Redis does not answer.
    pub async fn check_store(&self) -> Result<StoreReport, LimiterError> {
        match &self.member().wire {
            Wire::Redis(redis) => check::store(&redis.pool).await.map_err(LimiterError::Store),
            _ => Ok(StoreReport::default()),
        }
    }

    fn member(&self) -> &Member {
        match self {
            Self::Local(member) | Self::Redis(member) => member,
        }
    }

    fn positions(&self, limits: &[LimitName]) -> Result<SmallVec<[usize; 2]>, LimiterError> {
        let names = self.member().names();
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
        let whole = micros(self.backoff);
        Ok(now + Duration::from_micros(chance::between(whole / 2..=whole)))
    }
}
