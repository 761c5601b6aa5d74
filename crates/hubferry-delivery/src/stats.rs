//! The books: what was sent, how it was answered, what is held. Read by metrics, reports and the demo.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hubferry_hubspot::{Endpoint, Hold};
use tokio::sync::Notify;

use crate::scheduler::{Counts, HoldView};

/// The books of one portal. Cheap to read; a small lock, never held while waiting.
#[derive(Debug, Default)]
pub struct Stats {
    books: Mutex<StatsSnapshot>,
    holds_changed: Notify,
}

/// The books at one moment.
#[derive(Clone, Debug, Default)]
pub struct StatsSnapshot {
    /// By endpoint name.
    pub calls: BTreeMap<String, EndpointStats>,
    /// Calls that HubSpot refused because of a limit.
    pub throttled: u64,
    /// What waits until someone acts: the portal first, then mappings.
    pub holds: Vec<HeldState>,
    /// Steps that are not done.
    pub open_steps: u64,
    /// Events that are unfinished.
    pub open_events: u64,
    /// Calls on the wire.
    pub calls_in_flight: u64,
    /// Deliveries whose values went out with another's step.
    pub coalesced: u64,
    /// Batches that had to be taken apart.
    pub bisections: u64,
    /// Steps that HubSpot accepted without accounting for them.
    pub unaccounted: u64,
    /// Steps tried again.
    pub retries: u64,
    /// Waiting links kept.
    pub links_kept: u64,
    /// Waiting links made.
    pub links_made: u64,
    /// Schema reads that the portal refused: values went out as they were.
    pub schema_refused: u64,
    /// Values sent once more because two names turned out to be of one record.
    pub order_repairs: u64,
    /// Permits that were granted and not needed.
    pub permits_unused: u64,
}

/// What was sent to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointStats {
    /// Calls made.
    pub calls: u64,
    /// Steps they carried.
    pub steps: u64,
    /// The most steps one call takes.
    pub max_inputs: u64,
    /// Calls by HTTP status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Time spent waiting for answers.
    pub waited: Duration,
}

/// A hold, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldState {
    /// `DESTINATION/NAME`, or `None` for the whole portal.
    pub mapping: Option<String>,
    /// `auth`, `scope` or `config`.
    pub reason: &'static str,
    /// HubSpot's words, redacted.
    pub message: String,
}

impl StatsSnapshot {
    /// Calls made, over all endpoints.
    #[must_use]
    pub fn total_calls(&self) -> u64 {
        self.calls.values().map(|endpoint| endpoint.calls).sum()
    }
}

impl Stats {
    /// The books as they stand.
    #[must_use]
    pub fn snapshot(&self) -> StatsSnapshot {
        self.books().clone()
    }

    /// Returns when a hold began or ended; cancelling it loses nothing.
    pub async fn holds_changed(&self) {
        self.holds_changed.notified().await;
    }

    pub(crate) fn called(
        &self,
        endpoint: &Endpoint,
        steps: usize,
        status: Option<u16>,
        waited: Duration,
    ) {
        let mut books = self.books();
        let entry = books.calls.entry(endpoint.name()).or_default();
        entry.calls += 1;
        entry.steps += steps as u64;
        entry.max_inputs = endpoint.max_inputs() as u64;
        *entry.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        entry.waited += waited;
        if status == Some(429) {
            books.throttled += 1;
        }
    }

    pub(crate) fn permit_unused(&self) {
        self.books().permits_unused += 1;
    }

    pub(crate) fn progress(
        &self,
        counts: Counts,
        open_steps: usize,
        open_events: usize,
        calls: usize,
    ) {
        let mut books = self.books();
        books.open_steps = open_steps as u64;
        books.open_events = open_events as u64;
        books.calls_in_flight = calls as u64;
        books.coalesced = counts.coalesced;
        books.bisections = counts.bisections;
        books.unaccounted = counts.unaccounted;
        books.retries = counts.retries;
        books.links_kept = counts.links_kept;
        books.links_made = counts.links_made;
        books.schema_refused = counts.schema_refused;
        books.order_repairs = counts.order_repairs;
    }

    pub(crate) fn held(&self, holds: Vec<HoldView>, names: &[String]) {
        let held: Vec<HeldState> = holds
            .into_iter()
            .map(|hold| in_words(hold, names))
            .collect();
        let mut books = self.books();
        if books.holds != held {
            books.holds = held;
            drop(books);
            self.holds_changed.notify_one();
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, StatsSnapshot> {
        // A panic elsewhere cannot leave plain counters half written.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(hold: HoldView, names: &[String]) -> HeldState {
    let (reason, message) = match hold.reason {
        Hold::Auth { message } => ("auth", message),
        Hold::Scope { message } => ("scope", message),
        Hold::Config { message } => ("config", message),
    };
    let mapping = hold.mapping.and_then(|m| names.get(m.0 as usize).cloned());
    HeldState {
        mapping,
        reason,
        message,
    }
}
