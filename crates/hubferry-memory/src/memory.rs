//! The one face of both stores.

use std::time::Duration;

use deadpool_redis::Pool;
use hubferry_actions::PropertyName;

use crate::error::MemoryError;
use crate::inquiry::{Finding, Inquiry};
use crate::link::Link;
use crate::local::{LocalLimits, LocalMemory};
use crate::mark::MarkWrite;
use crate::redis::RedisMemory;
use crate::seen::SeenKey;

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

    /// Whether marks are shared with other processes. A single process keeps none here: its scheduler remembers what it
    /// wrote.
    #[must_use]
    pub fn keeps_marks(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Redis(_) => true,
        }
    }

    /// Before a batch is sent: raises every mark that is older than the value about to be written, and answers per record,
    /// in order, which properties have values older than their mark; those must not be written. A value as old as its mark
    /// may. One round trip for all records, each of which is compared and set in one piece. Without shared marks nothing
    /// is stale.
    ///
    /// # Errors
    ///
    /// When Redis does not answer. Some of the marks may have been set; marking again is harmless and answers anew. The
    /// same holds when the future is dropped.
    pub async fn mark(&self, writes: &[MarkWrite]) -> Result<Vec<Vec<PropertyName>>, MemoryError> {
        match self {
            Self::Local(_) => Ok(vec![Vec::new(); writes.len()]),
            Self::Redis(store) => store.mark(writes).await,
        }
    }

    /// After HubSpot refused records: takes back the marks that still stand exactly as [`Memory::mark`] set them, by their
    /// times, and restores the one before where it is known. Values that were stale, or marked by a newer event since,
    /// stay as they are, so the writes may be passed as they were marked. Never for a call whose outcome is unknown.
    ///
    /// Two events of the same millisecond share a mark, and one step back is known: a mark may end up lower than the other
    /// event's value, or higher than what stands at HubSpot when several refusals overtake each other.
    ///
    /// # Errors
    ///
    /// When Redis does not answer. Some of the marks may have been taken back; taking them back again is harmless.
    pub async fn unmark(&self, writes: &[MarkWrite]) -> Result<(), MemoryError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(store) => store.unmark(writes).await,
        }
    }

    /// Whether deliveries that ended are remembered: only where Redis is, a process alone reads every message once.
    #[must_use]
    pub fn remembers_deliveries(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Which of these deliveries ended within the window, in order; one round trip.
    ///
    /// # Errors
    ///
    /// When Redis does not answer; nothing was changed.
    pub async fn seen(&self, deliveries: &[SeenKey]) -> Result<Vec<bool>, MemoryError> {
        match self {
            Self::Local(_) => Ok(vec![false; deliveries.len()]),
            Self::Redis(store) => store.seen(deliveries).await,
        }
    }

    /// Remembers deliveries that have ended, for `window`; one round trip.
    ///
    /// # Errors
    ///
    /// When Redis does not answer. Some may be remembered; remembering again is harmless.
    pub async fn keep_seen(
        &self,
        deliveries: &[SeenKey],
        window: Duration,
    ) -> Result<(), MemoryError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(store) => store.keep_seen(deliveries, window).await,
        }
    }
}
