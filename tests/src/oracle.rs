//! What HubSpot and the dead-letter topic must hold after a load, worked out from the events alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;

use crate::generate::Line;
use crate::sim::{Portal, Properties, RecordHistory};

/// How many differences a report names before it only counts them.
const SHOWN: usize = 20;

/// The state that must be reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Contact properties by e-mail.
    pub contacts: BTreeMap<String, Properties>,
    /// Company properties by group id.
    pub companies: BTreeMap<String, Properties>,
    /// Pairs of e-mail and group id that must be associated.
    pub links: BTreeSet<(String, String)>,
    /// The code of each dead letter by the original text of its event.
    pub dead: BTreeMap<String, &'static str>,
    /// Events that fire no mapping.
    pub not_subscribed: usize,
}

/// Contact properties that the default mapping and [`crate::generate::CONTACT_PROPERTIES`] write.
const CONTACT: [(&str, &[&str]); 10] = [
    ("firstname", &["/traits/first_name", "/traits/firstName"]),
    ("lastname", &["/traits/last_name", "/traits/lastName"]),
    ("phone", &["/traits/phone"]),
    ("company", &["/traits/company"]),
    ("website", &["/traits/website"]),
    ("city", &["/traits/address/city"]),
    (
        "zip",
        &["/traits/address/postalCode", "/traits/address/postal_code"],
    ),
    ("jobtitle", &["/traits/title"]),
    ("hs_lead_status", &["/traits/lead_status"]),
    ("visits", &["/traits/visits"]),
];

/// Company properties that the default mapping writes.
const COMPANY: [(&str, &[&str]); 5] = [
    ("name", &["/traits/name"]),
    ("numberofemployees", &["/traits/employees"]),
    ("city", &["/traits/address/city"]),
    ("industry", &["/traits/industry"]),
    ("domain", &["/traits/website"]),
];

impl Expected {
    /// Applies the events one by one; per record and property the newest event time wins, ties by arrival.
    ///
    /// # Errors
    ///
    /// An event without a fault is not what the generator makes.
    pub fn of(lines: &[Line]) -> Result<Expected> {
        let mut contacts: BTreeMap<String, Newest> = BTreeMap::new();
        let mut companies: BTreeMap<String, Newest> = BTreeMap::new();
        let mut email_of: BTreeMap<String, String> = BTreeMap::new();
        let mut memberships: BTreeSet<(String, String)> = BTreeSet::new();
        let mut expected = Expected::default();
        for line in lines {
            if let Some(fault) = line.fault {
                expected.dead.insert(line.body.clone(), fault.code());
                continue;
            }
            let event: Value = serde_json::from_str(&line.body)?;
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
            let user = text("/userId").context("a user")?;
            let time: Timestamp = text("/timestamp").context("a time")?.parse()?;
            match text("/type") {
                Some("identify") => {
                    let email = text("/traits/email")
                        .context("an e-mail")?
                        .trim()
                        .to_lowercase();
                    contacts
                        .entry(email.clone())
                        .or_default()
                        .take(&event, time, &CONTACT);
                    email_of.insert(user.to_owned(), email);
                }
                Some("group") => {
                    let group = text("/groupId").context("a group")?;
                    companies
                        .entry(group.to_owned())
                        .or_default()
                        .take(&event, time, &COMPANY);
                    memberships.insert((user.to_owned(), group.to_owned()));
                }
                _ => expected.not_subscribed += 1,
            }
        }
        expected.links = memberships
            .into_iter()
            .filter_map(|(user, group)| Some((email_of.get(&user)?.clone(), group)))
            .filter(|(email, _)| contacts.contains_key(email))
            .collect();
        let settle = |(key, newest): (String, Newest)| (key, newest.properties());
        expected.contacts = contacts.into_iter().map(settle).collect();
        expected.companies = companies.into_iter().map(settle).collect();
        Ok(expected)
    }

