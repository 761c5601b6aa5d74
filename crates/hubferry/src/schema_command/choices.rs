//! The choices that the reference's drop-downs offer: labels, values, filters and order (actions.md §5.2, §6.8, §7.1, §8.3).

use hubferry_actions::DEFAULT_EVENT_PROPERTIES;
use hubferry_actions::{ActionSlug, ObjectType, RECORD_ID_PROPERTY, Sensitivity};
use hubferry_hubspot::{
    AssociationLabel, EventEntry, ListEntry, ObjectSchema, PropertyEntry, PropertyGroup,
};
use serde_json::{Value, json};

/// One choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    /// What people see.
    pub(super) label: String,
    /// What a mapping says.
    pub(super) value: String,
}

impl Choice {
    fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"label": self.label, "value": self.value})
    }
}

/// Standard types of the newer object action, in its order.
const STANDARD: [(&str, &str); 10] = [
    ("Contact", "contact"),
    ("Company", "company"),
    ("Deal", "deal"),
    ("Ticket", "ticket"),
    ("Line Item", "line_item"),
    ("Subscription", "subscription"),
    ("Product", "product"),
    ("Appointment", "0-421"),
    ("Order", "order"),
    ("Quote", "quote"),
];
/// Of the older one: types of records, then those that only an association can end at.
const OLDER: [(&str, &str); 4] = [
    ("Deals", "deals"),
    ("Tickets", "tickets"),
    ("Contacts", "contacts"),
    ("Companies", "companies"),
];
/// How many of [`STANDARD`] events can happen to.
const WITH_EVENTS: usize = 4;

/// Custom types, then standard ones.
pub(super) fn objects(schemas: &[ObjectSchema], action: Option<ActionSlug>) -> Vec<Choice> {
    let standard = |of: &[(&str, &str)]| -> Vec<Choice> {
        of.iter()
            .map(|(label, value)| Choice::new(*label, *value))
            .collect()
    };
    let custom = |suffix: &str| {
        let all = schemas.iter();
        let all =
            all.map(|schema| Choice::new(format!("{}{suffix}", schema.plural), &*schema.full_name));
        let mut all: Vec<Choice> = all.collect();
        all.sort_by(|a, b| a.label.cmp(&b.label));
        all
    };
    match action {
        Some(ActionSlug::UpsertCustomObjectRecord) => [custom(""), standard(&OLDER)].concat(),
        Some(ActionSlug::CustomEvent) => {
            let mut all = [custom(" (Custom)"), standard(&STANDARD[..WITH_EVENTS])].concat();
            by_label(&mut all);
            all
        }
        _ => [custom(" (Custom)"), standard(&STANDARD)].concat(),
    }
}

/// Properties that a mapping can write.
pub(super) fn properties(properties: &[PropertyEntry]) -> Vec<Choice> {
    let written = properties
        .iter()
        .filter(|entry| !entry.info.unique && !entry.info.read_only);
    let mut all: Vec<Choice> = written
        .map(|entry| {
            let kind = entry.info.kind.split(':').next().unwrap_or_default();
            Choice::new(
                format!("{} - {kind}", entry.info.label),
                entry.name.as_str(),
            )
        })
        .collect();
    by_label(&mut all);
    all
}

/// Property groups.
pub(super) fn groups(groups: &[PropertyGroup]) -> Vec<Choice> {
    let mut all: Vec<Choice> = groups
        .iter()
        .map(|group| Choice::new(&*group.label, &*group.name))
        .collect();
    by_label(&mut all);
    all
}

/// Properties by which a record is found.
pub(super) fn ids(object: &ObjectType, properties: &[PropertyEntry]) -> Vec<Choice> {
    let mut first = vec![Choice::new("Record ID (updates only)", RECORD_ID_PROPERTY)];
    if *object == ObjectType::contacts() {
        first.push(Choice::new("Email", "email"));
    }
    let is_first = |name: &str| first.iter().any(|choice| choice.value == name);
    let mut unique: Vec<Choice> = properties
        .iter()
        .filter(|entry| entry.info.unique && entry.name.as_str() != "hs_unique_creation_key")
        .filter(|entry| entry.info.sensitivity == Sensitivity::Plain)
        .filter(|entry| !is_first(entry.name.as_str()))
        .map(|entry| Choice::new(&*entry.info.label, entry.name.as_str()))
        .collect();
    by_label(&mut unique);
    [first, unique].concat()
}

