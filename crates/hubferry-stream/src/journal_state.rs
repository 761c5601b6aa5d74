//! What the replay journal says, folded from its records. Pure: time comes in from outside.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::journal::{Audit, Claim, DeliveryResult, Ending, Entry, JournalError, Lease, Plan, Run};
use crate::letter::FailedMapping;
use crate::letter_read::Letter;

/// Audit lines that are kept at hand; all of them stay in the topic.
const AUDITS: usize = 1_000;

/// The journal's state after its records so far.
#[derive(Clone, Debug, Default)]
pub struct JournalState {
    plans: BTreeMap<String, Plan>,
    runs: BTreeMap<String, Run>,
    /// By replay and process.
    leases: BTreeMap<String, BTreeMap<String, Tenure>>,
    /// By key.
    claims: HashMap<String, Claim>,
    /// By letter: who claimed it, the first one first.
    claimants: HashMap<String, Vec<Claimant>>,
    /// By letter and mapping.
    results: HashMap<String, BTreeMap<String, DeliveryResult>>,
    audits: VecDeque<Audit>,
}

/// A process on a replay.
#[derive(Clone, Copy, Debug)]
struct Tenure {
    since: i64,
    until_ms: i64,
}

#[derive(Clone, Debug)]
struct Claimant {
    offset: i64,
    run: String,
    tenure: i64,
}

/// Deliveries of dead letters, by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Not resolved and not discarded.
    pub open: u64,
    /// Delivered by a replay.
    pub resolved: u64,
    /// Not wanted any more.
    pub discarded: u64,
}

