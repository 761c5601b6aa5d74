//! Event definitions and the occurrences that were counted.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::event_properties::{
    EventProperty, EventPropertyCreate, EventType, LONGEST_NAME, name_of, valid_name,
};
use crate::objects::ObjectType;
use crate::values::iso;

/// Properties of one definition, and of one occurrence.
pub(crate) const MOST_PROPERTIES: usize = 50;

const LONGEST_LABEL: usize = 100;

/// What HubSpot adds to a definition unless told not to.
const DEFAULT_PROPERTIES: [&str; 32] = [
    "hs_asset_description",
    "hs_asset_type",
    "hs_browser",
    "hs_campaign_id",
    "hs_city",
    "hs_country",
    "hs_device_name",
    "hs_device_type",
    "hs_element_class",
    "hs_element_id",
    "hs_element_text",
    "hs_language",
    "hs_link_href",
    "hs_operating_system",
    "hs_operating_version",
    "hs_page_content_type",
    "hs_page_id",
    "hs_page_title",
    "hs_page_url",
    "hs_parent_module_id",
    "hs_referrer",
    "hs_region",
    "hs_screen_height",
    "hs_screen_width",
    "hs_touchpoint_source",
    "hs_tracking_name",
    "hs_user_agent",
    "hs_utm_campaign",
    "hs_utm_content",
    "hs_utm_medium",
    "hs_utm_source",
    "hs_utm_term",
];

/// One definition with what was counted for it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) full_name: String,
    label: String,
    description: String,
    pub(crate) primary: ObjectType,
    type_number: usize,
    properties: Vec<EventProperty>,
    /// The property of the record and the one of the event that are held against each other.
    pub(crate) matching: Option<(String, String)>,
    pub(crate) archived: bool,
    visible_from: Duration,
    created_ms: i64,
    updated_ms: i64,
    pub(crate) counted: Tally,
    /// How often each uuid came.
    uuids: HashMap<Box<str>, u32>,
    pub(crate) occurrences: Vec<Occurrence>,
}

/// Numbers of one definition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Occurrences that count.
    pub occurrences: u64,
    /// Accepted inputs whose uuid had been counted before.
    pub repeated: u64,
    /// Accepted inputs that belong to no record: they are dropped later, which nobody is told.
    pub dropped: u64,
}

/// One occurrence that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The uuid it came with.
    pub uuid: Option<String>,
    /// The record it belongs to.
    pub object_id: Option<String>,
    /// The visitor's token, when nothing better was given.
    pub utk: Option<String>,
    /// When it happened, ISO 8601.
    pub occurred_at: String,
    /// The number of the call that brought it.
    pub call: u64,
    /// Its properties.
    pub properties: Vec<(String, String)>,
}

/// The body of a definition create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DefinitionCreate {
    label: Option<String>,
    name: Option<String>,
    description: Option<String>,
    primary_object: Option<String>,
    #[serde(default)]
    property_definitions: Vec<EventPropertyCreate>,
    include_default_properties: Option<bool>,
    custom_matching_id: Option<Matching>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matching {
    primary_object_rule: MatchingRule,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MatchingRule {
    target_object_property_name: String,
    event_property_name: String,
}

/// The body of a definition or property patch.
#[derive(Debug, Deserialize)]
pub(crate) struct Relabel {
    label: Option<String>,
    description: Option<String>,
}

/// When something is made, and from when on sends know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    pub(crate) at_ms: i64,
    pub(crate) visible_from: Duration,
}

/// All definitions of the account.
#[derive(Debug, Default)]
pub(crate) struct EventBook {
    definitions: Vec<Definition>,
    by_name: HashMap<String, usize>,
}

impl EventBook {
    /// Every definition, archived ones included, in the order they were made.
    pub(crate) fn all(&self) -> &[Definition] {
        &self.definitions
    }

