//! What a run over a file came to: one JSON object for programs, a page for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use hubferry_delivery::{MappingIndex, StatsSnapshot};
use hubferry_memory::Link;
use serde_json::{Value, json};

use crate::hints::hint;
use crate::tally::Tally;
use crate::words::{counted, grouped, size, wrapped};

/// Links that wait for their contact.
#[derive(Clone, Default, Debug)]
pub(crate) struct Waiting {
    /// How many.
    pub(crate) count: u64,
    /// Those that end with this process.
    pub(crate) links: Vec<Link>,
}

/// The sums of a run.
#[derive(Debug)]
pub(crate) struct Report {
    tally: Tally,
    calls: BTreeMap<String, u64>,
    throttled: u64,
    waiting: Waiting,
    elapsed: Duration,
    ids: Vec<String>,
}

impl Report {
    /// Adds up.
    #[must_use]
    pub(crate) fn new(
        tally: &Tally,
        snapshots: &[StatsSnapshot],
        waiting: Waiting,
        elapsed: Duration,
        ids: &[String],
    ) -> Self {
        let mut calls = BTreeMap::new();
        for (endpoint, stats) in snapshots.iter().flat_map(|snapshot| &snapshot.calls) {
            *calls.entry(endpoint.clone()).or_default() += stats.calls;
        }
        Self {
            tally: tally.clone(),
            calls,
            throttled: snapshots.iter().map(|snapshot| snapshot.throttled).sum(),
            waiting,
            elapsed,
            ids: ids.to_vec(),
        }
    }

    /// The object of `--output json`.
    #[must_use]
    pub(crate) fn to_json(&self) -> Value {
        let tally = &self.tally;
        let links: Vec<Value> = self.waiting.links.iter().map(link).collect();
        json!({
            "events": tally.events,
            "deliveries": tally.deliveries,
            "delivered": tally.delivered,
            "merged": tally.merged,
            "skipped": tally.skipped_total(),
            "dead": tally.dead_total(),
            "calls": self.calls,
            "throttled": self.throttled,
            "seconds": seconds(self.elapsed),
            "skipped_by_reason": tally.skipped,
            "dead_by_code": tally.dead,
            "links_waiting": self.waiting.count,
            "links": links,
        })
    }

    /// The page of `--output text`.
    #[must_use]
    pub(crate) fn to_text(&self, dead_letters: &Path) -> String {
        let tally = &self.tally;
        let mut page = String::new();
        let calls: u64 = self.calls.values().sum();
        line(
            &mut page,
            format_args!(
                "{}, {} in {:.1} s with {}",
                counted(tally.events, "event"),
                deliveries(tally.deliveries),
                self.elapsed.as_secs_f64(),
                counted(calls, "call"),
            ),
        );
        line(
            &mut page,
            format_args!("  delivered {:>9}", grouped(tally.delivered)),
        );
        line(
            &mut page,
            format_args!("  merged    {:>9}", grouped(tally.merged)),
        );
        line(
            &mut page,
            format_args!(
                "  skipped   {:>9}{}",
                grouped(tally.skipped_total()),
                listed(&tally.skipped)
            ),
        );
        line(
            &mut page,
            format_args!(
                "  dead      {:>9}{}",
                grouped(tally.dead_total()),
                listed(&tally.dead)
            ),
        );
        for (endpoint, count) in &self.calls {
            let noun = if *count == 1 { "call " } else { "calls" };
            line(
                &mut page,
                format_args!("  {:>6} {noun}  {endpoint}", grouped(*count)),
            );
        }
        if self.throttled > 0 {
            line(
                &mut page,
                format_args!(
                    "  {} refused by the rate limit, and made again",
                    counted(self.throttled, "call")
                ),
            );
        }
        if self.waiting.count > 0 {
            page.push_str(&self.waiting.to_text());
        }
        if !tally.causes.is_empty() {
            line(
                &mut page,
                format_args!("dead letters in {}:", dead_letters.display()),
            );
            page.push_str(&causes(tally, &self.ids));
        }
        page
    }
}

fn deliveries(number: u64) -> String {
    if number == 1 {
        "1 delivery".to_owned()
    } else {
        format!("{} deliveries", grouped(number))
    }
}

/// Links that are named on a page.
const NAMED_LINKS: usize = 10;

impl Waiting {
    /// How many wait, and some of them. Those that Redis keeps go on waiting; those of this process cannot.
    fn to_text(&self) -> String {
        let mut page = String::new();
        let (waits, they, them) = match self.count {
            1 => ("waits for its contact", "it ends", "it"),
            _ => ("wait for their contact", "they end", "them"),
        };
        let count = counted(self.count, "association");
        if self.links.is_empty() {
            line(
                &mut page,
                format_args!("{count} {waits}; Redis remembers {them}"),
            );
        } else {
            line(
                &mut page,
                format_args!("{count} found no contact; without Redis {they} here:"),
            );
        }
        for link in self.links.iter().take(NAMED_LINKS) {
            let from = link
                .origin
                .as_ref()
                .map_or_else(String::new, |origin| format!(", line {}", origin.offset));
            line(
                &mut page,
                format_args!(
                    "  {} {}  ({}{from})",
                    link.from_object.as_str(),
                    link.from.as_str(),
                    link.mapping,
                ),
            );
        }
        let named = size(self.links.len().min(NAMED_LINKS));
        if named > 0 && self.count > named {
            line(
                &mut page,
                format_args!("  and {} more", grouped(self.count - named)),
            );
        }
        page
    }
}

