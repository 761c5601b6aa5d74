//! What the demo shows at its end.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::report::{causes, line, seconds};
use crate::tally::Tally;
use crate::words::{counted, grouped, size};

/// Everything the summary says.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) tally: Tally,
    pub(crate) ids: Vec<String>,
    pub(crate) contacts: usize,
    pub(crate) companies: usize,
    pub(crate) associations: usize,
    pub(crate) calls: u64,
    /// Calls that can carry many inputs, the most frequent first.
    pub(crate) batches: Vec<Batch>,
    pub(crate) calls_one_by_one: u64,
    /// Calls allowed in any ten seconds.
    pub(crate) limit: u32,
    /// The most calls HubSpot saw in any ten seconds.
    pub(crate) worst_window: usize,
    pub(crate) throttled: u64,
    pub(crate) links_waiting: u64,
    /// From the first message read to the last one finished.
    pub(crate) elapsed: Duration,
    pub(crate) dead_letter_topic: String,
}

/// The calls of one kind.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) endpoint: String,
    pub(crate) calls: u64,
    /// Inputs of the calls that succeeded.
    pub(crate) inputs: u64,
    /// The most inputs one call takes.
    pub(crate) most: u64,
}

impl Batch {
    fn each(&self) -> u64 {
        (self.inputs + self.calls / 2) / self.calls.max(1)
    }

    fn is_association(&self) -> bool {
        self.endpoint.starts_with("associations/")
    }

    fn what(&self) -> String {
        if self.is_association() {
            return "associations".to_owned();
        }
        match self.endpoint.split_once("/batch/") {
            Some((object, verb)) => format!("{verb}s of {object}"),
            None => self.endpoint.clone(),
        }
    }
}

impl Summary {
    /// One JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let tally = &self.tally;
        let batches: Map<String, Value> = self
            .batches
            .iter()
            .map(|batch| {
                let counts = json!({ "calls": batch.calls, "inputs": batch.inputs, "max_inputs": batch.most });
                (batch.endpoint.clone(), counts)
            })
            .collect();
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
            "batches": batches,
            "calls_one_by_one": self.calls_one_by_one,
            "limit": self.limit,
            "worst_window": self.worst_window,
            "throttled": self.throttled,
            "links_waiting": self.links_waiting,
            "seconds": seconds(self.elapsed),
        })
    }

    /// A page for people, made for 80 columns.
    pub(crate) fn to_text(&self) -> String {
        let mut page = String::from("\n");
        line(
            &mut page,
            format_args!(
                "  {} went from Kafka into HubSpot in {:.1} seconds",
                counted(self.tally.events, "event"),
                self.elapsed.as_secs_f64()
            ),
        );
        page.push('\n');
        self.write_sum(&mut page);
        page.push('\n');
        self.write_records(&mut page);
        self.write_calls(&mut page);
        self.write_comparison(&mut page);
        if !self.tally.causes.is_empty() {
            page.push('\n');
            line(
                &mut page,
                format_args!(
                    "  The dead, with the reason, kept on {}:",
                    self.dead_letter_topic
                ),
            );
            page.push('\n');
            page.push_str(&causes(&self.tally, &self.ids));
        }
        page.push('\n');
        page.push_str("  Next: hubferry config reference > hubferry.yaml\n");
        page.push_str("        hubferry check --config hubferry.yaml\n");
        page
    }

    /// Every delivery under exactly one ending.
    fn write_sum(&self, page: &mut String) {
        let tally = &self.tally;
        let verdict = if tally.ended() == tally.deliveries {
            "it adds up: nothing is lost"
        } else {
            "THIS DOES NOT ADD UP"
        };
        for (sign, number, what, meaning) in [
            (' ', tally.deliveries, "deliveries", verdict),
            ('=', tally.delivered, "delivered", ""),
            (
                '+',
                tally.merged,
                "merged",
                "their values went out with a newer event's",
            ),
            (
                '+',
                tally.skipped_total(),
                "skipped",
                "no mapping wants them, or they ask to be left out",
            ),
            (
                '+',
                tally.dead_total(),
                "dead",
                "they can never succeed as they are: see below",
            ),
        ] {
            let said = format!("  {sign} {:>8} {what:<12} {meaning}", grouped(number));
            line(page, format_args!("{}", said.trim_end()));
        }
    }

    fn write_records(&self, page: &mut String) {
        let waiting = match self.links_waiting {
            0 => String::new(),
            1 => ", 1 waits for its contact".to_owned(),
            more => format!(", {} wait for their contact", grouped(more)),
        };
        entry(
            page,
            "records",
            format_args!(
                "{} contacts, {} companies, {} associations{waiting}",
                grouped(size(self.contacts)),
                grouped(size(self.companies)),
                grouped(size(self.associations)),
            ),
        );
    }

    fn write_calls(&self, page: &mut String) {
        let refused = match self.throttled {
            0 => "none refused with 429".to_owned(),
            some => format!("{} refused with 429", grouped(some)),
        };
        entry(
            page,
            "calls",
            format_args!("{}, {refused}", grouped(self.calls)),
        );
        for batch in &self.batches {
            let filled = if batch.is_association() {
                format!("{} each, on a limit of their own", grouped(batch.each()))
            } else {
                format!(
                    "{} of {} places used",
                    grouped(batch.each()),
                    grouped(batch.most)
                )
            };
            entry(
                page,
                "",
                format_args!("{:>4}  {:<22} {filled}", grouped(batch.calls), batch.what()),
            );
        }
        let batched: u64 = self.batches.iter().map(|batch| batch.calls).sum();
        if self.calls > batched {
            let others = grouped(self.calls - batched);
            entry(page, "", format_args!("{others:>4}  others"));
        }
        let share = size(self.worst_window) * 100 / u64::from(self.limit.max(1));
        entry(
            page,
            "limit",
            format_args!(
                "{} of {} calls in the busiest 10 seconds ({share}%)",
                self.worst_window, self.limit
            ),
        );
    }

    /// With how it is counted.
    fn write_comparison(&self, page: &mut String) {
        let windows = self.calls_one_by_one.div_ceil(u64::from(self.limit.max(1)));
        entry(
            page,
            "one by one",
            format_args!(
                "{} calls, {} at this limit: an update for each event,",
                grouped(self.calls_one_by_one),
                counted((windows * 10).div_ceil(60), "minute"),
            ),
        );
        entry(
            page,
            "",
            format_args!("a create where that finds nobody, an association for each group"),
        );
    }
}

