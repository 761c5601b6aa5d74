//! Records that are no longer what they were: archived, restored, forgotten, merged into others.

use std::collections::BTreeMap;

use super::{Changes, Shelf, Stamp, UniqueValue, identifying};
use crate::answer::Refusal;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::Role;
use crate::stored::Stored;
use crate::values::Change;
use crate::views::RecordView;

/// Identities one contact may have, by merges.
const MOST_IDENTITIES: usize = 250;

impl Shelf {
    /// An archived record by the text of its id.
    pub(crate) fn parse_archived(&self, text: &str) -> Option<u64> {
        let id = text.trim().parse().ok()?;
        let found = self.records.get(self.place(id)?)?;
        let restorable = found.archived && !found.purged && !self.merged.contains_key(&id);
        restorable.then_some(id)
    }

    /// Archived records, oldest first.
    pub(crate) fn archived_ids(&self) -> impl Iterator<Item = u64> {
        let ids = self.first_id..;
        ids.zip(&self.records)
            .filter(|(id, record)| {
                record.archived && !record.purged && !self.merged.contains_key(id)
            })
            .map(|(id, _)| id)
    }

    /// Brings an archived record back. False when there is none, or when another record owns one of its values by now.
    pub(crate) fn restore(&mut self, book: &PropertyBook, id: u64) -> bool {
        let Some(place) = self.place(id) else {
            return false;
        };
        if self.parse_archived(&id.to_string()).is_none() {
            return false;
        }
        let values = self.records[place].values.clone();
        let claims: Vec<UniqueValue> = values
            .iter()
            .flat_map(|(key, value)| identifying(book, key, value))
            .collect();
        if self.conflict(Some(id), &claims).is_some() {
            return false;
        }
        self.records[place].archived = false;
        self.live += 1;
        for (key, value) in values.iter() {
            self.remember(book, id, key, value);
        }
        true
    }

    /// Forgets the values of an archived record for good.
    pub(crate) fn purge(&mut self, id: u64) {
        let place = self.place(id);
        if let Some(record) = place.and_then(|place| self.records.get_mut(place)) {
            record.purged = true;
            record.values = Stored::default();
        }
        if let Some(history) = &mut self.history {
            history.remove(&id);
        }
    }

    /// Makes one record of two: values of `primary` win, further addresses are kept. Returns the id of the survivor.
    pub(crate) fn merge(
        &mut self,
        book: &PropertyBook,
        primary: u64,
        other: u64,
        new_id: bool,
        stamp: Stamp,
    ) -> Result<u64, Refusal> {
        let ids = |id: u64| {
            let older = book
                .role(Role::MergedIds)
                .and_then(|key| self.value(id, key))
                .map(str::to_owned);
            older.into_iter().chain([id.to_string()])
        };
        let mut merged: Vec<String> = ids(other).collect();
        if new_id {
            merged.extend(ids(primary));
        } else {
            merged.extend(ids(primary).filter(|id| *id != primary.to_string()));
        }
        let merged = merged.join(";");
        if merged.split(';').count() > MOST_IDENTITIES {
            return Err(Refusal::new(
                414,
                format!("Cannot have more than {MOST_IDENTITIES} identities on a profile"),
            ));
        }
        let changes = self.united(book, primary, other, &merged);
        self.archive(book, other);
        self.merged.insert(other, primary);
        if new_id {
            self.archive(book, primary);
            let survivor = self.create(book, changes, stamp);
            self.merged.insert(primary, survivor);
            return Ok(survivor);
        }
        self.apply(book, primary, changes, stamp);
        Ok(primary)
    }

    /// All values of two records as changes to the first.
    fn united(&self, book: &PropertyBook, primary: u64, other: u64, merged: &str) -> Changes {
        let mut united: BTreeMap<PropertyKey, Box<str>> = BTreeMap::new();
        let mut addresses: Vec<&str> = Vec::new();
        for id in [primary, other] {
            for key in book.keys() {
                let Some(value) = self.value(id, key) else {
                    continue;
                };
                if matches!(book.get(key).role, Role::Email | Role::AdditionalEmails) {
                    addresses.extend(value.split(';'));
                }
                united.entry(key).or_insert_with(|| value.into());
            }
        }
        if let (Some(email), Some(further)) =
            (book.role(Role::Email), book.role(Role::AdditionalEmails))
        {
            let first = united.get(&email).cloned();
            addresses.retain(|one| Some(*one) != first.as_deref());
            addresses.dedup();
            if !addresses.is_empty() {
                united.insert(further, addresses.join(";").into());
            }
        }
        if let Some(key) = book.role(Role::MergedIds) {
            united.insert(key, merged.into());
        }
        let changes = united.into_iter();
        changes
            .map(|(key, value)| (key, Change::Set(value)))
            .collect()
    }

    /// An archived record as the API shows it: only what it held.
    pub(crate) fn archived_view(
        &self,
        book: &PropertyBook,
        id: u64,
        asked: &[PropertyKey],
    ) -> Option<RecordView> {
        let record = self.records.get(self.place(id)?)?;
        let mut keys = [asked, &book.read].concat();
        keys.sort_unstable();
        keys.dedup();
        let shown = keys.iter().map(|key| {
            let value = record.values.get(*key).map(str::to_owned);
            (book.get(*key).name.clone(), value)
        });
        Some(RecordView {
            id,
            properties: shown.collect(),
            created_ms: record.created_ms,
            updated_ms: record.updated_ms,
            archived: true,
            new: None,
            trace: None,
        })
    }
}
