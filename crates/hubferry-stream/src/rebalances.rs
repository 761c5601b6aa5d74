//! How often partitions changed hands, and how long letting go of them took.

use std::time::Duration;

/// What happened to the assignment since the source was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebalances {
    /// Times that partitions were given to this member.
    pub assigned: u64,
    /// Times that partitions were taken away in an orderly way.
    pub revoked: u64,
    /// Times that partitions were lost: this member had been out of the group.
    pub lost: u64,
    /// Partitions that were lost.
    pub lost_partitions: u64,
    /// Revocations that were not answered in time.
    pub late: u64,
}

/// Drain times nobody fetched: beyond this many the oldest go.
const KEPT: usize = 256;

/// The counts, and the drain times since they were last fetched.
#[derive(Debug, Default)]
pub(crate) struct Turnover {
    pub(crate) counts: Rebalances,
    drains: Vec<Duration>,
}

impl Turnover {
    pub(crate) fn drained(&mut self, took: Duration) {
        if self.drains.len() >= KEPT {
            self.drains.remove(0);
        }
        self.drains.push(took);
    }

    pub(crate) fn take_drains(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.drains)
    }
}