    /// A definition by its short or full name, archived or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Definition> {
        let place = *self.by_name.get(&name.to_lowercase())?;
        self.definitions.get(place)
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Definition, Refusal> {
        self.find(name).ok_or_else(|| unknown(name))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Result<&mut Definition, Refusal> {
        let place = self.by_name.get(&name.to_lowercase()).copied();
        place
            .and_then(|place| self.definitions.get_mut(place))
            .ok_or_else(|| unknown(name))
    }

    /// Names of deleted definitions stay taken for ever.
    pub(crate) fn define(
        &mut self,
        body: DefinitionCreate,
        portal_id: u64,
        most: usize,
        birth: Birth,
        resolve: impl Fn(&str) -> Option<ObjectType>,
    ) -> Result<&Definition, Refusal> {
        let label = body.label.unwrap_or_default();
        if label.trim().is_empty() || label.chars().count() > LONGEST_LABEL {
            return Err(Refusal::validation(format!(
                "label is required and holds at most {LONGEST_LABEL} characters"
            )));
        }
        let name = body.name.unwrap_or_else(|| name_of(&label));
        valid_name(&name)?;
        let full_name = format!("pe{portal_id}_{name}");
        if self.by_name.contains_key(&name) {
            return Err(exists(&format!("Event with name {name} already exists.")));
        }
        if self.definitions.iter().filter(|one| !one.archived).count() >= most {
            return Err(Refusal::validation(format!(
                "The account has reached its limit of {most} event definitions"
            )));
        }
        let object = body.primary_object.as_deref().unwrap_or("CONTACT");
        let primary = resolve(object).ok_or_else(|| Refusal::unknown_object(object))?;
        let mut definition = Definition {
            name: name.clone(),
            full_name: full_name.clone(),
            label,
            description: body.description.unwrap_or_default(),
            primary,
            type_number: self.definitions.len() + 1,
            properties: Vec::new(),
            matching: body.custom_matching_id.map(|matching| {
                let rule = matching.primary_object_rule;
                (rule.target_object_property_name, rule.event_property_name)
            }),
            archived: false,
            visible_from: birth.visible_from,
            created_ms: birth.at_ms,
            updated_ms: birth.at_ms,
            counted: Tally::default(),
            uuids: HashMap::new(),
            occurrences: Vec::new(),
        };
        for property in body.property_definitions {
            definition.add(property, birth)?;
        }
        if body.include_default_properties.unwrap_or(true) {
            let built_in = DEFAULT_PROPERTIES.iter().copied();
            definition
                .properties
                .extend(built_in.map(EventProperty::built_in));
        }
        let place = self.definitions.len();
        self.by_name.insert(name, place);
        self.by_name.insert(full_name, place);
        self.definitions.push(definition);
        Ok(&self.definitions[place])
    }
}

impl Definition {
    pub(crate) fn to_json(&self, with_properties: bool) -> Value {
        let mut shown = json!({
            "id": self.type_number.to_string(), "name": self.name, "fullyQualifiedName": self.full_name,
            "labels": {"singular": self.label, "plural": Value::Null}, "label": self.label,
            "description": self.description, "objectTypeId": format!("6-{}", self.type_number),
            "primaryObject": self.primary.shouted(), "primaryObjectId": self.primary.type_id(),
            "trackingType": "MANUAL", "archived": self.archived,
            "createdAt": iso(self.created_ms), "updatedAt": iso(self.updated_ms),
        });
        if with_properties {
            let properties: Vec<Value> =
                self.properties.iter().map(EventProperty::to_json).collect();
            shown["properties"] = json!(properties);
        }
        shown
    }

    /// Adds a property.
    pub(crate) fn add(
        &mut self,
        body: EventPropertyCreate,
        birth: Birth,
    ) -> Result<&EventProperty, Refusal> {
        let label = body.label.unwrap_or_default();
        if label.trim().is_empty() || label.chars().count() > LONGEST_NAME {
            return Err(Refusal::validation(format!(
                "The label of a property is required and holds at most {LONGEST_NAME} characters"
            )));
        }
        let name = body.name.unwrap_or_else(|| name_of(&label));
        valid_name(&name)?;
        let kind = body
            .kind
            .ok_or_else(|| Refusal::validation("Some required fields were not set: [type]"))?;
        let options = body.options.unwrap_or_default();
        if kind == EventType::Enumeration && options.is_empty() {
            return Err(Refusal::validation(format!(
                "Property {name} is an enumeration and needs options"
            )));
        }
        if self.properties.iter().any(|one| one.name == name) {
            return Err(exists(&format!(
                "Property with name {name} already exists."
            )));
        }
        let own = self
            .properties
            .iter()
            .filter(|one| !one.name.starts_with("hs_"));
        if own.count() >= MOST_PROPERTIES {
            return Err(Refusal::validation(format!(
                "At most {MOST_PROPERTIES} properties are allowed per event"
            )));
        }
        self.properties.push(EventProperty {
            name,
            label,
            kind,
            description: body.description.unwrap_or_default(),
            options: options
                .into_iter()
                .map(|option| (option.label.0, option.value.0))
                .collect(),
            archived: false,
            visible_from: birth.visible_from,
        });
        self.updated_ms = birth.at_ms;
        self.properties.last().ok_or_else(Refusal::not_found)
    }

