//! What a portal has, entry by entry. Nothing is required but what names an entry: HubSpot's schemas are stricter on paper
//! than on the wire.

use hubferry_actions::{
    AssociationType, EventDefinition, EventPropertyInfo, PropertyInfo, PropertyName, Sensitivity,
};
use serde_json::Value;

use crate::json::{flag, items, text, texts};
use crate::learned;

/// A custom object type (hubspot-api.md §5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectSchema {
    /// HubSpot's id of it, e.g. `2-123`.
    pub type_id: String,
    /// The fully qualified name, `p{portal}_{name}`.
    pub full_name: String,
    /// The short name.
    pub name: String,
    /// What one record is called.
    pub singular: String,
    /// What several are called.
    pub plural: String,
    /// The properties a new record must have.
    pub required: Vec<PropertyName>,
}

/// A property of a type.
#[derive(Clone, PartialEq, Debug)]
pub struct PropertyEntry {
    /// Its internal name.
    pub name: PropertyName,
    /// What values it takes, and who may write it.
    pub info: PropertyInfo,
    /// The property group it is in.
    pub group: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether people do not see it in HubSpot's pages.
    pub hidden: bool,
}

/// A property group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PropertyGroup {
    /// Its internal name.
    pub name: String,
    /// The label people see.
    pub label: String,
}

/// A type of association from one object type to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssociationLabel {
    /// HubSpot's category and type id.
    pub kind: AssociationType,
    /// The label people see; none for the plain association.
    pub label: Option<String>,
}

/// A list (segment).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListEntry {
    /// HubSpot's id of it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The type of its records, e.g. `0-1`.
    pub type_id: String,
    /// `MANUAL`, `SNAPSHOT` or `DYNAMIC`: only the first two take members.
    pub processing: String,
    /// How many records are on it, when HubSpot tells.
    pub size: Option<u64>,
}

/// A custom event definition.
#[derive(Clone, PartialEq, Debug)]
pub struct EventEntry {
    /// Its names, whether it is archived, and what its properties take.
    pub definition: EventDefinition,
    /// The label people see: of one occurrence, else of several.
    pub label: Option<String>,
    /// The type of the records it happens to, as HubSpot names it (`CONTACT`, …).
    pub primary_object: Option<String>,
    /// Its properties with their labels.
    pub properties: Vec<EventPropertyEntry>,
}

/// A property of a custom event.
#[derive(Clone, PartialEq, Debug)]
pub struct EventPropertyEntry {
    /// Its name, whether it is archived, and what values it takes.
    pub info: EventPropertyInfo,
    /// The label people see.
    pub label: String,
    /// HubSpot's type: `string`, `number`, `enumeration`, `datetime`, …
    pub kind: String,
}

/// How much of the account's day is used (hubspot-api.md §8.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DailyUsage {
    /// Calls per day.
    pub limit: u64,
    /// Calls so far.
    pub used: u64,
    /// When HubSpot counted, in ISO 8601.
    pub collected_at: Option<String>,
    /// When the day ends, in ISO 8601.
    pub resets_at: Option<String>,
}

impl ObjectSchema {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        let full_name = named(shown, "fullyQualifiedName")?;
        let name = named(shown, "name").unwrap_or_else(|| full_name.clone());
        let label = |form| shown.get("labels").and_then(|labels| named(labels, form));
        let required = texts(shown, "requiredProperties");
        Some(Self {
            type_id: named(shown, "objectTypeId")?,
            singular: label("singular").unwrap_or_else(|| name.clone()),
            plural: label("plural").unwrap_or_else(|| name.clone()),
            required: required
                .iter()
                .map(|name| PropertyName::new(name))
                .collect(),
            full_name,
            name,
        })
    }
}

impl PropertyEntry {
    pub(super) fn read(shown: &Value, class: Sensitivity) -> Option<Self> {
        let (name, info) = learned::property(shown, class)?;
        Some(Self {
            name,
            info,
            group: named(shown, "groupName"),
            description: named(shown, "description"),
            hidden: flag(shown, "hidden"),
        })
    }
}

impl PropertyGroup {
    /// Archived groups are left out.
    pub(super) fn read(shown: &Value) -> Option<Self> {
        let name = named(shown, "name").filter(|_| !flag(shown, "archived"))?;
        Some(Self {
            label: named(shown, "label").unwrap_or_else(|| name.clone()),
            name,
        })
    }
}

impl AssociationLabel {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        Some(Self {
            kind: AssociationType {
                category: named(shown, "category")?.into(),
                type_id: text(shown, "typeId")?.parse().ok()?,
            },
            label: named(shown, "label"),
        })
    }
}

impl ListEntry {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        let more = shown.get("additionalProperties");
        let size = text(shown, "size")
            .or_else(|| more.and_then(|more| text(more, "hs_list_size")))
            .and_then(|size| size.parse().ok());
        Some(Self {
            id: named(shown, "listId")?,
            name: named(shown, "name")?,
            type_id: named(shown, "objectTypeId")?,
            processing: named(shown, "processingType").unwrap_or_default(),
            size,
        })
    }
}

impl EventEntry {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        let definition = learned::definition(shown)?;
        let labels = shown.get("labels");
        let form = |form| labels.and_then(|labels| named(labels, form));
        let properties = items(shown, "properties").iter();
        Some(Self {
            definition,
            label: form("singular")
                .or_else(|| form("plural"))
                .or_else(|| named(shown, "label")),
            primary_object: named(shown, "primaryObject"),
            properties: properties.filter_map(EventPropertyEntry::read).collect(),
        })
    }
}

impl EventPropertyEntry {
    fn read(shown: &Value) -> Option<Self> {
        let info = learned::event_property(shown)?;
        Some(Self {
            label: named(shown, "label").unwrap_or_else(|| info.name.to_string()),
            kind: text(shown, "type").unwrap_or_default(),
            info,
        })
    }
}

impl DailyUsage {
    pub(super) fn read(shown: &Value) -> Option<Self> {
        let count = |key| text(shown, key).and_then(|count| count.parse().ok());
        Some(Self {
            limit: count("usageLimit")?,
            used: count("currentUsage")?,
            collected_at: named(shown, "collectedAt"),
            resets_at: named(shown, "resetsAt"),
        })
    }
}

/// A text that says something.
fn named(object: &Value, key: &str) -> Option<String> {
    text(object, key).filter(|text| !text.is_empty())
}
