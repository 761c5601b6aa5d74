//! What a worker may do without the store: the same slot log with a small limit, from the moment on at which the store has
//! certainly kept its share free, until its ticket ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::bucket::{Bucket, Request};
use crate::fleet::island_share;
use crate::group::{self, Booked, Grant};
use crate::settings::Rule;

/// A worker's time on its own; there is none while the store answers.
#[derive(Debug, Default)]
pub(crate) struct Island {
    stay: Option<Stay>,
    /// When the last call made alone closed.
    last_use: Option<Instant>,
}

#[derive(Debug)]
struct Stay {
    buckets: Vec<Bucket>,
    /// The zero of its clock.
    began: Instant,
    ends: Instant,
}

/// The clock of a stay begins here, so that no window reaches behind zero.
const BEGINNING: u64 = 2 * 24 * 3_600 * 1_000_000;

/// When a worker may be on its own, by the last answer it had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leave {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

/// What an island says to an ask.
pub(crate) enum Alone {
    /// A permit, from and until.
    Granted(Instant, Instant),
    /// Nothing before this time.
    Again(Instant),
    /// It is not, or not any more, allowed.
    No,
}

impl Island {
    /// Whether the worker is on its own.
    pub(crate) fn is_alone(&self) -> bool {
        self.stay.is_some()
    }

    /// Begins a stay if it is time for one.
    pub(crate) fn enter(
        &mut self,
        now: Instant,
        leave: Leave,
        rules: &[Rule],
        ceilings: &[u64],
        workers: u64,
    ) {
        if self.stay.is_some() || now < leave.from || now >= leave.until {
            return;
        }
        let buckets = rules.iter().zip(ceilings).map(|(rule, ceiling)| {
            let max = island_share(rule.max.min(*ceiling), workers);
            let rule = Rule {
                max,
                ceiling: max,
                others: 0,
                burst: max.div_ceil(4).max(1),
                ..*rule
            };
            Bucket::new(rule, BEGINNING, 0)
        });
        tracing::warn!("the limiter's store is lost; this worker goes on alone at a small rate");
        self.stay = Some(Stay {
            buckets: buckets.collect(),
            began: now,
            ends: leave.until,
        });
    }

    /// The store answered: whatever was booked alone and has not begun is void.
    pub(crate) fn end(&mut self) {
        if self.stay.take().is_some() {
            tracing::info!("the limiter's store is back");
        }
    }

    /// Books on the worker's own account.
    pub(crate) fn book(&mut self, now: Instant, asked: &[usize], request: &Request) -> Alone {
        let Some(stay) = &mut self.stay else {
            return Alone::No;
        };
        if now >= stay.ends {
            self.stay = None;
            tracing::warn!("this worker's island ticket has ended; it waits for the store");
            return Alone::No;
        }
        // A share of nothing is nothing, however long one waits.
        if asked.iter().any(|limit| stay.buckets[*limit].rule.max == 0) {
            return Alone::Again(stay.ends);
        }
        let at = stay.time(now);
        match group::book(&mut stay.buckets, asked, at, 0, request) {
            Booked::Refused { again } => Alone::Again(stay.instant(again)),
            Booked::Granted(grants) => match grants.first() {
                Some(Grant { opens, closes, .. }) if stay.instant(*closes) <= stay.ends => {
                    Alone::Granted(stay.instant(*opens), stay.instant(*closes))
                }
                _ => Alone::Again(stay.ends),
            },
        }
    }

    /// A permit of the island is about to be used.
    pub(crate) fn used(&mut self, closes: Instant) {
        self.last_use = self.last_use.max(Some(closes));
    }

    /// The receiver refused: half the rate.
    pub(crate) fn throttled(&mut self, now: Instant, limits: &[usize], pause: u64) {
        let Some(stay) = &mut self.stay else { return };
        let at = stay.time(now);
        for limit in limits {
            stay.buckets[*limit].throttled(at, pause);
            stay.buckets[*limit].halve(at);
        }
    }

    /// One more than how long ago the last call alone was, in microseconds; 0 when it cannot matter to any window.
    pub(crate) fn age(&self, now: Instant, matters: Duration) -> u64 {
        let Some(used) = self.last_use else { return 0 };
        let age = now.saturating_duration_since(used);
        if age > matters {
            return 0;
        }
        u64::try_from(age.as_micros()).unwrap_or(u64::MAX - 1) + 1
    }
}

impl Stay {
    fn time(&self, now: Instant) -> u64 {
        let gone = now.saturating_duration_since(self.began).as_micros();
        BEGINNING + u64::try_from(gone).unwrap_or(u64::MAX / 2)
    }

    fn instant(&self, at: u64) -> Instant {
        self.began + Duration::from_micros(at.saturating_sub(BEGINNING))
    }
}
