//! `/metrics`: the books and the board in Prometheus' words (fleet.md vi.1).
//!
//! Everything is counted once, where it happens; a scrape copies the sums into fresh metrics. Label values come from
//! closed sets: mappings, endpoints, codes, partitions.

mod distributions;
mod limits;

use hubferry_delivery::MappingIndex;
use prometheus::{
    Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::{Collector, GenericCounter},
};

pub(crate) use distributions::Distributions;

use crate::admin::Seen;
use crate::links::Expired;
use crate::report::name;
use crate::run::Watched;
use crate::worker::Board;

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
    page.of_partitions(&board)?;
    page.of_portals(&seen.portals)?;
    page.of_errors(seen)?;
    page.of_limiters(seen).await?;
    page.of_links(&seen.portals).await?;
    page.info(&seen.config_hash)?;
    let mut families = page.0.gather();
    families.extend(seen.distributions.gather());
    let mut out = Vec::new();
    TextEncoder::new().encode(&families, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
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
            &["mapping", "reason"],
        )?;
        for ((mapping, reason), count) in &tally.dropped_properties {
            dropped
                .with_label_values(&[name(*mapping, ids), reason])
                .inc_by(*count);
        }
        let repeated = self.counter(
            "hubferry_duplicates_skipped_total",
            "Deliveries skipped because the fleet had made them before.",
            &["mapping"],
        )?;
        for id in ids {
            repeated.with_label_values(&[id]).inc_by(0);
        }
        for ((mapping, _, reason), count) in &tally.by_mapping {
            if *reason == "duplicate" {
                let repeated = repeated.with_label_values(&[name(*mapping, ids)]);
                repeated.inc_by(*count);
            }
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
        Ok(())
    }

    fn of_partitions(&self, board: &Board) -> Result<(), prometheus::Error> {
        let by = &["topic", "partition"];
        let span = self.gauge(
            "hubferry_commit_watermark_span_messages",
            "Messages between the committed and the read position.",
            by,
        )?;
        for ((topic, partition), messages) in &board.spans {
            let at = [topic.as_str(), &partition.get().to_string()];
            set(&span, &at, *messages);
        }
        let messages = self.gauge(
            "hubferry_consumer_lag_messages",
            "Messages between what is finished and the end of the partition.",
            by,
        )?;
        let seconds = self.gauge(
            "hubferry_consumer_lag_seconds",
            "Age of the oldest message that is not finished.",
            by,
        )?;
        for ((topic, partition), lag) in &board.lags {
            let at = [topic.as_str(), &partition.get().to_string()];
            set(&seconds, &at, lag.behind.as_secs());
            if let Some(count) = lag.messages {
                set(&messages, &at, count);
            }
        }
        let paused = self.gauge(
            "hubferry_partitions_paused",
            "Partitions from which nothing is taken at present.",
            &["reason"],
        )?;
        for (reason, count) in &board.paused {
            set(&paused, &[reason], *count);
        }
        let rebalances = self.counter(
            "hubferry_rebalances_total",
            "Times that partitions changed hands.",
            &["kind"],
        )?;
        let turnover = board.rebalances;
        for (kind, count) in [
            ("assigned", turnover.assigned),
            ("revoked", turnover.revoked),
            ("lost", turnover.lost),
            ("late", turnover.late),
        ] {
            rebalances.with_label_values(&[kind]).inc_by(count);
        }
        self.count(
            "hubferry_stale_completions_total",
            "Messages that ended after their partition had been given away.",
            board.stale,
        )?;
        self.count(
            "hubferry_misrouted_identities_total",
            "Identities that came from two partitions of a topic: their order cannot be kept.",
            board.misrouted,
        )?;
        self.count(
            "hubferry_dead_letter_produce_failures_total",
            "Dead letters that the broker or the file did not take.",
            board.park_failures,
        )
    }

    fn count(&self, name: &str, help: &str, count: u64) -> Result<(), prometheus::Error> {
        let counter = self.register(prometheus::IntCounter::new(name, help)?)?;
        counter.inc_by(count);
        Ok(())
    }

    fn of_portals(&self, watched: &Watched) -> Result<(), prometheus::Error> {
        let requests = self.counter(
            "hubferry_http_requests_total",
            "Calls made.",
            &["portal", "endpoint", "status"],
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

    async fn of_links(&self, watched: &Watched) -> Result<(), prometheus::Error> {
        let links = self.gauge(
            "hubferry_waiting_links",
            "Associations that wait for a contact.",
            &["portal"],
        )?;
        for portal in &watched.portals {
            let who = [portal.name.as_str()];
            // A store that does not answer leaves its gauges out of this scrape.
            let Ok(count) = portal.memory.waiting_links().await else {
                continue;
            };
            set(&links, &who, count);
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

/// Counts of calls and answers are far below where a float loses count.
fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
