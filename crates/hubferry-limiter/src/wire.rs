//! How a question gets to the state: in this process, or in Redis.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::redis::Script;
use deadpool_redis::Pool;
use tokio::time::{Instant, timeout};

use crate::desk::{Desk, Question};
use crate::error::StoreError;
use crate::settings::{Rule, micros};

/// Where the state of a scope is.
#[derive(Debug)]
pub(crate) enum Wire {
    /// In this process, whose clock it uses: so many microseconds at its origin.
    Memory {
        desk: Mutex<Desk>,
        origin: Instant,
        begins: u64,
    },
    /// In Redis.
    Redis(RedisWire),
    /// In a simulated world.
    #[cfg(any(test, feature = "simulation"))]
    Simulated(crate::simulation::Link),
}

/// An answer, and when it was asked for and came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) numbers: Vec<i64>,
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
}

/// Every question to Redis ends within this time.
const DEADLINE: Duration = Duration::from_secs(1);
/// The clock of a process begins here, so that no window reaches behind zero and slots begin with it.
const BEGINNING: Duration = Duration::from_secs(24 * 3_600);

impl Wire {
    pub(crate) fn memory(desk: Desk) -> Self {
        // Only a day has to know what time it is outside.
        let begins = if desk.day.is_some() {
            wall_clock()
        } else {
            micros(BEGINNING)
        };
        Self::Memory {
            desk: Mutex::new(desk),
            origin: Instant::now(),
            begins,
        }
    }

    /// Asks. What was booked by an answer that does not come is lost to everybody.
    pub(crate) async fn exchange(
        &self,
        question: Question<'_>,
        rules: &[Rule],
    ) -> Result<Reply, StoreError> {
        match self {
            Self::Memory {
                desk,
                origin,
                begins,
            } => {
                let sent = Instant::now();
                let gone = sent.duration_since(*origin).as_micros();
                let raw = begins + u64::try_from(gone).unwrap_or(u64::MAX / 2);
                // No code panics between two writes that belong together, so a poisoned desk is still whole.
                let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Reply {
                    numbers: desk.answer(raw, &question),
                    sent,
                    received: sent,
                })
            }
            Self::Redis(redis) => timeout(DEADLINE, redis.exchange(question, rules, ""))
                .await
                .unwrap_or(Err(StoreError::TooSlow(DEADLINE))),
            #[cfg(any(test, feature = "simulation"))]
            Self::Simulated(link) => timeout(DEADLINE, link.exchange(question))
                .await
                .unwrap_or(Err(StoreError::TooSlow(DEADLINE))),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this crate reads the wall clock: a local day begins by it"
)]
fn wall_clock() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(0)
}

/// The function in Redis and the keys of a scope.
#[derive(Debug)]
pub(crate) struct RedisWire {
    pub(crate) pool: Pool,
    script: Script,
    pub(crate) keys: Keys,
}

/// The keys of a scope, all with one hash tag.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) fleet: String,
    pub(crate) limits: Vec<String>,
    pub(crate) day: Option<String>,
}

impl RedisWire {
    pub(crate) fn new(pool: Pool, keys: Keys) -> Self {
        Self {
            pool,
            script: Script::new(include_str!("limiter.lua")),
            keys,
        }
    }

    /// Asks at a time that a test chose, or at the server's.
    pub(crate) async fn exchange(
        &self,
        question: Question<'_>,
        rules: &[Rule],
        at: &str,
    ) -> Result<Reply, StoreError> {
        let mut connection = self.pool.get().await.map_err(StoreError::Unreachable)?;
        let mut call = self.script.prepare_invoke();
        call.arg(question.op.as_str()).arg(at);
        call.arg(question.asked.len()).arg(rules.len());
        let terms = question.terms;
        call.arg(&[terms.quarantine, terms.workers, terms.ticket, terms.silent][..]);
        match question.day {
            Some(day) => call.arg(1).arg(&day.numbers()[..]),
            None => call.arg(0),
        };
        let caller = question.caller;
        let (epoch, generation) = (caller.epoch, caller.generation);
        call.arg(
            &[
                caller.worker,
                caller.run,
                epoch,
                generation,
                caller.last_run,
            ][..],
        );
        call.arg(&[caller.raw, caller.seen][..]).arg(caller.offset);
        call.arg(&[caller.era, caller.elapsed, caller.ticket][..]);
        call.arg(&[caller.island, caller.waiting][..]);
        call.key(&self.keys.fleet);
        let others = (0..rules.len()).filter(|limit| !question.asked.contains(limit));
        for limit in question.asked.iter().copied().chain(others) {
            call.key(&self.keys.limits[limit]);
            call.arg(&rules[limit].numbers()[..])
                .arg(question.counts[limit]);
        }
        if let Some(day) = &self.keys.day {
            call.key(day);
        }
        call.arg(question.arguments);
        let sent = Instant::now();
        let answer = call.invoke_async::<Vec<i64>>(&mut connection).await;
        let received = Instant::now();
        let numbers = answer.map_err(StoreError::Failed)?;
        Ok(Reply {
            numbers,
            sent,
            received,
        })
    }
}

#[cfg(all(test, feature = "redis-tests"))]
mod tests;
