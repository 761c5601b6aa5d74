//! The receiver of the simulated calls: it counts them in every rolling window, exactly.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Receiver {
    max: usize,
    window: Duration,
    /// Whether calls over the limit are refused; else they are only counted.
    is_strict: bool,
    counted: VecDeque<Instant>,
    /// The fullest window, and how many calls made one larger than the limit.
    pub(super) fullest: usize,
    pub(super) over: u64,
    pub(super) ours: u64,
    pub(super) refused: u64,
    /// What the others were counted for.
    pub(super) others: u64,
}

/// What the receiver says to a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) is_refused: bool,
    pub(super) remaining: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Fleet,
    Others,
}

impl Receiver {
    pub(super) fn new(max: usize, window: Duration, is_strict: bool) -> Self {
        Self {
            max,
            window,
            is_strict,
            counted: VecDeque::new(),
            fullest: 0,
            over: 0,
            ours: 0,
            refused: 0,
            others: 0,
        }
    }

    /// A call arrives.
    pub(super) fn arrive(&mut self, now: Instant, from: From) -> Verdict {
        let is_full = self.in_window(now) >= self.max;
        if is_full && self.is_strict {
            self.refused += u64::from(from == From::Fleet);
            return Verdict {
                is_refused: true,
                remaining: 0,
            };
        }
        self.counted.push_back(now);
        let count = self.counted.len();
        self.fullest = self.fullest.max(count);
        self.over += u64::from(is_full);
        match from {
            From::Fleet => self.ours += 1,
            From::Others => self.others += 1,
        }
        Verdict {
            is_refused: false,
            remaining: u32::try_from(self.max.saturating_sub(count)).unwrap_or(0),
        }
    }

    /// How many calls were counted in the window that ends now.
    pub(super) fn in_window(&mut self, now: Instant) -> usize {
        while self
            .counted
            .front()
            .is_some_and(|first| *first + self.window <= now)
        {
            self.counted.pop_front();
        }
        self.counted.len()
    }
}
