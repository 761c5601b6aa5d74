//! Mappings held against a portal's schema: what can be known before an event (users.md §4, actions.md §2.11).

use std::collections::BTreeMap;
use std::sync::Arc;

use hubferry_actions::{
    ActionSlug, AssociationType, Existing, MisfitCode, ObjectProperties, ObjectType, Person,
    Policy, PropertyInfo, PropertyName, PropertyText, RECORD_ID_PROPERTY, RecordRef, RecordStep,
    SyncMode, UnknownProperty, WhenFound, WhenMissing,
};
use serde_json::{Map, Value};

use super::choices::clean;
use crate::auth::uses::{items, type_in};
use crate::config::{Destination, MappingEntry, closest, is_directive, object_of};
use crate::pinned::{PinnedObject, PinnedPortal};

/// One thing that a mapping and the portal do not agree on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    /// Whether deliveries will be refused; otherwise something will be left out, or nobody knows.
    pub(crate) is_error: bool,
    /// Where, as in a problem of the configuration.
    pub(crate) path: String,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

/// Everything that the enabled mappings of a destination and its portal do not agree on.
pub(crate) fn findings(destination: &Destination, portal: &PinnedPortal) -> Vec<Finding> {
    let mut found = Vec::new();
    for mapping in destination.mappings.iter().filter(|one| one.enabled) {
        let name = mapping.id.split_once('/').map_or("", |(_, name)| name);
        let mut fitting = Fitting {
            mapping,
            portal,
            path: format!("destinations[{}].mappings[{name}].fields", destination.name),
            found: &mut found,
        };
        if !is_directive(&mapping.named) {
            fitting.mapping();
        }
    }
    found
}

struct Fitting<'a> {
    mapping: &'a MappingEntry,
    portal: &'a PinnedPortal,
    /// Of the mapping's fields.
    path: String,
    found: &'a mut Vec<Finding>,
}

/// Fields of the company action that are not written to the record.
const COMPANY_FIELDS: [&str; 5] = [
    "groupid",
    "createNewCompany",
    "associateContact",
    "companysearchfields",
    "properties",
];

impl<'a> Fitting<'a> {
    fn add(&mut self, is_error: bool, below: &str, message: String) {
        let path = format!("{}.{below}", self.path);
        self.found.push(Finding {
            is_error,
            path,
            message,
        });
    }

    fn mapping(&mut self) {
        let fields = &self.mapping.named;
        let object = object_of(self.mapping.action, fields);
        match self.mapping.action {
            ActionSlug::UpsertContact => {
                let contacts = ObjectType::contacts();
                self.top(&contacts, &["email", "properties"]);
                self.members(&contacts, "properties");
            }
            ActionSlug::UpsertCompany => {
                let companies = ObjectType::companies();
                self.top(&companies, &COMPANY_FIELDS);
                self.members(&companies, "properties");
                self.search(&companies, "companysearchfields");
                self.group_id(&companies);
            }
            ActionSlug::UpsertCustomObjectRecord => {
                let Some(object) = object.filter(|object| self.knows(object, "objectType")) else {
                    return;
                };
                self.members(&object, "properties");
                self.search(&object, "customObjectSearchFields");
                if let Some(to) = type_in(fields.get("toObjectType")) {
                    self.search(&to, "searchFieldsToAssociateCustomObjects");
                    let label = fields.get("associationLabel");
                    self.label(&object, &to, "associationLabel", label);
                }
            }
            ActionSlug::UpsertObject => {
                let at = "object_details.object_type";
                let Some(object) = object.filter(|object| self.knows(object, at)) else {
                    return;
                };
                self.object(&object);
            }
            ActionSlug::SendCustomBehavioralEvent => self.event("eventName", false),
            ActionSlug::CustomEvent => {
                let creates = self.mapping.settings.sync_mode != SyncMode::Update;
                self.event("event_name", creates);
            }
        }
    }

