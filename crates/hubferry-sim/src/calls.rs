//! The log of calls and the counts drawn from it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use crate::objects::ObjectType;
use crate::records::millis;

/// Calls kept in the log; older ones are dropped so that a long run stays small.
const LONGEST_LOG: usize = 200_000;

/// One call as it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEntry {
    /// The number of the call; the first is 1.
    pub call: u64,
    /// Arrival, in milliseconds since the simulator started.
    #[serde(rename = "at_ms")]
    pub at_ms: u64,
    /// HTTP method.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// HTTP status of the answer. A call that was cut off keeps the status it would have had, or 0 when nothing was done.
    pub status: u16,
    /// Batch inputs carried.
    pub inputs: usize,
}

/// What one endpoint saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointSummary {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls answered with 429.
    pub throttled: u64,
    /// Calls answered with another error, or given up before they took effect.
    pub refused: u64,
    /// Batch inputs of calls answered with success.
    pub inputs: u64,
    /// Inputs one call can carry; 0 for an endpoint that is no batch.
    pub max_inputs: u64,
    /// Share of the places used by successful calls later than one second after the first call of the endpoint.
    pub fill: Option<f64>,
}

/// Counts of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Records by object type.
    pub records: BTreeMap<ObjectType, usize>,
    /// Joined pairs of records, each counted once.
    pub associations: usize,
    /// Calls by endpoint.
    pub endpoints: BTreeMap<String, EndpointSummary>,
    /// All calls.
    pub calls: u64,
    /// All 429s.
    pub throttled: u64,
    /// All inputs of successful batch calls.
    pub inputs: u64,
    /// The most calls of the general bucket in any rolling ten seconds.
    pub worst_ten_seconds: usize,
    /// The most searches in any rolling second.
    pub worst_search_second: usize,
    /// The most association batch and label calls in any rolling ten seconds.
    pub worst_association_ten_seconds: usize,
    /// Calls counted against the account's day.
    pub used_today: u32,
}

#[derive(Debug, Default)]
struct Tally {
    first: Duration,
    calls: u64,
    throttled: u64,
    refused: u64,
    inputs: u64,
    max_inputs: u64,
    later_calls: u64,
    later_inputs: u64,
}

/// A call that came back.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) call: u64,
    pub(crate) at: Duration,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) max_inputs: u64,
    pub(crate) status: u16,
    pub(crate) inputs: usize,
}

/// Log and tallies.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    entries: VecDeque<CallEntry>,
    tallies: BTreeMap<String, Tally>,
}

impl CallLog {
    pub(crate) fn record(&mut self, finished: &Finished<'_>) {
        self.tally(finished);
        if self.entries.len() == LONGEST_LOG {
            self.entries.pop_front();
        }
        self.entries.push_back(CallEntry {
            call: finished.call,
            at_ms: millis(finished.at),
            method: finished.method.to_owned(),
            path: finished.path.to_owned(),
            status: finished.status,
            inputs: finished.inputs,
        });
    }

    fn tally(&mut self, finished: &Finished<'_>) {
        if !self.tallies.contains_key(finished.endpoint) {
            let first = Tally {
                first: finished.at,
                ..Tally::default()
            };
            self.tallies.insert(finished.endpoint.to_owned(), first);
        }
        let Some(tally) = self.tallies.get_mut(finished.endpoint) else {
            return;
        };
        tally.calls += 1;
        tally.max_inputs = finished.max_inputs;
        match finished.status {
            200..=299 => {
                let inputs = finished.inputs as u64;
                tally.inputs += inputs;
                if finished.at > tally.first + Duration::from_secs(1) {
                    tally.later_calls += 1;
                    tally.later_inputs += inputs;
                }
            }
            429 => tally.throttled += 1,
            _ => tally.refused += 1,
        }
    }

    pub(crate) fn entries(&self) -> Vec<CallEntry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn endpoints(&self) -> BTreeMap<String, EndpointSummary> {
        self.tallies
            .iter()
            .map(|(name, tally)| (name.clone(), tally.summary()))
            .collect()
    }
}

impl Tally {
    fn summary(&self) -> EndpointSummary {
        let places = self.later_calls * self.max_inputs;
        EndpointSummary {
            calls: self.calls,
            throttled: self.throttled,
            refused: self.refused,
            inputs: self.inputs,
            max_inputs: self.max_inputs,
            fill: (places > 0).then(|| self.later_inputs as f64 / places as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CallLog, Finished};

    #[test]
    fn fill_counts_successful_calls_after_the_first_second() {
        let mut log = CallLog::default();
        let rows = [
            (0, 200, 10),
            (1_000, 200, 20),
            (1_001, 200, 100),
            (2_000, 207, 50),
            (3_000, 429, 0),
            (3_100, 400, 100),
        ];
        for (at, status, inputs) in rows {
            log.record(&Finished {
                call: 1,
                at: Duration::from_millis(at),
                method: "POST",
                path: "/x",
                endpoint: "contacts/batch/upsert",
                max_inputs: 100,
                status,
                inputs,
            });
        }
        let summary = &log.endpoints()["contacts/batch/upsert"];
        assert_eq!(
            (
                summary.calls,
                summary.throttled,
                summary.refused,
                summary.inputs
            ),
            (6, 1, 1, 180)
        );
        assert_eq!(summary.fill, Some(0.75));
        assert_eq!(log.entries().len(), 6);
    }
}
