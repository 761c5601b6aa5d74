//! What is observed while the worker works: a distribution cannot be made from sums afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hubferry_delivery::{EndpointStats, MappingIndex, Stats};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec};

use crate::portals::Portal;

/// Histograms that are kept all the time. Cheap to clone; all clones count together.
#[derive(Clone, Default)]
pub(crate) struct Distributions {
    by_mapping: Vec<Histogram>,
    /// Absent only if a name or a bucket were not as Prometheus wants them: they are constants, and a test looks at them.
    kept: Option<Arc<Kept>>,
}

struct Kept {
    latency: HistogramVec,
    drains: HistogramVec,
    requests: HistogramVec,
    steps: HistogramVec,
    fill: HistogramVec,
    store: HistogramVec,
    wait: HistogramVec,
    spread: HistogramVec,
    portals: Vec<Looked>,
}

/// The books of a portal, and how they stood at the last look.
struct Looked {
    name: String,
    stats: Arc<Stats>,
    before: Mutex<BTreeMap<String, EndpointStats>>,
}

/// From a batch that was not waited for, to an hour's backlog.
const LATENCIES: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0,
];

/// Up to the time a revocation may take.
const DRAINS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// Up to the longest deadline of a call.
const REQUESTS: &[f64] = &[0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Up to the most that an endpoint takes.
const STEPS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 500.0, 1_000.0, 2_000.0,
];

const SHARES: &[f64] = &[0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

/// A store next door, up to one that is lost.
const STORE: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0,
];

/// Up to a window, and to a pause.
const WAITS: &[f64] = &[0.01, 0.05, 0.1, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// 300 ms is the most that is reckoned with, unless configured otherwise.
const SPREADS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0];

/// Calls of one endpoint between two looks, which are a tenth of a second apart: beyond this many none is told apart.
const MOST_AT_ONCE: u64 = 1_000;

impl Distributions {
    /// For these mappings, by index, and these portals.
    pub(crate) fn of(ids: &[String], portals: &[Portal]) -> Self {
        Self::made(ids, portals).unwrap_or_default()
    }

    fn made(ids: &[String], portals: &[Portal]) -> Result<Self, prometheus::Error> {
        let latency = made(
            "hubferry_event_latency_seconds",
            "Time from the append of the message to the end of a delivery.",
            LATENCIES,
            &["mapping"],
        )?;
        let looked = |portal: &Portal| Looked {
            name: portal.name.clone(),
            stats: Arc::clone(&portal.stats),
            before: Mutex::default(),
        };
        Ok(Self {
            by_mapping: ids
                .iter()
                .map(|id| latency.with_label_values(&[id]))
                .collect(),
            kept: Some(Arc::new(Kept {
                latency,
                drains: made(
                    "hubferry_rebalance_drain_seconds",
                    "Time from the request to give partitions back to the answer.",
                    DRAINS,
                    &[],
                )?,
                requests: made(
                    "hubferry_http_request_seconds",
                    "Time from sending a call to its answer.",
                    REQUESTS,
                    &["portal", "endpoint"],
                )?,
                steps: made(
                    "hubferry_batch_steps",
                    "Steps a call carried.",
                    STEPS,
                    &["portal", "endpoint"],
                )?,
                fill: made(
                    "hubferry_batch_fill_ratio",
                    "Steps a call carried, as a share of what it could have.",
                    SHARES,
                    &["portal", "endpoint"],
                )?,
                store: made(
                    "hubferry_limiter_store_seconds",
                    "Time the limiter's store took to say how things stand; asked with every scrape.",
                    STORE,
                    &[],
                )?,
                wait: made(
                    "hubferry_limiter_wait_seconds",
                    "How long a live call that came at the moment of a scrape would have waited for its permit.",
                    WAITS,
                    &["portal", "limit", "class"],
                )?,
                spread: made(
                    "hubferry_limiter_delay_spread_seconds",
                    "By how much the time to the receiver is taken to vary, at each scrape.",
                    SPREADS,
                    &["portal", "limit"],
                )?,
                portals: portals.iter().map(looked).collect(),
            })),
        })
    }

    /// A delivery of this mapping ended so long after its message was appended. Clocks of others may run ahead of ours.
    pub(crate) fn ended(&self, mapping: MappingIndex, milliseconds: i64) {
        let index = usize::try_from(mapping.0).unwrap_or(usize::MAX);
        let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
        if let Some(histogram) = self.by_mapping.get(index) {
            histogram.observe(Duration::from_millis(milliseconds).as_secs_f64());
        }
    }