    /// Every difference between what must be and what is there; empty when they are equal.
    #[must_use]
    pub fn differences(&self, portal: &Portal) -> Vec<String> {
        let mut found = Vec::new();
        let contacts = by_key(&portal.contacts, "email", "contact", &mut found);
        let companies = by_key(&portal.companies, "segment_group_id", "company", &mut found);
        compare("contact", &self.contacts, &contacts, &CONTACT, &mut found);
        compare("company", &self.companies, &companies, &COMPANY, &mut found);

        let name = |records: &BTreeMap<String, Properties>, id: &str, key: &str| {
            records
                .get(id)
                .and_then(|record| record.get(key))
                .cloned()
                .unwrap_or_else(|| format!("record {id}"))
        };
        let links: BTreeSet<(String, String)> = portal
            .links
            .iter()
            .map(|(contact, company)| {
                (
                    name(&portal.contacts, contact, "email"),
                    name(&portal.companies, company, "segment_group_id"),
                )
            })
            .collect();
        found.extend(
            self.links
                .difference(&links)
                .map(|(who, what)| format!("{who} is not linked with {what}")),
        );
        found.extend(
            links
                .difference(&self.links)
                .map(|(who, what)| format!("{who} is linked with {what}")),
        );

        let more = found.len().saturating_sub(SHOWN);
        if more > 0 {
            found.truncate(SHOWN);
            found.push(format!("and {more} more"));
        }
        found
    }
}

