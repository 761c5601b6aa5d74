//! The limits in Prometheus' words: as the store sees them, for the whole fleet.

use hubferry_limiter::{Closed, LimitState, View};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use tokio::time::Instant;

use super::{Page, float, set};
use crate::admin::Seen;
use crate::run::WatchedPortal;

/// A backlog older than this wants another worker, if there is anything left of the limit.
const BEHIND: std::time::Duration = std::time::Duration::from_mins(1);

/// Fresher than this, a worker less would do.
const FRESH: std::time::Duration = std::time::Duration::from_secs(5);

/// With less than this left of the limit, another worker would have nothing to do.
const LEAST_HEADROOM: f64 = 0.1;

struct Limits {
    permits: IntCounterVec,
    refusals: IntCounterVec,
    wasted: IntCounterVec,
    lost: IntCounterVec,
    clock: IntCounterVec,
    capacity: IntGaugeVec,
    effective: IntGaugeVec,
    foreign: IntGaugeVec,
    mode: IntGaugeVec,
    used: GaugeVec,
}

impl Limits {
    fn on(page: &Page) -> Result<Self, prometheus::Error> {
        let by = &["portal", "limit"];
        Ok(Self {
            permits: page.counter(
                "hubferry_limiter_permits_total",
                "Permits granted, by the store to the whole fleet.",
                by,
            )?,
            refusals: page.counter(
                "hubferry_limiter_refusals_total",
                "Calls that HubSpot refused by a limit, which paused the fleet.",
                &["portal", "limit", "reason"],
            )?,
            wasted: page.counter(
                "hubferry_limiter_wasted_total",
                "Permits that came back too late to be of use.",
                by,
            )?,
            lost: page.counter(
                "hubferry_limiter_lost_grants_total",
                "Bookings that a change of Redis servers lost and that were charged again.",
                by,
            )?,
            clock: page.counter(
                "hubferry_limiter_clock_anomalies_total",
                "Jumps of the store's clock.",
                by,
            )?,
            capacity: page.gauge(
                "hubferry_limiter_capacity",
                "Calls per window as HubSpot named it, else as configured.",
                by,
            )?,
            effective: page.gauge(
                "hubferry_limiter_effective_limit",
                "Calls per window granted at present.",
                by,
            )?,
            foreign: page.gauge(
                "hubferry_limiter_foreign_use",
                "Calls per window left to other apps, or seen to be used by them.",
                by,
            )?,
            mode: page.gauge(
                "hubferry_limiter_mode",
                "0 the store grants, 1 quarantine, 2 on its own ticket, 3 nothing is granted, 4 paused.",
                by,
            )?,
            used: page.register(GaugeVec::new(
                prometheus::Opts::new(
                    "hubferry_limiter_used_ratio",
                    "Share of the window that is used.",
                ),
                by,
            )?)?,
        })
    }

    fn show(&self, who: &str, state: &LimitState, view: &View, alone: bool) {
        let by = [who, state.name.as_str()];
        self.permits.with_label_values(&by).inc_by(state.granted);
        let refused = self
            .refusals
            .with_label_values(&[by[0], by[1], "throttled"]);
        refused.inc_by(state.throttled);
        self.wasted.with_label_values(&by).inc_by(state.wasted);
        self.lost.with_label_values(&by).inc_by(state.lost);
        self.clock
            .with_label_values(&by)
            .inc_by(view.clock_corrections);
        set(&self.capacity, &by, u64::from(state.named));
        set(&self.effective, &by, u64::from(state.effective));
        set(&self.foreign, &by, u64::from(state.others));
        set(
            &self.mode,
            &by,
            mode(state.closed.map(|(why, _)| why), alone),
        );
        let used = f64::from(state.used) / f64::from(state.max.max(1));
        self.used.with_label_values(&by).set(used);
    }
}

/// In the order of how much is still granted (fleet.md vi.1).
fn mode(closed: Option<Closed>, alone: bool) -> u64 {
    match closed {
        _ if alone => 2,
        None => 0,
        Some(Closed::Quarantine | Closed::Settling) => 1,
        Some(Closed::Lost) => 3,
        Some(Closed::Paused) => 4,
    }
}

/// What a scrape learned of all portals together.
#[derive(Default)]
struct Fleet {
    /// The least that is left of any portal's ten seconds.
    headroom: Option<f64>,
    workers: usize,
}

