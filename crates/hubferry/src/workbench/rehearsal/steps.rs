//! What a plan asks of HubSpot, in the words of people.

use std::fmt::{self, Write as _};

use hubferry_actions::{
    DeletionMode, DeletionStep, Existing, LinkChange, LinkStep, MatchMode, MembershipChange,
    OccurrenceStep, Plan, Properties, RecordPlan, RecordRef, RecordStep, SearchBy, WhenFound,
    WhenMissing, Work,
};
use serde_json::{Map, Value, json};

/// One step of a delivery.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::workbench) enum Step {
    /// A property has to be there.
    Ensure {
        /// The type it belongs to.
        object: String,
        /// Its name.
        property: String,
    },
    /// A record is written.
    Record {
        /// `upsert`, `update` or `add`.
        verb: &'static str,
        /// Its type.
        object: String,
        /// The unique property it is found by, with its value.
        by: Option<(String, String)>,
        /// How it is found else.
        search: Search,
        /// What is written.
        properties: Vec<(String, String)>,
    },
    /// The record is tied to the contact of a person.
    Associate {
        /// The record's type.
        from: String,
        /// The other end's type.
        to: String,
        /// The keys by which the contact is found, in order.
        person: Vec<String>,
    },
    /// The record is tied to a named one, or untied.
    Link {
        /// `link` or `unlink`.
        verb: &'static str,
        /// The record's type.
        from: String,
        /// The other end's type.
        to: String,
        /// The unique property the other end is found by, with its value.
        by: Option<(String, String)>,
        /// How it is found else.
        search: Search,
        /// The association's category and type id.
        label: String,
    },
    /// The record joins or leaves a list.
    List {
        /// `add to list` or `remove from list`.
        verb: &'static str,
        /// The list.
        list: String,
    },
    /// A contact is deleted.
    Delete {
        /// `archive` or `gdpr-delete`.
        verb: &'static str,
        /// The keys by which the contact is found, in order.
        person: Vec<String>,
    },
    /// An occurrence of an event is sent.
    Occurrence {
        /// The event's name.
        event: String,
        /// By what HubSpot finds the record.
        identifiers: Vec<(&'static str, String)>,
        /// What is known of it.
        properties: Vec<(String, String)>,
    },
}

/// The values a record is searched by, and whether all of them must be equal.
#[derive(Clone, PartialEq, Default, Debug)]
pub(in crate::workbench) struct Search {
    fields: Vec<(String, String)>,
    any: bool,
}

/// The steps of a plan, in the order in which they happen.
pub(super) fn of(plan: &Plan) -> Vec<Step> {
    match &plan.work {
        Work::Record(plan) => of_record(plan),
        Work::Occurrence(step) => vec![of_occurrence(step)],
        Work::Deletion(step) => vec![of_deletion(step)],
    }
}

fn of_record(plan: &RecordPlan) -> Vec<Step> {
    let record = &plan.record;
    let object = record.record.object.as_str().to_owned();
    let mut steps = Vec::new();
    if let Some(needed) = &record.needs {
        steps.push(Step::Ensure {
            object: needed.object.as_str().to_owned(),
            property: needed.name.as_str().to_owned(),
        });
    }
    steps.push(Step::Record {
        verb: verb(record),
        object: object.clone(),
        by: by(&record.record),
        search: search(&record.existing),
        properties: exposed(&record.properties),
    });
    if let Some(wish) = &plan.associate {
        let person = wish.person.iter();
        steps.push(Step::Associate {
            from: object.clone(),
            to: wish.with.as_str().to_owned(),
            person: person.map(|key| key.expose().to_owned()).collect(),
        });
    }
    steps.extend(plan.links.iter().map(|link| of_link(&object, link)));
    if let Some(change) = &plan.membership {
        steps.push(Step::List {
            verb: match change.change {
                MembershipChange::Add => "add to list",
                MembershipChange::Remove => "remove from list",
            },
            list: change.list.name.to_string(),
        });
    }
    steps
}

fn verb(record: &RecordStep) -> &'static str {
    match (record.when_missing, record.when_found) {
        (WhenMissing::Create, WhenFound::Write) => "upsert",
        (WhenMissing::Skip, _) => "update",
        (WhenMissing::Create, WhenFound::Skip | WhenFound::Keep) => "add",
    }
}

fn of_link(from: &str, link: &LinkStep) -> Step {
    Step::Link {
        verb: match link.change {
            LinkChange::Associate => "link",
            LinkChange::Dissociate => "unlink",
        },
        from: from.to_owned(),
        to: link.target.record.object.as_str().to_owned(),
        by: by(&link.target.record),
        search: search(&link.target.existing),
        label: format!("{}:{}", link.kind.category, link.kind.type_id),
    }
}

fn of_deletion(step: &DeletionStep) -> Step {
    let person = step.person.iter();
    Step::Delete {
        verb: match step.mode {
            DeletionMode::Archive => "archive",
            DeletionMode::Gdpr => "gdpr-delete",
        },
        person: person.map(|key| key.expose().to_owned()).collect(),
    }
}

fn of_occurrence(step: &OccurrenceStep) -> Step {
    let mut identifiers = Vec::new();
    if let Some(id) = &step.object_id {
        identifiers.push(("objectId", id.as_str().to_owned()));
    }
    if let Some(email) = &step.email {
        identifiers.push(("email", email.to_string()));
    }
    if let Some(utk) = &step.utk {
        identifiers.push(("utk", utk.to_string()));
    }
    let properties = step.properties.iter();
    Step::Occurrence {
        event: step.event.as_str().to_owned(),
        identifiers,
        properties: properties
            .map(|(name, value)| (name.as_str().to_owned(), value.expose().to_owned()))
            .collect(),
    }
}

