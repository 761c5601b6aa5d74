//! What a replay would do, found without asking HubSpot anything: its letters go through the mappings as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroU32;

use hubferry_actions::{DeletionMode, Plan as Asked, Work};
use hubferry_stream::Plan;
use serde_json::{Value, json};

use super::pick::{Chosen, Picked};
use crate::clock::rfc3339;
use crate::closing::Closing;
use crate::intake::{Intake, Source};
use crate::words::{counted, for_people, grouped, size};

/// Records in one call, and associations.
const RECORDS: u64 = 100;

/// Occurrences of events in one call.
const OCCURRENCES: u64 = 500;

/// What a replay would do.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    /// Failed deliveries by mapping and class.
    by_cause: BTreeMap<(String, String), u64>,
    /// Deliveries that the mappings refuse again, by code.
    refused: BTreeMap<&'static str, u64>,
    /// Deliveries whose trigger does not match any more.
    not_needed: u64,
    /// Different records to write, by portal and type.
    records: BTreeMap<(usize, String), BTreeSet<u64>>,
    /// Associations and list memberships, by portal.
    links: BTreeMap<usize, u64>,
    /// Occurrences, by portal.
    occurrences: BTreeMap<usize, u64>,
    /// Contacts to archive, by portal.
    archived: BTreeMap<usize, u64>,
    /// Contacts to delete, one call each.
    deleted: u64,
    /// People, as far as letters name them.
    people: BTreeSet<String>,
}

impl Estimate {
    /// Maps all letters.
    pub(super) fn of(letters: &[Chosen], intake: &Intake) -> Self {
        let mut estimate = Self::default();
        for chosen in letters {
            estimate.add(chosen, intake);
        }
        estimate
    }

    fn add(&mut self, chosen: &Chosen, intake: &Intake) {
        let what = &chosen.letter.letter;
        for failed in what
            .failed
            .iter()
            .filter(|one| chosen.mappings.contains(&one.mapping))
        {
            let cause = (failed.mapping.clone(), failed.class.clone());
            *self.by_cause.entry(cause).or_default() += 1;
        }
        self.people.extend(what.identity_hash.clone());
        let from = Source {
            place: "",
            written_ms: what.written_ms,
        };
        let ids = intake.mapping_ids();
        let id_of = |index: u32| ids.get(index as usize).map_or("", String::as_str);
        let mut planned = 0;
        for read in intake.read(Some(&what.value), &from) {
            for (mapping, closing) in &read.closed {
                if mapping.is_none_or(|mapping| chosen.wants(id_of(mapping.0)))
                    && let Closing::Dead(failed) = closing
                {
                    *self.refused.entry(failed.code).or_default() += 1;
                    planned += 1;
                }
            }
            for (portal, plans) in &read.planned {
                for (mapping, plan) in plans {
                    if chosen.wants(id_of(mapping.0)) {
                        planned += 1;
                        self.asks(portal.0, plan);
                    }
                }
            }
        }
        self.not_needed += size(chosen.mappings.len()).saturating_sub(planned);
    }

    fn asks(&mut self, portal: usize, plan: &Asked) {
        match &plan.work {
            Work::Occurrence(_) => *self.occurrences.entry(portal).or_default() += 1,
            Work::Deletion(step) => match step.mode {
                DeletionMode::Archive => *self.archived.entry(portal).or_default() += 1,
                DeletionMode::Gdpr => self.deleted += 1,
            },
            Work::Record(record) => {
                let named = &record.record.record;
                let key = (portal, named.object.as_str().to_owned());
                self.records
                    .entry(key)
                    .or_default()
                    .insert(hash_of(&named.value));
                let links = size(record.links.len())
                    + u64::from(record.associate.is_some())
                    + u64::from(record.membership.is_some());
                *self.links.entry(portal).or_default() += links;
            }
        }
    }

    /// The calls that it takes at least: full batches, nothing tried twice.
    pub(super) fn calls(&self) -> u64 {
        let records = self
            .records
            .values()
            .map(|records| size(records.len()).div_ceil(RECORDS));
        let archived = self.archived.values().map(|some| some.div_ceil(RECORDS));
        let links = self.links.values().map(|links| links.div_ceil(RECORDS));
        let occurrences = self
            .occurrences
            .values()
            .map(|some| some.div_ceil(OCCURRENCES));
        let batches = records.chain(archived).chain(links).chain(occurrences);
        batches.sum::<u64>() + self.deleted
    }
}

