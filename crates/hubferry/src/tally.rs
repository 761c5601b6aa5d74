//! The sums: every delivery that was opened is counted under exactly one ending, or is still open.

use std::collections::BTreeMap;

use hubferry_delivery::{MappingIndex, Note};

use crate::closing::{Closing, Failed};

/// What was counted so far. `deliveries = delivered + merged + skipped + dead + open` always.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    /// Events read.
    pub(crate) events: u64,
    /// Deliveries made of them.
    pub(crate) deliveries: u64,
    /// Ended delivered.
    pub(crate) delivered: u64,
    /// Ended merged.
    pub(crate) merged: u64,
    /// Ended skipped, by reason.
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    /// Ended dead, by code.
    pub(crate) dead: BTreeMap<&'static str, u64>,
    /// Every ending by mapping, ending and reason.
    pub(crate) by_mapping: BTreeMap<(Option<MappingIndex>, &'static str, &'static str), u64>,
    /// Dead deliveries by cause; beyond a bound further causes are counted under their code alone.
    pub(crate) causes: BTreeMap<Cause, Deaths>,
    /// Properties left out, by mapping and reason; without a mapping when several of an event's may have.
    pub(crate) dropped_properties: BTreeMap<(Option<MappingIndex>, &'static str), u64>,
    /// Deliveries that ended with a link still waiting.
    pub(crate) waiting_links: u64,
    /// Dead letters that were parked.
    pub(crate) parked: u64,
}

/// Why deliveries died: mapping, code and property.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Cause {
    /// The code.
    pub(crate) code: &'static str,
    /// The mapping; none when no mapping was reached.
    pub(crate) mapping: Option<MappingIndex>,
    /// The property at fault.
    pub(crate) property: Option<String>,
}

/// The deliveries of one cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Deaths {
    /// How many.
    pub(crate) count: u64,
    /// The class of the failure.
    pub(crate) class: &'static str,
    /// The stage at which they died.
    pub(crate) stage: &'static str,
    /// What the first of them said.
    pub(crate) example: String,
}

/// Causes told apart.
const CAUSES: usize = 500;

impl Tally {
    /// All skipped deliveries.
    #[must_use]
    pub(crate) fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// All dead deliveries.
    #[must_use]
    pub(crate) fn dead_total(&self) -> u64 {
        self.dead.values().sum()
    }

    /// All deliveries that ended.
    #[must_use]
    pub(crate) fn ended(&self) -> u64 {
        self.delivered + self.merged + self.skipped_total() + self.dead_total()
    }

    pub(crate) fn count(&mut self, mapping: Option<MappingIndex>, closing: &Closing) {
        match closing {
            Closing::Delivered => self.delivered += 1,
            Closing::Merged => self.merged += 1,
            Closing::Skipped(reason) => *self.skipped.entry(reason).or_default() += 1,
            Closing::Dead(failed) => {
                *self.dead.entry(failed.code).or_default() += 1;
                self.count_cause(mapping, failed);
            }
        }
        let key = (mapping, closing.as_str(), closing.reason());
        *self.by_mapping.entry(key).or_default() += 1;
    }

    fn count_cause(&mut self, mapping: Option<MappingIndex>, failed: &Failed) {
        let full = self.causes.len() >= CAUSES;
        let cause = Cause {
            code: failed.code,
            mapping,
            property: failed.property.clone().filter(|_| !full),
        };
        let deaths = self.causes.entry(cause).or_insert_with(|| Deaths {
            count: 0,
            class: failed.class,
            stage: failed.stage,
            example: failed.message.clone(),
        });
        deaths.count += 1;
    }

    pub(crate) fn dropped_invalid(&mut self, fields: u64) {
        if fields > 0 {
            let key = (None, "invalid");
            *self.dropped_properties.entry(key).or_default() += fields;
        }
    }

    pub(crate) fn note(&mut self, mapping: Option<MappingIndex>, notes: &[Note]) {
        for note in notes {
            match note {
                Note::DroppedProperty { reason, .. } => {
                    let key = (mapping, *reason);
                    *self.dropped_properties.entry(key).or_default() += 1;
                }
                Note::WaitingLink => self.waiting_links += 1,
                Note::MissingTarget => {}
            }
        }
    }
}
