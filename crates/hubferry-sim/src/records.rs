//! The records of one object type, with an index for every property that identifies.
//!
//! A write has two halves: [`Shelf::plan`] checks and never changes anything, [`Shelf::apply`] changes and never refuses.
//! Between them the caller decides what a refused neighbour means for the batch.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::history::{RecordHistory, Write};
use crate::inputs::WrittenProperties;
use crate::properties::{PropertyBook, PropertyKey};
use crate::property::Role;
use crate::stored::Stored;
use crate::values::{BadValue, Change, check, iso};
use crate::views::RecordView;

mod retired;

/// When and by which call something happens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamp {
    /// Since the simulator started.
    pub(crate) since: Duration,
    /// The same instant as epoch milliseconds.
    pub(crate) at_ms: i64,
    /// The number of the call.
    pub(crate) call: u64,
}

/// Checked changes to one record.
pub(crate) type Changes = Vec<(PropertyKey, Change)>;

/// A value of an identifying property, as the index holds it.
pub(crate) type UniqueValue = (PropertyKey, Box<str>);

#[derive(Debug, Clone)]
struct Record {
    values: Stored,
    created_ms: i64,
    updated_ms: i64,
    archived: bool,
    /// Forgotten for good.
    purged: bool,
}

/// Which properties of a record to show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The ones just written, and what HubSpot adds by itself.
    Written(&'a [PropertyKey]),
    /// The default ones and these.
    Named(&'a [PropertyKey]),
}

/// All records of one object type.
#[derive(Debug)]
pub(crate) struct Shelf {
    first_id: u64,
    records: Vec<Record>,
    live: usize,
    /// The record that answers for one that was merged into it.
    merged: HashMap<u64, u64>,
    unique: HashMap<PropertyKey, HashMap<Box<str>, u64>>,
    /// Case-folded values of properties that were searched with EQ or IN, built at the first such search.
    searched: HashMap<PropertyKey, HashMap<Box<str>, Vec<u64>>>,
    history: Option<HashMap<u64, Vec<(Stamp, Changes)>>>,
}

impl Shelf {
    pub(crate) fn new(first_id: u64, keep_history: bool) -> Self {
        Self {
            first_id,
            merged: HashMap::new(),
            records: Vec::new(),
            live: 0,
            unique: HashMap::new(),
            searched: HashMap::new(),
            history: keep_history.then(HashMap::new),
        }
    }

    /// Records that are not archived.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Their ids, oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let ids = self.first_id..;
        ids.zip(&self.records)
            .filter(|(_, record)| !record.archived)
            .map(|(id, _)| id)
    }

    /// A live record by the text of its id, or of the id of a record that was merged into it.
    pub(crate) fn parse_id(&self, text: &str) -> Option<u64> {
        let mut id = text.trim().parse().ok()?;
        while let Some(survivor) = self.merged.get(&id) {
            id = *survivor;
        }
        self.record(id).map(|_| id)
    }

    /// The record that owns a value of an identifying property. Emails are folded and secondary ones count.
    pub(crate) fn owner(&self, book: &PropertyBook, key: PropertyKey, value: &str) -> Option<u64> {
        let index = self.unique.get(&key)?;
        match book.get(key).role {
            Role::Email => index.get(value.trim().to_lowercase().as_str()).copied(),
            _ => index.get(value).copied(),
        }
    }

    /// Checks the written values against their definitions; all bad ones are named.
    pub(crate) fn plan(
        &self,
        book: &PropertyBook,
        properties: &WrittenProperties,
        now: Duration,
    ) -> Result<Changes, Vec<BadValue>> {
        let mut changes = Changes::with_capacity(properties.len());
        let mut bad = Vec::new();
        for (name, value) in properties.iter() {
            let found = book
                .find(name)
                .filter(|(_, property)| property.visible_from <= now);
            let checked = match found {
                Some((key, property)) => check(property, value).map(|change| (key, change)),
                None => Err(BadValue::unknown(name)),
            };
            match checked {
                Ok(change) => changes.push(change),
                Err(refused) => bad.push(refused),
            }
        }
        if bad.is_empty() {
            Ok(changes)
        } else {
            Err(bad)
        }
    }

    /// The identifying values these changes would claim.
    pub(crate) fn claims(book: &PropertyBook, changes: &Changes) -> Vec<UniqueValue> {
        let mut claims = Vec::new();
        for (key, change) in changes {
            if let Change::Set(value) | Change::Append(value) = change {
                claims.extend(identifying(book, *key, value));
            }
        }
        claims
    }

    /// The record other than `target` that already owns one of these values.
    pub(crate) fn conflict<'a>(
        &self,
        target: Option<u64>,
        claims: &'a [UniqueValue],
    ) -> Option<(&'a UniqueValue, u64)> {
        claims.iter().find_map(|claim| {
            let owner = *self.unique.get(&claim.0)?.get(&claim.1)?;
            (Some(owner) != target).then_some((claim, owner))
        })
    }

    /// Makes a record.
    pub(crate) fn create(&mut self, book: &PropertyBook, changes: Changes, stamp: Stamp) -> u64 {
        let id = self.first_id + self.records.len() as u64;
        self.records.push(Record {
            values: Stored::default(),
            created_ms: stamp.at_ms,
            updated_ms: stamp.at_ms,
            archived: false,
            purged: false,
        });
        self.live += 1;
        self.apply(book, id, changes, stamp);
        id
    }

    /// Changes a record that exists.
    pub(crate) fn apply(&mut self, book: &PropertyBook, id: u64, changes: Changes, stamp: Stamp) {
        let mut values = Vec::with_capacity(changes.len());
        let mut shared = false;
        for (key, change) in &changes {
            let before: Option<Box<str>> = self.value(id, *key).map(Into::into);
            let after: Option<Box<str>> = match change {
                Change::Clear => None,
                Change::Set(value) if goes_backwards(book, *key, before.as_deref(), value) => {
                    continue;
                }
                Change::Set(value) => Some(value.clone()),
                Change::Append(more) => Some(appended(before.as_deref(), more)),
            };
            if before == after {
                continue;
            }
            if let Some(old) = &before {
                self.forget(book, id, *key, old);
                shared |= matches!(book.get(*key).role, Role::Email | Role::AdditionalEmails);
            }
            if let Some(new) = &after {
                self.remember(book, id, *key, new);
            }
            values.push((*key, after));
        }
        if let Some(record) = self.record_mut(id) {
            record.updated_ms = stamp.at_ms;
            if !values.is_empty() {
                record.values.set(values);
            }
        }
        if shared {
            self.own_addresses(book, id);
        }
        if let Some(history) = &mut self.history {
            history.entry(id).or_default().push((stamp, changes));
        }
    }

    /// Enters all addresses again: one that was primary and secondary at once is still there when one of the two goes.
    fn own_addresses(&mut self, book: &PropertyBook, id: u64) {
        for role in [Role::Email, Role::AdditionalEmails] {
            let Some(key) = book.role(role) else { continue };
            let addresses = self
                .value(id, key)
                .map(|value| identifying(book, key, value));
            for (index, address) in addresses.into_iter().flatten() {
                self.unique.entry(index).or_default().insert(address, id);
            }
        }
    }

    fn remember(&mut self, book: &PropertyBook, id: u64, key: PropertyKey, value: &str) {
        for (index, value) in identifying(book, key, value) {
            self.unique.entry(index).or_default().insert(value, id);
        }
        if let Some(index) = self.searched.get_mut(&key) {
            index
                .entry(value.to_lowercase().into())
                .or_default()
                .push(id);
        }
    }

    fn forget(&mut self, book: &PropertyBook, id: u64, key: PropertyKey, value: &str) {
        for (index, value) in identifying(book, key, value) {
            if let Some(index) = self.unique.get_mut(&index)
                && index.get(&value) == Some(&id)
            {
                index.remove(&value);
            }
        }
        if let Some(index) = self.searched.get_mut(&key)
            && let Some(ids) = index.get_mut(value.to_lowercase().as_str())
        {
            ids.retain(|known| *known != id);
        }
    }

    /// Archives a record; its identifying values are free again. False when there was none.
    pub(crate) fn archive(&mut self, book: &PropertyBook, id: u64) -> bool {
        let Some(record) = self.record(id) else {
            return false;
        };
        let values = record.values.clone();
        for (key, value) in values.iter() {
            self.forget(book, id, key, value);
        }
        if let Some(record) = self.record_mut(id) {
            record.archived = true;
            self.live -= 1;
        }
        true
    }

    /// A stored value.
    pub(crate) fn value(&self, id: u64, key: PropertyKey) -> Option<&str> {
        let record = self.record(id)?;
        record.values.get(key)
    }

    /// A value as it is shown: stored, or made by HubSpot.
    pub(crate) fn shown(&self, book: &PropertyBook, id: u64, key: PropertyKey) -> Option<String> {
        let record = self.record(id)?;
        match book.get(key).role {
            Role::CreatedAt => Some(iso(record.created_ms)),
            Role::UpdatedAt => Some(iso(record.updated_ms)),
            Role::RecordId => Some(id.to_string()),
            _ => self.value(id, key).map(str::to_owned),
        }
    }

    /// When a record was made, epoch milliseconds.
    pub(crate) fn created_ms(&self, id: u64) -> Option<i64> {
        self.record(id).map(|record| record.created_ms)
    }

    /// The live records whose value of a property equals one of these, ignoring case.
    pub(crate) fn with_values(&mut self, key: PropertyKey, folded: &[String]) -> Vec<u64> {
        if !self.searched.contains_key(&key) {
            let mut index: HashMap<Box<str>, Vec<u64>> = HashMap::new();
            for id in self.ids() {
                if let Some(value) = self.value(id, key) {
                    index
                        .entry(value.to_lowercase().into())
                        .or_default()
                        .push(id);
                }
            }
            self.searched.insert(key, index);
        }
        let index = &self.searched[&key];
        let mut ids: Vec<u64> = folded
            .iter()
            .filter_map(|value| index.get(value.as_str()))
            .flatten()
            .copied()
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// A record as the API shows it.
    pub(crate) fn view(&self, book: &PropertyBook, id: u64, wanted: Wanted<'_>) -> RecordView {
        let (asked, defaults) = match wanted {
            Wanted::Written(keys) => (keys, &book.written),
            Wanted::Named(keys) => (keys, &book.read),
        };
        let lifecycle = match wanted {
            Wanted::Written(_) => book
                .find("lifecyclestage")
                .map(|(key, _)| key)
                .filter(|key| self.value(id, *key).is_some()),
            Wanted::Named(_) => None,
        };
        let mut keys = asked.to_vec();
        keys.extend(lifecycle);
        keys.extend_from_slice(defaults);
        keys.sort_unstable();
        keys.dedup();
        let properties = keys
            .iter()
            .map(|key| (book.get(*key).name.clone(), self.shown(book, id, *key)))
            .collect();
        let (created_ms, updated_ms) = self
            .record(id)
            .map_or((0, 0), |record| (record.created_ms, record.updated_ms));
        RecordView {
            id,
            properties,
            created_ms,
            updated_ms,
            archived: false,
            new: None,
            trace: None,
        }
    }

    /// Everything a record holds, by name.
    pub(crate) fn everything(&self, book: &PropertyBook, id: u64) -> BTreeMap<String, String> {
        book.keys()
            .filter_map(|key| Some((book.get(key).name.to_string(), self.shown(book, id, key)?)))
            .collect()
    }

    /// The history of every record, archived ones included, by id.
    pub(crate) fn histories(&self, book: &PropertyBook) -> Vec<RecordHistory> {
        let Some(history) = &self.history else {
            return Vec::new();
        };
        let mut ids: Vec<&u64> = history.keys().collect();
        ids.sort_unstable();
        ids.into_iter()
            .map(|id| RecordHistory {
                id: id.to_string(),
                writes: history[id].iter().map(|one| written(book, one)).collect(),
            })
            .collect()
    }

    fn place(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.first_id)?).ok()
    }

    fn record(&self, id: u64) -> Option<&Record> {
        let found = self.records.get(self.place(id)?);
        found.filter(|record| !record.archived)
    }

    fn record_mut(&mut self, id: u64) -> Option<&mut Record> {
        let place = self.place(id)?;
        self.records
            .get_mut(place)
            .filter(|record| !record.archived)
    }
}

