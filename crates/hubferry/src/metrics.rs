//! `/metrics`: the books and the board in Prometheus' words (fleet.md vi.1).
//!
//! Everything is counted once, where it happens; a scrape copies the sums into fresh metrics. Label values come from
//! closed sets: mappings, endpoints, codes, partitions.

use std::time::Duration;

use hubferry_delivery::MappingIndex;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType, Summary};
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
    core::{Collector, GenericCounter},
};

use crate::admin::Seen;
use crate::links::Expired;
use crate::report::name;
use crate::run::Watched;
use crate::worker::Board;

/// How long events take from being appended to the topic to being finished, by mapping. The one metric that is kept
/// while the worker works: a distribution cannot be made afterwards. Cheap to clone; all clones count together.
#[derive(Clone)]
pub(crate) struct Latency {
    all: Option<HistogramVec>,
    by_mapping: Vec<Histogram>,
}

/// From a batch that was not waited for, to an hour's backlog.
const LATENCIES: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0,
];

impl Latency {
    /// For these mappings, by index.
    pub(crate) fn of(ids: &[String]) -> Self {
        let options = HistogramOpts::new(
            "hubferry_event_latency_seconds",
            "Time from the append of the message to the end of a delivery.",
        )
        .buckets(LATENCIES.to_vec());
        // The name and the buckets are constants that are valid; a test looks at them.
        let all = HistogramVec::new(options, &["mapping"]).ok();
        let by_mapping = all
            .iter()
            .flat_map(|all| ids.iter().map(|id| all.with_label_values(&[id])))
            .collect();
        Self { all, by_mapping }
    }

    /// A delivery of this mapping ended so long after its message was appended. Clocks of others may run ahead of ours.
    pub(crate) fn ended(&self, mapping: MappingIndex, milliseconds: i64) {
        let index = usize::try_from(mapping.0).unwrap_or(usize::MAX);
        let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
        if let Some(histogram) = self.by_mapping.get(index) {
            histogram.observe(Duration::from_millis(milliseconds).as_secs_f64());
        }
    }
}

/// One scrape.
struct Page(Registry);