    /// Whether a type is there to be compared with.
    fn knows(&mut self, object: &ObjectType, at: &str) -> bool {
        let is_known = self.portal.objects.contains_key(object.as_str());
        if !is_known {
            let known = self.portal.objects.keys().map(String::as_str);
            let hint = proposal(closest(object.as_str(), known));
            let message = format!(
                "the object type {:?} is not in the schema{hint}; `hubferry schema pull` reads what the mappings use, `hubferry schema objects` lists what there is",
                object.as_str()
            );
            self.add(false, at, message);
        }
        is_known
    }

    fn object(&mut self, object: &ObjectType) {
        let fields = &self.mapping.named;
        self.members(object, "properties");
        self.members(object, "sensitive_properties");
        let details = fields.get("object_details").and_then(Value::as_object);
        let id = details.and_then(|details| details.get("id_field_name"));
        self.id(object, "object_details.id_field_name", id);
        for field in ["associations", "dissociations"] {
            for (number, item) in items(fields.get(field)).iter().enumerate() {
                let at = format!("{field}[{number}]");
                let Some(to) = type_in(item.get("object_type")) else {
                    continue;
                };
                if !self.knows(&to, &format!("{at}.object_type")) {
                    continue;
                }
                self.id(
                    &to,
                    &format!("{at}.id_field_name"),
                    item.get("id_field_name"),
                );
                let label = item.get("association_label");
                self.label(object, &to, &format!("{at}.association_label"), label);
            }
        }
        self.list(object);
    }

    /// Fields that are properties themselves.
    fn top(&mut self, object: &ObjectType, not_written: &[&str]) {
        let fields = self.mapping.named.iter();
        let written: Vec<(&String, &Value)> = fields
            .filter(|(name, _)| !not_written.contains(&name.as_str()) && !name.starts_with("__"))
            .collect();
        for (name, value) in written {
            self.property(object, name, name, value);
        }
    }

    /// The members of a field that holds properties.
    fn members(&mut self, object: &ObjectType, field: &str) {
        let Some(members) = self.members_of(field) else {
            return;
        };
        for (name, value) in members {
            self.property(object, name, &format!("{field}.{name}"), value);
        }
    }

