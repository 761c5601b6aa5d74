//! HubSpot's nouns, as every crate above this one says them.

use std::fmt;
use std::sync::Arc;

/// An object type as it stands in a path: `contacts`, `companies`, `deals`, `0-3`, `p123_pets`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectType(Arc<str>);

impl ObjectType {
    /// Takes a name or type id; the caller has checked that it is not empty.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// `contacts`.
    #[must_use]
    pub fn contacts() -> Self {
        Self::new("contacts")
    }

    /// `companies`.
    #[must_use]
    pub fn companies() -> Self {
        Self::new("companies")
    }

    /// The name as it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The internal name of a HubSpot property. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PropertyName(Arc<str>);

impl PropertyName {
    /// Takes the internal name as it is.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The internal name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of a property as HubSpot takes it: text; the empty text clears the property.
///
/// Personal data: `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PropertyText(Arc<str>);

impl PropertyText {
    /// Takes the text as it is to be sent.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The raw text; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PropertyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PropertyText({} bytes)", self.0.len())
    }
}

/// What one step writes, in the order of the mapping; no name stands twice.
pub type Properties = Vec<(PropertyName, PropertyText)>;

/// HubSpot's id of a record (`hs_object_id`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RecordId(Arc<str>);

impl RecordId {
    /// Takes the id as HubSpot printed it.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(Arc::from(id))
    }

    /// The id as HubSpot prints it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A record by the value of one of its unique properties, normalised (trimmed; e-mails lower-cased).
///
/// The value may be an e-mail: `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordRef {
    /// The record's type.
    pub object: ObjectType,
    /// The unique property, e.g. `email` or `segment_group_id`.
    pub id_property: PropertyName,
    /// Its value.
    pub value: Arc<str>,
}

impl fmt::Debug for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}=***]",
            self.object.as_str(),
            self.id_property.as_str()
        )
    }
}

/// The type of an association in one direction: HubSpot's category and type id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AssociationType {
    /// `HUBSPOT_DEFINED`, `USER_DEFINED` or `INTEGRATOR_DEFINED`.
    pub category: Arc<str>,
    /// HubSpot's number of the type in this direction.
    pub type_id: u32,
}

impl AssociationType {
    /// Company to contact, unlabelled: HUBSPOT_DEFINED 280 (developers.hubspot.com, "Associate records", read 2026-11-23).
    #[must_use]
    pub fn company_to_contact() -> Self {
        Self {
            category: Arc::from("HUBSPOT_DEFINED"),
            type_id: 280,
        }
    }
}

/// A property that has to exist before a step can be sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PropertyDefinition {
    /// The type it belongs to.
    pub object: ObjectType,
    /// Its internal name.
    pub name: PropertyName,
    /// The label people see.
    pub label: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The property group it is created in.
    pub group: &'static str,
    /// Whether no two records may share a value.
    pub unique: bool,
    /// Whether people do not see it in HubSpot's forms and pages.
    pub hidden: bool,
}
