//! The one face of both stores.

use deadpool_redis::Pool;

use crate::error::MemoryError;
use crate::inquiry::{Finding, Inquiry};
use crate::link::Link;
use crate::local::{LocalLimits, LocalMemory};
use crate::redis::RedisMemory;

/// The memory of one portal.
#[derive(Debug)]
pub enum Memory {
    /// Kept by this process, gone with it.
    Local(LocalMemory),
    /// Kept by Redis, shared by the fleet.
    Redis(RedisMemory),
}

impl Memory {
    /// Keeps everything in this process.
    #[must_use]
    pub fn local(limits: LocalLimits) -> Self {
        Self::Local(LocalMemory::new(limits))
    }

    /// Keeps everything in Redis, under keys `PREFIX:v1:PORTAL:…`. No connection is made yet.
    #[must_use]
    pub fn redis(pool: Pool, prefix: &str, portal: &str) -> Self {
        Self::Redis(RedisMemory::new(pool, prefix, portal))
    }

    /// Answers all inquiries in their order, each seeing what the ones before it kept; in one round trip to Redis, or two
    /// when links wait for one of the contacts. `now_ms` is in milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// When Redis does not answer. Some of the inquiries may have been carried out; all may be repeated. The same holds
    /// when the future is dropped.
    pub async fn ask(
        &self,
        inquiries: &[Inquiry],
        now_ms: i64,
    ) -> Result<Vec<Finding>, MemoryError> {
        match self {
            Self::Local(store) => Ok(store.ask(inquiries, now_ms)),
            Self::Redis(store) => store.ask(inquiries, now_ms).await,
        }
    }

    /// How many links wait, those included that expired and were not dropped yet.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn waiting_links(&self) -> Result<u64, MemoryError> {
        match self {
            Self::Local(store) => Ok(store.waiting_links()),
            Self::Redis(store) => store.waiting_links().await,
        }
    }

    /// Up to `max` links that have waited long enough, those that expired first before the others. Each goes to exactly one
    /// worker, which has five minutes to park it and to say [`Inquiry::DropLinks`]; a worker that dies before leaves it to
    /// another. No contact finds an expired link any more.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn expired_links(&self, now_ms: i64, max: usize) -> Result<Vec<Link>, MemoryError> {
        match self {
            Self::Local(store) => Ok(store.expired_links(now_ms, max)),
            Self::Redis(store) => store.expired_links(now_ms, max).await,
        }
    }
}