/// Per property the newest value and its time.
#[derive(Debug, Default)]
struct Newest(BTreeMap<&'static str, (Timestamp, String)>);

impl Newest {
    fn take(&mut self, event: &Value, time: Timestamp, fields: &[(&'static str, &[&str])]) {
        for (property, pointers) in fields {
            let Some(value) = pointers.iter().find_map(|pointer| event.pointer(pointer)) else {
                continue;
            };
            let value = match value {
                Value::String(text) if *property == "domain" => host(text),
                Value::String(text) => text.trim().to_owned(),
                other => other.to_string(),
            };
            let is_newer = self.0.get(property).is_none_or(|(known, _)| *known <= time);
            if is_newer {
                self.0.insert(property, (time, value));
            }
        }
    }

    fn properties(self) -> Properties {
        self.0
            .into_iter()
            .map(|(property, (_, value))| (property.to_owned(), value))
            .collect()
    }
}

fn host(url: &str) -> String {
    let bare = url
        .trim()
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or_default().to_lowercase();
    host.strip_prefix("www.").unwrap_or(&host).to_owned()
}

fn by_key<'a>(
    records: &'a BTreeMap<String, Properties>,
    key: &str,
    what: &str,
    found: &mut Vec<String>,
) -> BTreeMap<String, &'a Properties> {
    let mut keyed = BTreeMap::new();
    for (id, record) in records {
        let Some(value) = record.get(key).filter(|value| !value.is_empty()) else {
            found.push(format!("{what} {id} has no {key}"));
            continue;
        };
        if keyed.insert(value.clone(), record).is_some() {
            found.push(format!("{what} {value} is there twice"));
        }
    }
    keyed
}

fn compare(
    what: &str,
    expected: &BTreeMap<String, Properties>,
    actual: &BTreeMap<String, &Properties>,
    fields: &[(&'static str, &[&str])],
    found: &mut Vec<String>,
) {
    for (key, wanted) in expected {
        let Some(record) = actual.get(key) else {
            found.push(format!("{what} {key} is missing"));
            continue;
        };
        for (property, _) in fields {
            let value =
                |properties: &Properties| properties.get(*property).cloned().unwrap_or_default();
            let (wanted, is) = (value(wanted), value(record));
            if wanted != is {
                found.push(format!(
                    "{what} {key}: {property} is {is:?} and must be {wanted:?}"
                ));
            }
        }
    }
    let unwanted = actual.keys().filter(|key| !expected.contains_key(*key));
    found.extend(unwanted.map(|key| format!("{what} {key} should not be there")));
}

/// Checks in the write history that a number property of each record never fell, whatever happened to the workers.
#[must_use]
pub fn order_violations(histories: &[RecordHistory], property: &str) -> Vec<String> {
    let mut found = Vec::new();
    for history in histories {
        let written = history.writes.iter().filter_map(|write| {
            let number: u64 = write.properties.get(property)?.parse().ok()?;
            Some((write.call, number))
        });
        let written: Vec<(u64, u64)> = written.collect();
        for pair in written.windows(2) {
            let [(_, before), (call, after)] = pair else {
                continue;
            };
            if after < before {
                found.push(format!(
                    "record {}: call {call} wrote {property} {after} after {before}",
                    history.id
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Fault;
    use crate::sim::Write;

    fn line(body: &str, fault: Option<Fault>) -> Line {
        Line {
            key: None,
            body: body.to_owned(),
            fault,
        }
    }

    fn three_events() -> Vec<Line> {
        vec![
            line(
                r#"{"type":"group","userId":"u","timestamp":"2026-01-01T00:00:00Z","groupId":"g","traits":{"name":" G ","employees":5,"website":"https://www.G.io/x"}}"#,
                None,
            ),
            line(
                r#"{"type":"identify","userId":"u","timestamp":"2026-01-01T00:00:02Z","traits":{"email":"A@b.io","phone":"2","title":"x"}}"#,
                None,
            ),
            line(
                r#"{"type":"identify","userId":"u","timestamp":"2026-01-01T00:00:01Z","traits":{"email":"a@b.io","phone":"1","visits":3}}"#,
                None,
            ),
            line("{", Some(Fault::NotJson)),
        ]
    }

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_newest_event_time_wins_per_property() {
        let expected = Expected::of(&three_events()).unwrap();
        let contact = properties(&[("phone", "2"), ("jobtitle", "x"), ("visits", "3")]);
        assert_eq!(
            expected.contacts,
            BTreeMap::from([("a@b.io".to_owned(), contact)])
        );
        let company = properties(&[
            ("name", "G"),
            ("numberofemployees", "5"),
            ("domain", "g.io"),
        ]);
        assert_eq!(
            expected.companies,
            BTreeMap::from([("g".to_owned(), company)])
        );
        assert_eq!(
            expected.links,
            BTreeSet::from([("a@b.io".to_owned(), "g".to_owned())])
        );
        assert_eq!(
            expected.dead,
            BTreeMap::from([("{".to_owned(), "parse_error")])
        );
    }

    #[test]
    fn each_difference_is_named() {
        let expected = Expected::of(&three_events()).unwrap();
        let contact = properties(&[
            ("email", "a@b.io"),
            ("phone", "2"),
            ("jobtitle", "x"),
            ("visits", "3"),
        ]);
        let company = properties(&[
            ("segment_group_id", "g"),
            ("name", "G"),
            ("numberofemployees", "5"),
            ("domain", "g.io"),
        ]);
        let mut portal = Portal {
            contacts: BTreeMap::from([("1".to_owned(), contact)]),
            companies: BTreeMap::from([("2".to_owned(), company)]),
            links: BTreeSet::from([("1".to_owned(), "2".to_owned())]),
        };
        assert_eq!(expected.differences(&portal), Vec::<String>::new());

        portal.links.clear();
        portal
            .contacts
            .insert("3".to_owned(), properties(&[("email", "c@d.io")]));
        if let Some(contact) = portal.contacts.get_mut("1") {
            contact.insert("phone".to_owned(), "1".to_owned());
        }
        assert_eq!(
            expected.differences(&portal),
            [
                "contact a@b.io: phone is \"1\" and must be \"2\"",
                "contact c@d.io should not be there",
                "a@b.io is not linked with g",
            ]
        );
    }

    #[test]
    fn a_record_may_repeat_a_value_and_never_step_back() {
        let history = |written: &[(u64, u64)]| RecordHistory {
            id: "1".to_owned(),
            writes: written
                .iter()
                .map(|&(call, n)| Write {
                    at_ms: 0,
                    call,
                    properties: properties(&[("visits", &n.to_string())]),
                })
                .collect(),
        };
        let check = |written: &[(u64, u64)]| order_violations(&[history(written)], "visits");
        assert_eq!(
            check(&[(1, 1), (2, 2), (9, 2), (10, 3)]),
            Vec::<String>::new()
        );
        assert_eq!(
            check(&[(1, 4), (3, 2), (7, 3), (8, 1)]),
            [
                "record 1: call 3 wrote visits 2 after 4",
                "record 1: call 8 wrote visits 1 after 3"
            ]
        );
    }
}