/// Prints everything.
///
/// # Errors
///
/// When two metrics disagree, which is a bug.
pub(crate) async fn text(seen: &Seen) -> Result<String, prometheus::Error> {
    let page = Page(Registry::new());
    let board = seen.board.borrow().clone();
    page.of_board(&board, &seen.ids, &seen.portals.expired)?;
    page.of_portals(&seen.portals)?;
    page.of_limiters(&seen.portals).await?;
    page.info(&seen.config_hash)?;
    if let Some(latency) = &seen.latency.all {
        page.register(latency.clone())?;
    }
    let mut families = page.0.gather();
    families.extend(request_seconds(&seen.portals));
    let mut out = Vec::new();
    TextEncoder::new().encode(&families, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Sum and count of the time spent waiting for HubSpot; the books keep no more than that.
fn request_seconds(watched: &Watched) -> Option<MetricFamily> {
    let mut metrics = Vec::new();
    for portal in &watched.portals {
        for (endpoint, stats) in portal.stats.snapshot().calls {
            let mut summary = Summary::default();
            summary.set_sample_count(stats.calls);
            summary.set_sample_sum(stats.waited.as_secs_f64());
            let mut metric = Metric::default();
            metric.set_summary(summary);
            metric.set_label(vec![
                label("endpoint", &endpoint),
                label("portal", &portal.name),
            ]);
            metrics.push(metric);
        }
    }
    // A family without metrics cannot be printed.
    if metrics.is_empty() {
        return None;
    }
    let mut family = MetricFamily::default();
    family.set_name("hubferry_http_request_seconds".to_owned());
    family.set_help("Time from sending a call to its answer.".to_owned());
    family.set_field_type(MetricType::SUMMARY);
    family.set_metric(metrics);
    Some(family)
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

impl Page {
    fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn of_board(
        &self,
        board: &Board,
        ids: &[String],
        expired: &Expired,
    ) -> Result<(), prometheus::Error> {
        let tally = &board.tally;
        let consumed = self.counter(
            "hubferry_events_consumed_total",
            "Events read.",
            &["topic", "partition"],
        )?;
        for ((topic, partition), count) in &board.consumed {
            consumed
                .with_label_values(&[topic.as_str(), partition.get().to_string().as_str()])
                .inc_by(*count);
        }
        let ended = self.counter(
            "hubferry_deliveries_ended_total",
            "Deliveries that ended, by how.",
            &["mapping", "ending", "reason"],
        )?;
        for ((mapping, ending, reason), count) in &tally.by_mapping {
            ended
                .with_label_values(&[name(*mapping, ids), ending, reason])
                .inc_by(*count);
        }
        let dropped = self.counter(
            "hubferry_dropped_properties_total",
            "Properties left out of deliveries that succeeded.",
            &["reason"],
        )?;
        for (reason, count) in &tally.dropped_properties {
            dropped.with_label_values(&[reason]).inc_by(*count);
        }
        let dead = self.counter(
            "hubferry_dead_letters_total",
            "Dead deliveries, and associations that waited in vain.",
            &["class", "mapping", "stage"],
        )?;
        for (cause, deaths) in &tally.causes {
            dead.with_label_values(&[deaths.class, name(cause.mapping, ids), deaths.stage])
                .inc_by(deaths.count);
        }
        for (mapping, count) in expired.by_mapping() {
            dead.with_label_values(&["input", mapping.as_str(), "association"])
                .inc_by(count);
        }
        let brake = self.gauge(
            "hubferry_brake_state",
            "1 while a mapping is held because too much of it would become dead letters.",
            &["mapping"],
        )?;
        for (id, index) in ids.iter().zip(0..) {
            let braked = board.braked.contains(&MappingIndex(index));
            brake.with_label_values(&[id]).set(i64::from(braked));
        }
        let buffered = self.gauge(
            "hubferry_buffered_bytes",
            "Bytes of messages that are not settled.",
            &[],
        )?;
        set(&buffered, &[], board.open_bytes);
        let open = self.gauge(
            "hubferry_unsettled_messages",
            "Messages that are not settled.",
            &[],
        )?;
        set(&open, &[], board.open_messages);
        let span = self.gauge(
            "hubferry_commit_watermark_span_messages",
            "Messages between the committed and the read position.",
            &["topic", "partition"],
        )?;
        for ((topic, partition), messages) in &board.spans {
            set(
                &span,
                &[topic.as_str(), &partition.get().to_string()],
                *messages,
            );
        }
        Ok(())
    }

    fn of_portals(&self, watched: &Watched) -> Result<(), prometheus::Error> {
        let requests = self.counter(
            "hubferry_http_requests_total",
            "Calls made.",
            &["portal", "endpoint", "status"],
        )?;
        let steps = self.counter(
            "hubferry_batch_steps_total",
            "Steps the calls carried.",
            &["portal", "endpoint"],
        )?;
        let places = self.counter(
            "hubferry_batch_places_total",
            "Steps the calls could have carried.",
            &["portal", "endpoint"],
        )?;
        let coalesced = self.counter(
            "hubferry_coalesced_steps_total",
            "Deliveries merged into another's step.",
            &["portal"],
        )?;
        let bisections = self.counter(
            "hubferry_bisections_total",
            "Batches taken apart to find an offender.",
            &["portal"],
        )?;
        let unaccounted = self.counter(
            "hubferry_unaccounted_total",
            "Steps accepted without an answer.",
            &["portal"],
        )?;
        let retries = self.counter("hubferry_retries_total", "Steps tried again.", &["portal"])?;
        let throttled = self.counter(
            "hubferry_throttled_total",
            "Calls refused by a rate limit.",
            &["portal"],
        )?;
        let inflight = self.gauge(
            "hubferry_inflight_steps",
            "Steps that are not done.",
            &["portal"],
        )?;
        let calls = self.gauge(
            "hubferry_calls_in_flight",
            "Calls on the wire.",
            &["portal"],
        )?;
        let auth = self.gauge(
            "hubferry_auth_ok",
            "1 while the portal accepts the token.",
            &["portal"],
        )?;
        for portal in &watched.portals {
            let books = portal.stats.snapshot();
            let who = portal.name.as_str();
            for (endpoint, stats) in &books.calls {
                for (status, count) in &stats.statuses {
                    requests
                        .with_label_values(&[who, endpoint, &status.to_string()])
                        .inc_by(*count);
                }
                steps
                    .with_label_values(&[who, endpoint.as_str()])
                    .inc_by(stats.steps);
                places
                    .with_label_values(&[who, endpoint.as_str()])
                    .inc_by(stats.calls * stats.max_inputs);
            }
            add(&coalesced, who, books.coalesced);
            add(&bisections, who, books.bisections);
            add(&unaccounted, who, books.unaccounted);
            add(&retries, who, books.retries);
            add(&throttled, who, books.throttled);
            set(&inflight, &[who], books.open_steps);
            set(&calls, &[who], books.calls_in_flight);
            let held = books.holds.iter().any(|hold| hold.mapping.is_none());
            set(&auth, &[who], u64::from(!held));
        }
        Ok(())
    }

    async fn of_limiters(&self, watched: &Watched) -> Result<(), prometheus::Error> {
        let links = self.gauge(
            "hubferry_waiting_links",
            "Associations that wait for a contact.",
            &["portal"],
        )?;
        let permits = self.counter(
            "hubferry_limiter_permits_total",
            "Permits granted.",
            &["portal", "limit"],
        )?;
        let wasted = self.counter(
            "hubferry_limiter_wasted_total",
            "Permits that came back too late.",
            &["portal", "limit"],
        )?;
        let effective = self.gauge(
            "hubferry_limiter_effective_limit",
            "Calls per window granted at present.",
            &["portal", "limit"],
        )?;
        let used = self.register(GaugeVec::new(
            Opts::new(
                "hubferry_limiter_used_ratio",
                "Share of the window that is used.",
            ),
            &["portal", "limit"],
        )?)?;
        for portal in &watched.portals {
            let who = portal.name.as_str();
            // A store that does not answer leaves its gauges out of this scrape.
            if let Ok(count) = portal.memory.waiting_links().await {
                set(&links, &[who], count);
            }
            let Ok(states) = portal.limiter.snapshot().await else {
                continue;
            };
            for state in states {
                let limit = state.name.as_str();
                permits
                    .with_label_values(&[who, limit])
                    .inc_by(state.granted);
                wasted.with_label_values(&[who, limit]).inc_by(state.wasted);
                set(&effective, &[who, limit], u64::from(state.effective));
                used.with_label_values(&[who, limit])
                    .set(f64::from(state.used) / f64::from(state.max.max(1)));
            }
        }
        Ok(())
    }

    fn info(&self, config_hash: &str) -> Result<(), prometheus::Error> {
        let build = self.gauge("hubferry_build_info", "The build.", &["version"])?;
        set(&build, &[env!("CARGO_PKG_VERSION")], 1_u64);
        let config = self.gauge("hubferry_config_info", "The configuration.", &["hash"])?;
        set(&config, &[config_hash], 1_u64);
        Ok(())
    }
}

fn add(counter: &IntCounterVec, portal: &str, count: u64) {
    let counter: GenericCounter<prometheus::core::AtomicU64> = counter.with_label_values(&[portal]);
    counter.inc_by(count);
}

fn set(gauge: &IntGaugeVec, labels: &[&str], value: impl TryInto<i64>) {
    gauge
        .with_label_values(labels)
        .set(value.try_into().unwrap_or(i64::MAX));
}