/// Records are told apart by a number: eight bytes each, and nothing personal kept.
fn hash_of(value: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A plan with everything to say about it.
pub(super) struct Shown<'s> {
    /// `None` for letters of a file, which have no journal to keep a plan in.
    pub(super) plan: Option<&'s Plan>,
    pub(super) picked: &'s Picked,
    pub(super) estimate: &'s Estimate,
    /// Calls in ten seconds.
    pub(super) rate: NonZeroU32,
}

impl Shown<'_> {
    fn milliseconds(&self) -> i64 {
        let windows = self.estimate.calls().saturating_mul(10_000);
        i64::try_from(windows / u64::from(self.rate.get())).unwrap_or(i64::MAX)
    }

    pub(super) fn to_json(&self) -> Value {
        let Self {
            plan,
            picked,
            estimate,
            ..
        } = self;
        let causes: Vec<Value> = estimate
            .by_cause
            .iter()
            .map(|((mapping, class), count)| json!({ "mapping": mapping, "class": class, "deliveries": count }))
            .collect();
        json!({
            "plan": plan.map(|plan| &plan.id),
            "expires_at": plan.map(|plan| rfc3339(plan.expires_ms)),
            "letters": picked.letters.len(),
            "deliveries": picked.deliveries(),
            "people": estimate.people.len(),
            "by_mapping_and_class": causes,
            "refused_again": estimate.refused,
            "not_needed": estimate.not_needed,
            "resolved": picked.resolved,
            "exhausted": picked.exhausted,
            "blocked": picked.blocked,
            "gone": picked.gone,
            "calls": estimate.calls(),
            "calls_per_ten_seconds": self.rate,
            "seconds": self.milliseconds() / 1_000,
        })
    }

    pub(super) fn to_text(&self) -> String {
        let Self {
            plan,
            picked,
            estimate,
            ..
        } = self;
        let mut out = format!(
            "{} in {} of {}\n",
            deliveries(picked.deliveries()),
            counted(size(picked.letters.len()), "dead letter"),
            people(size(estimate.people.len())),
        );
        for ((mapping, class), count) in &estimate.by_cause {
            // Writing to a string does not fail.
            writeln!(out, "{:>9}  {mapping}, class {class}", grouped(*count)).ok();
        }
        for (code, count) in &estimate.refused {
            writeln!(
                out,
                "{:>9}  would be refused again: {code}",
                grouped(*count)
            )
            .ok();
        }
        for (count, what) in [
            (
                estimate.not_needed,
                "need nothing any more: their triggers do not match",
            ),
            (picked.resolved, "were resolved before"),
            (picked.exhausted, "letters are left out: replayed too often"),
            (
                picked.blocked,
                "letters are left out: they wait for one that is not selected",
            ),
        ] {
            if count > 0 {
                writeln!(out, "{:>9}  {what}", grouped(count)).ok();
            }
        }
        for (mapping, count) in &picked.gone {
            writeln!(
                out,
                "{:>9}  left out: mapping {mapping} is not enabled",
                grouped(*count)
            )
            .ok();
        }
        let whole = (self.milliseconds() / 1_000).max(1) * 1_000;
        writeln!(
            out,
            "at least {}: about {} at {} calls per 10 s; newer values in HubSpot stay",
            counted(estimate.calls(), "call"),
            for_people(whole),
            self.rate
        )
        .ok();
        if let Some(plan) = plan {
            writeln!(
                out,
                "plan {}, good until {}: hubferry replay run {}",
                plan.id,
                rfc3339(plan.expires_ms),
                plan.id
            )
            .ok();
        }
        out
    }
}

pub(super) fn deliveries(count: u64) -> String {
    match count {
        1 => "1 delivery".to_owned(),
        many => format!("{} deliveries", grouped(many)),
    }
}

fn people(count: u64) -> String {
    match count {
        1 => "1 person".to_owned(),
        many => format!("{} people", grouped(many)),
    }
}