    fn members_of(&self, field: &str) -> Option<&'a Map<String, Value>> {
        let mapping: &'a MappingEntry = self.mapping;
        let members = mapping.named.get(field)?.as_object()?;
        (!is_directive(members)).then_some(members)
    }

    fn property(&mut self, object: &ObjectType, name: &str, at: &str, value: &Value) {
        let is_wanted = !value.is_null() && value.as_str() != Some("");
        let Some(pinned) = self
            .portal
            .properties(object.as_str())
            .filter(|_| is_wanted)
        else {
            return;
        };
        // A plain object becomes several properties, whose names depend on its members.
        if value
            .as_object()
            .is_some_and(|members| !is_directive(members))
        {
            return;
        }
        let policy = &self.mapping.settings.policy;
        match known(pinned, name) {
            None if policy.unknown_property == UnknownProperty::Create => {}
            None => {
                let is_error = policy.unknown_property == UnknownProperty::DeadLetter;
                let message = self.unknown(object, name, pinned, is_error);
                self.add(is_error, at, message);
            }
            Some((name, info)) => self.value(object, name, info, at, value),
        }
    }

    fn unknown(
        &self,
        object: &ObjectType,
        name: &str,
        pinned: &PinnedObject,
        is_error: bool,
    ) -> String {
        let hint = proposal(closest(name, pinned.properties.keys().map(String::as_str)));
        let effect = match is_error {
            true => {
                "every delivery with a value for it is refused: create it in HubSpot, or set unknown_property to drop or create"
            }
            false => "it is left out",
        };
        format!(
            "{} has no property {name}{hint}; {effect} (as of {})",
            object.as_str(),
            self.portal.read_at
        )
    }

    /// A property that is there: whether it may be written, and whether it takes a value that no event changes.
    fn value(
        &mut self,
        object: &ObjectType,
        name: &str,
        info: &PropertyInfo,
        at: &str,
        value: &Value,
    ) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            // Written by a directive: only whether it may be written is known. No value fits everything.
            _ if info.read_only => String::new(),
            _ => return,
        };
        let step = RecordStep {
            record: RecordRef {
                object: object.clone(),
                id_property: PropertyName::new(""),
                value: Arc::from(""),
            },
            properties: vec![(PropertyName::new(name), PropertyText::new(&text))],
            existing: Existing::ById,
            when_missing: WhenMissing::Create,
            when_found: WhenFound::Write,
            stage: None,
            person: Person::new(),
            needs: None,
            creation: None,
        };
        let policy = &self.mapping.settings.policy;
        let strict = Policy {
            unknown_property: UnknownProperty::DeadLetter,
            drop_invalid_property: false,
            ..policy.clone()
        };
        let schema = ObjectProperties::new([(PropertyName::new(name), info.clone())]);
        let Err(misfit) = hubferry_actions::fit(&step, &schema, &strict) else {
            return;
        };
        let drops = policy.drop_invalid_property
            || (misfit.code == MisfitCode::PropertyReadOnly
                && policy.unknown_property == UnknownProperty::Drop);
        self.add(!drops, at, misfit.message);
    }

    /// The names in a field of search fields.
    fn search(&mut self, object: &ObjectType, field: &str) {
        let Some(pinned) = self.portal.properties(object.as_str()) else {
            return;
        };
        for name in self.members_of(field).into_iter().flat_map(Map::keys) {
            if known(pinned, name).is_none() {
                let hint = proposal(closest(name, pinned.properties.keys().map(String::as_str)));
                let message = format!(
                    "{} has no property {name} to search by{hint}",
                    object.as_str()
                );
                self.add(true, &format!("{field}.{name}"), message);
            }
        }
    }

    /// The property that a record is found by.
    fn id(&mut self, object: &ObjectType, at: &str, name: Option<&Value>) {
        let (Some(name), Some(pinned)) = (
            name.and_then(Value::as_str).map(str::trim),
            self.portal.properties(object.as_str()),
        ) else {
            return;
        };
        let is_email = *object == ObjectType::contacts() && name == "email";
        if name.is_empty() || name == RECORD_ID_PROPERTY || is_email {
            return;
        }
        let unique = pinned.properties.iter().filter(|(_, info)| info.unique);
        let unique: Vec<&str> = unique.map(|(name, _)| name.as_str()).collect();
        let message = match known(pinned, name) {
            None => {
                let hint = proposal(closest(name, pinned.properties.keys().map(String::as_str)));
                format!("{} has no property {name}{hint}", object.as_str())
            }
            Some((_, info)) if !info.unique => format!(
                "{name} of {} is not unique, so no record is found by it; unique are {}",
                object.as_str(),
                listed(&unique)
            ),
            Some(_) => return,
        };
        self.add(true, at, message);
    }

    fn group_id(&mut self, companies: &ObjectType) {
        let name = &self.mapping.settings.group_id_property;
        let pinned = self.portal.properties(companies.as_str());
        let info = pinned.and_then(|pinned| pinned.properties.get(name.as_str()));
        // One that is not there yet is made.
        if info.is_some_and(|info| !info.unique) {
            let message = format!(
                "{} of companies is not unique, so no company is found by it; set group_id_property to a unique property, or to one that is not there yet",
                name.as_str()
            );
            self.add(true, "groupid", message);
        }
    }

    fn label(&mut self, from: &ObjectType, to: &ObjectType, at: &str, label: Option<&Value>) {
        let Some(text) = label.and_then(Value::as_str) else {
            return;
        };
        let Some(wanted) = AssociationType::parse(text) else {
            return;
        };
        let known: BTreeMap<&str, &str> = self
            .portal
            .labels
            .iter()
            .filter(|label| label.from == from.as_str() && label.to == to.as_str())
            .map(|label| {
                let words = label.label.as_deref().unwrap_or("unlabelled");
                (label.kind.as_str(), words)
            })
            .collect();
        let wanted = format!("{}:{}", wanted.category, wanted.type_id);
        // None at all were read: nothing is known.
        if known.is_empty() || known.contains_key(wanted.as_str()) {
            return;
        }
        let known = known
            .iter()
            .map(|(kind, words)| format!("{kind} ({words})"));
        let known: Vec<String> = known.collect();
        let message = format!(
            "there is no label {wanted} from {} to {}; there are {}",
            from.as_str(),
            to.as_str(),
            known.join(", ")
        );
        self.add(true, at, message);
    }

    fn list(&mut self, object: &ObjectType) {
        let fields = &self.mapping.named;
        let Some(details) = fields.get("list_details").and_then(Value::as_object) else {
            return;
        };
        let Some(name) = details.get("list_name").and_then(Value::as_str) else {
            return;
        };
        if name.trim().is_empty() {
            return;
        }
        let creates = details.get("should_create_list") != Some(&Value::Bool(false));
        let lists = self.portal.lists.iter();
        let lists = lists.filter(|list| list.object == object.as_str());
        let folded = name.trim().to_lowercase();
        let found = lists
            .clone()
            .find(|list| list.name.to_lowercase() == folded);
        let message = match found {
            Some(list) if list.info.writable => return,
            Some(_) => format!("the list {name:?} fills itself: its members cannot be changed"),
            None if creates => return,
            None => {
                let hint = proposal(closest(name, lists.map(|list| list.name.as_str())));
                format!("there is no list {name:?}{hint}, and should_create_list is false")
            }
        };
        self.add(true, "list_details.list_name", message);
    }

    fn event(&mut self, field: &str, creates: bool) {
        let fields: &Map<String, Value> = &self.mapping.named;
        let Some(name) = fields.get(field).and_then(Value::as_str) else {
            return;
        };
        let wanted = clean(name);
        match self.portal.definition(&wanted) {
            Some(event) if event.archived => {
                let message = format!("the event {wanted} is archived in HubSpot");
                self.add(true, field, message);
            }
            Some(event) => self.event_properties(event, creates),
            None if creates => {}
            None => {
                let known = self.portal.events.iter();
                let known = known.flat_map(|event| [&*event.full_name, &*event.name]);
                let hint = proposal(closest(&wanted, known));
                let message = format!("the portal has no event {wanted}{hint}");
                self.add(true, field, message);
            }
        }
    }

    fn event_properties(&mut self, event: &hubferry_actions::EventDefinition, creates: bool) {
        if creates || self.mapping.action == ActionSlug::CustomEvent {
            return;
        }
        let known = || event.properties.iter().filter(|one| !one.archived);
        let members = self.members_of("properties");
        for name in members.into_iter().flat_map(Map::keys) {
            // HubSpot's own are not part of a definition.
            let is_own = name.starts_with("hs_");
            if is_own || known().any(|one| *one.name == *name.to_lowercase()) {
                continue;
            }
            let hint = proposal(closest(name, known().map(|one| &*one.name)));
            let message = format!("the event {} has no property {name}{hint}", event.name);
            self.add(false, &format!("properties.{name}"), message);
        }
    }
}

/// A property by its name, or as the newer actions clean names.
fn known<'p>(pinned: &'p PinnedObject, name: &str) -> Option<(&'p str, &'p PropertyInfo)> {
    let cleaned = clean(name).replace('-', "_");
    let found = pinned
        .properties
        .get_key_value(name)
        .or_else(|| pinned.properties.get_key_value(cleaned.as_str()));
    found.map(|(name, info)| (name.as_str(), info))
}

fn proposal(close: Option<&str>) -> String {
    close.map_or_else(String::new, |close| format!("; did you mean {close:?}?"))
}

/// The most names that a message lists.
const LISTED: usize = 8;

fn listed(names: &[&str]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        1..=LISTED => names.join(", "),
        more => format!("{} and {} more", names[..LISTED].join(", "), more - LISTED),
    }
}