/// Dead deliveries by cause, with an example and a hint each.
pub(crate) fn causes(tally: &Tally, ids: &[String]) -> String {
    let mut page = String::new();
    let mut sorted: Vec<_> = tally.causes.iter().collect();
    sorted.sort_by_key(|(_, deaths)| std::cmp::Reverse(deaths.count));
    for (cause, deaths) in sorted {
        let place = name(cause.mapping, ids);
        let property = cause
            .property
            .as_ref()
            .map_or_else(String::new, |property| format!(", {property}"));
        line(
            &mut page,
            format_args!("  {:>5}  {}  ({place}{property})", deaths.count, cause.code),
        );
        page.push_str(&wrapped(9, "", &shortened(&deaths.example)));
        page.push_str(&wrapped(9, "→ ", hint(cause.code)));
    }
    page
}

/// `DESTINATION/NAME`, or `none`.
pub(crate) fn name(mapping: Option<MappingIndex>, ids: &[String]) -> &str {
    mapping
        .and_then(|index| ids.get(usize::try_from(index.0).ok()?))
        .map_or("none", String::as_str)
}

fn link(link: &Link) -> Value {
    let line = link.origin.as_ref().map(|origin| origin.offset);
    json!({
        "mapping": link.mapping,
        "from_object": link.from_object.as_str(),
        "from": link.from.as_str(),
        "line": line,
    })
}

fn listed(reasons: &BTreeMap<&'static str, u64>) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    format!("  ({})", parts.join(", "))
}

fn shortened(message: &str) -> String {
    const LONGEST: usize = 138;
    if message.chars().count() <= LONGEST {
        return message.to_owned();
    }
    let kept: String = message.chars().take(LONGEST).collect();
    format!("{kept}…")
}

/// Seconds with three digits.
pub(crate) fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0
}

pub(crate) fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    writeln!(page, "{text}").ok();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hubferry_actions::{AssociationType, ObjectType, RecordId};
    use hubferry_memory::{LinkId, LinkOrigin};

    use super::*;
    use crate::closing::{Closing, Failed};

    fn sample() -> Report {
        let mut tally = Tally {
            events: 4,
            deliveries: 4,
            ..Tally::default()
        };
        tally.count(Some(MappingIndex(0)), &Closing::Delivered);
        tally.count(Some(MappingIndex(0)), &Closing::Merged);
        tally.count(None, &Closing::Skipped("not_subscribed"));
        let failed = Failed::here(
            "mapping",
            "payload_invalid",
            "email: not an e-mail".to_owned(),
        );
        tally.count(
            Some(MappingIndex(0)),
            &Closing::Dead(Box::new(failed.about(Some("email".to_owned())))),
        );
        let mut books = StatsSnapshot::default();
        books
            .calls
            .entry("contacts/batch/upsert".to_owned())
            .or_default()
            .calls = 1;
        Report::new(
            &tally,
            &[books],
            Waiting::default(),
            Duration::from_millis(1_234),
            &["acme/contacts".to_owned()],
        )
    }

    #[test]
    fn the_json_has_every_fixed_name() {
        insta::assert_snapshot!(sample().to_json().to_string(), @r#"{"events":4,"deliveries":4,"delivered":1,"merged":1,"skipped":1,"dead":1,"calls":{"contacts/batch/upsert":1},"throttled":0,"seconds":1.234,"skipped_by_reason":{"not_subscribed":1},"dead_by_code":{"payload_invalid":1},"links_waiting":0,"links":[]}"#);
    }

    fn waiting(count: u64, named: usize) -> Waiting {
        let from = (ObjectType::companies(), RecordId::new("901"));
        let link = |line: usize| Link {
            id: LinkId::of("acme/companies", (&from.0, &from.1), &[], &line.to_string()),
            mapping: "acme/companies".to_owned(),
            from_object: from.0.clone(),
            from: from.1.clone(),
            kind: AssociationType {
                category: Arc::from("HUBSPOT_DEFINED"),
                type_id: 280,
            },
            since_ms: 0,
            expires_ms: 1,
            origin: Some(LinkOrigin {
                topic: "input".to_owned(),
                partition: 0,
                offset: i64::try_from(line).unwrap(),
                element: None,
                message_id: None,
            }),
        };
        Waiting {
            count,
            links: (0..named).map(link).collect(),
        }
    }

    #[test]
    fn waiting_links_are_named_up_to_ten() {
        insta::assert_snapshot!(waiting(1, 1).to_text(), @"
        1 association found no contact; without Redis it ends here:
          companies 901  (acme/companies, line 0)
        ");
        let page = waiting(1_012, 12).to_text();
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), 12, "{page}");
        assert_eq!(lines[10], "  companies 901  (acme/companies, line 9)");
        assert_eq!(lines[11], "  and 1,002 more");
        insta::assert_snapshot!(waiting(2, 0).to_text(), @"2 associations wait for their contact; Redis remembers them");
    }

    #[test]
    fn the_page_explains_the_dead() {
        insta::assert_snapshot!(sample().to_text(Path::new("dead.ndjson")), @r"
        4 events, 4 deliveries in 1.2 s with 1 call
          delivered         1
          merged            1
          skipped           1  (not_subscribed 1)
          dead              1  (payload_invalid 1)
               1 call   contacts/batch/upsert
        dead letters in dead.ndjson:
              1  payload_invalid  (acme/contacts, email)
                 email: not an e-mail
                 → correct the value at the source, or map another field
        ");
    }
}