    /// Partitions were given back after so long.
    pub(crate) fn drained(&self, took: Duration) {
        let none: [&str; 0] = [];
        if let Some(kept) = &self.kept {
            let drains = kept.drains.with_label_values(&none);
            drains.observe(took.as_secs_f64());
        }
    }

    /// The limiter's store answered after so long.
    pub(crate) fn answered(&self, took: Duration) {
        let none: [&str; 0] = [];
        if let Some(kept) = &self.kept {
            let store = kept.store.with_label_values(&none);
            store.observe(took.as_secs_f64());
        }
    }

    /// How a limit stood at a scrape.
    pub(crate) fn stood(&self, portal: &str, limit: &str, wait: Duration, spread: Duration) {
        let Some(kept) = &self.kept else { return };
        let labels = [portal, limit, "live"];
        let waits = kept.wait.with_label_values(&labels);
        waits.observe(wait.as_secs_f64());
        let spreads = kept.spread.with_label_values(&labels[..2]);
        spreads.observe(spread.as_secs_f64());
    }

    /// Looks at the books for calls that were answered since the last look. Done every tenth of a second, in which an
    /// endpoint answers about one call: several count with their mean.
    pub(crate) fn look(&self) {
        let Some(kept) = &self.kept else { return };
        for portal in &kept.portals {
            let calls = portal.stats.snapshot().calls;
            // A panic elsewhere cannot leave it half written: it is replaced as a whole.
            let mut before = portal.before.lock().unwrap_or_else(PoisonError::into_inner);
            for (endpoint, stats) in &calls {
                let earlier = before.get(endpoint).cloned().unwrap_or_default();
                kept.called(&[portal.name.as_str(), endpoint], &earlier, stats);
            }
            *before = calls;
        }
    }

    /// Everything, for a scrape.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.kept.iter().flat_map(|kept| kept.gather()).collect()
    }
}

impl Kept {
    fn called(&self, labels: &[&str; 2], before: &EndpointStats, now: &EndpointStats) {
        let calls = now.calls.saturating_sub(before.calls).min(MOST_AT_ONCE);
        if calls == 0 {
            return;
        }
        let count = small(calls);
        let seconds = now.waited.saturating_sub(before.waited).as_secs_f64() / count;
        let steps = small(now.steps.saturating_sub(before.steps)) / count;
        let share = steps / small(now.max_inputs.max(1));
        for _ in 0..calls {
            self.requests.with_label_values(labels).observe(seconds);
            self.steps.with_label_values(labels).observe(steps);
            self.fill.with_label_values(labels).observe(share);
        }
    }

    fn gather(&self) -> Vec<MetricFamily> {
        let all = [
            &self.latency,
            &self.drains,
            &self.requests,
            &self.steps,
            &self.fill,
            &self.store,
            &self.wait,
            &self.spread,
        ];
        let families = all.into_iter().flat_map(Collector::collect);
        // A family without metrics cannot be printed.
        families
            .filter(|family| !family.get_metric().is_empty())
            .collect()
    }
}

fn made(
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    HistogramVec::new(
        HistogramOpts::new(name, help).buckets(buckets.to_vec()),
        labels,
    )
}

/// Counts of a tenth of a second are far below where a float loses count.
fn small(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_two_looks_count_with_their_mean() {
        let distributions = Distributions::of(&["acme/contacts".to_owned()], &[]);
        let kept = distributions.kept.as_ref().unwrap();
        let stats = |calls, steps, waited| EndpointStats {
            calls,
            steps,
            max_inputs: 100,
            statuses: BTreeMap::new(),
            waited: Duration::from_millis(waited),
        };
        let labels = ["acme", "contacts/batch/upsert"];
        kept.called(&labels, &stats(0, 0, 0), &stats(2, 150, 300));
        kept.called(&labels, &stats(2, 150, 300), &stats(2, 150, 300));
        distributions.ended(MappingIndex(0), 70);
        distributions.ended(MappingIndex(0), -5);
        distributions.ended(MappingIndex(9), 70);
        let of = |histograms: &HistogramVec| {
            let one = histograms.with_label_values(&labels);
            (one.get_sample_count(), one.get_sample_sum())
        };
        assert_eq!(of(&kept.requests), (2, 0.3));
        assert_eq!(of(&kept.steps), (2, 150.0));
        assert_eq!(of(&kept.fill), (2, 1.5));
        assert_eq!(distributions.by_mapping[0].get_sample_count(), 2);
        assert_eq!(distributions.gather().len(), 4);
    }
}
