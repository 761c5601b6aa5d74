//! Those of one worker who wait for the same: one of them asks the store for several, and shares what it gets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ask::Permit;

/// A line of waiters and the permits that were booked for them.
#[derive(Debug, Default)]
pub(crate) struct Line {
    stock: Mutex<VecDeque<Permit>>,
    waiting: AtomicU64,
    active: AtomicU64,
    /// The most who were active since the store was last asked.
    most: AtomicU64,
}

/// Somebody who asked for a permit and has not got it in hand.
pub(crate) struct Active<'a> {
    _counted: Waiting<'a>,
}

/// Somebody whose turn it is; the others wait behind until this is dropped.
pub(crate) struct Turn<'a> {
    line: &'a Line,
    stock: MutexGuard<'a, VecDeque<Permit>>,
}

/// Counts a waiter for as long as it lives.
struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// Counts somebody who asks, until what is returned is dropped.
    pub(crate) fn active(&self) -> Active<'_> {
        let active = 1 + self.active.fetch_add(1, Ordering::Relaxed);
        self.most.fetch_max(active, Ordering::Relaxed);
        Active {
            _counted: Waiting(&self.active),
        }
    }

    /// Waits for a turn; `None` when stopped before.
    pub(crate) async fn turn(&self, stop: &CancellationToken) -> Option<Turn<'_>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        // Losing either branch is harmless: who leaves the queue of a lock holds nothing.
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            stock = self.stock.lock() => Some(Turn { line: self, stock }),
        }
    }

    /// What was booked for waiters of whom none is left.
    pub(crate) fn left_over(&self) -> Vec<Permit> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return Vec::new();
        }
        match self.stock.try_lock() {
            Ok(mut stock) => stock.drain(..).collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl Turn<'_> {
    /// How many permits are wanted: one for everybody who asked since the last question. Those whose permit opened meanwhile will
    /// soon ask again, and find in stock what is booked for them now.
    pub(crate) fn wanted(&self) -> u64 {
        let active = self.line.active.load(Ordering::Relaxed);
        self.line.most.swap(active, Ordering::Relaxed).max(active)
    }

    /// A permit that was booked for this line, and those that are over by now.
    pub(crate) fn take(&mut self, now: Instant) -> (Option<Permit>, Vec<Permit>) {
        let mut over = Vec::new();
        while let Some(permit) = self.stock.pop_front() {
            if now < permit.closes_at {
                return (Some(permit), over);
            }
            over.push(permit);
        }
        (None, over)
    }

    pub(crate) fn put(&mut self, permits: impl IntoIterator<Item = Permit>) {
        self.stock.extend(permits);
    }
}