/// Association labels.
pub(super) fn labels(
    from: &str,
    to: &str,
    labels: &[AssociationLabel],
    action: Option<ActionSlug>,
) -> Vec<Choice> {
    let is_older = action == Some(ActionSlug::UpsertCustomObjectRecord);
    let mut all: Vec<Choice> = labels
        .iter()
        .map(|entry| {
            let id = entry.kind.type_id;
            let label = match (&entry.label, is_older) {
                (Some(label), true) => label.clone(),
                (None, true) => format!("unlabelled (type {id})"),
                (Some(label), false) => format!("{from} to {to} {label}"),
                (None, false) => format!("{from} to {to} default label (type {id})"),
            };
            Choice::new(label, format!("{}:{id}", entry.kind.category))
        })
        .collect();
    by_label(&mut all);
    all
}

/// Lists whose members are changed by hand.
pub(super) fn lists(lists: &[ListEntry]) -> Vec<Choice> {
    let manual = lists.iter().filter(|list| list.processing == "MANUAL");
    manual
        .map(|list| Choice::new(&*list.name, &*list.name))
        .collect()
}

/// Event definitions.
pub(super) fn events(events: &[EventEntry], action: Option<ActionSlug>) -> Vec<Choice> {
    if action == Some(ActionSlug::SendCustomBehavioralEvent) {
        let all = events.iter().map(|event| &event.definition);
        return all
            .map(|event| Choice::new(&*event.name, &*event.full_name))
            .collect();
    }
    let living = events.iter().filter(|event| !event.definition.archived);
    let mut all: Vec<Choice> = living
        .filter_map(|event| {
            let label = event.label.as_ref()?;
            Some(Choice::new(&**label, &*event.definition.full_name))
        })
        .collect();
    by_label(&mut all);
    all
}

/// The properties of an event, by its full or short name.
pub(super) fn event_properties(events: &[EventEntry], name: &str) -> Vec<Choice> {
    let wanted = clean(name);
    let known = events.iter().find(|event| {
        let definition = &event.definition;
        *definition.full_name == *wanted || *definition.name == *wanted
    });
    let Some(event) = known else {
        let all = DEFAULT_EVENT_PROPERTIES.iter().map(|name| {
            let kind = match *name {
                "hs_language" | "hs_page_content_type" => "enumeration",
                "hs_screen_height" | "hs_screen_width" => "number",
                _ => "string",
            };
            Choice::new(format!("{name} - {kind}"), *name)
        });
        return all.collect();
    };
    let living = event.properties.iter().filter(|one| !one.info.archived);
    let mut all: Vec<Choice> = living
        .map(|one| Choice::new(format!("{} - {}", one.label, one.kind), &*one.info.name))
        .collect();
    if all.is_empty() {
        return vec![Choice::new("This event has no properties yet", "")];
    }
    by_label(&mut all);
    all
}