impl JournalState {
    /// Takes the next record in.
    ///
    /// # Errors
    ///
    /// It is no record of a journal, or one of a later version; the state stays as it was.
    pub fn apply(
        &mut self,
        offset: i64,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), JournalError> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            self.take_back(key);
            return Ok(());
        };
        match Entry::read(offset, value)? {
            None => (),
            Some(Entry::Plan(plan)) => {
                self.plans.insert(plan.id.clone(), plan);
            }
            Some(Entry::Run(run)) => {
                self.runs.insert(run.id.clone(), run);
            }
            Some(Entry::Lease(lease)) => self.lease(offset, lease),
            Some(Entry::Claim(claim)) => self.claim(offset, key, claim),
            Some(Entry::Result(result)) => {
                let results = self.results.entry(result.letter.clone()).or_default();
                results.insert(result.mapping.clone(), result);
            }
            Some(Entry::Audit(audit)) => {
                self.audits.push_back(audit);
                if self.audits.len() > AUDITS {
                    self.audits.pop_front();
                }
            }
        }
        Ok(())
    }

    /// A plan.
    #[must_use]
    pub fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.get(id)
    }

    /// All replays, by id.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// A replay.
    #[must_use]
    pub fn run(&self, id: &str) -> Option<&Run> {
        self.runs.get(id)
    }

    /// The last thousand audit lines, oldest first.
    pub fn audits(&self) -> impl Iterator<Item = &Audit> {
        self.audits.iter()
    }

    /// The process that works on a replay, with its tenure.
    #[must_use]
    pub fn holder(&self, run: &str, now_ms: i64) -> Option<(&str, i64)> {
        let leases = self.leases.get(run)?.iter();
        let alive = leases.filter(|(_, tenure)| tenure.until_ms > now_ms);
        alive
            .map(|(holder, tenure)| (holder.as_str(), tenure.since))
            .min_by_key(|(_, since)| *since)
    }

    /// The replay that works on a dead letter: the first one that claimed it and whose process is still the same.
    #[must_use]
    pub fn claimed_by(&self, letter: &str, now_ms: i64) -> Option<&str> {
        let claimants = self.claimants.get(letter)?.iter();
        claimants
            .filter(|claimant| {
                let holder = self.holder(&claimant.run, now_ms);
                holder.is_some_and(|(_, tenure)| tenure == claimant.tenure)
            })
            .min_by_key(|claimant| claimant.offset)
            .map(|claimant| claimant.run.as_str())
    }

    /// How a delivery of a dead letter ended; `None` when it has not, or when the letter failed anew since.
    #[must_use]
    pub fn result(&self, letter: &str, mapping: &str, offset: i64) -> Option<&DeliveryResult> {
        let result = self.results.get(letter)?.get(mapping)?;
        (result.offset >= offset).then_some(result)
    }

    /// Whether a delivery of a dead letter is neither resolved nor discarded.
    #[must_use]
    pub fn is_open(&self, letter: &str, mapping: &str, offset: i64) -> bool {
        let result = self.result(letter, mapping, offset);
        result.is_none_or(|result| result.result == Ending::Failed)
    }

    /// The failed mappings of a letter that are still open.
    #[must_use]
    pub fn open_in<'l>(&self, letter: &'l Letter) -> Vec<&'l FailedMapping> {
        let (id, offset) = (letter.id(), letter.at.offset.get());
        let failed = letter.letter.failed.iter();
        failed
            .filter(|failed| self.is_open(&id, &failed.mapping, offset))
            .collect()
    }

    /// Counts the failed mappings of a letter by how they stand.
    pub fn count(&self, letter: &Letter, standing: &mut Standing) {
        let (id, offset) = (letter.id(), letter.at.offset.get());
        for failed in &letter.letter.failed {
            let result = self.result(&id, &failed.mapping, offset);
            match result.map(|result| result.result) {
                None | Some(Ending::Failed) => standing.open += 1,
                Some(Ending::Resolved) => standing.resolved += 1,
                Some(Ending::Discarded) => standing.discarded += 1,
            }
        }
    }

    /// The keys of what a process holds of a replay: to be taken back when it ends.
    #[must_use]
    pub fn held(&self, run: &str, holder: &str) -> Vec<String> {
        let tenure = self.leases.get(run).and_then(|leases| leases.get(holder));
        let Some(tenure) = tenure else {
            return Vec::new();
        };
        let mut keys = vec![crate::journal::lease_key(run, holder)];
        let own = |claim: &Claim| claim.run == run && claim.tenure == tenure.since;
        let claims = self.claims.iter().filter(|(_, claim)| own(claim));
        keys.extend(claims.map(|(key, _)| key.clone()));
        keys
    }

    /// The keys of claims whose process is gone for good: another one has begun, or the replay is over. Taking them back
    /// keeps the journal small; leaving them changes nothing.
    #[must_use]
    pub fn stale_claims(&self, run: &str, now_ms: i64) -> Vec<String> {
        let tenure = self.holder(run, now_ms).map(|(_, tenure)| tenure);
        let stale = |claim: &Claim| claim.run == run && tenure.is_none_or(|own| claim.tenure < own);
        let claims = self.claims.iter().filter(|(_, claim)| stale(claim));
        claims.map(|(key, _)| key.clone()).collect()
    }

    /// Whether a claim of this key stands.
    pub(crate) fn has_claim(&self, key: &str) -> bool {
        self.claims.contains_key(key)
    }

    fn lease(&mut self, offset: i64, lease: Lease) {
        let tenure = Tenure {
            since: lease.tenure.unwrap_or(offset),
            until_ms: lease.until_ms,
        };
        self.leases
            .entry(lease.run)
            .or_default()
            .insert(lease.holder, tenure);
    }

    fn claim(&mut self, offset: i64, key: &str, claim: Claim) {
        self.take_back(key);
        for letter in &claim.letters {
            let claimants = self.claimants.entry(letter.clone()).or_default();
            claimants.push(Claimant {
                offset,
                run: claim.run.clone(),
                tenure: claim.tenure,
            });
        }
        self.claims.insert(key.to_owned(), claim);
    }

    fn take_back(&mut self, key: &str) {
        let Some((kind, rest)) = key.split_once('/') else {
            return;
        };
        match kind {
            "plan" => drop(self.plans.remove(rest)),
            "run" => drop(self.runs.remove(rest)),
            "lease" => {
                if let Some((run, holder)) = rest.split_once('/')
                    && let Some(leases) = self.leases.get_mut(run)
                {
                    leases.remove(holder);
                }
            }
            "claim" => {
                if let Some(claim) = self.claims.remove(key) {
                    self.unclaim(&claim);
                }
            }
            "result" => {
                if let Some((letter, mapping)) = rest.split_once('/')
                    && let Some(results) = self.results.get_mut(letter)
                {
                    results.remove(mapping);
                }
            }
            _ => (),
        }
    }

    fn unclaim(&mut self, claim: &Claim) {
        for letter in &claim.letters {
            if let Some(claimants) = self.claimants.get_mut(letter) {
                claimants.retain(|one| (&one.run, one.tenure) != (&claim.run, claim.tenure));
                if claimants.is_empty() {
                    self.claimants.remove(letter);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