/// Under which index entries a value stands: secondary emails share the index of the primary one.
fn identifying(book: &PropertyBook, key: PropertyKey, value: &str) -> Vec<UniqueValue> {
    let property = book.get(key);
    match property.role {
        Role::AdditionalEmails => {
            let Some(email) = book.role(Role::Email) else {
                return Vec::new();
            };
            value
                .split(';')
                .filter(|one| !one.is_empty())
                .map(|one| (email, one.into()))
                .collect()
        }
        _ if property.identifies() => vec![(key, value.into())],
        _ => Vec::new(),
    }
}

/// A lifecycle stage earlier than the present one: HubSpot answers success and keeps the present one.
fn goes_backwards(
    book: &PropertyBook,
    key: PropertyKey,
    before: Option<&str>,
    after: &str,
) -> bool {
    let property = book.get(key);
    if property.role != Role::LifecycleStage {
        return false;
    }
    let rank = |stage: &str| {
        property
            .options
            .iter()
            .position(|option| option.value == stage)
    };
    before.is_some_and(|before| rank(after) < rank(before))
}

fn appended(before: Option<&str>, more: &str) -> Box<str> {
    let mut chosen: Vec<&str> = before
        .into_iter()
        .flat_map(|before| before.split(';'))
        .collect();
    for one in more.split(';') {
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    chosen.join(";").into()
}

fn written(book: &PropertyBook, (stamp, changes): &(Stamp, Changes)) -> Write {
    let properties = changes.iter().map(|(key, change)| {
        let value = match change {
            Change::Set(value) => value.to_string(),
            Change::Append(more) => format!(";{more}"),
            Change::Clear => String::new(),
        };
        (book.get(*key).name.to_string(), value)
    });
    Write {
        at_ms: millis(stamp.since),
        call: stamp.call,
        properties: properties.collect(),
    }
}

/// Whole milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{Shelf, Stamp};
    use crate::catalogue;
    use crate::objects::ObjectType;
    use crate::properties::PropertyBook;

    struct Bench {
        book: PropertyBook,
        shelf: Shelf,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                book: catalogue::book(ObjectType::Contacts),
                shelf: Shelf::new(500, true),
            }
        }

        fn create(&mut self, properties: Value) -> u64 {
            let changes = self
                .shelf
                .plan(
                    &self.book,
                    &serde_json::from_value(properties).unwrap(),
                    Duration::ZERO,
                )
                .unwrap();
            self.shelf.create(&self.book, changes, Stamp::default())
        }

        fn write(&mut self, id: u64, properties: Value) {
            let changes = self
                .shelf
                .plan(
                    &self.book,
                    &serde_json::from_value(properties).unwrap(),
                    Duration::ZERO,
                )
                .unwrap();
            self.shelf.apply(&self.book, id, changes, Stamp::default());
        }

        fn get(&self, id: u64, name: &str) -> Option<String> {
            let (key, _) = self.book.find(name).unwrap();
            self.shelf.shown(&self.book, id, key)
        }

        fn by_email(&self, email: &str) -> Option<u64> {
            let (key, _) = self.book.find("email").unwrap();
            self.shelf.owner(&self.book, key, email)
        }
    }

    #[test]
    fn lifecycle_stage_moves_forward_only_until_cleared() {
        let mut bench = Bench::new();
        let id = bench.create(json!({"email": "a@b.io", "lifecyclestage": "customer"}));
        bench.write(id, json!({"lifecyclestage": "lead", "city": "Oslo"}));
        assert_eq!(bench.get(id, "lifecyclestage").as_deref(), Some("customer"));
        assert_eq!(bench.get(id, "city").as_deref(), Some("Oslo"));
        bench.write(id, json!({"lifecyclestage": "evangelist"}));
        assert_eq!(
            bench.get(id, "lifecyclestage").as_deref(),
            Some("evangelist")
        );
        bench.write(id, json!({"lifecyclestage": ""}));
        assert_eq!(bench.get(id, "lifecyclestage"), None);
        bench.write(id, json!({"lifecyclestage": "lead"}));
        assert_eq!(bench.get(id, "lifecyclestage").as_deref(), Some("lead"));
    }

    #[test]
    fn every_address_of_a_contact_finds_it_and_is_freed_with_it() {
        let mut bench = Bench::new();
        let id = bench
            .create(json!({"email": "A@b.io", "hs_additional_emails": "second@b.io;third@b.io"}));
        for address in ["a@b.io", "A@B.IO", "SECOND@b.io", "third@b.io"] {
            assert_eq!(bench.by_email(address), Some(id), "{address}");
        }
        bench.write(id, json!({"hs_additional_emails": "third@b.io"}));
        assert_eq!(bench.by_email("second@b.io"), None);
        assert!(bench.shelf.archive(&bench.book, id));
        assert!(!bench.shelf.archive(&bench.book, id));
        assert_eq!(bench.by_email("a@b.io"), None);
        assert_eq!(bench.shelf.len(), 0);
    }

    #[test]
    fn every_write_stands_in_the_history() {
        let mut bench = Bench::new();
        let id = bench.create(json!({"email": "a@b.io", "city": "Oslo"}));
        bench.write(id, json!({"city": ""}));
        let histories = bench.shelf.histories(&bench.book);
        let cities: Vec<&str> = histories[0]
            .writes
            .iter()
            .map(|write| write.properties["city"].as_str())
            .collect();
        assert_eq!(cities, ["Oslo", ""]);
    }

    #[test]
    fn the_search_index_follows_later_writes() {
        let mut bench = Bench::new();
        let first = bench.create(json!({"email": "a@b.io", "city": "Oslo"}));
        let (city, _) = bench.book.find("city").unwrap();
        assert_eq!(bench.shelf.with_values(city, &["oslo".to_owned()]), [first]);
        let second = bench.create(json!({"email": "c@b.io", "city": "OSLO"}));
        assert_eq!(
            bench.shelf.with_values(city, &["oslo".to_owned()]),
            [first, second]
        );
        bench.write(first, json!({"city": "Rome"}));
        assert_eq!(
            bench.shelf.with_values(city, &["oslo".to_owned()]),
            [second]
        );
        bench.shelf.archive(&bench.book, second);
        assert_eq!(
            bench.shelf.with_values(city, &["oslo".to_owned()]),
            Vec::<u64>::new()
        );
    }
}