fn by(record: &RecordRef) -> Option<(String, String)> {
    let named = record.has_unique_property() || record.record_id().is_some();
    named.then(|| {
        (
            record.id_property.as_str().to_owned(),
            record.value.to_string(),
        )
    })
}

fn search(existing: &Existing) -> Search {
    match existing {
        Existing::ById | Existing::Nowhere => Search::default(),
        Existing::Search(SearchBy { fields, mode })
        | Existing::SearchAlone(SearchBy { fields, mode }) => Search {
            fields: exposed(fields),
            any: *mode == MatchMode::Any,
        },
    }
}

/// The values of the user's own events, shown to the user.
fn exposed(properties: &Properties) -> Vec<(String, String)> {
    properties
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.expose().to_owned()))
        .collect()
}

impl Search {
    fn to_json(&self) -> Value {
        object_of(&self.fields)
    }

    fn words(&self) -> String {
        listed(&self.fields, if self.any { " or " } else { " and " })
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Step {
    /// The step as `--output json` and mapping tests write it.
    pub(in crate::workbench) fn to_json(&self) -> Value {
        let mut step = Map::new();
        let mut put = |name: &str, value: Value| drop(step.insert(name.to_owned(), value));
        match self {
            Self::Ensure { object, property } => {
                put("ensure", object.as_str().into());
                put("property", property.as_str().into());
            }
            Self::Record {
                verb,
                object,
                by,
                search,
                properties,
            } => {
                put(verb, object.as_str().into());
                if let Some((by, id)) = by {
                    put("by", by.as_str().into());
                    put("id", id.as_str().into());
                }
                if !search.is_empty() {
                    put("search", search.to_json());
                }
                put("properties", object_of(properties));
            }
            Self::Associate { from, to, person } => {
                put("associate", from.as_str().into());
                put("with", to.as_str().into());
                put("person", json!(person));
            }
            Self::Link {
                verb,
                from,
                to,
                by,
                search,
                label,
            } => {
                put(verb, from.as_str().into());
                put("with", to.as_str().into());
                if let Some((by, id)) = by {
                    put("by", by.as_str().into());
                    put("id", id.as_str().into());
                }
                if !search.is_empty() {
                    put("search", search.to_json());
                }
                put("label", label.as_str().into());
            }
            Self::List { verb, list } => put(verb, list.as_str().into()),
            Self::Delete { verb, person } => {
                put(verb, "contacts".into());
                put("person", json!(person));
            }
            Self::Occurrence {
                event,
                identifiers,
                properties,
            } => {
                put("send", event.as_str().into());
                for (name, value) in identifiers {
                    put(name, value.as_str().into());
                }
                put("properties", object_of(properties));
            }
        }
        Value::Object(step)
    }
}

fn object_of(pairs: &[(String, String)]) -> Value {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ensure { object, property } => {
                write!(f, "ensure the property {property} of {object}")
            }
            Self::Record {
                verb,
                object,
                by,
                search,
                properties,
            } => {
                write!(f, "{verb} {object}")?;
                found(f, by.as_ref(), search)?;
                if properties.is_empty() {
                    return Ok(());
                }
                write!(f, ": {}", listed(properties, ", "))
            }
            Self::Associate { from, to, person } => {
                write!(
                    f,
                    "associate {from} with {to} of {}",
                    person.join(", else ")
                )
            }
            Self::Link {
                verb,
                from,
                to,
                by,
                search,
                label,
            } => {
                write!(f, "{verb} {from} with {to}")?;
                found(f, by.as_ref(), search)?;
                write!(f, " as {label}")
            }
            Self::List { verb, list } => write!(f, "{verb} {list}"),
            Self::Delete { verb, person } if person.is_empty() => {
                write!(
                    f,
                    "{verb} nobody: the event has neither userId nor anonymousId"
                )
            }
            Self::Delete { verb, person } => {
                write!(f, "{verb} the contact of {}", person.join(", else "))
            }
            Self::Occurrence {
                event,
                identifiers,
                properties,
            } => {
                write!(f, "send {event}")?;
                for (place, (name, value)) in identifiers.iter().enumerate() {
                    let between = if place == 0 { " for" } else { "," };
                    write!(f, "{between} {name} {value}")?;
                }
                if properties.is_empty() {
                    return Ok(());
                }
                write!(f, ": {}", listed(properties, ", "))
            }
        }
    }
}

/// By what a record is found.
fn found(
    f: &mut fmt::Formatter<'_>,
    by: Option<&(String, String)>,
    search: &Search,
) -> fmt::Result {
    match (by, search.is_empty()) {
        (Some((by, id)), true) => write!(f, " by {by} {id}"),
        (Some((by, id)), false) => write!(f, " by {by} {id}, else by {}", search.words()),
        (None, false) => write!(f, " found by {}", search.words()),
        (None, true) => Ok(()),
    }
}

fn listed(pairs: &[(String, String)], between: &str) -> String {
    let mut text = String::new();
    for (place, (name, value)) in pairs.iter().enumerate() {
        let between = if place == 0 { "" } else { between };
        // Writing to a String cannot fail.
        write!(text, "{between}{name}={value}").ok();
    }
    text
}
