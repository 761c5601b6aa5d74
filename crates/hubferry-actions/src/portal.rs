//! What a portal's own schema says: properties, event definitions, lists. Read by the client, kept by the fleet's memory,
//! asked by the scheduler.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::nouns::{ObjectType, PropertyName};

/// The properties of one object type.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct ObjectProperties {
    properties: FxHashMap<Box<str>, PropertyInfo>,
}

/// What the schema says of one property.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PropertyInfo {
    /// The label people see.
    pub label: Box<str>,
    /// What values it takes.
    pub value: ValueType,
    /// HubSpot's `type:fieldType`, for messages.
    pub kind: Box<str>,
    /// Whether nobody may write it (calculated, or read-only by HubSpot).
    pub read_only: bool,
    /// Whether no two records may share a value.
    pub unique: bool,
    /// How sensitive its values are.
    pub sensitivity: Sensitivity,
}

/// What values a property takes (hubspot-api.md §10.1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ValueType {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// One of the options.
    Option(Vec<OptionInfo>),
    /// Some of the options, joined with `;`.
    Options(Vec<OptionInfo>),
    /// A date.
    Date,
    /// A moment.
    DateTime,
    /// Something only HubSpot can judge.
    Other,
}

/// One option of an enumeration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OptionInfo {
    /// The internal value.
    pub value: Box<str>,
    /// The label people see.
    pub label: Box<str>,
}

/// How sensitive a property's values are.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize,
)]
pub enum Sensitivity {
    /// Not at all.
    #[default]
    Plain,
    /// Sensitive.
    Sensitive,
    /// Highly sensitive.
    HighlySensitive,
}

/// An event definition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventDefinition {
    /// The fully qualified name, `pe{portal}_{name}`.
    pub full_name: Box<str>,
    /// The short name.
    pub name: Box<str>,
    /// Whether it was archived.
    pub archived: bool,
    /// Its properties, in the definition's order.
    pub properties: Vec<EventPropertyInfo>,
}

/// A property of an event definition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventPropertyInfo {
    /// Its name, lower-cased.
    pub name: Box<str>,
    /// What values it takes.
    pub value: ValueType,
    /// Whether it was archived.
    pub archived: bool,
}

/// A list by its name and the type of its records.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ListName {
    /// The type of its records.
    pub object: ObjectType,
    /// Its name, trimmed.
    pub name: Arc<str>,
}

/// A list as the portal has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListInfo {
    /// HubSpot's id of it.
    pub id: Box<str>,
    /// Whether records can be added and removed: `MANUAL` and `SNAPSHOT`, not `DYNAMIC`.
    pub writable: bool,
}

impl ObjectProperties {
    /// Of names and what is known of them.
    pub fn new(properties: impl IntoIterator<Item = (PropertyName, PropertyInfo)>) -> Self {
        let properties = properties
            .into_iter()
            .map(|(name, info)| (Box::from(name.as_str()), info))
            .collect();
        Self { properties }
    }

    /// What is known of a property; `None` when the portal has no such.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&PropertyInfo> {
        self.properties.get(name)
    }

    /// All properties, by name.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&str, &PropertyInfo)> {
        let mut all: Vec<(&str, &PropertyInfo)> = self
            .properties
            .iter()
            .map(|(name, info)| (&**name, info))
            .collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }

    /// Puts the properties of another class of sensitivity beside these.
    pub fn extend(&mut self, more: Self) {
        self.properties.extend(more.properties);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.properties.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }
}