/// Names of events are lower-case, with `_` for blanks and dots.
pub(crate) fn clean(name: &str) -> String {
    let words = name.trim().to_lowercase();
    let words = words.split(|c: char| c.is_whitespace() || c == '.');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// By label, whatever the case.
fn by_label(choices: &mut [Choice]) {
    choices.sort_by_cached_key(|choice| (choice.label.to_lowercase(), choice.value.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubferry_actions::{AssociationType, PropertyInfo, PropertyName, ValueType};

    fn schema(plural: &str) -> ObjectSchema {
        ObjectSchema {
            type_id: "2-1".to_owned(),
            full_name: format!("p1_{}", plural.to_lowercase()),
            name: plural.to_lowercase(),
            singular: plural.to_owned(),
            plural: plural.to_owned(),
            required: Vec::new(),
        }
    }

    fn property(name: &str, label: &str, unique: bool, read_only: bool) -> PropertyEntry {
        PropertyEntry {
            name: PropertyName::new(name),
            info: PropertyInfo {
                label: label.into(),
                value: ValueType::Text,
                kind: "string:text".into(),
                read_only,
                unique,
                sensitivity: Sensitivity::Plain,
            },
            group: None,
            description: None,
            hidden: false,
        }
    }

    fn shown(choices: &[Choice]) -> Vec<String> {
        let one = |choice: &Choice| format!("{}={}", choice.label, choice.value);
        choices.iter().map(one).collect()
    }

    #[test]
    fn custom_types_come_first_as_the_action_has_them() {
        let schemas = [schema("Zoos"), schema("Pets"), schema("ants")];
        let newer = shown(&objects(&schemas, None));
        assert_eq!(
            newer[..4],
            [
                "Pets (Custom)=p1_pets",
                "Zoos (Custom)=p1_zoos",
                "ants (Custom)=p1_ants",
                "Contact=contact"
            ]
        );
        assert_eq!(newer.len(), 13);
        assert_eq!(newer[10], "Appointment=0-421");
        assert_eq!(
            shown(&objects(
                &schemas,
                Some(ActionSlug::UpsertCustomObjectRecord)
            ))[2..],
            [
                "ants=p1_ants",
                "Deals=deals",
                "Tickets=tickets",
                "Contacts=contacts",
                "Companies=companies"
            ]
        );
        assert_eq!(
            shown(&objects(&schemas, Some(ActionSlug::CustomEvent))),
            [
                "ants (Custom)=p1_ants",
                "Company=company",
                "Contact=contact",
                "Deal=deal",
                "Pets (Custom)=p1_pets",
                "Ticket=ticket",
                "Zoos (Custom)=p1_zoos"
            ]
        );
    }

    #[test]
    fn what_is_unique_is_an_id_and_what_nobody_writes_is_no_property() {
        let all = [
            property("zip", "zip", false, false),
            property("Name", "Name", false, false),
            property("key", "Key", true, false),
            property("alt", "alt key", true, false),
            property("hs_unique_creation_key", "K", true, true),
            property("email", "Email", true, false),
            property("score", "Score", false, true),
        ];
        assert_eq!(
            shown(&properties(&all)),
            ["Name - string=Name", "zip - string=zip"]
        );
        assert_eq!(
            shown(&ids(&ObjectType::contacts(), &all)),
            [
                "Record ID (updates only)=hs_object_id",
                "Email=email",
                "alt key=alt",
                "Key=key"
            ]
        );
        assert_eq!(
            shown(&ids(&ObjectType::new("deals"), &all[2..3])),
            ["Record ID (updates only)=hs_object_id", "Key=key"]
        );
    }

    #[test]
    fn labels_carry_category_and_number() {
        let kind = |category: &str, type_id| AssociationType {
            category: category.into(),
            type_id,
        };
        let all = [
            AssociationLabel {
                kind: kind("USER_DEFINED", 7),
                label: Some("Owner".to_owned()),
            },
            AssociationLabel {
                kind: kind("HUBSPOT_DEFINED", 279),
                label: None,
            },
        ];
        assert_eq!(
            shown(&labels("contact", "company", &all, None)),
            [
                "contact to company default label (type 279)=HUBSPOT_DEFINED:279",
                "contact to company Owner=USER_DEFINED:7"
            ]
        );
        assert_eq!(
            shown(&labels(
                "a",
                "b",
                &all,
                Some(ActionSlug::UpsertCustomObjectRecord)
            )),
            [
                "Owner=USER_DEFINED:7",
                "unlabelled (type 279)=HUBSPOT_DEFINED:279"
            ]
        );
    }

    #[test]
    fn an_event_that_is_not_there_has_hubspots_own_properties() {
        let choices = event_properties(&[], "New Event");
        assert_eq!(choices.len(), 32);
        assert_eq!(
            choices[11],
            Choice::new("hs_language - enumeration", "hs_language")
        );
        assert_eq!(clean(" My Event.X  y "), "my_event_x_y");
    }
}