impl Page {
    pub(super) async fn of_limiters(&self, seen: &Seen) -> Result<(), prometheus::Error> {
        let limits = Limits::on(self)?;
        let daily = self.gauge(
            "hubferry_daily_remaining",
            "Calls left until the account's midnight.",
            &["portal"],
        )?;
        let mut fleet = Fleet::default();
        for portal in &seen.portals.portals {
            let asked = Instant::now();
            let alone = portal.limiter.is_alone();
            // A store that does not answer leaves its sums out of this scrape.
            let Ok(view) = portal.limiter.inspect().await else {
                for limit in hubferry_delivery::LIMITS {
                    let mode = if alone { 2 } else { 3 };
                    set(&limits.mode, &[portal.name.as_str(), limit], mode);
                }
                continue;
            };
            seen.distributions.answered(asked.elapsed());
            for state in &view.limits {
                limits.show(&portal.name, state, &view, alone);
                let (limit, wait, spread) = (state.name.as_str(), state.next, state.spread);
                seen.distributions.stood(&portal.name, limit, wait, spread);
            }
            if let Some((day, max)) = view.day.as_ref().and_then(|day| Some((day, day.max?))) {
                let left = if day.is_spent {
                    0
                } else {
                    max.saturating_sub(day.used)
                };
                set(&daily, &[&portal.name], left);
            }
            fleet.meet(portal, &view);
        }
        self.scaling(seen, &fleet)
    }

    /// What an autoscaler may go by: a backlog alone is no reason for another worker (fleet.md vii.6).
    fn scaling(&self, seen: &Seen, fleet: &Fleet) -> Result<(), prometheus::Error> {
        let headroom = self.register(GaugeVec::new(
            prometheus::Opts::new(
                "hubferry_limiter_headroom_ratio",
                "What is left of the ten seconds, of the portal that has the least.",
            ),
            &[],
        )?)?;
        let desired = self.gauge(
            "hubferry_scaling_desired_workers",
            "Workers wanted: one more while events wait and calls are left, one less while nothing waits.",
            &[],
        )?;
        let Some(left) = fleet.headroom else {
            return Ok(());
        };
        let none: [&str; 0] = [];
        headroom.with_label_values(&none).set(left);
        let behind = {
            let board = seen.board.borrow();
            board.lags.values().map(|lag| lag.behind).max()
        };
        let workers = fleet.workers.max(1);
        set(
            &desired,
            &none,
            desired_workers(workers, left, behind.unwrap_or_default()),
        );
        Ok(())
    }
}

fn desired_workers(workers: usize, headroom: f64, behind: std::time::Duration) -> usize {
    if behind > BEHIND && headroom > LEAST_HEADROOM {
        workers + 1
    } else if behind < FRESH {
        workers.saturating_sub(1).max(1)
    } else {
        workers
    }
}

impl Fleet {
    fn meet(&mut self, _portal: &WatchedPortal, view: &View) {
        self.workers = self.workers.max(view.workers.len());
        let ten_seconds = hubferry_delivery::LIMITS[0];
        let mut states = view.limits.iter();
        let Some(state) = states.find(|state| state.name.as_str() == ten_seconds) else {
            return;
        };
        let used = f64::from(state.used.saturating_add(state.ahead));
        let left = (1.0 - used / f64::from(state.effective.max(1))).clamp(0.0, 1.0);
        self.headroom = Some(self.headroom.map_or(left, |least| least.min(left)));
    }
}

impl Page {
    /// Answers that were errors, as a share of all: HubSpot looks at them.
    pub(super) fn of_errors(&self, seen: &Seen) -> Result<(), prometheus::Error> {
        let ratio = self.register(GaugeVec::new(
            prometheus::Opts::new(
                "hubferry_error_answer_ratio",
                "Share of this worker's calls that were answered with an error.",
            ),
            &["portal"],
        )?)?;
        for portal in &seen.portals.portals {
            let calls = portal.stats.snapshot().calls;
            let answers = calls.values().flat_map(|endpoint| &endpoint.statuses);
            let (mut all, mut errors) = (0, 0);
            for (status, count) in answers {
                all += count;
                errors += if *status >= 400 { *count } else { 0 };
            }
            let share = float(errors) / float(all.max(1));
            ratio.with_label_values(&[&portal.name]).set(share);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_backlog_is_no_reason_for_a_worker_when_the_limit_is_used_up() {
        let (hour, moment) = (Duration::from_hours(1), Duration::from_secs(20));
        for (workers, headroom, behind, desired) in [
            (2, 0.5, hour, 3),
            (2, 0.05, hour, 2),
            (2, 0.5, moment, 2),
            (2, 0.5, Duration::ZERO, 1),
            (1, 0.5, Duration::ZERO, 1),
        ] {
            assert_eq!(desired_workers(workers, headroom, behind), desired);
        }
    }

    #[test]
    fn the_mode_is_a_number() {
        let of = |closed| mode(closed, false);
        let modes = [
            of(None),
            of(Some(Closed::Quarantine)),
            mode(None, true),
            of(Some(Closed::Lost)),
            of(Some(Closed::Paused)),
        ];
        assert_eq!(modes, [0, 1, 2, 3, 4]);
    }
}