fn entry(page: &mut String, title: &str, text: std::fmt::Arguments<'_>) {
    line(page, format_args!("  {title:<11} {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::{Closing, Failed};
    use hubferry_delivery::MappingIndex;

    #[test]
    fn the_page_reads_well() {
        let mut tally = Tally {
            events: 30_016,
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
            contacts: 15_000,
            companies: 600,
            associations: 3_851,
            calls: 168,
            batches: vec![
                Batch {
                    endpoint: "contacts/batch/upsert".to_owned(),
                    calls: 152,
                    inputs: 15_042,
                    most: 100,
                },
                Batch {
                    endpoint: "associations/companies/contacts/batch/create".to_owned(),
                    calls: 3,
                    inputs: 3_851,
                    most: 2_000,
                },
            ],
            calls_one_by_one: 45_012,
            limit: 100,
            worst_window: 97,
            throttled: 0,
            links_waiting: 1,
            elapsed: Duration::from_millis(17_440),
            dead_letter_topic: "customer-events.hubferry.dlq".to_owned(),
        };
        insta::assert_snapshot!(summary.to_text(), @r"

        30,016 events went from Kafka into HubSpot in 17.4 seconds

                 3 deliveries   it adds up: nothing is lost
        =        1 delivered
        +        0 merged       their values went out with a newer event's
        +        1 skipped      no mapping wants them, or they ask to be left out
        +        1 dead         they can never succeed as they are: see below

        records     15,000 contacts, 600 companies, 3,851 associations, 1 waits for its contact
        calls       168, none refused with 429
                     152  upserts of contacts    99 of 100 places used
                       3  associations           1,284 each, on a limit of their own
                      13  others
        limit       97 of 100 calls in the busiest 10 seconds (97%)
        one by one  45,012 calls, 76 minutes at this limit: an update for each event,
                    a create where that finds nobody, an association for each group

        The dead, with the reason, kept on customer-events.hubferry.dlq:

            1  property_option  (demo/contacts, hs_lead_status)
               VERY_HOT is not an option
               → add the option in HubSpot, or correct the value in the mapping

        Next: hubferry config reference > hubferry.yaml
              hubferry check --config hubferry.yaml
        ");
    }
}
