//! How a portal has drifted from what is pinned of it.

use std::collections::BTreeMap;

use hubferry_actions::{OptionInfo, PropertyInfo, ValueType};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{self, Form};
use crate::pinned::PinnedPortal;
use crate::words::{counted, size};

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    change: Change,
    /// `property`, `object`, `event`, `list` or `label`.
    kind: &'static str,
    /// Its name, such as `contacts.plan`.
    name: String,
    /// What changed.
    detail: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Change {
    Added,
    Removed,
    Changed,
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// Everything of a portal by kind and name, in one form, so that two can be compared.
type Things = BTreeMap<(&'static str, String), Thing>;

#[derive(PartialEq)]
enum Thing {
    Property(Box<PropertyInfo>),
    Facts(String),
}

/// What is different now.
pub(super) fn of(before: &PinnedPortal, now: &PinnedPortal) -> Vec<Difference> {
    let (before, now) = (things(before), things(now));
    let mut found = Vec::new();
    let mut add = |change, (kind, name): &(&'static str, String), detail| {
        found.push(Difference {
            change,
            kind,
            name: name.clone(),
            detail,
        });
    };
    for (key, old) in &before {
        match now.get(key) {
            None => add(Change::Removed, key, None),
            Some(new) if new != old => add(Change::Changed, key, Some(changes(old, new))),
            Some(_) => {}
        }
    }
    for key in now.keys().filter(|key| !before.contains_key(*key)) {
        add(Change::Added, key, None);
    }
    found.sort_by(|a, b| (a.kind, &a.name, a.change).cmp(&(b.kind, &b.name, b.change)));
    found
}

fn things(portal: &PinnedPortal) -> Things {
    let mut all = Things::new();
    for (name, object) in &portal.objects {
        all.insert(
            ("object", name.clone()),
            Thing::Facts(object.type_id.clone()),
        );
        for (property, info) in &object.properties {
            let key = ("property", format!("{name}.{property}"));
            all.insert(key, Thing::Property(Box::new(info.clone())));
        }
    }
    for event in &portal.events {
        let archived = if event.archived { "archived" } else { "in use" };
        let name = event.full_name.to_string();
        all.insert(("event", name.clone()), Thing::Facts(archived.to_owned()));
        for property in event.properties.iter().filter(|one| !one.archived) {
            let key = ("event property", format!("{name}.{}", property.name));
            all.insert(key, Thing::Facts(takes(&property.value)));
        }
    }
    for list in &portal.lists {
        let key = ("list", format!("{} {:?}", list.object, list.name));
        let writable = if list.info.writable {
            "takes members"
        } else {
            "is dynamic"
        };
        all.insert(key, Thing::Facts(writable.to_owned()));
    }
    for label in &portal.labels {
        let key = (
            "label",
            format!("{} to {} {}", label.from, label.to, label.kind),
        );
        let words = label
            .label
            .clone()
            .unwrap_or_else(|| "unlabelled".to_owned());
        all.insert(key, Thing::Facts(words));
    }
    all
}

fn changes(old: &Thing, new: &Thing) -> String {
    match (old, new) {
        (Thing::Property(old), Thing::Property(new)) => property_changes(old, new),
        (Thing::Facts(old), Thing::Facts(new)) => format!("{old} → {new}"),
        _ => "another kind".to_owned(),
    }
}

fn property_changes(old: &PropertyInfo, new: &PropertyInfo) -> String {
    let mut all = Vec::new();
    if old.kind != new.kind {
        all.push(format!("type {} → {}", old.kind, new.kind));
    }
    let (before, now) = (options(&old.value), options(&new.value));
    let lacks = |option: &&OptionInfo, among: &[OptionInfo]| {
        !among.iter().any(|one| one.value == option.value)
    };
    for option in before.iter().filter(|option| lacks(option, now)) {
        all.push(format!("option {:?} removed", option.value));
    }
    for option in now.iter().filter(|option| lacks(option, before)) {
        all.push(format!("option {:?} added", option.value));
    }
    for (flag, was, is) in [
        ("read-only", old.read_only, new.read_only),
        ("unique", old.unique, new.unique),
    ] {
        match (was, is) {
            (false, true) => all.push(format!("now {flag}")),
            (true, false) => all.push(format!("no longer {flag}")),
            (true, true) | (false, false) => {}
        }
    }
    if old.sensitivity != new.sensitivity {
        all.push("another class of sensitivity".to_owned());
    }
    if all.is_empty() {
        all.push("labels".to_owned());
    }
    all.join(", ")
}

fn options(value: &ValueType) -> &[OptionInfo] {
    match value {
        ValueType::Option(options) | ValueType::Options(options) => options,
        ValueType::Text
        | ValueType::Number
        | ValueType::Boolean
        | ValueType::Date
        | ValueType::DateTime
        | ValueType::Other => &[],
    }
}

fn takes(value: &ValueType) -> String {
    let word = match value {
        ValueType::Text => "text",
        ValueType::Number => "number",
        ValueType::Boolean => "boolean",
        ValueType::Option(_) => "option",
        ValueType::Options(_) => "options",
        ValueType::Date => "date",
        ValueType::DateTime => "date-time",
        ValueType::Other => "other",
    };
    let names: Vec<&str> = options(value).iter().map(|one| &*one.value).collect();
    match names.is_empty() {
        true => word.to_owned(),
        false => format!("{word} {}", names.join("|")),
    }
}

/// Prints what is different.
///
/// # Errors
///
/// Standard output is closed.
pub(super) fn print(all: &[Difference], form: Form) -> Result<(), Failure> {
    match form {
        Form::Json => {
            let all: Vec<Value> = all
                .iter()
                .map(|one| json!({"change": one.change.name(), "kind": one.kind, "name": one.name, "detail": one.detail}))
                .collect();
            output::print_json(&json!({ "differences": all }))
        }
        Form::Text => {
            let lines = all.iter().map(|one| {
                let detail = one.detail.as_ref();
                let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
                format!(
                    "{:7}  {} {}{detail}\n",
                    one.change.name(),
                    one.kind,
                    one.name
                )
            });
            let lines: String = lines.collect();
            let sum = match all.len() {
                0 => "no difference from what is pinned\n".to_owned(),
                several => format!("{}\n", counted(size(several), "difference")),
            };
            output::print(&format!("{lines}{sum}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pinned::PinnedObject;
    use hubferry_actions::Sensitivity;

    fn portal(properties: &[(&str, &str, &[&str], bool)]) -> PinnedPortal {
        let info = |kind: &str, options: &[&str], unique| PropertyInfo {
            label: "L".into(),
            value: match options {
                [] => ValueType::Text,
                some => ValueType::Option(
                    some.iter()
                        .map(|value| OptionInfo {
                            value: (*value).into(),
                            label: (*value).into(),
                        })
                        .collect(),
                ),
            },
            kind: kind.into(),
            read_only: false,
            unique,
            sensitivity: Sensitivity::Plain,
        };
        let contacts = PinnedObject {
            type_id: "0-1".to_owned(),
            properties: properties
                .iter()
                .map(|(name, kind, options, unique)| {
                    ((*name).to_owned(), info(kind, options, *unique))
                })
                .collect(),
        };
        PinnedPortal {
            objects: BTreeMap::from([("contacts".to_owned(), contacts)]),
            ..PinnedPortal::default()
        }
    }

    #[test]
    fn drift_is_named_thing_by_thing() {
        let before = portal(&[
            ("gone", "string:text", &[], false),
            ("plan", "enumeration:select", &["free", "team"], false),
            ("key", "string:text", &[], true),
            ("same", "string:text", &[], false),
        ]);
        let now = portal(&[
            ("new", "string:text", &[], false),
            ("plan", "enumeration:radio", &["free", "pro"], false),
            ("key", "string:text", &[], false),
            ("same", "string:text", &[], false),
        ]);
        let lines: Vec<String> = of(&before, &now)
            .iter()
            .map(|one| {
                let detail = one.detail.as_deref().unwrap_or("");
                format!("{} {} {} {detail}", one.change.name(), one.kind, one.name)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "removed property contacts.gone ",
                "changed property contacts.key no longer unique",
                "added property contacts.new ",
                "changed property contacts.plan type enumeration:select → enumeration:radio, option \"team\" removed, option \"pro\" added",
            ]
        );
        assert_eq!(of(&before, &before), []);
    }
}
