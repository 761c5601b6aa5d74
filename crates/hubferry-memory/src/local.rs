//! The memory of one process.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hubferry_actions::{RecordId, RecordRef};
use hubferry_event::IdentityKey;
use lru::LruCache;

use crate::inquiry::{EnsureKey, EnsureState, FactKey, Finding, Inquiry};
use crate::link::{Link, LinkId};
use crate::mark::RecordKey;
use crate::person::PersonKey;

/// How much a process remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalLimits {
    /// Keys of people whose contact is known; the least recently used are forgotten, which costs a read from HubSpot.
    pub people: NonZeroUsize,
    /// Waiting links; beyond, the link that would expire next counts as expired at once, so that none is lost.
    pub links: NonZeroUsize,
}

impl Default for LocalLimits {
    /// 200,000 of each.
    fn default() -> Self {
        const MANY: NonZeroUsize = NonZeroUsize::new(200_000).expect("not zero");
        Self {
            people: MANY,
            links: MANY,
        }
    }
}

/// The store of a single process. It is used through [`Memory`](crate::Memory).
#[derive(Debug)]
pub struct LocalMemory {
    kept: Mutex<Kept>,
}

/// How long a contact is remembered after its last use.
pub(crate) const IDENTITY_MS: i64 = 90 * 24 * 3_600_000;
/// How long a worker has to park an expired link.
pub(crate) const LEASE_MS: i64 = 5 * 60_000;

impl LocalMemory {
    pub(crate) fn new(limits: LocalLimits) -> Self {
        let kept = Kept {
            contacts: LruCache::new(limits.people),
            links: HashMap::new(),
            waiting: HashMap::new(),
            due: BTreeSet::new(),
            ensured: HashMap::new(),
            records: LruCache::new(limits.people),
            facts: HashMap::new(),
            most_links: limits.links.get(),
        };
        Self {
            kept: Mutex::new(kept),
        }
    }

    pub(crate) fn ask(&self, inquiries: &[Inquiry], now_ms: i64) -> Vec<Finding> {
        let mut kept = self.kept();
        inquiries
            .iter()
            .map(|inquiry| kept.answer(inquiry, now_ms))
            .collect()
    }

    pub(crate) fn waiting_links(&self) -> u64 {
        self.kept().links.len() as u64
    }

