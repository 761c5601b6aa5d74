//! What the demo shows at its end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::{causes, line, seconds};
use crate::tally::Tally;

/// Everything the summary says.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) tally: Tally,
    pub(crate) ids: Vec<String>,
    pub(crate) contacts: usize,
    pub(crate) companies: usize,
    pub(crate) associations: usize,
    pub(crate) calls: u64,
    pub(crate) calls_one_by_one: u64,
    /// Calls allowed in any ten seconds.
    pub(crate) limit: u32,
    /// The most calls HubSpot saw in any ten seconds.
    pub(crate) worst_window: usize,
    pub(crate) throttled: u64,
    /// Inputs the calls carried, against what they could have carried.
    pub(crate) filled: Option<f64>,
    pub(crate) links_waiting: u64,
    pub(crate) elapsed: Duration,
    pub(crate) dead_letter_topic: String,
}

impl Summary {
    /// One JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let tally = &self.tally;
        json!({
            "events": tally.events,
            "deliveries": tally.deliveries,
            "delivered": tally.delivered,
            "merged": tally.merged,
            "skipped": tally.skipped_total(),
            "dead": tally.dead_total(),
            "skipped_by_reason": tally.skipped,
            "dead_by_code": tally.dead,
            "records": { "contacts": self.contacts, "companies": self.companies },
            "associations": self.associations,
            "calls": self.calls,
            "calls_one_by_one": self.calls_one_by_one,
            "limit": self.limit,
            "worst_window": self.worst_window,
            "throttled": self.throttled,
            "filled": self.filled,
            "links_waiting": self.links_waiting,
            "seconds": seconds(self.elapsed),
        })
    }

    /// A page for people.
    pub(crate) fn to_text(&self) -> String {
        let tally = &self.tally;
        let mut page = String::from("\n");
        line(
            &mut page,
            format_args!(
                "  {} events went from Kafka to HubSpot in {:.1} seconds",
                grouped(tally.events),
                self.elapsed.as_secs_f64()
            ),
        );
        page.push('\n');
        line(&mut page, format_args!("  {}", self.sum()));
        page.push('\n');
        for (what, value) in [
            (
                "records written",
                format!(
                    "{} contacts, {} companies",
                    grouped(size(self.contacts)),
                    grouped(size(self.companies))
                ),
            ),
            ("associations made", self.associations()),
            ("calls made", self.calls()),
            ("limit", self.limit()),
        ] {
            line(&mut page, format_args!("  {what:<18} {value}"));
        }
        if !tally.causes.is_empty() {
            page.push('\n');
            line(
                &mut page,
                format_args!(
                    "  {} deliveries could not succeed; they are kept on {} with the reason:",
                    grouped(tally.dead_total()),
                    self.dead_letter_topic
                ),
            );
            page.push_str(&causes(tally, &self.ids));
        }
        page.push('\n');
        line(
            &mut page,
            format_args!(
                "  Next: `hubferry config reference > hubferry.yaml`, then `hubferry check --config hubferry.yaml`"
            ),
        );
        page
    }

    fn sum(&self) -> String {
        let tally = &self.tally;
        let verdict = if tally.ended() == tally.deliveries {
            "the sum matches: nothing is lost"
        } else {
            "THE SUM DOES NOT MATCH"
        };
        format!(
            "{} deliveries = {} delivered + {} merged + {} skipped + {} dead   ({verdict})",
            grouped(tally.deliveries),
            grouped(tally.delivered),
            grouped(tally.merged),
            grouped(tally.skipped_total()),
            grouped(tally.dead_total()),
        )
    }

    fn associations(&self) -> String {
        let made = grouped(size(self.associations));
        if self.links_waiting == 0 {
            format!("{made} between companies and contacts")
        } else {
            format!(
                "{made} between companies and contacts, {} wait for their contact",
                self.links_waiting
            )
        }
    }

    /// The comparison, with how it is counted.
    fn calls(&self) -> String {
        let ten_seconds = self.calls_one_by_one.div_ceil(u64::from(self.limit.max(1)));
        format!(
            "{}; event by event (update, create if new, associate) it would be {}, at this limit {} s",
            grouped(self.calls),
            grouped(self.calls_one_by_one),
            grouped(ten_seconds * 10),
        )
    }

    fn limit(&self) -> String {
        let share = size(self.worst_window) * 100 / u64::from(self.limit.max(1));
        let filled = self.filled.map_or_else(String::new, |filled| {
            format!(", batches {:.0}% full", filled * 100.0)
        });
        format!(
            "{} of {} calls in the busiest 10 s ({share}%), {} refused with 429{filled}",
            self.worst_window, self.limit, self.throttled
        )
    }
}

fn size(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::{Closing, Failed};
    use hubferry_delivery::MappingIndex;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_page_reads_well() {
        let mut tally = Tally {
            events: 4_016,
            deliveries: 3,
            ..Tally::default()
        };
        tally.count(Some(MappingIndex(0)), &Closing::Delivered);
        tally.count(None, &Closing::Skipped("not_subscribed"));
        let failed = Failed::here(
            "record",
            "property_option",
            "VERY_HOT is not an option".to_owned(),
        );
        tally.count(
            Some(MappingIndex(0)),
            &Closing::Dead(Box::new(failed.about(Some("hs_lead_status".to_owned())))),
        );
        let summary = Summary {
            tally,
            ids: vec!["demo/contacts".to_owned()],
            contacts: 900,
            companies: 60,
            associations: 851,
            calls: 48,
            calls_one_by_one: 5_012,
            limit: 100,
            worst_window: 48,
            throttled: 0,
            filled: Some(0.834),
            links_waiting: 0,
            elapsed: Duration::from_millis(7_440),
            dead_letter_topic: "customer-events.hubferry.dlq".to_owned(),
        };
        insta::assert_snapshot!(summary.to_text(), @r"

          4,016 events went from Kafka to HubSpot in 7.4 seconds

          3 deliveries = 1 delivered + 0 merged + 1 skipped + 1 dead   (the sum matches: nothing is lost)

          records written    900 contacts, 60 companies
          associations made  851 between companies and contacts
          calls made         48; event by event (update, create if new, associate) it would be 5,012, at this limit 510 s
          limit              48 of 100 calls in the busiest 10 s (48%), 0 refused with 429, batches 83% full

          1 deliveries could not succeed; they are kept on customer-events.hubferry.dlq with the reason:
              1  property_option  (demo/contacts, hs_lead_status)
                 VERY_HOT is not an option
                 → add the option in HubSpot, or correct the value in the mapping

          Next: `hubferry config reference > hubferry.yaml`, then `hubferry check --config hubferry.yaml`
        ");
    }
}