    pub(crate) fn relabel(&mut self, body: Relabel, at_ms: i64) {
        self.label = body.label.unwrap_or_else(|| self.label.clone());
        self.description = body.description.unwrap_or_else(|| self.description.clone());
        self.updated_ms = at_ms;
    }

    pub(crate) fn relabel_property(&mut self, name: &str, body: Relabel) -> Result<Value, Refusal> {
        let property = self.property_mut(name)?;
        property.label = body.label.unwrap_or_else(|| property.label.clone());
        property.description = body
            .description
            .unwrap_or_else(|| property.description.clone());
        Ok(property.to_json())
    }

    pub(crate) fn archive_property(&mut self, name: &str) -> Result<(), Refusal> {
        self.property_mut(name)?.archived = true;
        Ok(())
    }

    /// Deletes the definition: its occurrences vanish, its name stays taken.
    pub(crate) fn archive(&mut self) {
        self.archived = true;
        self.occurrences.clear();
        self.uuids.clear();
        self.counted = Tally::default();
    }

    fn property_mut(&mut self, name: &str) -> Result<&mut EventProperty, Refusal> {
        let mut found = self.properties.iter_mut();
        found.find(|one| one.name == name).ok_or_else(|| {
            Refusal::new(404, format!("Property {name} does not exist"))
                .with("category", "OBJECT_NOT_FOUND")
        })
    }

    pub(crate) fn known_to_sends(&self, now: Duration) -> bool {
        !self.archived && self.visible_from <= now
    }

    /// Checks the properties of an occurrence; names are compared in lower case.
    pub(crate) fn check(
        &self,
        properties: &[(String, String)],
        now: Duration,
        refuse_unknown: bool,
    ) -> Result<(), Refusal> {
        if properties.len() > MOST_PROPERTIES {
            return Err(Refusal::validation(format!(
                "An event completion may have at most {MOST_PROPERTIES} properties"
            )));
        }
        for (name, value) in properties {
            let known = self.properties.iter().find(|one| one.name == *name);
            match known.filter(|one| !one.archived && one.visible_from <= now) {
                None if refuse_unknown => {
                    return Err(Refusal::validation(format!(
                        "Property {name} is not defined for event {}",
                        self.full_name
                    )));
                }
                None => (),
                // "" is no value.
                Some(_) if value.is_empty() => (),
                Some(property) => {
                    if let Some(why) = property.refuses(value) {
                        return Err(Refusal::validation(format!("Property {name} {why}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a uuid is new to this event; it is known from now on.
    pub(crate) fn first(&mut self, uuid: Option<&str>) -> bool {
        let Some(uuid) = uuid else { return true };
        match self.uuids.get_mut(uuid) {
            Some(times) => {
                *times = times.saturating_add(1);
                false
            }
            None => {
                self.uuids.insert(uuid.into(), 1);
                true
            }
        }
    }

    /// Uuids that came more than once, with how often they came.
    pub(crate) fn repeats(&self) -> Vec<(&str, u32)> {
        let all = self.uuids.iter().filter(|(_, times)| **times > 1);
        all.map(|(uuid, times)| (&**uuid, *times)).collect()
    }
}

/// The recorded 400: an error printed into the message, without a category of its own.
pub(crate) fn unknown(name: &str) -> Refusal {
    Refusal::new(
        400,
        format!(
            "StandardError{{status=error, category=VALIDATION_ERROR, message=Event with fully qualified name {name} does not exist., errors=[], context={{}}, links={{}}}}"
        ),
    )
}

fn exists(message: &str) -> Refusal {
    Refusal::new(409, message).with("category", "OBJECT_ALREADY_EXISTS")
}