    pub(crate) fn expired_links(&self, now_ms: i64, max: usize) -> Vec<Link> {
        self.kept().expired(now_ms, max)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics between two writes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Kept {
    contacts: LruCache<PersonKey, Known>,
    links: HashMap<LinkId, Waiting>,
    /// The links of each person.
    waiting: HashMap<PersonKey, Vec<LinkId>>,
    /// When each link is due: expired, or its lease over.
    due: BTreeSet<(i64, LinkId)>,
    /// Until when a piece of the schema counts as ensured; what only this process may claim needs no claims.
    ensured: HashMap<EnsureKey, i64>,
    records: LruCache<RecordKey, (RecordId, i64)>,
    /// What was read of the schema, and until when it is fresh.
    facts: HashMap<FactKey, (Box<str>, i64)>,
    most_links: usize,
}

#[derive(Debug)]
struct Known {
    contact: RecordId,
    used_ms: i64,
}

#[derive(Debug)]
struct Waiting {
    link: Link,
    person: Vec<PersonKey>,
    due_ms: i64,
}

impl Kept {
    fn answer(&mut self, inquiry: &Inquiry, now_ms: i64) -> Finding {
        match inquiry {
            Inquiry::FindContact { person } => Finding::Contact(self.find(person, now_ms)),
            Inquiry::KeepContact { person, contact } => {
                Finding::Links(self.keep_contact(person, contact, now_ms))
            }
            Inquiry::KeepLink { person, link } => {
                self.keep_link(person, link, now_ms);
                Finding::LinkKept(self.find(person, now_ms))
            }
            Inquiry::DropLinks { links, .. } => {
                for link in links {
                    self.drop_link(link);
                }
                Finding::Kept
            }
            Inquiry::ForgetContact { person } => {
                for key in PersonKey::of(person) {
                    self.contacts.pop(&key);
                }
                Finding::Kept
            }
            Inquiry::ClaimEnsure { what } => Finding::Ensure(self.claim(what, now_ms)),
            Inquiry::EnsureDone { what } => {
                self.ensured.insert(what.clone(), now_ms + ENSURED_MS);
                Finding::Kept
            }
            Inquiry::ForgetEnsure { what } => {
                self.ensured.remove(what);
                Finding::Kept
            }
            Inquiry::FindRecord { record } => Finding::Record(self.find_record(record, now_ms)),
            Inquiry::KeepRecord { record, id } => {
                self.records
                    .put(RecordKey::of(record), (id.clone(), now_ms));
                Finding::Kept
            }
            Inquiry::ForgetRecord { record } => {
                self.records.pop(&RecordKey::of(record));
                Finding::Kept
            }
            Inquiry::FindFact { what } => {
                let fresh = self
                    .facts
                    .get(what)
                    .filter(|(_, until_ms)| *until_ms > now_ms);
                Finding::Fact(fresh.map(|(text, _)| text.clone()))
            }
            Inquiry::KeepFact { what, text } => {
                self.facts
                    .insert(what.clone(), (text.clone(), now_ms + FACT_MS));
                Finding::Kept
            }
            Inquiry::ForgetFact { what } => {
                self.facts.remove(what);
                Finding::Kept
            }
        }
    }

    fn find_record(&mut self, record: &RecordRef, now_ms: i64) -> Option<RecordId> {
        let (id, used_ms) = self.records.get_mut(&RecordKey::of(record))?;
        if now_ms - *used_ms >= RECORD_MS {
            return None;
        }
        *used_ms = now_ms;
        Some(id.clone())
    }

    fn find(&mut self, person: &[IdentityKey], now_ms: i64) -> Option<RecordId> {
        let mut found = None;
        for key in PersonKey::of(person) {
            let Some(known) = self.contacts.get_mut(&key) else {
                continue;
            };
            if now_ms - known.used_ms >= IDENTITY_MS {
                self.contacts.pop(&key);
                continue;
            }
            known.used_ms = now_ms;
            found = found.or_else(|| Some(known.contact.clone()));
        }
        found
    }

    fn keep_contact(
        &mut self,
        person: &[IdentityKey],
        contact: &RecordId,
        now_ms: i64,
    ) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for key in PersonKey::of(person) {
            self.contacts.put(
                key,
                Known {
                    contact: contact.clone(),
                    used_ms: now_ms,
                },
            );
            for id in self.waiting.get(&key).into_iter().flatten() {
                let Some(waiting) = self.links.get(id) else {
                    continue;
                };
                let is_news = !links.iter().any(|link| link.id == *id);
                if is_news && waiting.link.expires_ms > now_ms {
                    links.push(waiting.link.clone());
                }
            }
        }
        links.sort_by(|a, b| (a.since_ms, &a.id).cmp(&(b.since_ms, &b.id)));
        links
    }

    fn keep_link(&mut self, person: &[IdentityKey], link: &Link, now_ms: i64) {
        self.drop_link(&link.id);
        let person = PersonKey::of(person);
        for key in &person {
            self.waiting.entry(*key).or_default().push(link.id.clone());
        }
        let due_ms = link.expires_ms;
        self.due.insert((due_ms, link.id.clone()));
        self.links.insert(
            link.id.clone(),
            Waiting {
                link: link.clone(),
                person,
                due_ms,
            },
        );
        if self.links.len() > self.most_links {
            self.expire_one(now_ms);
        }
    }

    /// Makes the link that would expire next expire now.
    fn expire_one(&mut self, now_ms: i64) {
        let next = self
            .due
            .iter()
            .find(|(due_ms, _)| *due_ms > now_ms)
            .cloned();
        let Some((due_ms, id)) = next else { return };
        if let Some(waiting) = self.links.get_mut(&id) {
            waiting.link.expires_ms = now_ms;
            waiting.due_ms = now_ms;
            self.due.remove(&(due_ms, id.clone()));
            self.due.insert((now_ms, id));
        }
    }

    fn drop_link(&mut self, id: &LinkId) {
        let Some(waiting) = self.links.remove(id) else {
            return;
        };
        self.due.remove(&(waiting.due_ms, id.clone()));
        for key in waiting.person {
            if let Some(ids) = self.waiting.get_mut(&key) {
                ids.retain(|other| other != id);
                if ids.is_empty() {
                    self.waiting.remove(&key);
                }
            }
        }
    }

    fn expired(&mut self, now_ms: i64, max: usize) -> Vec<Link> {
        let due: Vec<(i64, LinkId)> = self
            .due
            .iter()
            .take_while(|(due_ms, _)| *due_ms <= now_ms)
            .take(max)
            .cloned()
            .collect();
        let lease_ms = now_ms.saturating_add(LEASE_MS);
        due.into_iter()
            .filter_map(|(due_ms, id)| {
                let waiting = self.links.get_mut(&id)?;
                waiting.due_ms = lease_ms;
                self.due.remove(&(due_ms, id.clone()));
                self.due.insert((lease_ms, id));
                Some(waiting.link.clone())
            })
            .collect()
    }

    fn claim(&self, what: &EnsureKey, now_ms: i64) -> EnsureState {
        match self.ensured.get(what) {
            Some(until_ms) if *until_ms > now_ms => EnsureState::Done,
            _ => EnsureState::Claimed,
        }
    }
}

/// How long a piece of the schema counts as ensured.
pub(crate) const ENSURED_MS: i64 = 24 * 3_600_000;
/// How long a record's id is remembered after its last use (fleet.md ii.2).
pub(crate) const RECORD_MS: i64 = 24 * 3_600_000;
/// How long what was read of the schema counts as fresh (actions.md §6.10).
pub(crate) const FACT_MS: i64 = 5 * 60_000;
