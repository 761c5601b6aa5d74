//! How a question gets to the state: in this process, or in Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::redis::{RedisError, Script};
use deadpool_redis::{Connection, Pool};
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
///
/// It is a library where Redis has such (from 7.0 on, and where the user may load one), because the parts of a library are made
/// once; else it is a script, whose parts are made for every call. Both are named by their content, so that workers of two
/// versions never run each other's.
#[derive(Debug)]
pub(crate) struct RedisWire {
    pub(crate) pool: Pool,
    script: Script,
    library: Library,
    /// Whether this Redis has no libraries for us.
    has_none: AtomicBool,
    pub(crate) keys: Keys,
}

#[derive(Debug)]
struct Library {
    name: String,
    code: String,
}

/// The keys of a scope, all with one hash tag.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) fleet: String,
    pub(crate) limits: Vec<String>,
    pub(crate) day: Option<String>,
}

const SOURCE: &str = include_str!("limiter.lua");

impl RedisWire {
    pub(crate) fn new(pool: Pool, keys: Keys) -> Self {
        let script = Script::new(&format!("{SOURCE}\nreturn run(KEYS, ARGV)"));
        let version: String = script.get_hash().chars().take(10).collect();
        let name = format!("hubferry_limiter_{version}");
        let code = format!("#!lua name={name}\n{SOURCE}\nredis.register_function('{name}', run)");
        Self {
            pool,
            script,
            library: Library { name, code },
            has_none: AtomicBool::new(false),
            keys,
        }
    }

    /// The same without libraries, as on an old Redis.
    #[cfg(all(test, feature = "redis-tests"))]
    fn without_library(self) -> Self {
        self.has_none.store(true, Ordering::Relaxed);
        self
    }

    /// Asks at a time that a test chose, or at the server's.
    pub(crate) async fn exchange(
        &self,
        question: Question<'_>,
        rules: &[Rule],
        at: &str,
    ) -> Result<Reply, StoreError> {
        let mut connection = self.pool.get().await.map_err(StoreError::Unreachable)?;
        let call = self.call(&question, rules, at);
        loop {
            let sent = Instant::now();
            let is_script = self.has_none.load(Ordering::Relaxed);
            let answer = if is_script {
                self.by_script(&call, &mut connection).await
            } else {
                self.by_library(&call, &mut connection).await
            };
            let received = Instant::now();
            match answer {
                Ok(numbers) => {
                    return Ok(Reply {
                        numbers,
                        sent,
                        received,
                    });
                }
                Err(error) if !is_script && is_refused(&error) => {
                    self.has_none.store(true, Ordering::Relaxed);
                }
                Err(error) if !is_script && is_missing(&error) => {
                    match self.load(&mut connection).await {
                        Ok(()) => (),
                        Err(error) if is_refused(&error) => {
                            self.has_none.store(true, Ordering::Relaxed);
                        }
                        Err(error) => return Err(StoreError::Failed(error)),
                    }
                }
                Err(error) => return Err(StoreError::Failed(error)),
            }
        }
    }

    fn call<'a>(&'a self, question: &Question<'_>, rules: &[Rule], at: &'a str) -> Call<'a> {
        let mut numbers = Vec::with_capacity(64);
        let mut put = |more: &[u64]| numbers.extend(more.iter().map(|number| signed(*number)));
        let limits = [question.asked.len() as u64, rules.len() as u64];
        let terms = question.terms;
        put(&limits);
        put(&[terms.quarantine, terms.workers, terms.ticket, terms.silent]);
        match question.day {
            Some(day) => {
                put(&[1]);
                put(&day.numbers());
            }
            None => put(&[0]),
        }
        let caller = question.caller;
        put(&[caller.worker, caller.run, caller.epoch, caller.generation]);
        put(&[caller.last_run, caller.raw, caller.seen]);
        numbers.push(caller.offset);
        let mut put = |more: &[u64]| numbers.extend(more.iter().map(|number| signed(*number)));
        put(&[caller.era, caller.elapsed, caller.ticket]);
        put(&[caller.island, caller.waiting]);
        let mut keys = vec![self.keys.fleet.as_str()];
        let others = (0..rules.len()).filter(|limit| !question.asked.contains(limit));
        for limit in question.asked.iter().copied().chain(others) {
            keys.push(&self.keys.limits[limit]);
            put(&rules[limit].numbers());
            put(&[question.counts[limit]]);
        }
        keys.extend(self.keys.day.as_deref());
        put(question.arguments);
        Call {
            op: question.op.as_str(),
            at,
            keys,
            numbers,
        }
    }

    async fn by_library(
        &self,
        call: &Call<'_>,
        connection: &mut Connection,
    ) -> Result<Vec<i64>, RedisError> {
        ::redis::cmd("FCALL")
            .arg(&self.library.name)
            .arg(call.keys.len())
            .arg(&call.keys)
            .arg(call.op)
            .arg(call.at)
            .arg(&call.numbers)
            .query_async(connection)
            .await
    }

    async fn by_script(
        &self,
        call: &Call<'_>,
        connection: &mut Connection,
    ) -> Result<Vec<i64>, RedisError> {
        let mut script = self.script.prepare_invoke();
        script.key(&call.keys);
        script.arg(call.op).arg(call.at).arg(&call.numbers);
        script.invoke_async(connection).await
    }

    async fn load(&self, connection: &mut Connection) -> Result<(), RedisError> {
        ::redis::cmd("FUNCTION")
            .arg("LOAD")
            .arg("REPLACE")
            .arg(&self.library.code)
            .exec_async(connection)
            .await
    }
}

/// A question as it goes over the wire.
struct Call<'a> {
    op: &'static str,
    at: &'a str,
    keys: Vec<&'a str>,
    numbers: Vec<i64>,
}

/// Whether Redis does not know the library: a new server, or one that was told to forget.
fn is_missing(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}

/// Whether this Redis has no libraries, or none for this user.
fn is_refused(error: &RedisError) -> bool {
    let is_unknown = error
        .detail()
        .is_some_and(|detail| detail.to_lowercase().contains("unknown command"));
    is_unknown || error.code() == Some("NOPERM")
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(all(test, feature = "redis-tests"))]
mod tests;
