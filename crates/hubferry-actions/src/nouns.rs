//! HubSpot's nouns, as every crate above this one says them.

use std::fmt;
use std::sync::Arc;

use crate::plan::ValueKind;

/// An object type as it stands in a path: `contacts`, `companies`, `deals`, `0-3`, `p123_pets`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectType(Arc<str>);

/// The standard types by type id, singular and plural (hubspot-api.md §1.2; actions.md §6.8).
const STANDARD_TYPES: [(&str, &str, &str); 10] = [
    ("0-1", "contact", "contacts"),
    ("0-2", "company", "companies"),
    ("0-3", "deal", "deals"),
    ("0-5", "ticket", "tickets"),
    ("0-7", "product", "products"),
    ("0-8", "line_item", "line_items"),
    ("0-14", "quote", "quotes"),
    ("0-69", "subscription", "subscriptions"),
    ("0-123", "order", "orders"),
    ("0-421", "appointment", "appointments"),
];

impl ObjectType {
    /// Takes a name or type id as it stands in a path; the caller has checked that it is not empty. See
    /// [`ObjectType::parse`] for what a mapping says.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// Takes a name or type id as a mapping says it; `None` when it is blank. Of the names of a standard type (`contact`,
    /// `Contacts`, `0-1`) there comes one, so that all mappings of one record agree on it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        let lower = name.to_ascii_lowercase();
        let standard = STANDARD_TYPES
            .iter()
            .find(|(id, one, many)| [*id, *one, *many].contains(&lower.as_str()));
        match standard {
            Some((_, _, many)) => Some(Self::new(many)),
            None => (!name.is_empty()).then(|| Self::new(name)),
        }
    }

    /// The type id: of a standard type, or one that was given as an id (`2-123`). `None` for the name of a custom type.
    #[must_use]
    pub fn type_id(&self) -> Option<&str> {
        let standard = STANDARD_TYPES.iter().find(|(.., many)| *many == &*self.0);
        let is_id = self.0.split_once('-').is_some_and(|(group, number)| {
            [group, number]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        });
        match standard {
            Some((id, ..)) => Some(id),
            None => is_id.then_some(&*self.0),
        }
    }

    /// The property group in which a portal keeps the usual properties of the type; `None` where no such is known.
    #[must_use]
    pub fn usual_group(&self) -> Option<&'static str> {
        match self.as_str() {
            "contacts" => Some("contactinformation"),
            "companies" => Some("companyinformation"),
            "deals" => Some("dealinformation"),
            "tickets" => Some("ticketinformation"),
            "products" => Some("productinformation"),
            _ => None,
        }
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

/// The property that holds HubSpot's own id of a record.
pub const RECORD_ID_PROPERTY: &str = "hs_object_id";

/// Stands for the unique property of records that have none: `?` occurs in no property's name.
const SEARCHED: &str = "?search";
const FRESH: &str = "?new";

impl RecordRef {
    /// A record that is found by property values alone: equal values are one record.
    #[must_use]
    pub fn searched(object: ObjectType, fields: &Properties) -> Self {
        let mut values: Vec<String> = fields
            .iter()
            // With lengths, no value can look like two: whoever writes values decides nothing about identity.
            .map(|(name, value)| {
                let (name, value) = (name.as_str(), value.expose());
                format!("{name}={}:{value}", value.len())
            })
            .collect();
        values.sort();
        Self {
            object,
            id_property: PropertyName::new(SEARCHED),
            value: Arc::from(values.join("\u{1f}")),
        }
    }

    /// A record that nothing identifies: every delivery has one of its own.
    #[must_use]
    pub fn fresh(object: ObjectType, delivery: &str) -> Self {
        Self {
            object,
            id_property: PropertyName::new(FRESH),
            value: Arc::from(delivery),
        }
    }

    /// HubSpot's id, when the record is named by it.
    #[must_use]
    pub fn record_id(&self) -> Option<RecordId> {
        (self.id_property.as_str() == RECORD_ID_PROPERTY).then(|| RecordId::new(&self.value))
    }

    /// Whether a unique property of the portal identifies it, so that it can be upserted and read by that.
    #[must_use]
    pub fn has_unique_property(&self) -> bool {
        ![RECORD_ID_PROPERTY, SEARCHED, FRESH].contains(&self.id_property.as_str())
    }
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

/// The categories of association types (hubspot-api.md §4).
const CATEGORIES: [&str; 4] = [
    "HUBSPOT_DEFINED",
    "USER_DEFINED",
    "INTEGRATOR_DEFINED",
    "WORK",
];

impl AssociationType {
    /// The form of [`AssociationType::parse`], for messages.
    pub const FORM: &'static str =
        "CATEGORY:number as HubSpot lists its labels, such as HUBSPOT_DEFINED:279";

    /// Takes `CATEGORY:number`, as a mapping says it; `None` for anything else.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        let (category, number) = label.split_once(':')?;
        let category = category.trim().to_ascii_uppercase();
        let type_id: u32 = number.trim().parse().ok()?;
        let is_known = CATEGORIES.contains(&category.as_str()) && type_id > 0;
        is_known.then(|| Self {
            category: Arc::from(category),
            type_id,
        })
    }

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
    pub label: Arc<str>,
    /// What it is for.
    pub description: &'static str,
    /// The property group it is created in.
    pub group: Arc<str>,
    /// What values it takes.
    pub kind: ValueKind,
    /// Whether no two records may share a value.
    pub unique: bool,
    /// Whether people do not see it in HubSpot's forms and pages.
    pub hidden: bool,
    /// Whether its values are sensitive.
    pub sensitive: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(fields: &[(&str, &str)]) -> RecordRef {
        let fields = fields
            .iter()
            .map(|(name, value)| (PropertyName::new(name), PropertyText::new(value)))
            .collect();
        RecordRef::searched(ObjectType::new("deals"), &fields)
    }

    #[test]
    fn o29_records_are_told_apart_whatever_their_values_look_like() {
        assert_eq!(
            searched(&[("a", "1"), ("b", "2")]),
            searched(&[("b", "2"), ("a", "1")])
        );
        assert_ne!(
            searched(&[("a", "1"), ("b", "2")]),
            searched(&[("a", "1\u{1f}b=2")])
        );
        assert_ne!(
            searched(&[("a", "1"), ("b", "2")]),
            searched(&[("a", "1\u{1f}b=1:2")])
        );
        assert_ne!(searched(&[("a_b", "c")]), searched(&[("a", "b_c")]));
        let masked = format!("{:?}", searched(&[("email", "ada@c.io")]));
        assert_eq!(masked, "deals[?search=***]");
    }

    #[test]
    fn o34_a_type_is_one_by_every_name_and_knows_its_id() {
        for (name, path, id) in [
            ("contact", "contacts", Some("0-1")),
            (" Contacts ", "contacts", Some("0-1")),
            ("0-1", "contacts", Some("0-1")),
            ("Line_Item", "line_items", Some("0-8")),
            ("2-345", "2-345", Some("2-345")),
            ("p1_Pets", "p1_Pets", None),
            ("2-x", "2-x", None),
        ] {
            let object = ObjectType::parse(name).unwrap();
            assert_eq!((object.as_str(), object.type_id()), (path, id), "{name}");
        }
        assert_eq!(ObjectType::parse("  "), None);
    }
}
