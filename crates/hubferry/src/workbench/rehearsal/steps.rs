//! What a plan asks of HubSpot, in the words of people.

use std::fmt::{self, Write as _};

use hubferry_actions::{Existing, Plan, Properties, WhenMissing};
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
        /// Its type.
        object: String,
        /// The unique property it is found by.
        by: String,
        /// Its value.
        id: String,
        /// Whether it is created when there is none.
        create: bool,
        /// How it is found when no record has the id.
        search: Vec<(String, String)>,
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
}

/// The steps of a plan, in the order in which they happen.
pub(super) fn of(plan: &Plan) -> Vec<Step> {
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
        object: object.clone(),
        by: record.record.id_property.as_str().to_owned(),
        id: record.record.value.to_string(),
        create: record.when_missing == WhenMissing::Create,
        search: match &record.existing {
            Existing::ById => Vec::new(),
            Existing::Search(filters) => exposed(filters),
        },
        properties: exposed(&record.properties),
    });
    if let Some(wish) = &plan.associate {
        steps.push(Step::Associate {
            from: object,
            to: wish.with.as_str().to_owned(),
            person: wish
                .person
                .iter()
                .map(|key| key.expose().to_owned())
                .collect(),
        });
    }
    steps
}

/// The values of the user's own events, shown to the user.
fn exposed(properties: &Properties) -> Vec<(String, String)> {
    properties
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.expose().to_owned()))
        .collect()
}

impl Step {
    /// The step as `--output json` and mapping tests write it.
    pub(in crate::workbench) fn to_json(&self) -> Value {
        match self {
            Self::Ensure { object, property } => {
                json!({ "ensure": object, "property": property })
            }
            Self::Record {
                object,
                by,
                id,
                create,
                search,
                properties,
            } => {
                let verb = if *create { "upsert" } else { "update" };
                let mut step = Map::new();
                step.insert(verb.to_owned(), object.as_str().into());
                step.insert("by".to_owned(), by.as_str().into());
                step.insert("id".to_owned(), id.as_str().into());
                if !search.is_empty() {
                    step.insert("search".to_owned(), object_of(search));
                }
                step.insert("properties".to_owned(), object_of(properties));
                Value::Object(step)
            }
            Self::Associate { from, to, person } => {
                json!({ "associate": from, "with": to, "person": person })
            }
        }
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
                object,
                by,
                id,
                create,
                search,
                properties,
            } => {
                let verb = if *create { "upsert" } else { "update" };
                write!(f, "{verb} {object} by {by} {id}")?;
                if !search.is_empty() {
                    write!(f, ", else by {}", listed(search, " and "))?;
                }
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
        }
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
